// SPDX-License-Identifier: GPL-2.0-only
/* On-demand mappings: what an administrator can choose, by parameters of the module. */
#include "mm_tools.h"
#include "modules.h"
#include "ondemand.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;

void need(const std::string &reason)
{
	if (!reason.empty())
		skip(reason);
}

/* ---- which pages the kernel takes for being in use ---- */

constexpr std::uint64_t flag_referenced = 1UL << 2;

std::string lacks_page_flags()
{
	return exists("/proc/kpageflags") ? ""
					  : "this kernel does not show flags of pages";
}

bool is_in_use(std::uint64_t va)
{
	const Fd file(open("/proc/kpageflags", O_RDONLY | O_CLOEXEC));
	const std::uint64_t entry = pagemap_entry(va);
	std::uint64_t flags = 0;

	REQUIRE(file);
	REQUIRE(entry & pagemap_present);
	REQUIRE(pread(file.get(), &flags, sizeof(flags),
		      static_cast<off_t>((entry & ((1UL << 55) - 1)) * sizeof(flags))) ==
		static_cast<ssize_t>(sizeof(flags)));
	return flags & flag_referenced;
}

/* Pages that their process has touched once. */
struct TouchedWorld : OndemandWorld {
	static constexpr std::uint64_t pages = 16;

	explicit TouchedWorld(Who who)
		: OndemandWorld(who),
		  memory(2 * huge_size, Memory::Kind::private_anonymous),
		  va(memory.va() + -memory.va() % huge_size)
	{
		madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
		memory.fill(1);
		/* One window: who finds a page finds all. */
		map(va, pages * page_size, map_rw, iova, 9);
	}
	bool in_use(std::uint64_t page) const { return is_in_use(va + page * page_size); }

	Memory memory;
	std::uint64_t va;
};

} // namespace

TEST_CASE("a page that is used by IOVA only is in use")
{
	need(lacks_page_flags());
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const TouchedWorld world(who);

			REQUIRE(!world.in_use(3));
			REQUIRE(!world.in_use(5));
			/* Found since it was needed, or along with that. */
			CHECK(world.prefetch(3 * page_size, page_size) == 1);
			CHECK(world.in_use(3));
			CHECK(world.stats().out_present_pages == world.pages);
			CHECK(!world.in_use(5));
			CHECK(world.touch(5 * page_size) == ok);
			CHECK(world.in_use(5));
		}
	}
}

TEST_CASE("the kernel is not told so if it shall not be")
{
	need(lacks_page_flags());
	const Parameter quiet("ondemand_mark_accessed", "N");

	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const TouchedWorld world(who);

			CHECK(world.prefetch(3 * page_size, page_size) == 1);
			CHECK(world.touch(5 * page_size) == ok);
			CHECK(world.put(7 * page_size, std::byte(2)) == ok);
			for (const std::uint64_t page : {3, 5, 7})
				CHECK(!world.in_use(page));
		}
	}
}
