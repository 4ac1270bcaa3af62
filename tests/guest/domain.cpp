// SPDX-License-Identifier: GPL-2.0-only
#include "domain.h"

#include "modules.h"

#include <fcntl.h>

namespace guest {

std::ostream &operator<<(std::ostream &out, const Dirty &dirty)
{
	return out << std::hex << dirty.iova << '+' << dirty.length << std::dec;
}

Errno Domain::attempt(const Context &context, const Geometry &geometry, Fd *domain)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_DOMAIN_CREATE);

	cmd.domain_create.page_sizes = geometry.page_sizes;
	cmd.domain_create.first = geometry.first;
	cmd.domain_create.last = geometry.last;
	cmd.domain_create.flags = geometry.flags;
	const Errno error = test_call(context, cmd);

	if (error == ok)
		domain->reset(static_cast<int>(cmd.domain_create.out_fd));
	return error;
}

Domain::Domain(const Context &context, const Geometry &geometry)
	: device(fcntl(context.fd(), F_DUPFD_CLOEXEC, 0))
{
	REQUIRE(device);
	REQUIRE(attempt(context, geometry, &domain) == ok);
}

iommukit_test_cmd Domain::command(std::uint32_t op) const
{
	return test_command(op, static_cast<std::uint32_t>(domain.get()));
}

Errno Domain::try_map(std::uint64_t iova, Backing backing, std::uint64_t length,
		      std::uint32_t prot, std::uint32_t flags) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_DOMAIN_MAP);

	cmd.domain_map.iova = iova;
	cmd.domain_map.length = length;
	cmd.domain_map.source = backing.kind;
	cmd.domain_map.address = backing.address;
	cmd.domain_map.prot = prot;
	cmd.domain_map.flags = flags;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

void Domain::map(std::uint64_t iova, Backing backing, std::uint64_t length,
		 std::uint32_t prot, std::uint32_t flags) const
{
	REQUIRE(try_map(iova, backing, length, prot, flags) == ok);
}

std::uint64_t Domain::unmap(std::uint64_t iova, std::uint64_t length,
			    std::uint32_t flags) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_DOMAIN_UNMAP);

	cmd.domain_unmap.iova = iova;
	cmd.domain_unmap.length = length;
	cmd.domain_unmap.flags = flags;
	if (call(device.get(), IOMMUKIT_TEST_CMD, &cmd) != ok)
		return all_ones;
	return cmd.domain_unmap.out_unmapped;
}

Errno Domain::check(std::uint64_t iova, Backing backing, std::uint64_t length) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_DOMAIN_CHECK);

	cmd.domain_map.iova = iova;
	cmd.domain_map.length = length;
	cmd.domain_map.source = backing.kind;
	cmd.domain_map.address = backing.address;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Domain::translate(std::uint64_t iova, std::uint32_t prot) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_DOMAIN_TRANSLATE);

	cmd.domain_rw.iova = iova;
	cmd.domain_rw.prot = prot;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Domain::rw(std::uint64_t iova, std::uint64_t uptr, std::uint64_t length,
		 std::uint32_t prot, std::uint32_t times) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_DOMAIN_RW);

	cmd.domain_rw.iova = iova;
	cmd.domain_rw.length = length;
	cmd.domain_rw.uptr = uptr;
	cmd.domain_rw.prot = prot;
	cmd.domain_rw.times = times;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Domain::try_read(std::uint64_t iova, void *data, std::uint64_t length,
		       std::uint32_t times) const
{
	return rw(iova, reinterpret_cast<std::uint64_t>(data), length, domain_read,
		  times);
}

Errno Domain::try_write(std::uint64_t iova, const void *data, std::uint64_t length,
			std::uint32_t times) const
{
	return rw(iova, reinterpret_cast<std::uint64_t>(data), length, domain_write,
		  times);
}

void Domain::track(bool on) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_DOMAIN_SET_DIRTY_TRACKING);

	cmd.domain_dirty_tracking.on = on;
	REQUIRE(call(device.get(), IOMMUKIT_TEST_CMD, &cmd) == ok);
}

Errno Domain::try_read_dirty(std::uint64_t iova, std::uint64_t length,
			     std::vector<Dirty> *records, std::uint32_t flags,
			     std::uint32_t max) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_DOMAIN_READ_DIRTY);
	std::vector<iommukit_test_dirty> out(max);

	cmd.domain_read_dirty.iova = iova;
	cmd.domain_read_dirty.length = length;
	cmd.domain_read_dirty.uptr = reinterpret_cast<std::uint64_t>(out.data());
	cmd.domain_read_dirty.flags = flags;
	cmd.domain_read_dirty.max = max;
	const Errno error = call(device.get(), IOMMUKIT_TEST_CMD, &cmd);

	records->clear();
	for (std::uint32_t i = 0; i < cmd.domain_read_dirty.out_nr; i++)
		records->push_back({out[i].iova, out[i].length});
	return error;
}

std::vector<Dirty> Domain::read_dirty(std::uint64_t iova, std::uint64_t length,
				      std::uint32_t flags) const
{
	std::vector<Dirty> records;

	REQUIRE(try_read_dirty(iova, length, &records, flags) == ok);
	return records;
}

Errno Domain::race(std::uint32_t op, std::uint64_t iova, std::uint64_t *seen,
		   std::uint64_t last) const
{
	auto cmd = command(op);

	cmd.domain_chase.iova = iova;
	cmd.domain_chase.uptr = reinterpret_cast<std::uint64_t>(seen);
	cmd.domain_chase.last = last;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno Domain::chase(std::uint64_t iova, std::uint64_t *seen, std::uint64_t last) const
{
	return race(IOMMUKIT_TEST_OP_DOMAIN_CHASE, iova, seen, last);
}

Errno Domain::follow(std::uint64_t iova, std::uint64_t *seen, std::uint64_t last) const
{
	return race(IOMMUKIT_TEST_OP_DOMAIN_FOLLOW, iova, seen, last);
}

std::uint64_t tables()
{
	const auto objects = slab_objects("iommukit_soft_tables");

	if (!objects)
		skip("the kernel has merged the cache of tables with others");
	return *objects;
}

} // namespace guest
