// SPDX-License-Identifier: GPL-2.0-only
// ondemand/: the first use of memory: mapping it, and finding some or all of its pages,
// next to mappings that pin.
#include "bench.h"
#include "ondemand_range.h"

#include <sys/mman.h>

#include <fstream>
#include <functional>
#include <random>
#include <string>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

// What a machine pins in a moment.
constexpr Bytes sparse = 256_MiB;
constexpr std::uint64_t sparse_pages = sparse.value / page.value / 100;

// One page in a hundred, anywhere.
std::vector<Bytes> some_pages()
{
	std::mt19937_64 random(1);
	std::vector<Bytes> offsets;

	for (std::uint64_t i = 0; i < sparse_pages; i++)
		offsets.push_back(
			Bytes(random() % (sparse.value / page.value) * page.value));
	return offsets;
}

Slice timed(const std::function<void()> &what)
{
	const double ns = 1e9 * seconds(what);

	return {ns, ns};
}

// Mapping alone, in an mm that has such memory already.
Figures measure_map_plain()
{
	constexpr Bytes length = 10_GiB;
	const Context context;
	const Ioas ioas(context);
	const Reservation memory(length);
	const Iova first = map_ondemand(ioas, memory.data(), page);
	const auto figures = alternate(
		[&] {
			return slice_of_calls([&] {
				ioas.unmap(map_ondemand(ioas, memory.data(), length),
					   length);
			});
		},
		[&] {
			return slice_of_calls([&] {
				ioas.unmap(ioas.map(memory.data(), length), length);
			});
		});

	ioas.unmap(first, page);
	return figures;
}

Figures measure_sparse()
{
	const auto offsets = some_pages();
	const PinnedRange pinned(sparse);

	return alternate(
		[&] {
			const Context context;
			const Ioas ioas(context);
			const Reservation memory(sparse);

			::madvise(memory.data(), sparse.value, MADV_NOHUGEPAGE);
			return timed([&] {
				const Iova iova =
					map_ondemand(ioas, memory.data(), sparse);

				for (const Bytes at : offsets)
					prefetch(ioas, Iova(iova.value + at.value), page,
						 IOMMUKIT_IOAS_PREFETCH_WRITE);
			});
		},
		[&] {
			pinned.forget();
			const Slice slice = timed([&] { pinned.map(); });

			pinned.unmap();
			return slice;
		});
}

double resident_mib()
{
	std::ifstream statm("/proc/self/statm");
	double all = 0, resident = 0;

	statm >> all >> resident;
	return resident * static_cast<double>(page.value) / (1 << 20);
}

// Not a time: what the process has of the memory, and the tables.
Figures measure_sparse_memory()
{
	Figures figures;
	{
		const Range range(sparse);
		const double before = resident_mib();

		for (const Bytes at : some_pages())
			range.find(at, page);
		const double tables =
			static_cast<double>(
				ondemand_stats(range.ioas()).counters.out_table_bytes) /
			(1 << 20);
		figures.ours.push_back(resident_mib() - before + tables);
		figures.note = "of which tables: " + std::to_string(tables).substr(0, 5) +
			       " MiB";
	}
	const PinnedRange pinned(sparse);
	const double before = resident_mib();

	pinned.map();
	figures.peer.push_back(resident_mib() - before);
	pinned.unmap();
	return figures;
}

struct First {
	const char *name;
	bool present;
	bool write;
};

constexpr First first_cases[] = {
	{"read-present", true, false},
	{"read-absent", false, false},
	{"write-present", true, true},
	{"write-absent", false, true},
};

// Page by page, against one mapping that pins, both for a page.
Figures measure_first(const First &first)
{
	constexpr auto pages = chunk.value / page.value;
	const Range range(chunk, FaultAround{0});
	const PinnedRange pinned(chunk);
	const auto per_page = [](Slice slice) {
		return Slice{slice.taken, slice.figure / pages};
	};

	return alternate(
		[&] {
			range.forget();
			if (first.present)
				range.touch({}, chunk);
			return per_page(timed([&] {
				for (std::uint64_t i = 0; i < pages; i++)
					range.find(Bytes(i * page.value), page,
						   first.write);
			}));
		},
		[&] {
			pinned.forget();
			if (first.present)
				touch_pages(pinned.data(), chunk);
			const Slice slice = per_page(timed([&] { pinned.map(); }));

			pinned.unmap();
			return slice;
		});
}

bool makes_huge_pages()
{
	std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
	std::string line;

	return std::getline(file, line) && line.find("[never]") == std::string::npos;
}

// One huge page, which comes as a whole.
Figures measure_first_huge()
{
	if (!makes_huge_pages())
		throw NotHere("this kernel makes no huge pages");
	const Range range(Bytes(2 * chunk.value));
	const PinnedRange pinned(Bytes(2 * chunk.value));
	const auto prepare = [](void *data) {
		::madvise(data, 2 * chunk.value, MADV_HUGEPAGE);
		touch_pages(data, Bytes(2 * chunk.value));
	};
	const auto first_chunk = [](const void *data) {
		return Bytes(-reinterpret_cast<std::uintptr_t>(data) % chunk.value);
	};

	return alternate(
		[&] {
			range.forget();
			prepare(range.data());
			return timed(
				[&] { range.find(first_chunk(range.data()), page); });
		},
		[&] {
			pinned.forget();
			prepare(pinned.data());
			const Slice slice = timed([&] { pinned.map(); });

			pinned.unmap();
			return slice;
		});
}

} // namespace

void add_ondemand_first_cases(std::vector<Case> &cases)
{
	cases.push_back({.name = "ondemand/map-10g-plain",
			 .unit = "ns",
			 .peer_name = "one that would pin",
			 .measure = measure_map_plain,
			 .bound = Bound{Bound::Of::ours, Bound::Sense::at_most, 50e3}});
	cases.push_back({.name = "ondemand/sparse-256m",
			 .unit = "ns",
			 .peer_name = "all of it pinned",
			 .measure = measure_sparse});
	cases.push_back({.name = "ondemand/sparse-memory-256m",
			 .unit = "MiB",
			 .peer_name = "all of it pinned",
			 .measure = measure_sparse_memory,
			 .bound = Bound{Bound::Of::ratio, Bound::Sense::at_most, 0.02}});
	for (const auto &first : first_cases)
		cases.push_back({.name = std::string("ondemand/first-") + first.name,
				 .unit = "ns",
				 .peer_name = "a page of 2 MiB pinned",
				 .measure = [&first] { return measure_first(first); }});
	cases.push_back({.name = "ondemand/first-huge",
			 .unit = "ns",
			 .peer_name = "4 MiB pinned",
			 .measure = measure_first_huge});
}

} // namespace bench
