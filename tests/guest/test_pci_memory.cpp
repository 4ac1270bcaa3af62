// SPDX-License-Identifier: GPL-2.0-only
/* Much memory under a PCI device: large pages and scattered ones, and what that costs. */
#include "access.h"
#include "edu_world.h"
#include "large_memory.h"
#include "pagemap.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <numeric>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t large_bytes = 64UL << 20;
constexpr std::uint64_t scattered_bytes = 4UL << 20;
/* Both in the 28 bits of IOVA that an edu has. */
constexpr std::uint64_t large_iova = 0x4000000;
constexpr std::uint64_t scattered_iova = large_iova + large_bytes;

/* Words that tell their place, which are faster to make than Memory::fill(). */
void number(const Memory &memory)
{
	auto *words = reinterpret_cast<std::uint64_t *>(memory.data());

	std::iota(words, words + memory.size() / sizeof(*words), memory.va());
}

/* A page at a time, in any order, so that neighbours are apart in memory. */
void scatter(const Memory &memory)
{
	std::vector<std::uint64_t> pages(memory.size() / page_size);
	std::mt19937_64 random(seed());

	REQUIRE(madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE) == 0);
	std::iota(pages.begin(), pages.end(), 0);
	std::shuffle(pages.begin(), pages.end(), random);
	for (const std::uint64_t page : pages)
		memory.data()[page * page_size] = std::byte(1);
}

/* Pieces that are together in the machine's memory, cut where addresses are @cut. */
std::uint64_t count_runs(const Memory &memory, std::uint64_t cut)
{
	const auto pages = physical_pages(memory);
	std::uint64_t runs = 1;

	for (std::size_t n = 1; n < pages.size(); n++)
		runs += pages[n] != pages[n - 1] + page_size ||
			(memory.va() + n * page_size) % cut == 0;
	return runs;
}

/* The device copies a piece from one place in the memory to another. */
void check_copy(const Edu &edu, const Memory &memory, std::uint64_t iova,
		std::mt19937_64 &random)
{
	const std::uint64_t length = 1 + random() % Edu::most;
	const std::uint64_t room = memory.size() - 3 * page_size;
	const std::uint64_t from = random() % room, to = page_size + random() % room;
	const std::byte *around = memory.data() + to - 8;
	std::vector<std::byte> expected(around, around + length + 16);

	std::copy_n(memory.data() + from, length, expected.begin() + 8);
	INFO(length << " bytes from " << from << " to " << to);
	edu.read(iova + from, length);
	edu.write(iova + to, length);
	CHECK(std::equal(expected.begin(), expected.end(), around));
}

/* Calls of iommu_map(), as its tracepoint tells, in an instance of our own. */
class MapCalls {
    public:
	MapCalls()
	{
		if (access("/sys/kernel/tracing/events/iommu/map/enable", F_OK))
			skip("the kernel has no tracepoint iommu:map");
		/*
		 * The names of tasks are recorded with a probe in the scheduler, and
		 * emulated processors trip over code that is changed under them. An
		 * instance takes the option over when it is made.
		 */
		write(names, "0");
		const int error = mkdir(instance.c_str(), 0700);
		write(names, "1");
		REQUIRE(error == 0);
		write(instance + "/events/iommu/map/enable", "1");
	}
	MapCalls(const MapCalls &) = delete;
	MapCalls &operator=(const MapCalls &) = delete;
	~MapCalls() { rmdir(instance.c_str()); }

	/* Of those that lie in a range of IOVA; other devices map, too. */
	std::vector<std::uint64_t> sizes(std::uint64_t iova, std::uint64_t length) const
	{
		std::ifstream trace(instance + "/trace");
		std::vector<std::uint64_t> found;
		std::string line;

		while (std::getline(trace, line)) {
			unsigned long first = 0, size = 0;
			const auto at = line.find("IOMMU: iova=");

			if (at == line.npos ||
			    std::sscanf(line.c_str() + at,
					"IOMMU: iova=%lx - %*x paddr=%*x size=%lu",
					&first, &size) != 2)
				continue;
			if (first >= iova && first < iova + length)
				found.push_back(size);
		}
		return found;
	}

    private:
	static void write(const std::string &file, const char *text)
	{
		REQUIRE(std::ofstream(file) << text << std::flush);
	}

	static constexpr char names[] = "/sys/kernel/tracing/options/record-cmd";
	const std::string instance = "/sys/kernel/tracing/instances/iommukit-test-pci";
};

} // namespace

TEST_CASE("large and scattered memory is where the device finds it")
{
	const EduWorld world;
	const LargeMemory large(large_bytes);
	const Memory scattered(scattered_bytes, Memory::Kind::private_anonymous);
	std::mt19937_64 random(seed());

	scatter(scattered);
	number(large);
	number(scattered);
	world.context.map(world.ioas, large, large_iova);
	if (GENERATE(false, true)) {
		/* To the HWPT that is there. */
		world.load();
		world.context.map(world.ioas, scattered, scattered_iova);
	} else {
		world.context.map(world.ioas, scattered, scattered_iova);
		world.load();
	}
	for (unsigned int n = 0; n < 4; n++) {
		check_copy(world.edu, large, large_iova, random);
		check_copy(world.edu, scattered, scattered_iova, random);
	}
	CHECK(check_refs(world.context, scattered, 1) == ok);
	world.device.detach();
	CHECK(check_refs(world.context, scattered, 0) == ok);
	CHECK(check_refs(world.context, large, 0) == ok);
}

TEST_CASE("a large page that is unmapped is left alone")
{
	const EduWorld world;
	const LargeMemory memory(2 * huge_size);

	memory.fill(clean_salt);
	world.context.map(world.ioas, memory, large_iova);
	world.load();
	world.edu.write(large_iova + huge_size);
	CHECK(landed(memory, huge_size));
	memory.fill(clean_salt);
	CHECK(world.context.unmap(world.ioas, large_iova, memory.size()) ==
	      memory.size());
	for (const std::uint64_t offset : {huge_size, huge_size + 5 * page_size})
		world.edu.write(large_iova + offset);
	CHECK(untouched(memory));
}

TEST_CASE("pages that a driver has pinned come and go with the device")
{
	const EduWorld world;
	const Memory scattered(64 * page_size, Memory::Kind::private_anonymous);
	const Access access(world.context, world.ioas);
	constexpr std::uint64_t first = 10 * page_size, length = 9 * page_size;
	std::mt19937_64 random(seed());
	const auto refs = [&](std::uint32_t pinned, std::uint32_t others) {
		CHECK(check_refs(world.context, scattered.va(), first, others) == ok);
		CHECK(check_refs(world.context, scattered.va() + first, length, pinned) ==
		      ok);
		CHECK(check_refs(world.context, scattered.va() + first + length,
				 scattered.size() - first - length, others) == ok);
	};

	scatter(scattered);
	number(scattered);
	world.context.map(world.ioas, scattered, scattered_iova);
	std::uint32_t item = access.pin(scattered_iova + first, length);
	refs(1, 0);
	world.load();
	refs(1, 1);
	check_copy(world.edu, scattered, scattered_iova, random);
	world.device.detach();
	refs(1, 0);
	world.device.attach(world.ioas);
	CHECK(access.try_unpin(item) == ok);
	refs(1, 1);
	check_copy(world.edu, scattered, scattered_iova, random);
	item = access.pin(scattered_iova + first, length);
	world.device.detach();
	refs(1, 0);
	CHECK(access.try_unpin(item) == ok);
	refs(0, 0);
}

/*
 * A run of pages is one call, not one for each. The module keeps what is pinned in
 * segments, which may cut a run.
 */
TEST_CASE("each piece of memory is mapped by one call")
{
	constexpr std::uint64_t bytes = 256UL << 20, iova = 1UL << 30;
	constexpr std::uint64_t segment = 16UL << 20;
	const EduWorld world;
	const MapCalls calls;
	const LargeMemory large(bytes);
	const std::uint64_t runs = count_runs(large, bytes);
	const bool attached = GENERATE(false, true);

	INFO((attached ? "mapped under the device" : "mapped before"));
	if (attached)
		world.device.attach(world.ioas);
	world.context.map(world.ioas, large, iova);
	if (!attached)
		world.device.attach(world.ioas);
	const auto sizes = calls.sizes(iova, bytes);
	std::cout << "# " << (bytes >> 20) << " MiB of large pages in " << runs
		  << " pieces by " << sizes.size() << " calls" << std::endl;
	CHECK(sizes.size() >= runs);
	CHECK(sizes.size() <= count_runs(large, segment));
	CHECK(std::accumulate(sizes.begin(), sizes.end(), 0UL) == bytes);
}
