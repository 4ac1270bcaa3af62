// SPDX-License-Identifier: GPL-2.0-only
#include "access.h"

#include <fcntl.h>

namespace guest {

iommukit_test_cmd test_command(std::uint32_t op, std::uint32_t id)
{
	auto cmd = command<iommukit_test_cmd>();

	cmd.op = op;
	cmd.id = id;
	return cmd;
}

Errno test_call(const Context &context, iommukit_test_cmd &cmd)
{
	return call(context.fd(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno try_add_reserved(const Context &context, std::uint32_t ioas, std::uint64_t start,
		       std::uint64_t length)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ADD_RESERVED, ioas);

	cmd.add_reserved.start = start;
	cmd.add_reserved.length = length;
	return test_call(context, cmd);
}

Errno check_refs(const Context &context, std::uint64_t va, std::uint64_t length,
		 std::uint32_t refs)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MD_CHECK_REFS);

	cmd.check_refs.length = length;
	cmd.check_refs.uptr = va;
	cmd.check_refs.refs = refs;
	return test_call(context, cmd);
}

Errno check_refs(const Context &context, const Memory &memory, std::uint32_t refs)
{
	return check_refs(context, memory.va(), memory.size(), refs);
}

Errno set_temp_memory_limit(const Context &context, std::uint32_t bytes)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_SET_TEMP_MEMORY_LIMIT);

	cmd.memory_limit.limit = bytes;
	return test_call(context, cmd);
}

Errno Access::attempt(const Context &context, std::uint32_t ioas, std::uint32_t flags,
		      Fd *access)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_CREATE_ACCESS, ioas);

	cmd.create_access.flags = flags;
	const Errno error = test_call(context, cmd);

	if (error == ok)
		access->reset(static_cast<int>(cmd.create_access.out_access_fd));
	return error;
}

/*
 * Commands go through a descriptor of their own, so that an access works on
 * after the context's was closed.
 */
Access::Access(const Context &context, std::uint32_t ioas, std::uint32_t flags)
	: device(fcntl(context.fd(), F_DUPFD_CLOEXEC, 0))
{
	REQUIRE(device);
	REQUIRE(attempt(context, ioas, flags, &access) == ok);
}

Access::Access(int context_fd, Fd created)
	: device(fcntl(context_fd, F_DUPFD_CLOEXEC, 0)), access(std::move(created))
{
	REQUIRE(device);
}

Errno Access::attempt_extended(const Context &context, std::uint32_t ioas,
			       std::uint32_t flags, Fd *access, std::uint32_t *id)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_CREATE, ioas);

	cmd.access_create.flags = flags;
	const Errno error = test_call(context, cmd);

	if (error != ok)
		return error;
	access->reset(static_cast<int>(cmd.access_create.out_access_fd));
	if (id)
		*id = cmd.access_create.out_access_id;
	return ok;
}

Access Access::extended(const Context &context, std::uint32_t ioas, std::uint32_t flags,
			std::uint32_t *id)
{
	Fd created;

	REQUIRE(attempt_extended(context, ioas, flags, &created, id) == ok);
	return Access(context.fd(), std::move(created));
}

Errno Access::try_pin(std::uint64_t iova, std::uint64_t length, std::uint32_t flags,
		      std::uint64_t uptr, std::uint32_t *item) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, id());

	cmd.access_pages.flags = flags;
	cmd.access_pages.iova = iova;
	cmd.access_pages.length = length;
	cmd.access_pages.uptr = uptr;
	const Errno error = call(device.get(), IOMMUKIT_TEST_CMD, &cmd);

	if (item)
		*item = error == ok ? cmd.access_pages.out_access_pages_id : no_item;
	return error;
}

std::uint32_t Access::pin(std::uint64_t iova, std::uint64_t length, std::uint32_t flags,
			  std::uint64_t uptr) const
{
	std::uint32_t item = no_item;

	REQUIRE(try_pin(iova, length, flags, uptr, &item) == ok);
	return item;
}

Errno Access::try_unpin(std::uint32_t item) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES, id());

	cmd.destroy_access_pages.access_pages_id = item;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Access::rw(std::uint64_t iova, std::uint64_t uptr, std::uint64_t length,
		 std::uint32_t flags) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_RW, id());

	cmd.access_rw.iova = iova;
	cmd.access_rw.length = length;
	cmd.access_rw.uptr = uptr;
	cmd.access_rw.flags = flags;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Access::try_read(std::uint64_t iova, void *buffer, std::uint64_t length,
		       std::uint32_t flags) const
{
	return rw(iova, reinterpret_cast<std::uint64_t>(buffer), length, flags);
}

Errno Access::try_write(std::uint64_t iova, const void *buffer, std::uint64_t length,
			std::uint32_t flags) const
{
	return rw(iova, reinterpret_cast<std::uint64_t>(buffer), length,
		  flags | IOMMUKIT_TEST_ACCESS_RW_WRITE);
}

std::vector<std::byte> Access::read(std::uint64_t iova, std::uint64_t length,
				    std::uint32_t flags) const
{
	std::vector<std::byte> buffer(length);

	REQUIRE(try_read(iova, buffer.data(), length, flags) == ok);
	return buffer;
}

Errno Access::try_replace(std::uint32_t ioas) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_REPLACE_IOAS, id());

	cmd.access_replace_ioas.ioas_id = ioas;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Access::try_attach(std::uint32_t ioas) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_ATTACH, id());

	cmd.access_attach.ioas_id = ioas;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Access::try_detach() const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_DETACH, id());

	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

void Access::detach() const
{
	REQUIRE(try_detach() == ok);
}

Errno Access::rw_raw(std::uint64_t iova, const void *buffer, std::uint64_t length,
		     std::uint32_t flags, From from) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_RW_RAW, id());

	cmd.access_rw_raw.iova = iova;
	cmd.access_rw_raw.length = length;
	cmd.access_rw_raw.uptr = reinterpret_cast<std::uint64_t>(buffer);
	cmd.access_rw_raw.rw_flags = flags;
	cmd.access_rw_raw.how = static_cast<std::uint32_t>(from);
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Access::pin_raw(std::uint64_t iova, std::uint64_t length, std::uint32_t flags) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES_RAW, id());

	cmd.access_pages.flags = flags;
	cmd.access_pages.iova = iova;
	cmd.access_pages.length = length;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Access::try_pin_unlocked(std::uint64_t iova, std::uint64_t length) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PIN_RAW, id());

	cmd.access_pin_raw.iova = iova;
	cmd.access_pin_raw.length = length;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Access::try_unpin_raw(std::uint64_t iova, std::uint64_t length) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_UNPIN_RAW, id());

	cmd.access_unpin_raw.iova = iova;
	cmd.access_unpin_raw.length = length;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

void Access::unpin_raw(std::uint64_t iova, std::uint64_t length) const
{
	REQUIRE(try_unpin_raw(iova, length) == ok);
}

void Access::behave(std::uint32_t flags, std::uint32_t delay_ms) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_BEHAVIOUR, id());

	cmd.access_behaviour.flags = flags;
	cmd.access_behaviour.delay_ms = delay_ms;
	REQUIRE(call(device.get(), IOMMUKIT_TEST_CMD, &cmd) == ok);
}

void Access::set_stubborn(bool on) const
{
	behave(on ? IOMMUKIT_TEST_ACCESS_STUBBORN : 0, 0);
}

void Access::set_delay(std::uint32_t milliseconds) const
{
	behave(0, milliseconds);
}

Callbacks Access::callbacks() const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_STATS, id());

	REQUIRE(call(device.get(), IOMMUKIT_TEST_CMD, &cmd) == ok);
	return {cmd.access_stats.out_calls, cmd.access_stats.out_running,
		cmd.access_stats.out_items, cmd.access_stats.out_last_iova,
		cmd.access_stats.out_last_length};
}

} // namespace guest
