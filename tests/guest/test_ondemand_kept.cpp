// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs that do not let go of on-demand memory: nobody else gets the pages, devices are
 * cut off, and the pages come back.
 */
#include "mm_tools.h"
#include "mock.h"
#include "module_log.h"
#include "modules.h"
#include "ondemand.h"
#include "threads.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t aside = iova + 4 * huge_size;
constexpr std::uint64_t pages = 16;
constexpr std::uint64_t size = pages * page_size;

/* Is one of these page frames in this process's new memory? */
bool gets_one_of(const std::vector<std::uint64_t> &frames)
{
	const Memory memory(8 * huge_size, Memory::Kind::private_anonymous);
	bool found = false;

	for (std::uint64_t at = 0; at < memory.size(); at += page_size) {
		memory.data()[at] = std::byte(1);
		found = found || std::find(frames.begin(), frames.end(),
					   frame_of(memory.va() + at)) != frames.end();
	}
	return found;
}

/* Filled memory, of which each page is found by itself, and a device. */
struct World : OndemandWorld {
	World()
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		memory.fill(1);
		map(memory.va(), size, map_rw, iova, 0);
		mock = mock_create(context, ioas, {.flags = mock_faults});
	}

	/* Pages go into a HWPT one by one, to be written. */
	void load(const Mock &device, std::uint64_t at, std::uint64_t first = 0,
		  std::uint64_t number = pages) const
	{
		for (std::uint64_t n = first; n < first + number; n++)
			REQUIRE(try_mock_fault(context, device, at + n * page_size,
					       page_size, true) == ok);
	}
	void load() const { load(mock, iova); }

	/* The process is rid of a page, the HWPTs are not. */
	void fail(std::uint64_t page) const
	{
		const UnmapHow nothing(context, IOMMUKIT_TEST_UNMAP_NOTHING);

		memory.unmap(page * page_size, page_size);
	}
	std::uint64_t kept(std::uint64_t at = iova) const
	{
		return query(context, ioas, at).out_quarantined_pages;
	}
	/* Pages have come back. */
	bool settles(std::uint64_t at = iova) const
	{
		return wait_until([&] { return kept(at) == 0; });
	}

	/* What a device does by itself. */
	Errno reach(const Mock &device, std::uint64_t at) const
	{
		std::byte byte;

		return try_mock_read(context, device, at, &byte, 1);
	}
	Errno reach(std::uint64_t page) const
	{
		return reach(mock, iova + page * page_size);
	}
	void check_blocked(const Mock &device, std::uint64_t at = iova) const
	{
		const std::byte byte{};

		for (std::uint64_t n = 0; n < pages; n++) {
			CHECK(reach(device, at + n * page_size) == Errno{ENOENT});
			CHECK(try_mock_write(context, device, at + n * page_size, &byte,
					     1) == Errno{ENOENT});
		}
		CHECK(mock_stats(context, device).attached == 0);
	}
	void check_dead() const
	{
		const Stats stats = query(context, ioas);

		CHECK((stats.out_state & IOMMUKIT_ONDEMAND_QUARANTINED));
		CHECK((stats.out_state & IOMMUKIT_ONDEMAND_DEAD_CTX));
		CHECK(try_mock_fault(context, mock, iova, page_size) == Errno{EIO});
		CHECK(touch(0) == Errno{EIO});
		CHECK(try_prefetch(context, ioas, iova, size) == Errno{EIO});
		/* Nor does it help to ask without waiting. */
		const std::uint32_t before = mock_stats(context, mock).failure;

		CHECK(try_mock_report(context, mock, {{iova, fault_read, 0}}) == ok);
		CHECK(mock_await(context, mock) == ok);
		CHECK(mock_stats(context, mock).failure == before + 1);
	}

	Memory memory{size, Memory::Kind::private_anonymous};
	Mock mock;
};

} // namespace

/* ---- T54 ---- */

TEST_CASE("pages that a HWPT keeps come back when its devices are cut off")
{
	const World world;

	world.load();
	CHECK(world.reach(3) == ok);
	CHECK(world.stats(IOMMUKIT_ONDEMAND_QUERY_RESET).out_state == 0);
	world.fail(3);
	/* It was tried twice. */
	CHECK(world.stats().out_hw_unmaps == 2);
	CHECK(world.stats().out_hw_unmap_short == 2);
	CHECK(world.settles());
	world.check_blocked(world.mock);
	world.check_dead();
	/* What is dead ends as ever. */
	CHECK(world.context.try_unmap(world.ioas, iova, size) == ok);
	CHECK(world.context.try_unmap(world.ioas, iova, size) == Errno{ENOENT});
	CHECK(world.context.try_destroy(world.mock.stdev) == ok);
	CHECK(world.touch(0) == Errno{EIO});
}

TEST_CASE("pages of a HWPT whose devices cannot be cut off stay until they leave")
{
	World world;
	std::vector<std::uint64_t> frames;
	const std::vector<std::byte> data(page_size, std::byte(0x77));
	std::optional<Cling> cling(world.context);

	for (const std::uint64_t page : {3, 7})
		frames.push_back(frame_of(world.memory.va() + page * page_size));
	world.load();
	world.fail(3);
	world.fail(7);
	CHECK(world.kept() == 2);
	world.check_dead();
	CHECK(!gets_one_of(frames));
	/* The device still reaches them, which is nobody's but its own loss. */
	for (const std::uint64_t page : {3, 7})
		CHECK(try_mock_write(world.context, world.mock, iova + page * page_size,
				     data.data(), page_size) == ok);
	CHECK(in_child([&] { return gets_one_of(frames); }) == 0);
	CHECK(mock_stats(world.context, world.mock).attached == 1);
	CHECK(unload("iommukit_test") == Errno{in_use});
	CHECK(unload(core) == Errno{in_use});

	SECTION("the device leaves")
	{
		cling.reset();
		world.context.destroy(world.mock.stdev);
		CHECK(world.settles());
	}
	SECTION("its driver detaches it, which does not help")
	{
		CHECK(mock_detach(world.context, world.mock) == ok);
		CHECK(world.kept() == 2);
		CHECK(try_mock_write(world.context, world.mock, iova + 3 * page_size,
				     data.data(), page_size) == ok);
		CHECK(in_child([&] { return gets_one_of(frames); }) == 0);
		world.context.destroy(world.mock.stdev);
		CHECK(world.settles());
	}
	SECTION("the device leaves, and says that it does not")
	{
		world.context.destroy(world.mock.stdev);
		CHECK(world.kept() == 0);
	}
	SECTION("the mapping is gone before")
	{
		CHECK(world.context.try_unmap(world.ioas, iova, size) == ok);
		CHECK(!gets_one_of(frames));
		cling.reset();
		world.context.destroy(world.mock.stdev);
	}
	SECTION("all is closed at once")
	{
		world.memory.discard(0, 3 * page_size);
		cling.reset();
		world.context.close();
		/* Those of test commands. */
		return;
	}
	CHECK(world.context.try_destroy(world.mock.hwpt) == Errno{ENOENT});
}

TEST_CASE("pages of a HWPT that stays when its device has left")
{
	const World world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.mock.device, world.ioas);
	std::uint32_t pt = hwpt;

	REQUIRE(try_mock_replace(world.context, world.mock, &pt) == ok);
	world.load();
	{
		const Cling cling(world.context);

		world.fail(0);
		world.check_dead();
		/* It stays in vain: what has left is not asked again. */
		SECTION("for good")
		{
			world.context.destroy(world.mock.stdev);
			CHECK(world.kept() == 1);
		}
		SECTION("not for good")
		{
			CHECK(world.kept() == 1);
		}
	}
	if (world.context.try_destroy(world.mock.stdev) == ok)
		CHECK(world.settles());
	CHECK(world.context.try_destroy(hwpt) == ok);
	CHECK(world.kept() == 0);
}

/* ---- ways to it ---- */

TEST_CASE("a HWPT that keeps a page whose permission is raised")
{
	const World world;

	REQUIRE(try_mock_fault(world.context, world.mock, iova, page_size) == ok);
	{
		const UnmapHow nothing(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		CHECK(try_mock_fault(world.context, world.mock, iova, page_size, true) ==
		      Errno{EIO});
	}
	CHECK(world.settles());
	world.check_blocked(world.mock);
	world.check_dead();
}

TEST_CASE("a HWPT that keeps pages of a mapping that is unmapped")
{
	const World world;
	const std::uint32_t ioas = world.context.ioas();

	REQUIRE(world.context.try_copy(ioas, iova, world.ioas, iova, size) == ok);
	const Mock other = mock_create(world.context, ioas, {.flags = mock_faults});
	std::vector<std::uint64_t> frames;
	std::optional<Cling> cling(world.context);

	for (std::uint64_t page = 0; page < pages; page++)
		frames.push_back(frame_of(world.memory.va() + page * page_size));
	world.load();
	world.load(other, iova, 4, 1);
	{
		const UnmapHow nothing(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		CHECK(world.context.try_unmap(world.ioas, iova, size) == ok);
	}
	/* It is the same memory, of which the other has let go. */
	CHECK(query(world.context, ioas).out_quarantined_pages == pages);
	CHECK(try_mock_fault(world.context, other, iova, page_size) == Errno{EIO});
	CHECK(world.reach(other, iova + 4 * page_size) == ok);
	world.memory.discard(0, size);
	CHECK(world.reach(other, iova + 4 * page_size) == Errno{ENOENT});
	CHECK(!gets_one_of(frames));
	cling.reset();
	/* With the last mapping the memory is at its end, but for those pages. */
	CHECK(world.context.unmap(ioas, iova, size) == size);
	CHECK(!gets_one_of(frames));
	CHECK(mock_stats(world.context, other).attached == 1);
	world.context.destroy(world.mock.stdev);
	world.context.destroy(other.stdev);
}

TEST_CASE("a HWPT that keeps pages when it ends")
{
	const World world;
	const std::uint32_t ioas = world.context.ioas();

	REQUIRE(world.context.try_copy(ioas, iova, world.ioas, iova, size) == ok);
	world.load();
	{
		const UnmapHow nothing(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		SECTION("since its device ends")
		{
			world.context.destroy(world.mock.stdev);
		}
		SECTION("since its device goes elsewhere")
		{
			std::uint32_t pt = ioas;

			CHECK(try_mock_replace(world.context, world.mock, &pt) == ok);
		}
	}
	CHECK(world.kept() == 0);
	CHECK((world.stats().out_state & IOMMUKIT_ONDEMAND_DEAD_CTX));
	CHECK(try_prefetch(world.context, ioas, iova, size) == Errno{EIO});
}

TEST_CASE("a HWPT that keeps pages of a process that exits")
{
	const World world;
	Child owner([&](const Child::Steps &step) {
		const Memory memory(page_size, Memory::Kind::private_anonymous);

		memory.fill(7);
		if (try_map_ondemand(world.context, world.ioas, memory.va(), page_size,
				     aside) != ok)
			return 1;
		step.meet();
		return 0;
	});

	owner.await();
	REQUIRE(try_mock_fault(world.context, world.mock, aside, page_size, true) == ok);
	std::optional<Cling> cling(world.context);
	{
		const UnmapHow nothing(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		owner.resume();
		CHECK(owner.join() == 0);
	}
	const Stats stats = query(world.context, world.ioas, aside);
	CHECK((stats.out_state & IOMMUKIT_ONDEMAND_QUARANTINED));
	CHECK((stats.out_state & IOMMUKIT_ONDEMAND_DEAD_CTX));
	CHECK(stats.out_quarantined_pages == 1);
	/* What it was is still there, for the device only. */
	std::vector<std::byte> data(page_size);
	CHECK(try_mock_read(world.context, world.mock, aside, data.data(), page_size) ==
	      ok);
	CHECK(data == pattern_of(7, 0, page_size));
	CHECK(world.context.try_unmap(world.ioas, aside, page_size) == ok);
	CHECK(world.stats().out_quarantined_pages == 0);
	CHECK(!(world.stats().out_state & IOMMUKIT_ONDEMAND_QUARANTINED));
	CHECK((world.stats().out_state & IOMMUKIT_ONDEMAND_DEAD_CTX));
	cling.reset();
	world.context.destroy(world.mock.stdev);
}

TEST_CASE("a HWPT that is full of pages which it keeps")
{
	const World world;

	world.load();
	world.stats(IOMMUKIT_ONDEMAND_QUERY_RESET);
	{
		const UnmapHow nothing(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		for (std::uint64_t page = 0; page < pages; page++)
			world.memory.discard(page * page_size, page_size);
	}
	CHECK(world.settles());
	CHECK(world.stats().out_hw_unmaps == 2 * pages);
	world.check_blocked(world.mock);
}

/* ---- who is concerned ---- */

TEST_CASE("of two HWPTs one fails")
{
	const World world;
	const std::uint32_t ioas = world.context.ioas();
	const Memory memory(size, Memory::Kind::private_anonymous);

	madvise(memory.data(), size, MADV_NOHUGEPAGE);
	memory.fill(2);
	REQUIRE(try_map_ondemand(world.context, ioas, memory.va(), size, iova,
				 map_rw_fixed, 0) == ok);
	const Mock other = mock_create(world.context, ioas, {.flags = mock_faults});
	world.load();
	world.load(other, iova);
	world.fail(3);
	CHECK(world.settles());
	world.check_blocked(world.mock);
	/* The other goes on with what it has, and lets go of it. */
	CHECK(mock_stats(world.context, other).attached == 1);
	CHECK(world.reach(other, iova + 3 * page_size) == ok);
	memory.discard(3 * page_size, page_size);
	CHECK(world.reach(other, iova + 3 * page_size) == Errno{ENOENT});
	CHECK(world.reach(other, iova + 4 * page_size) == ok);
	/* But it gets no more. */
	CHECK(try_mock_fault(world.context, other, iova, page_size) == Errno{EIO});
	CHECK(query(world.context, ioas).out_quarantined_pages == 0);
	CHECK(query(world.context, ioas).out_state == IOMMUKIT_ONDEMAND_DEAD_CTX);
	CHECK(world.context.unmap(ioas, iova, size) == size);
	CHECK(world.reach(other, iova + 4 * page_size) == Errno{ENOENT});
}

TEST_CASE("two mappings of the same memory in two HWPTs, which both fail")
{
	const World world;
	const std::uint32_t ioas = world.context.ioas();

	REQUIRE(world.context.try_copy(ioas, aside, world.ioas, iova, size) == ok);
	world.map(world.memory.va(), size, map_rw, aside);
	const Mock other = mock_create(world.context, ioas, {.flags = mock_faults});
	world.load();
	world.load(world.mock, aside);
	world.load(other, aside);
	world.fail(5);
	CHECK(world.settles());
	CHECK(world.settles(aside));
	world.check_blocked(world.mock);
	world.check_blocked(other, aside);
}

TEST_CASE("both devices of a group are cut off")
{
	const World world;
	const Mock sibling =
		mock_create(world.context, world.mock.hwpt,
			    {.flags = mock_faults, .sibling = world.mock.stdev});
	Mock late;

	world.load();
	CHECK(world.reach(sibling, iova) == ok);
	world.fail(0);
	CHECK(world.settles());
	world.check_blocked(world.mock);
	world.check_blocked(sibling);
	CHECK(try_mock_create(world.context, world.mock.hwpt,
			      {.flags = mock_faults, .sibling = sibling.stdev},
			      &late) == Errno{EIO});
	/* One leaves, and the other is not let in. */
	world.context.destroy(world.mock.stdev);
	world.check_blocked(sibling);
	world.context.destroy(sibling.stdev);
}

TEST_CASE("devices behind nested HWPTs are cut off")
{
	const World world;
	const std::uint32_t home = world.context.ioas();
	const Mock mock = mock_create(world.context, home, {.flags = mock_faults});
	const std::uint32_t parent =
		make_hwpt(world.context, mock.device, world.ioas, hwpt_parent);
	std::uint32_t pt = make_nested(world.context, mock.device, parent);

	REQUIRE(try_mock_replace(world.context, mock, &pt) == ok);
	world.load(mock, iova);
	CHECK(world.reach(mock, iova + 2 * page_size) == ok);
	SECTION("at once")
	{
		world.fail(2);
	}
	SECTION("late")
	{
		{
			const Cling cling(world.context);

			world.fail(2);
			CHECK(world.kept() == 1);
			CHECK(world.reach(mock, iova + 2 * page_size) == ok);
			world.context.destroy(mock.stdev);
		}
		/* It has said that it did not leave, so it is up to the HWPT. */
		CHECK(world.kept() <= 1);
		CHECK(world.context.try_destroy(pt) == ok);
		CHECK(world.context.try_destroy(parent) == ok);
		CHECK(world.kept() == 0);
		return;
	}
	CHECK(world.settles());
	world.check_blocked(mock);
	/* The HWPT of the other device has not failed. */
	CHECK(mock_stats(world.context, world.mock).attached == 1);
	CHECK(world.context.try_destroy(parent) == Errno{EBUSY});
	world.context.destroy(mock.stdev);
	CHECK(world.context.try_destroy(pt) == ok);
	CHECK(world.context.try_destroy(parent) == ok);
}

TEST_CASE("other contexts are none the worse for it")
{
	const World world, other;

	world.load();
	other.load();
	world.fail(1);
	CHECK(world.settles());
	CHECK(other.stats().out_state == 0);
	CHECK(other.reach(1) == ok);
	CHECK(other.touch(1) == ok);
	CHECK(try_prefetch(other.context, other.ioas, iova, size) == ok);
	CHECK(other.context.try_unmap(other.ioas, iova, size) == ok);
}

/* ---- what was written ---- */

/* Its page is unmapped, and clean; what a device does to it until it leaves counts. */
TEST_CASE("what a device writes into a page of a file that is kept reaches the disk")
{
	if (const auto reason = lacks_disk(); !reason.empty())
		skip(reason);
	const OndemandWorld world;
	const std::string path = std::string(disk_directory) + "/kept";
	const Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	const auto before = pattern_of(1, 0, page_size),
		   after = pattern_of(2, 0, page_size);
	std::vector<std::byte> found(page_size);

	REQUIRE(file);
	REQUIRE(pwrite(file.get(), before.data(), page_size, 0) == long(page_size));
	REQUIRE(fsync(file.get()) == 0);
	const Memory memory(page_size, file.get(), PROT_READ | PROT_WRITE, MAP_SHARED);
	world.map(memory);
	const Mock mock = mock_create(world.context, world.ioas, {.flags = mock_faults});
	REQUIRE(try_mock_fault(world.context, mock, iova, page_size, true) == ok);
	{
		const Cling cling(world.context);
		{
			const UnmapHow nothing(world.context,
					       IOMMUKIT_TEST_UNMAP_NOTHING);

			memory.unmap(0, page_size);
		}
		CHECK(query(world.context, world.ioas).out_quarantined_pages == 1);
		REQUIRE(fsync(file.get()) == 0);
		REQUIRE(try_mock_write(world.context, mock, iova, after.data(),
				       page_size) == ok);
		world.context.destroy(mock.stdev);
	}
	CHECK(query(world.context, world.ioas).out_quarantined_pages == 0);
	REQUIRE(fsync(file.get()) == 0);
	REQUIRE(write_text("/proc/sys/vm/drop_caches", "1"));
	REQUIRE(pread(file.get(), found.data(), page_size, 0) == long(page_size));
	CHECK(found == after);
}

/* ---- what is said ---- */

/* Warnings are the box's business. */
TEST_CASE("the log says that a HWPT has failed")
{
	ModuleLog log;

	/* It may have said so too often just before. */
	CHECK(wait_until([&] {
		const World world;

		world.load(world.mock, iova, 0, 1);
		world.fail(0);
		REQUIRE(world.settles());
		return log.lines("did not let go of IOVA [0x40000000, 0x40000fff]") > 0;
	}));
}

/* ---- all at once ---- */

TEST_CASE("a HWPT fails while its device and others come and go")
{
	const unsigned int rounds = 60 / slowness() + 4;

	for (unsigned int round = 0; round < rounds; round++) {
		World world;
		const std::uint32_t ioas = world.context.ioas();
		Verdict verdict;
		Threads threads;

		REQUIRE(world.context.try_copy(ioas, iova, world.ioas, iova, size) == ok);
		world.load();
		threads.start(1, [&](auto, auto &random) {
			for (unsigned int n = 0; n < 20; n++)
				verdict.expect("fault",
					       try_mock_fault(world.context, world.mock,
							      iova + random() % pages *
									      page_size,
							      page_size, random() % 2),
					       {0, EIO, EFAULT, ENOENT});
		});
		threads.start(1, [&](auto, auto &random) {
			for (unsigned int n = 0; n < 8; n++) {
				std::uint32_t pt = random() % 2 ? ioas : world.ioas;

				verdict.expect(
					"replace",
					try_mock_replace(world.context, world.mock, &pt),
					{0, EIO});
			}
			if (random() % 2)
				verdict.expect(
					"destroy",
					world.context.try_destroy(world.mock.stdev), {0});
		});
		threads.start(1, [&](auto, auto &) {
			Mock mock;

			for (unsigned int n = 0; n < 4; n++) {
				const Errno error = try_mock_create(
					world.context, n % 2 ? ioas : world.ioas,
					{.flags = mock_faults}, &mock);

				verdict.expect("create", error, {0, EIO});
				if (error != ok)
					return;
				(void)try_mock_fault(world.context, mock, iova, size);
				verdict.expect("destroy of another",
					       world.context.try_destroy(mock.stdev),
					       {0});
			}
		});
		threads.start(1, [&](auto, auto &random) {
			const UnmapHow nothing(world.context,
					       IOMMUKIT_TEST_UNMAP_NOTHING);

			for (unsigned int n = 0; n < 4; n++)
				world.memory.discard(random() % pages * page_size,
						     page_size);
		});
		threads.join();
		verdict.check();
		/* Whatever has come of it: it comes to an end. */
		CHECK(world.settles());
		if (round % 2)
			CHECK(world.context.try_unmap(world.ioas, iova, size) == ok);
		if (round % 4 == 3)
			CHECK(world.context.try_unmap(ioas, iova, size) == ok);
	}
}
