// SPDX-License-Identifier: GPL-2.0-only
/* PCI devices that move to other page tables while their DMA goes on. */
#include "mock.h"
#include "replace_world.h"

#include <iostream>

using namespace guest;

namespace {

using Fate = ReplaceWorld::Fate;

/* Transfers of each case, of 100 ms each. */
constexpr unsigned int transfers = 8;
/* And of the one that is a matter of luck. */
constexpr unsigned int many_transfers = 30;
constexpr std::uint64_t msi_window = 0xfee00000;

/* Where the device goes in turn: by the names of IOASes, or by HWPTs that stay. */
struct Places {
	Places(const ReplaceWorld &world, bool by_hwpt)
		: first(by_hwpt ? hwpt(world, world.first) : world.first),
		  second(by_hwpt ? hwpt(world, world.second) : world.second)
	{
	}
	static std::uint32_t hwpt(const ReplaceWorld &world, std::uint32_t ioas)
	{
		return make_hwpt(world.context, world.device().id(), ioas);
	}
	std::uint32_t of(Fate side) const { return side == Fate::first ? first : second; }

	std::uint32_t first, second;
};

Fate other(Fate side)
{
	return side == Fate::first ? Fate::second : Fate::first;
}

} // namespace

/* With an IOMMU that cannot change over at once, it may also be lost in between. */
TEST_CASE("a write under way goes to where its device is when it happens")
{
	const ReplaceWorld world({lone_edu()});
	const bool by_hwpt = GENERATE(false, true);
	const Places places(world, by_hwpt);
	Fate side = Fate::first;
	unsigned int overtaken = 0;

	INFO((by_hwpt ? "by HWPTs" : "by IOASes"));
	world.device().attach(places.of(side));
	for (unsigned int n = 0; n < transfers; n++) {
		side = other(side);
		world.edu().start_write(ReplaceWorld::iova());
		world.device().replace(places.of(side));
		/* What has not happened by now finds the new one. */
		const bool running = world.edu().running();

		world.edu().wait();
		const Fate fate = world.judge();
		if (running)
			CHECK(fate == side);
		overtaken += running;
	}
	std::cout << "# " << overtaken << " of " << transfers
		  << " writes happened after the replace" << std::endl;
	world.edu().write(ReplaceWorld::iova());
	CHECK(world.judge() == side);
}

TEST_CASE("a read under way comes from where its device is when it happens")
{
	const ReplaceWorld world({lone_edu()});
	const Memory result(page_size);
	constexpr std::uint64_t result_iova = 0x800000;
	/* Of what the device reads, in either IOAS. */
	constexpr unsigned int first_salt = 3, second_salt = 4;
	constexpr std::uint64_t page_iova = ReplaceWorld::source_iova;
	const Memory in_first(page_size), in_second(page_size);
	const std::uint32_t ioases[] = {world.first, world.second};

	in_first.fill(first_salt);
	in_second.fill(second_salt);
	world.context.map(world.first, in_first, page_iova);
	world.context.map(world.second, in_second, page_iova);
	for (const std::uint32_t ioas : ioases)
		world.context.map(ioas, result, result_iova);
	world.device().attach(world.first);
	for (unsigned int n = 1; n < transfers; n++) {
		const unsigned int now = n % 2, before = 1 - now;

		result.fill(clean_salt);
		world.edu().start_read(page_iova);
		world.device().replace(ioases[now]);
		const bool running = world.edu().running();

		world.edu().wait();
		world.edu().write(result_iova);
		if (running) {
			CHECK(landed(result, 0, now ? second_salt : first_salt));
			CHECK(nothing_of(before ? second_salt : first_salt, result));
		}
	}
}

/*
 * Every device writes to the first or the second IOAS, or its write is lost: which one
 * is a matter of time, for each of its bytes. None is ever seen in any other page.
 */
TEST_CASE("devices that are replaced all the time write nowhere else")
{
	const ReplaceWorld world(lone_edus(1));
	const bool by_hwpt = GENERATE(false, true);
	const Places places(world, by_hwpt);
	const unsigned int least = (by_hwpt ? 10'000 : 1'000) / slowness();
	unsigned int replaces = 0, writes = 0, fates[4] = {};
	const auto finish = [&](std::size_t lane) {
		fates[static_cast<int>(world.judge(lane))]++;
		writes++;
	};

	INFO((by_hwpt ? "by HWPTs" : "by IOASes"));
	for (std::size_t lane = 0; lane < world.size(); lane++) {
		world.device(lane).attach(places.first);
		world.edu(lane).start_write(ReplaceWorld::iova(lane));
	}
	for (Fate side = Fate::second; replaces < least || writes < many_transfers;
	     side = other(side))
		for (std::size_t lane = 0; lane < world.size(); lane++, replaces++) {
			world.device(lane).replace(places.of(side));
			if (world.edu(lane).running())
				continue;
			finish(lane);
			world.edu(lane).start_write(ReplaceWorld::iova(lane));
		}
	for (std::size_t lane = 0; lane < world.size(); lane++) {
		world.edu(lane).wait();
		finish(lane);
	}
	std::cout << "# " << replaces << " replaces "
		  << (by_hwpt ? "by HWPTs" : "by IOASes") << ": " << fates[1]
		  << " writes to the first, " << fates[2] << " to the second, "
		  << fates[0] << " lost, " << fates[3] << " in part" << std::endl;
	CHECK(fates[1] + fates[2] > 0);
}

TEST_CASE("a replace that is refused leaves everything as it was")
{
	const ReplaceWorld world({lone_edu()});
	const Memory more(page_size);
	const std::uint32_t ioas = world.context.ioas();
	const struct {
		const char *name;
		std::uint64_t iova;
		std::vector<int> errors;
	} places[] = {
		{"where interrupts are written", msi_window, {EADDRINUSE}},
		{"its last page", msi_window + 0xff000, {EADDRINUSE}},
		{"beyond what any VT-d has", 1UL << 60, {EADDRINUSE}},
		/*
		 * Where a domain does not know its width before a device is there,
		 * something else may notice.
		 */
		{"beyond what QEMU's has", 1UL << 48, {EADDRINUSE, EFAULT, EINVAL}},
	};
	const std::uint32_t hwpt = world.device().attach(world.first);

	for (const auto &place : places) {
		const std::size_t ranges = world.context.ranges(world.first).size();
		std::uint32_t pt = 77;

		INFO(place.name);
		REQUIRE(world.context.try_map(ioas, more.va(), page_size, place.iova) ==
			ok);
		const Errno error = world.device().try_replace(ioas, &pt);
		CHECK_THAT(place.errors, Catch::Matchers::VectorContains(error.value));
		CHECK(pt == 77);
		CHECK(check_refs(world.context, more, 0) == ok);
		CHECK(world.context.ranges(ioas).size() == 1);
		CHECK(world.context.ranges(world.first).size() == ranges);
		CHECK(world.context.try_destroy(hwpt) == Errno{EBUSY});
		world.edu().write(ReplaceWorld::iova());
		CHECK(world.judge() == Fate::first);
		REQUIRE(world.context.unmap_all(ioas) == page_size);
	}
	CHECK(world.device().try_replace(ioas) == ok);
}

TEST_CASE("a replace to where the device is changes nothing")
{
	const ReplaceWorld world({lone_edu()});
	const std::uint32_t hwpt = world.device().attach(world.first);

	world.edu().start_write(ReplaceWorld::iova());
	CHECK(world.device().replace(hwpt) == hwpt);
	CHECK(world.device().replace(world.first) == hwpt);
	world.edu().wait();
	CHECK(world.judge() == Fate::first);
}
