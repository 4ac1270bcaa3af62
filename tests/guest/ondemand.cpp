// SPDX-License-Identifier: GPL-2.0-only
#include "ondemand.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace guest {

iommukit_ioas_map_ondemand ondemand_command(std::uint32_t ioas, std::uint64_t va,
					    std::uint64_t length, std::uint64_t iova)
{
	auto cmd = command<iommukit_ioas_map_ondemand>();

	cmd.flags = map_rw_fixed;
	cmd.ioas_id = ioas;
	cmd.fault_around = around_default;
	cmd.user_va = va;
	cmd.length = length;
	cmd.iova = iova;
	return cmd;
}

Errno try_map_ondemand(const Context &context, std::uint32_t ioas, std::uint64_t va,
		       std::uint64_t length, std::uint64_t iova, std::uint32_t flags,
		       std::uint32_t around)
{
	auto cmd = ondemand_command(ioas, va, length, iova);
	Errno error;

	cmd.flags = flags;
	cmd.fault_around = around;
	do
		error = call(context.fd(), IOMMUKIT_IOAS_MAP_ONDEMAND, &cmd);
	while (error == Errno{EINTR});
	return error;
}

Errno try_prefetch(const Context &context, std::uint32_t ioas, std::uint64_t iova,
		   std::uint64_t length, std::uint32_t flags, std::uint64_t *pages)
{
	auto cmd = command<iommukit_ioas_prefetch>();

	cmd.flags = flags;
	cmd.ioas_id = ioas;
	cmd.iova = iova;
	cmd.length = length;
	const Errno error = call(context.fd(), IOMMUKIT_IOAS_PREFETCH, &cmd);

	if (pages)
		*pages = cmd.out_pages;
	return error;
}

Errno try_query(const Context &context, std::uint32_t ioas, std::uint64_t iova,
		Stats *stats, std::uint32_t flags)
{
	*stats = command<iommukit_ondemand_query>();
	stats->flags = flags;
	stats->ioas_id = ioas;
	stats->iova = iova;
	return call(context.fd(), IOMMUKIT_ONDEMAND_QUERY, stats);
}

Stats query(const Context &context, std::uint32_t ioas, std::uint64_t iova,
	    std::uint32_t flags)
{
	Stats stats;

	REQUIRE(try_query(context, ioas, iova, &stats, flags) == ok);
	return stats;
}

Trouble::Trouble(const Context &context, std::uint32_t which, std::uint32_t value)
	: of(context), what(which)
{
	REQUIRE(set(value) == ok);
}

Trouble::~Trouble()
{
	CHECK(set(0) == ok);
}

Errno Trouble::set(std::uint32_t value) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ONDEMAND_TROUBLE);

	cmd.ondemand_trouble.what = what;
	cmd.ondemand_trouble.value = value;
	return test_call(of, cmd);
}

const char *name_of(Who who)
{
	switch (who) {
	case Who::owner:
		return "owner";
	case Who::owner_slow:
		return "owner, slow path";
	case Who::other:
		return "other process";
	case Who::kthread:
		break;
	}
	return "kernel thread";
}

namespace {

void make_pipe(Fd &reader, Fd &writer)
{
	int ends[2];

	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	reader.reset(ends[0]);
	writer.reset(ends[1]);
}

} // namespace

/* The ends of the pipes that are the other's are closed here, so that its end shows. */
Device::Device(const Context &context, std::uint32_t ioas, Who who)
	: kind(who), entry(context, ioas)
{
	if (kind != Who::other)
		return;
	Fd requests, answers;

	/* Writing to one that is gone is an answer, too. */
	signal(SIGPIPE, SIG_IGN);
	room.emplace();
	make_pipe(requests, to_peer);
	make_pipe(from_peer, answers);
	peer = std::make_unique<Child>([&](const Child::Steps &) {
		to_peer.reset();
		from_peer.reset();
		return serve(requests.get(), answers.get());
	});
}

Device::~Device() = default;

int Device::serve(int requests, int answers) const
{
	Request request;

	while (::read(requests, &request, sizeof(request)) == sizeof(request)) {
		const Errno error =
			issue(request.iova, (*room)->data, request.length, request.write);

		if (::write(answers, &error.value, sizeof(int)) != sizeof(int))
			return 1;
	}
	return 0;
}

/* ESRCH: the other process is gone. */
Errno Device::ask(const Request &request) const
{
	int error = 0;

	if (request.length > most)
		return Errno{EMSGSIZE};
	if (::write(to_peer.get(), &request, sizeof(request)) != sizeof(request) ||
	    ::read(from_peer.get(), &error, sizeof(error)) != sizeof(error))
		return Errno{ESRCH};
	return Errno{error};
}

Errno Device::issue(std::uint64_t iova, void *data, std::uint64_t length,
		    bool write) const
{
	const std::uint32_t flags = write ? rw_write : 0;

	if (kind == Who::kthread)
		return entry.rw_raw(iova, data, length, flags | rw_kthread,
				    From::kthread);
	const std::uint32_t way = kind == Who::owner ? 0 : rw_slow;
	return write ? entry.try_write(iova, data, length, way)
		     : entry.try_read(iova, data, length, way);
}

Errno Device::read(std::uint64_t iova, void *to, std::uint64_t length) const
{
	if (!peer)
		return issue(iova, to, length, false);
	const Errno error = ask({iova, length, false});
	if (error == ok)
		std::memcpy(to, (*room)->data, length);
	return error;
}

Errno Device::write(std::uint64_t iova, const void *from, std::uint64_t length) const
{
	if (!peer)
		return issue(iova, const_cast<void *>(from), length, true);
	std::memcpy((*room)->data, from, std::min(length, most));
	return ask({iova, length, true});
}

Errno Device::touch(std::uint64_t iova) const
{
	std::byte byte;

	return read(iova, &byte, 1);
}

Errno Device::put(std::uint64_t iova, std::byte value) const
{
	return write(iova, &value, 1);
}

std::byte Device::get(std::uint64_t iova) const
{
	std::byte byte{};

	REQUIRE(read(iova, &byte, 1) == ok);
	return byte;
}

OndemandWorld::OndemandWorld(Who who) : ioas(context.ioas()), device(context, ioas, who)
{
}

void OndemandWorld::map(std::uint64_t va, std::uint64_t length, std::uint32_t flags,
			std::uint64_t at, std::uint32_t around) const
{
	REQUIRE(try_map_ondemand(context, ioas, va, length, at, flags | map_fixed,
				 around) == ok);
}

std::uint64_t OndemandWorld::prefetch(std::uint64_t offset, std::uint64_t length,
				      std::uint32_t flags) const
{
	std::uint64_t pages = 0;

	REQUIRE(try_prefetch(context, ioas, iova + offset, length, flags, &pages) == ok);
	return pages;
}

bool OndemandWorld::shows(unsigned int salt, std::uint64_t offset,
			  std::uint64_t length) const
{
	std::vector<std::byte> buffer(length);

	return read(offset, buffer.data(), length) == ok &&
	       buffer == pattern_of(salt, offset, length);
}

bool OndemandWorld::shows_zeros(std::uint64_t offset, std::uint64_t length) const
{
	std::vector<std::byte> buffer(length, std::byte(0xff));

	return read(offset, buffer.data(), length) == ok &&
	       std::all_of(buffer.begin(), buffer.end(),
			   [](std::byte byte) { return byte == std::byte(0); });
}

} // namespace guest
