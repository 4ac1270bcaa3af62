// SPDX-License-Identifier: GPL-2.0-only
/* On-demand mappings in HWPTs: how much is put in, and looked for, at a time. */
#include "ondemand_hwpt.h"

using namespace guest;

using World = OndemandHwptWorld;

TEST_CASE("a device that goes from page to page waits more and more seldom")
{
	const World world(chunk_pages);
	const auto waits = [&](bool forward) {
		world.discard(0, world.pages);
		world.fill(1);
		world.reset();
		for (std::uint64_t n = 0; n < world.pages; n++) {
			const std::uint64_t page = forward ? n : world.pages - 1 - n;

			if (!world.leads(page))
				CHECK(world.fault(page) == ok);
		}
		return world.stats().out_faults_read;
	};

	/* 16 pages, then twice as many as there are by then. */
	CHECK(waits(true) == 6);
	/* That it is the other way round is nothing special. */
	CHECK(waits(false) == world.pages / 16);
}

/* Each change takes a page off the end of a run, and with it the rest out. */
TEST_CASE("memory that changes bit by bit goes in page by page")
{
	constexpr std::uint64_t changes = 8;
	const World world(256);
	const Run run = world.longest_run(changes + 4);
	const auto fault_all = [&] {
		world.reset();
		CHECK(world.fault(0, world.pages) == ok);
		CHECK(world.leads(0, world.pages));
		return world.stats().out_hw_maps;
	};

	for (std::uint64_t n = 1; n <= changes; n++) {
		INFO("change " << n);
		fault_all();
		const std::uint64_t together = run.pages + 1 - n;
		world.discard(run.first + together - 1);
		CHECK(world.stats().out_hw_unmaps == 1);
		CHECK(world.number_led() == world.pages - together);
	}
	CHECK(fault_all() == run.pages + 1 - changes);
	world.reset();
	world.discard(run.first + 1);
	CHECK(world.stats().out_hw_unmaps == 1);
	CHECK(world.number_led() == world.pages - 1);
	CHECK(fault_all() == 1);
	/* New memory is a new beginning. */
	world.discard(0, world.pages);
	world.fill(1);
	const auto runs = world.runs();
	CHECK(fault_all() == runs.size());
}
