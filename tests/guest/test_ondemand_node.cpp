// SPDX-License-Identifier: GPL-2.0-only
/* On-demand mappings of memory that is moved to another node of the machine. */
#include "mm_tools.h"
#include "mock.h"
#include "ondemand.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t pages = 32;
constexpr std::uint64_t size = pages * page_size;
constexpr unsigned int mpol_mf_move = 2;

void need_two_nodes()
{
	if (access("/sys/devices/system/node/node1", F_OK) < 0)
		skip("this machine has one node");
}

/* The kernel moves nothing on its own account, as long as this lives. */
class NoBalancing {
    public:
	NoBalancing() : before(read_number(path)) { write_text(path, "0"); }
	NoBalancing(const NoBalancing &) = delete;
	NoBalancing &operator=(const NoBalancing &) = delete;
	~NoBalancing()
	{
		if (before)
			write_text(path, std::to_string(*before));
	}

    private:
	static constexpr char path[] = "/proc/sys/kernel/numa_balancing";

	std::optional<std::uint64_t> before;
};

/* Filled memory on node 0. */
struct World : OndemandWorld {
	explicit World(Who who) : OndemandWorld(who)
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		memory.fill(1);
		map(memory.va(), size, map_rw, iova, 9);
		move(0);
		REQUIRE(number_on(0) == pages);
	}

	/* Returns how many were not moved. */
	std::uint64_t move(int node) const
	{
		std::vector<void *> where = addresses();
		const std::vector<int> nodes(pages, node);
		std::vector<int> status(pages, node);
		const long left = syscall(SYS_move_pages, 0, pages, where.data(),
					  nodes.data(), status.data(), mpol_mf_move);

		REQUIRE(left >= 0);
		const auto busy = std::count(status.begin(), status.end(), -EBUSY);
		return static_cast<std::uint64_t>(left ? left : busy);
	}
	std::uint64_t number_on(int node) const
	{
		std::vector<void *> where = addresses();
		std::vector<int> status(pages, -1);

		REQUIRE(syscall(SYS_move_pages, 0, pages, where.data(), nullptr,
				status.data(), 0) == 0);
		return static_cast<std::uint64_t>(
			std::count(status.begin(), status.end(), node));
	}

	NoBalancing no_balancing;
	Memory memory{size, Memory::Kind::private_anonymous};

    private:
	std::vector<void *> addresses() const
	{
		std::vector<void *> where;

		for (std::uint64_t at = 0; at < size; at += page_size)
			where.push_back(memory.data() + at);
		return where;
	}
};

} // namespace

TEST_CASE("memory that moves to another node is the same memory")
{
	need_two_nodes();
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);

			REQUIRE(world.shows(1, 0, size));
			REQUIRE(world.stats().out_present_pages == pages);
			CHECK(world.move(1) == 0);
			CHECK(world.number_on(1) == pages);
			CHECK(world.stats().out_present_pages == 0);
			CHECK(world.stats().out_zapped_pages >= pages);
			CHECK(world.shows(1, 0, size));
			/* And so it is to those who write. */
			CHECK(world.put(5 * page_size, std::byte(9)) == ok);
			CHECK(world.move(0) == 0);
			CHECK(world.get(5 * page_size) == std::byte(9));
			CHECK(world.memory.data()[5 * page_size] == std::byte(9));
		}
	}
}

TEST_CASE("a device is led to where the memory has moved")
{
	need_two_nodes();
	const World world(Who::owner_slow);
	const Mock mock = mock_create(world.context, world.ioas, {.flags = mock_faults});
	const auto leads = [&] {
		return check_map(world.context, mock.hwpt, iova, size, world.memory.va());
	};

	copies_use_page_table();
	REQUIRE(try_mock_fault(world.context, mock, iova, size, true) == ok);
	CHECK(leads() == ok);
	CHECK(world.move(1) == 0);
	CHECK(world.number_on(1) == pages);
	CHECK(leads() == Errno{EINVAL});
	CHECK(try_mock_fault(world.context, mock, iova, size, true) == ok);
	CHECK(leads() == ok);
}

TEST_CASE("memory that is pinned does not move, until it is not")
{
	need_two_nodes();
	const World world(Who::owner_slow);
	const Access &access = world.device.access();
	const std::uint32_t pin = access.pin(iova, size / 2);

	CHECK(world.move(1) == pages / 2);
	CHECK(world.number_on(0) == pages / 2);
	CHECK(world.number_on(1) == pages / 2);
	CHECK(world.shows(1, 0, size));
	CHECK(access.try_unpin(pin) == ok);
	CHECK(world.move(1) == 0);
	CHECK(world.number_on(1) == pages);
	CHECK(world.shows(1, 0, size));
}
