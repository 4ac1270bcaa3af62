// SPDX-License-Identifier: GPL-2.0-only
// domain/: IO page tables of mock devices, where possible against those of the kernel's
// own iommufd.
#include "bench.h"
#include "mock_world.h"
#include "upstream.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

Slice slice_of_fill(const MockWorld &world)
{
	std::uint32_t hwpt = 0;
	const double ns = 1e9 * seconds([&] { hwpt = world.add_hwpt(); });

	world.destroy(hwpt);
	return {ns, ns};
}

using Allocate = Memory (*)(Bytes length);

Memory huge_pages(Bytes length)
{
	if (::access("/proc/sys/vm/nr_hugepages", F_OK))
		throw NotHere("this kernel has no hugetlbfs");
	return Memory::huge(length);
}

Figures measure_fill(Bytes length, Allocate allocate)
{
	need_upstream();
	const MockWorld ours(our_device, allocate(length));
	const MockWorld theirs(their_device, allocate(length));

	return alternate([&] { return slice_of_fill(ours); },
			 [&] { return slice_of_fill(theirs); });
}

Slice slice_of_map(const MockWorld &world, const Memory &memory)
{
	const double ns = 1e9 * seconds([&] { world.map_and_unmap(memory); });

	return {ns, ns};
}

Figures measure_map(Bytes length)
{
	need_upstream();
	const MockWorld ours(our_device, Memory::anonymous(4_KiB));
	const MockWorld theirs(their_device, Memory::anonymous(4_KiB));
	const Memory memory = Memory::anonymous(length);

	std::fill_n(memory.data(), length.value, std::byte(1));
	ours.attach_to_first();
	theirs.attach_to_first();
	return alternate([&] { return slice_of_map(ours, memory); },
			 [&] { return slice_of_map(theirs, memory); });
}

// Something that goes on while another thread maps and unmaps.
using Meanwhile = std::function<void()>;

// The longest that this thread waits for a map and an unmap, in milliseconds.
double longest_wait(const MockWorld &world, const Meanwhile &what)
{
	const Memory memory = Memory::anonymous(4_KiB);
	double longest = 0;

	std::jthread mapper([&](const std::stop_token &stop) {
		while (!stop.stop_requested())
			longest = std::max(longest,
					   seconds([&] { world.map_and_unmap(memory); }));
	});
	what();
	mapper.request_stop();
	mapper.join();
	return 1e3 * longest;
}

// While a device comes to the IOAS and leaves it again, and for as long while nothing
// happens.
Figures measure_wait(Bytes length)
{
	const MockWorld world(our_device, Memory::anonymous(length));
	Figures figures;

	for (unsigned round = 0; round < default_rounds; round++) {
		const double taken = seconds([&] {
			figures.ours.push_back(longest_wait(world, [&] {
				world.attach_to_first();
				world.attach_to_second();
			}));
		});

		figures.peer.push_back(longest_wait(world, [&] {
			std::this_thread::sleep_for(std::chrono::duration<double>(taken));
		}));
	}
	return figures;
}

} // namespace

void add_domain_cases(std::vector<Case> &cases)
{
	cases.push_back({.name = "domain/fill-1g",
			 .unit = "ns",
			 .peer_name = "iommufd",
			 .measure = [] { return measure_fill(1_GiB, Memory::anonymous); },
			 .bound = Bound{Bound::Of::ratio, Bound::Sense::at_most, 1.0}});
	// As much as the box has of them, for two.
	cases.push_back({.name = "domain/fill-256m-huge",
			 .unit = "ns",
			 .peer_name = "iommufd",
			 .measure = [] { return measure_fill(256_MiB, huge_pages); },
			 .bound = Bound{Bound::Of::ratio, Bound::Sense::at_most, 0.2}});
	cases.push_back({.name = "domain/map-64m",
			 .unit = "ns",
			 .peer_name = "iommufd",
			 .measure = [] { return measure_map(64_MiB); },
			 .bound = Bound{Bound::Of::ratio, Bound::Sense::at_most, 0.7}});
	cases.push_back({.name = "domain/replace-wait-1g",
			 .unit = "ms",
			 .peer_name = "nothing goes on",
			 .measure = [] { return measure_wait(1_GiB); },
			 .bound = Bound{Bound::Of::ours, Bound::Sense::at_most, 10}});
}

} // namespace bench
