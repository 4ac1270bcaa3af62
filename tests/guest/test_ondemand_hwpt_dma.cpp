// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand mappings in HWPTs of a device that is software: it copies, waits for what is
 * not there, and notes what it has written, while the memory and the HWPT change.
 */
#include "dirty_world.h"
#include "engine.h"
#include "mm_tools.h"
#include "ondemand.h"
#include "threads.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t dst_iova = iova + 4 * huge_size;
constexpr std::uint64_t pages = 64;
constexpr std::uint64_t size = pages * page_size;

/* Filled memory, and an engine that is a device in its IOAS. */
struct World {
	explicit World(std::uint32_t flags = map_rw_fixed, std::uint32_t hwpt_flags = 0)
		: ioas(context.ioas())
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		memory.fill(1);
		REQUIRE(try_map_ondemand(context, ioas, memory.va(), size, iova, flags) ==
			ok);
		device = engine.bind_device(0, context);
		hwpt = make_hwpt(context, device, ioas, hwpt_flags);
		REQUIRE(engine.try_attach(0, hwpt) == ok);
		copies_use_page_table();
	}

	Errno transfer(std::uint32_t op, std::uint64_t page, std::uint64_t number,
		       void *user, std::uint64_t pattern = 0) const
	{
		const std::uint64_t at = iova + page * page_size;
		auto cmd = dma_transfer(op, at, at, number * page_size);

		cmd.user_va = reinterpret_cast<std::uint64_t>(user);
		cmd.pattern = pattern;
		return engine.try_transfer(cmd);
	}
	Errno read(std::uint64_t page, std::uint64_t number = 1) const
	{
		std::vector<std::byte> buffer(number * page_size);

		return transfer(IOMMUKIT_DMA_OP_READ, page, number, buffer.data());
	}
	bool shows(unsigned int salt, std::uint64_t page, std::uint64_t number) const
	{
		std::vector<std::byte> buffer(number * page_size);

		return transfer(IOMMUKIT_DMA_OP_READ, page, number, buffer.data()) ==
			       ok &&
		       buffer == pattern_of(salt, page * page_size, buffer.size());
	}
	/* Writes what fill(@salt) would. */
	Errno write(unsigned int salt, std::uint64_t page, std::uint64_t number = 1) const
	{
		auto data = pattern_of(salt, page * page_size, number * page_size);

		return transfer(IOMMUKIT_DMA_OP_WRITE, page, number, data.data());
	}
	Errno fill(std::uint64_t page, std::uint64_t pattern) const
	{
		return transfer(IOMMUKIT_DMA_OP_FILL, page, 1, nullptr, pattern);
	}
	bool has(unsigned int salt, std::uint64_t page, std::uint64_t number = 1) const
	{
		const auto data = pattern_of(salt, page * page_size, number * page_size);

		return !std::memcmp(memory.data() + page * page_size, data.data(),
				    data.size());
	}
	std::atomic<std::uint64_t> &word(std::uint64_t page) const
	{
		return *reinterpret_cast<std::atomic<std::uint64_t> *>(memory.data() +
								       page * page_size);
	}
	void protect(std::uint64_t page, int protection) const
	{
		REQUIRE(mprotect(memory.data() + page * page_size, page_size,
				 protection) == 0);
	}
	Stats stats() const { return query(context, ioas); }

	Context context;
	std::uint32_t ioas;
	Memory memory{size, Memory::Kind::private_anonymous};
	Engine engine;
	std::uint32_t device = 0, hwpt = 0;
};

} // namespace

/* ---- what a device does ---- */

TEST_CASE("a device reads and writes what the addresses show")
{
	const World world;

	CHECK(world.stats().out_present_pages == 0);
	CHECK(world.shows(1, 0, pages));
	CHECK(world.write(2, 3, 5) == ok);
	CHECK(world.has(2, 3, 5));
	CHECK(world.has(1, 0, 3));
	CHECK(world.has(1, 8, pages - 8));
	CHECK(world.shows(2, 3, 5));
	world.memory.fill(3);
	CHECK(world.shows(3, 0, pages));
	const Stats stats = world.stats();
	CHECK(stats.out_hw_maps > 0);
	/* What is written was there to be read only. */
	CHECK(stats.out_hw_unmaps > 0);
	CHECK(check_refs(world.context, world.memory, 0) == ok);

	/* New memory, and what the device has written of it only. */
	world.memory.discard(0, size);
	CHECK(world.write(4, 10) == ok);
	CHECK(world.has(4, 10));
	CHECK(world.read(0, pages) == ok);
	CHECK(std::all_of(world.memory.data(), world.memory.data() + 10 * page_size,
			  [](std::byte byte) { return byte == std::byte(0); }));
}

TEST_CASE("a page found for reading becomes one that the device writes")
{
	const World world;

	CHECK(world.read(0, pages) == ok);
	const auto unmaps = world.stats().out_hw_unmaps;
	CHECK(world.write(2, 7) == ok);
	CHECK(world.has(2, 7));
	CHECK(world.stats().out_hw_unmaps == unmaps + 1);
	CHECK(world.write(3, 7) == ok);
	CHECK(world.stats().out_hw_unmaps == unmaps + 1);
	CHECK(world.shows(1, 8, pages - 8));

	/* Zeros that all share are not written to. */
	const Memory zeros(page_size, Memory::Kind::private_anonymous);
	world.memory.discard(7 * page_size, page_size);
	CHECK(world.read(7) == ok);
	CHECK(world.fill(7, all_ones) == ok);
	CHECK(world.word(7) == all_ones);
	CHECK(zeros.data()[0] == std::byte(0));
}

TEST_CASE("what a device may not do with a mapping on demand")
{
	const World reader(map_read | map_fixed), writer(map_write | map_fixed);

	CHECK(reader.shows(1, 0, pages));
	CHECK(reader.write(2, 3) == Errno{EPERM});
	CHECK(reader.has(1, 0, pages));
	CHECK(writer.write(2, 3) == ok);
	CHECK(writer.has(2, 3));
	CHECK(writer.read(3) == Errno{EPERM});

	const World world;
	CHECK(world.write(2, 5) == ok);
	world.protect(5, PROT_READ);
	CHECK(world.write(3, 5) == Errno{EFAULT});
	CHECK(world.has(2, 5));
	CHECK(world.shows(2, 5, 1));
	world.protect(5, PROT_NONE);
	CHECK(world.read(5) == Errno{EFAULT});
	world.protect(5, PROT_READ | PROT_WRITE);
	CHECK(world.write(3, 5) == ok);
	CHECK(world.has(3, 5));

	CHECK(world.context.unmap(world.ioas, iova, size) == size);
	CHECK(world.read(5) == Errno{ENOENT});
	CHECK(world.write(4, 5) == Errno{ENOENT});
	CHECK(world.has(3, 5));
}

TEST_CASE("memory is unmapped under a device")
{
	for (const std::uint32_t op : {IOMMUKIT_DMA_OP_FILL, IOMMUKIT_DMA_OP_CRC32C}) {
		INFO("op " << op);
		const World world;

		world.engine.start(dma_job(op, iova, iova, size));
		world.engine.await_passes(2);
		world.memory.unmap(size / 2, page_size);
		CHECK(world.engine.await_end() == IOMMUKIT_DMA_FAILED);
		CHECK(world.engine.status().out_error == EFAULT);
		CHECK(world.read(pages / 2) == Errno{EFAULT});
		CHECK(world.read(pages / 2 - 1) == ok);
	}
}

TEST_CASE("a domain that keeps pages does not keep others from letting go")
{
	const World world;
	const Mock mock = mock_create(world.context, world.ioas, {.flags = mock_faults});
	const auto fault = [&](std::uint64_t number) {
		return try_mock_fault(world.context, mock, iova, number * page_size,
				      true);
	};

	for (const std::uint32_t how :
	     {IOMMUKIT_TEST_UNMAP_MORE, IOMMUKIT_TEST_UNMAP_LESS}) {
		INFO("unmap how: " << how);
		const UnmapHow unmap(world.context, how);

		CHECK(fault(pages) == ok);
		CHECK(world.write(2, 0, pages) == ok);
		world.memory.discard(5 * page_size, 3 * page_size);
		CHECK(check_map(world.context, mock.hwpt, iova + 5 * page_size, page_size,
				world.memory.va() + 5 * page_size) == Errno{EINVAL});
		/* Zeros; the others as before, in the one as in the other. */
		CHECK(!world.shows(2, 5, 1));
		CHECK(world.shows(2, 0, 5));
		CHECK(world.shows(2, 8, pages - 8));
		CHECK(fault(pages) == ok);
		CHECK(check_map(world.context, mock.hwpt, iova, size,
				world.memory.va()) == ok);
		CHECK(world.stats().out_state == 0);
	}
	{
		const UnmapHow unmap(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		CHECK(world.write(3, 6) == ok);
		world.memory.discard(6 * page_size, page_size);
	}
	CHECK(world.stats().out_state & IOMMUKIT_ONDEMAND_QUARANTINED);
	/* Had it still been there, the engine would not have asked. */
	CHECK(world.read(6) == Errno{EIO});
	CHECK(world.write(4, 6) == Errno{EIO});
	CHECK(world.context.try_unmap(world.ioas, iova, size) == ok);
	CHECK(world.read(7) == Errno{EIO});
}

/* ---- T55: what was written ---- */

namespace {

struct DirtyDevice : World {
	DirtyDevice() : World(map_rw_fixed, hwpt_dirty) { track(true); }

	void track(bool on) const { REQUIRE(set_dirty(context, hwpt, on) == ok); }
	Bits written(std::uint32_t flags = 0) const
	{
		return dirty_bits(context, hwpt, {iova, size, page_size}, flags);
	}
};

Bits bits_of(std::initializer_list<std::uint64_t> numbers)
{
	Bits bits(pages / 8);

	for (const std::uint64_t n : numbers)
		add_bits(bits, n, n);
	return bits;
}

/* What takes pages out of a HWPT, and whether their content stays. */
struct Removal {
	const char *name;
	bool keeps;
	std::function<void(const World &)> run;
};

const Removal removals[] = {
	{"nothing", true, [](const World &) {}},
	{"MADV_DONTNEED", false,
	 [](const World &world) { world.memory.discard(0, size); }},
	{"MADV_PAGEOUT", true,
	 [](const World &world) {
		 if (lacks_swap().empty())
			 CHECK(swap_out(world.memory.data(), size));
	 }},
	{"mprotect", true,
	 [](const World &world) {
		 mprotect(world.memory.data(), size, PROT_NONE);
		 mprotect(world.memory.data(), size, PROT_READ | PROT_WRITE);
	 }},
	{"mmap", false,
	 [](const World &world) {
		 mmap(world.memory.data(), size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	 }},
	{"fork", true, [](const World &) { REQUIRE(in_child([] { return 0; }) == 0); }},
};

} // namespace

TEST_CASE("what a device has written is told once, wherever it is by then")
{
	for (const Removal &removal : removals) {
		INFO(removal.name);
		const DirtyDevice world;
		const Bits none = bits_of({}), some = bits_of({1, 3, 40});

		/* Neighbours are there to be read. */
		CHECK(world.read(0, pages) == ok);
		for (const std::uint64_t page : {1, 3, 40})
			CHECK(world.write(2, page) == ok);
		removal.run(world);
		if (removal.keeps)
			CHECK(world.has(2, 3));
		CHECK(world.written(get_no_clear) == some);
		CHECK(world.written(get_no_clear) == some);
		CHECK(world.written() == some);
		CHECK(world.written() == none);

		/* Twice, before and after it has gone, is once; and so on. */
		CHECK(world.write(3, 5) == ok);
		removal.run(world);
		CHECK(world.write(4, 5) == ok);
		CHECK(world.write(4, 6) == ok);
		CHECK(world.written() == bits_of({5, 6}));
		removal.run(world);
		/* They could still be written, which is taken for having been. */
		const Bits late = world.written();
		CHECK(either(late, bits_of({5, 6})) == bits_of({5, 6}));
		CHECK(world.written() == none);
		CHECK(world.read(0, pages) == ok);
		CHECK(world.written() == none);
		CHECK(world.write(5, 7) == ok);
		CHECK(world.written() == bits_of({7}));
	}
}

TEST_CASE("tracking that is switched off and on forgets")
{
	for (const Removal &removal : removals) {
		INFO(removal.name);
		const DirtyDevice world;
		const Bits none = bits_of({});

		CHECK(world.write(2, 1) == ok);
		removal.run(world);
		world.track(false);
		world.track(true);
		CHECK(world.written() == none);
		/* Also what was written, or has gone, while it was off. */
		world.track(false);
		CHECK(world.write(2, 2) == ok);
		removal.run(world);
		world.track(true);
		CHECK(world.written() == none);
		CHECK(world.write(2, 3) == ok);
		removal.run(world);
		/* Switching on what is on is no different. */
		world.track(true);
		CHECK(world.written() == none);
		CHECK(world.write(2, 4) == ok);
		removal.run(world);
		CHECK(has_bit(world.written(), 4));
	}
}

TEST_CASE("a part of what was written is read")
{
	const DirtyDevice world;

	for (const std::uint64_t page : {8, 16, 17, 32})
		CHECK(world.write(2, page) == ok);
	world.memory.discard(0, size);
	CHECK(count(dirty_bits(world.context, world.hwpt,
			       {iova + 16 * page_size, 16 * page_size, page_size})) == 2);
	CHECK(world.written() == bits_of({8, 32}));
	/* What cannot be delivered is not lost. */
	CHECK(world.write(2, 8) == ok);
	world.memory.discard(0, size);
	CHECK(get_dirty(world.context, world.hwpt, {iova, size, page_size}, 16) ==
	      Errno{EFAULT});
	CHECK(world.written() == bits_of({8}));
}

/* ---- waiting for user space ---- */

TEST_CASE("a device waits for pages that user space has")
{
	if (const auto reason = lacks_userfault(); !reason.empty())
		skip(reason);
	const World world;
	const Userfault faults;
	const auto data = pattern_of(2, 3 * page_size, page_size);
	bool right = false;

	world.memory.discard(0, size);
	faults.watch(world.memory.va(), size, UFFDIO_REGISTER_MODE_MISSING);
	std::jthread reader([&] { right = world.shows(2, 3, 1); });
	CHECK(faults.await_touch() == world.memory.va() + 3 * page_size);
	/* Others go on. */
	CHECK(world.context.try_copy(world.ioas, dst_iova, world.ioas, iova, size) == ok);
	CHECK(world.context.unmap(world.ioas, dst_iova, size) == size);
	CHECK(faults.try_copy(world.memory.va() + 3 * page_size, data.data(),
			      page_size) == ok);
	reader.join();
	CHECK(right);
	CHECK(world.stats().out_userfault_waits >= 1);

	/* Who waits can be killed, and leaves the engine to others. */
	Child child([&](const Child::Steps &) { return world.read(4) == ok; });
	CHECK(faults.await_touch() == world.memory.va() + 4 * page_size);
	child.kill();
	CHECK(child.join() == deadly_signal + SIGKILL);
	CHECK(world.shows(2, 3, 1));
}

/* ---- storms ---- */

TEST_CASE("forks while a device writes are in the parent's favour")
{
	const World world;
	constexpr std::uint64_t counters = 8;
	std::atomic<bool> over = false;
	unsigned int forks = 0;
	Verdict verdict;

	std::jthread writer([&] {
		for (std::uint64_t n = 1; !over; n++) {
			const std::uint64_t page = n % counters;

			verdict.expect("fill", world.fill(page, n), {0});
			verdict.expect("what is written shows", world.word(page) == n);
		}
	});
	for (const Clock clock(1500); !clock.over(); forks++) {
		const pid_t child = fork();
		int status = 0;

		REQUIRE(child >= 0);
		if (child == 0) {
			std::uint64_t seen[counters];
			bool same = true;

			for (std::uint64_t i = 0; i < counters; i++)
				seen[i] = world.word(i);
			for (int round = 0; round < 20; round++) {
				sched_yield();
				for (std::uint64_t i = 0; i < counters; i++)
					same = same && world.word(i) == seen[i];
			}
			_exit(same ? 0 : 1);
		}
		REQUIRE(waitpid(child, &status, 0) == child);
		verdict.expect("the child's memory stays", status == 0);
	}
	over = true;
	writer.join();
	verdict.check();
	CHECK(forks > 0);
}

namespace {

/* A word that tells its page and a version, and nobody else has such words. */
constexpr std::uint64_t mark = 0x600dUL << 48;

constexpr std::uint64_t marked(std::uint64_t page, std::uint64_t version)
{
	return mark | page << 32 | (version & 0xffffffff);
}

constexpr bool fits(std::uint64_t found, std::uint64_t page)
{
	return found == 0 || (found & ~0xffffffffUL) == (mark | page << 32);
}

/* Memory of another process, all of it poison, which comes and goes. */
struct Stranger {
	Stranger()
		: child([](const Child::Steps &) {
			  for (;;) {
				  const Memory memory(huge_size / 2,
						      Memory::Kind::private_anonymous);

				  std::memset(memory.data(), 0xff, memory.size());
			  }
			  return 0;
		  })
	{
	}

	Child child;
};

/* Two IOASes with both memories, and HWPTs of either for the engine. */
struct CopyWorld : World {
	CopyWorld()
	{
		const std::uint32_t other = context.ioas();

		madvise(dst.data(), size, MADV_NOHUGEPAGE);
		REQUIRE(try_map_ondemand(context, ioas, dst.va(), size, dst_iova) == ok);
		for (const std::uint64_t at : {iova, dst_iova})
			REQUIRE(context.try_copy(other, at, ioas, at, size) == ok);
		targets = {hwpt, other, make_hwpt(context, device, other, hwpt_dirty),
			   ioas};
		REQUIRE(set_dirty(context, targets[2], true) == ok);
	}

	void start_copy() const
	{
		engine.start(dma_job(IOMMUKIT_DMA_OP_COPY, iova, dst_iova, size));
	}
	/* What any program may do to its memory, but make it unreachable. */
	void disturb(const Memory &of, std::uint64_t random) const
	{
		const std::uint64_t first = random / 8 % pages;
		const std::uint64_t number =
			std::min(random / 1024 % 16 + 1, pages - first);
		std::byte *const at = of.data() + first * page_size;

		switch (random % 8) {
		case 0:
		case 1:
			of.discard(first * page_size, number * page_size);
			break;
		case 2:
			mmap(at, number * page_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 3:
			mprotect(at, number * page_size,
				 PROT_READ | PROT_WRITE |
					 (random & 4096 ? PROT_EXEC : 0));
			break;
		case 4:
			madvise(at, number * page_size, MADV_PAGEOUT);
			break;
		default:
			break;
		}
	}

	Memory dst{size, Memory::Kind::private_anonymous};
	std::vector<std::uint32_t> targets;
};

} // namespace

TEST_CASE("HWPTs are replaced and left while a device copies memory that changes")
{
	lacks_swap();
	const CopyWorld world;
	const Stranger stranger;
	std::atomic<bool> over = false;
	unsigned int replaced = 0, detached = 0;
	Verdict verdict;

	for (std::uint64_t page = 0; page < pages; page++)
		world.word(page) = marked(page, 0);
	world.start_copy();
	std::jthread storm([&] {
		std::mt19937_64 random(seed());

		while (!over) {
			world.disturb(world.memory, random());
			world.disturb(world.dst, random());
			const std::uint64_t page = random() % pages;
			world.word(page) = marked(page, random());
		}
	});
	std::jthread checker([&] {
		while (!over)
			for (std::uint64_t page = 0; page < pages; page++) {
				const auto *word =
					reinterpret_cast<std::atomic<std::uint64_t> *>(
						world.dst.data() + page * page_size);

				verdict.expect("foreign data", fits(*word, page));
			}
	});
	std::mt19937_64 random(seed() + 1);
	for (const Clock clock; !clock.over();) {
		const std::uint32_t pt = world.targets[random() % world.targets.size()];

		if (random() % 8) {
			CHECK(world.engine.try_replace(0, pt) == ok);
			replaced++;
			continue;
		}
		/* It goes on until it is told to stop. */
		CHECK(world.engine.status().out_state == IOMMUKIT_DMA_RUNNING);
		CHECK(world.engine.try_detach(0) == ok);
		CHECK(world.engine.try_attach(0, pt) == ok);
		world.start_copy();
		detached++;
	}
	over = true;
	storm.join();
	checker.join();
	verdict.check();
	CHECK(replaced > 0);
	CHECK(detached > 0);

	/* In peace, all arrives. */
	world.memory.fill(9);
	const auto passes = world.engine.status().out_passes;
	CHECK(world.engine.status().out_state == IOMMUKIT_DMA_RUNNING);
	world.engine.await_passes(passes + 2);
	CHECK(world.engine.try_stop() == ok);
	CHECK(!std::memcmp(world.memory.data(), world.dst.data(), size));
	CHECK(world.engine.try_detach(0) == ok);
	CHECK(world.stats().out_state == 0);
}
