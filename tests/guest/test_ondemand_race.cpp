// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand mappings whose memory changes all the time, under readers and writers that
 * must never see what is not theirs.
 */
#include "mm_tools.h"
#include "ondemand.h"
#include "threads.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t pages = 64;
constexpr std::uint64_t size = pages * page_size;

/*
 * A word that tells its page and a version, and nobody else has such words: what is
 * found in a page is one of those that were written to it, or 0.
 */
constexpr std::uint64_t mark = 0x600dUL << 48;

constexpr std::uint64_t word(std::uint64_t page, std::uint64_t version)
{
	return mark | page << 32 | (version & 0xffffffff);
}

constexpr bool fits(std::uint64_t found, std::uint64_t page)
{
	return found == 0 || (found & ~0xffffffffUL) == (mark | page << 32);
}

struct World : OndemandWorld {
	explicit World(Who who) : OndemandWorld(who)
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		map(memory);
	}

	std::atomic<std::uint64_t> &at(std::uint64_t page) const
	{
		return *reinterpret_cast<std::atomic<std::uint64_t> *>(memory.data() +
								       page * page_size);
	}

	Memory memory{size, Memory::Kind::private_anonymous};
};

/* Memory of a third process, all of it poison, which comes and goes. */
class Stranger {
    public:
	Stranger()
		: child([](const Child::Steps &step) {
			  step.meet();
			  for (;;) {
				  const Memory memory(huge_size,
						      Memory::Kind::private_anonymous);

				  for (std::uint64_t i = 0; i < huge_size; i += 8)
					  *reinterpret_cast<std::uint64_t *>(
						  memory.data() + i) = ~0UL;
			  }
			  return 0;
		  })
	{
		child.await();
		child.resume();
	}

    private:
	Child child;
};

/* Permissions that change, but not for who reads and writes. */
int harmless(std::uint64_t random)
{
	return PROT_READ | PROT_WRITE | (random % 2 ? PROT_EXEC : 0);
}

void replace(const World &world, std::uint64_t first, std::uint64_t number)
{
	mmap(world.memory.data() + first * page_size, number * page_size,
	     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

void remove(const World &world, std::uint64_t first, std::uint64_t number)
{
	/* Nobody else must get the addresses: not unmapped, but out of reach. */
	mmap(world.memory.data() + first * page_size, number * page_size, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

} // namespace

TEST_CASE("no increment of a counter is lost in forks")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			constexpr std::uint64_t counters = 8;
			std::atomic<bool> over = false;
			std::uint64_t counts[counters] = {};
			unsigned int forks = 0;
			Verdict verdict;

			std::jthread writer([&] {
				for (std::uint64_t n = 0; !over; n++) {
					const std::uint64_t which = n % counters;
					std::uint64_t value = 0;
					const auto place = which * page_size;

					verdict.expect("read",
						       world.read(place, &value, 8), {0});
					verdict.expect("the last value",
						       value == counts[which]);
					value++;
					verdict.expect("write",
						       world.write(place, &value, 8),
						       {0});
					counts[which] = value;
					verdict.expect("the value in memory",
						       world.at(which) == value);
				}
			});
			for (const Clock clock; !clock.over(); forks++) {
				const pid_t child = fork();

				REQUIRE(child >= 0);
				if (child == 0) {
					/* Its own pages, from now on. */
					for (std::uint64_t n = 0; n < counters; n++)
						world.at(n) = ~0UL;
					_exit(0);
				}
				waitpid(child, nullptr, 0);
			}
			over = true;
			writer.join();
			verdict.check();
			CHECK(forks > 0);
			for (std::uint64_t n = 0; n < counters; n++)
				CHECK(world.at(n) == counts[n]);
		}
	}
}

/* One page each: what is read is what was written last, or nothing after its end. */
TEST_CASE("reads and writes while half of the memory comes and goes")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const Stranger stranger;
			std::atomic<bool> over = false;
			std::atomic<unsigned int> found = 0;
			Verdict verdict;

			std::jthread device([&] {
				std::mt19937_64 random(seed());
				std::uint64_t versions[pages] = {};

				while (!over) {
					const std::uint64_t page = random() % pages;
					const auto place = page * page_size;
					const bool stays = page >= pages / 2;
					std::uint64_t value = 0;
					Errno error = world.read(place, &value, 8);

					if (stays)
						verdict.expect("read", error, {0});
					else
						verdict.expect("read of what goes", error,
							       {0, EFAULT});
					if (error == ok) {
						found++;
						verdict.expect("foreign data",
							       fits(value, page));
					}
					if (stays)
						verdict.expect(
							"what was written",
							value ==
								(versions[page]
									 ? word(page,
										versions[page])
									 : 0));
					value = word(page, versions[page] + 1);
					error = world.write(place, &value, 8);
					if (error == ok)
						versions[page]++;
					else
						verdict.expect("write of what goes",
							       error, {EFAULT});
				}
			});
			std::jthread prefetcher([&] {
				std::mt19937_64 random(seed() + 1);

				while (!over)
					verdict.expect(
						"prefetch",
						try_prefetch(world.context, world.ioas,
							     iova + random() % pages *
									     page_size,
							     page_size, random() % 4),
						{0, EFAULT});
			});
			std::jthread asker([&] {
				Stats stats;

				while (!over)
					verdict.expect("query",
						       try_query(world.context,
								 world.ioas, all_ones,
								 &stats, random() % 2),
						       {0});
			});
			std::mt19937_64 random(seed() + 2);
			for (const Clock clock; !clock.over();) {
				const std::uint64_t first = random() % (pages / 2);
				const std::uint64_t number =
					1 + random() % (pages / 2 - first);

				if (random() % 2)
					remove(world, first, number);
				else
					replace(world, first, number);
			}
			over = true;
			device.join();
			prefetcher.join();
			asker.join();
			verdict.check();
			CHECK(found > 0);
		}
	}
}

TEST_CASE("mappings come and go while they are used")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const Stranger stranger;
			const std::uint64_t copy = iova + huge_size;
			std::atomic<bool> over = false;
			unsigned int rounds = 0;
			Verdict verdict;

			for (std::uint64_t n = 0; n < pages; n++)
				world.at(n) = word(n, 1);
			std::jthread device([&] {
				std::mt19937_64 random(seed());

				while (!over) {
					const std::uint64_t page = random() % pages;
					const auto place = (random() % 2 ? iova : copy) +
							   page * page_size;
					std::uint64_t value = 0;
					Errno error = world.device.read(place, &value, 8);

					verdict.expect("read", error, {0, ENOENT});
					if (error == ok)
						verdict.expect("what is there",
							       value == word(page, 1));
					value = word(page, 1);
					error = world.device.write(place, &value, 8);
					verdict.expect("write", error, {0, ENOENT});
				}
			});
			std::jthread changer([&] {
				std::mt19937_64 random(seed() + 1);

				while (!over) {
					const std::uint64_t first = random() % pages;

					/* Zapped, but the same afterwards. */
					mprotect(world.memory.data() + first * page_size,
						 page_size, harmless(random()));
					madvise(world.memory.data() + first * page_size,
						page_size, MADV_PAGEOUT);
				}
			});
			for (const Clock clock; !clock.over(); rounds++) {
				verdict.expect("copy",
					       world.context.try_copy(world.ioas, copy,
								      world.ioas, iova,
								      size),
					       {0});
				verdict.expect(
					"unmap",
					world.context.try_unmap(world.ioas, iova, size),
					{0});
				verdict.expect("map",
					       try_map_ondemand(world.context, world.ioas,
								world.memory.va(), size,
								iova),
					       {0});
				verdict.expect(
					"unmap of the copy",
					world.context.try_unmap(world.ioas, copy, size),
					{0});
			}
			over = true;
			device.join();
			changer.join();
			verdict.check();
			CHECK(rounds > 0);
		}
	}
}

/* Several of the same process and of others, which no lock of the test keeps apart. */
TEST_CASE("many read and write at the same time")
{
	const World world(Who::owner_slow);
	const Access &access = world.device.access();
	std::atomic<unsigned int> copies = 0;
	Verdict verdict;
	const auto storm = [&](std::size_t number, auto &random) {
		for (const Clock clock; !clock.over(); copies++) {
			/* Each has words of its own in each page. */
			const std::uint64_t page = random() % pages;
			const auto place = iova + page * page_size + number * 8;
			const std::uint64_t value = word(page, random());
			std::uint64_t found = 0;
			const std::uint32_t way = random() % 2 ? rw_slow : 0;

			verdict.expect("write", access.try_write(place, &value, 8, way),
				       {0});
			verdict.expect("read", access.try_read(place, &found, 8, rw_slow),
				       {0});
			verdict.expect("the same", found == value);
		}
	};

	Child other([&](const Child::Steps &step) {
		std::mt19937_64 random(seed() + 100);

		step.meet();
		for (const Clock clock; !clock.over();) {
			const std::uint64_t page = random() % pages;
			const auto place = iova + page * page_size + 2048;
			const std::uint64_t value = word(page, random());
			std::uint64_t found = 0;

			if (access.try_write(place, &value, 8) != ok ||
			    access.try_read(place, &found, 8) != ok || found != value)
				return 1;
		}
		return 0;
	});
	other.await();
	Threads threads;
	threads.start(3, storm);
	threads.start(1, [&](std::size_t, auto &random) {
		for (const Clock clock; !clock.over();)
			mprotect(world.memory.data() + random() % pages * page_size,
				 page_size, harmless(random()));
	});
	other.resume();
	threads.join();
	CHECK(other.join() == 0);
	verdict.check();
	CHECK(copies > 0);
}
