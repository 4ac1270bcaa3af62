// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software domains: what a map makes of addresses and lengths, what unmapping
 * leaves, and what a device may do.
 */
#include "domain.h"
#include "fault.h"

#include <algorithm>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t mio = 2048;
constexpr std::uint64_t mega = 1UL << 20;

struct Fit {
	const char *name;
	Geometry geometry;
	std::uint64_t iova, phys, length;
	/* That it takes, from which the sizes of pages follow. */
	std::uint64_t tables;
};

/* With 4 levels of tables (mock: 3), each that large pages make superfluous less. */
const Fit fits[] = {
	{"a small page", soft_geometry, giga_size, giga_size, page_size, 4},
	{"a large page", soft_geometry, huge_size, 7 * huge_size, huge_size, 3},
	{"a huge page", soft_geometry, giga_size, 5 * giga_size, giga_size, 2},
	{"memory that is not aligned", soft_geometry, huge_size, page_size, huge_size, 4},
	{"an IOVA that is not aligned", soft_geometry, huge_size + page_size, huge_size,
	 huge_size, 5},
	{"a large page between small ones", soft_geometry, huge_size + page_size,
	 7 * huge_size + page_size, 2 * huge_size, 5},
	{"a huge page between large ones", soft_geometry, giga_size + huge_size,
	 5 * giga_size + huge_size, 2 * giga_size, 4},
	{"all sizes", soft_geometry, giga_size - huge_size - page_size,
	 3 * giga_size - huge_size - page_size, giga_size + 2 * (huge_size + page_size),
	 6},
	{"large pages in place of a huge one", soft_geometry, giga_size, huge_size,
	 giga_size, 3},
	{"a page of a mock device", mock_geometry, mock_geometry.first, 3 * mio, mio, 3},
	{"a mock device without large pages", mock_geometry, mock_geometry.first, mega,
	 mega, 3},
	{"a large page of a mock device", mock_huge_geometry, mock_geometry.first, mega,
	 mega, 2},
	{"a mock device, not aligned", mock_huge_geometry, mock_geometry.first,
	 mega + mio, mega, 3},
	{"many pages of a mock device", mock_no_dirty_geometry, mock_geometry.first, mega,
	 mega, 2},
	{"many pages, not aligned", mock_no_dirty_geometry, mock_geometry.first,
	 mega + mio, mega, 3},
	{"many pages between others", mock_no_dirty_geometry, mock_geometry.first + mio,
	 mega + mio, 2 * mega, 4},
	{"very many pages", mock_no_dirty_geometry, 512 * mega, 1024 * mega, 512 * mega,
	 1},
	{"the last page of all", full_geometry, -page_size, giga_size, page_size, 6},
	{"the last large page of all", full_geometry, -huge_size, giga_size, huge_size,
	 5},
	{"the last huge page of all", full_geometry, -giga_size, giga_size, giga_size, 4},
	{"the first page of all", full_geometry, 0, 0, page_size, 6},
};

struct Refusal {
	const char *name;
	std::uint64_t iova, phys, length;
	std::uint32_t prot;
};

/* By a domain that begins at 16 MiB and ends at 2 GiB, with pages of 2048 bytes. */
const Refusal refusals[] = {
	{"IOVA not aligned", mega * 16 + 1024, 0, mio, domain_rw},
	{"memory not aligned", mega * 16, 1024, mio, domain_rw},
	{"length not aligned", mega * 16, 0, 1024, domain_rw},
	{"below the aperture", mega * 16 - mio, 0, mio, domain_rw},
	{"reaching below the aperture", mega * 16 - mio, 0, 2 * mio, domain_rw},
	{"above the aperture", mega * 2048, 0, mio, domain_rw},
	{"reaching above the aperture", mega * 2048 - mio, 0, 2 * mio, domain_rw},
	{"IOVA wraps around", mega * 16, 0, 0 - mega * 16, domain_rw},
	{"memory beyond what an entry holds", mega * 16, 1UL << 52, mio, domain_rw},
	{"memory reaching beyond it", mega * 16, (1UL << 52) - mio, 2 * mio, domain_rw},
	{"memory wraps around", mega * 16, 0 - mio, 2 * mio, domain_rw},
	{"no permission", mega * 16, 0, mio, 0},
	{"unknown permission", mega * 16, 0, mio, 1 << 2},
};

struct World {
	Context context;
	Memory memory{8 * page_size};
	std::uint64_t before = tables();
	std::uint64_t used() const { return tables() - before; }
};

/* Each page is looked up, on a slow kernel those at both ends. */
void check_ends(const Domain &domain, const Fit &fit)
{
	const std::uint64_t most = slowness() > 1 ? 2 * huge_size : fit.length;
	const std::uint64_t part = std::min(fit.length, most);

	CHECK(domain.check(fit.iova, phys(fit.phys), part) == ok);
	if (const std::uint64_t skip = fit.length - part)
		CHECK(domain.check(fit.iova + skip, phys(fit.phys + skip), part) == ok);
}

} // namespace

TEST_CASE("a domain takes the largest pages that fit")
{
	const World world;

	for (const Fit &fit : fits) {
		DYNAMIC_SECTION(fit.name)
		{
			const Domain domain(world.context, fit.geometry);

			CHECK(world.used() == 0);
			domain.map(fit.iova, phys(fit.phys), fit.length);
			CHECK(world.used() == fit.tables);
			check_ends(domain, fit);
			CHECK(domain.translate(fit.iova - 1) == Errno{ENOENT});
			CHECK(domain.translate(fit.iova + fit.length) == Errno{ENOENT});
			CHECK(domain.unmap(fit.iova, fit.length) == fit.length);
			CHECK(domain.translate(fit.iova) == Errno{ENOENT});
			CHECK(world.used() == 0);
		}
	}
}

TEST_CASE("mapping by page gives the same addresses")
{
	const World world;
	const Domain domain(world.context, soft_geometry);

	domain.map(huge_size, phys(huge_size), 2 * huge_size, domain_rw, by_page);
	CHECK(world.used() == 5);
	CHECK(domain.check(huge_size, phys(huge_size), 2 * huge_size) == ok);
	CHECK(domain.unmap(huge_size, 2 * huge_size, by_page) == 2 * huge_size);
	CHECK(world.used() == 0);
}

TEST_CASE("a domain refuses what it cannot map")
{
	const World world;
	const Domain domain(world.context, mock_geometry);

	for (const Refusal &refusal : refusals) {
		INFO(refusal.name);
		CHECK(domain.try_map(refusal.iova, phys(refusal.phys), refusal.length,
				     refusal.prot) == Errno{EINVAL});
	}
	CHECK(world.used() == 0);
}

TEST_CASE("the first and the last page of an aperture")
{
	const World world;
	const Domain domain(world.context, mock_geometry);

	domain.map(mock_geometry.first, phys(0), mio);
	domain.map(mock_geometry.last + 1 - mio, phys(mio), mio);
	CHECK(domain.translate(mock_geometry.first) == ok);
	CHECK(domain.translate(mock_geometry.first - 1) == Errno{ENOENT});
	CHECK(domain.translate(mock_geometry.last) == ok);
	/* Where the same entries would be found again, bit by bit. */
	for (unsigned int bit = 31; bit < 64; bit++)
		CHECK(domain.translate(mock_geometry.first | 1UL << bit) ==
		      Errno{ENOENT});
	/* A range may be larger than the aperture. */
	CHECK(domain.unmap(0, all_ones) == 2 * mio);
	CHECK(world.used() == 0);
}

TEST_CASE("geometries that a domain has or refuses")
{
	struct {
		Geometry geometry;
		int error;
	} const geometries[] = {
		{{0, 0, all_ones}, EINVAL},
		{{1024, 0, all_ones}, EINVAL},
		{{page_size | 2 * huge_size, 0, all_ones}, EINVAL},
		{{page_size, 1, 0}, EINVAL},
		{{page_size | huge_size << 18, 0, all_ones}, 0},
		{{mio, 0, all_ones}, 0},
		{{page_size, 0, page_size - 1}, 0},
		{{page_size, page_size, 2 * page_size - 1}, 0},
	};
	const World world;

	for (const auto &row : geometries) {
		const std::uint64_t smallest =
			row.geometry.page_sizes & -row.geometry.page_sizes;
		const std::uint64_t last = row.geometry.last + 1 - smallest;
		Fd fd;

		INFO(std::hex << row.geometry.page_sizes << ' ' << row.geometry.first
			      << ".." << row.geometry.last);
		REQUIRE(Domain::attempt(world.context, row.geometry, &fd) ==
			Errno{row.error});
		if (row.error)
			continue;
		const Domain domain(world.context, row.geometry);
		domain.map(last, phys(page_size), smallest);
		CHECK(domain.check(last, phys(page_size), smallest) == ok);
		CHECK(domain.try_map(last, phys(0), smallest) == Errno{EEXIST});
		CHECK(domain.unmap(last, smallest) == smallest);
	}
	CHECK(world.used() == 0);
}

TEST_CASE("a map over what is there changes nothing")
{
	struct {
		const char *name;
		std::uint64_t there, there_length, iova, length;
	} const overlaps[] = {
		{"the same page", 0, page_size, 0, page_size},
		{"a small page in a large one", 0, huge_size, 7 * page_size, page_size},
		{"a large page over a small one", 7 * page_size, page_size, 0, huge_size},
		{"a huge page over a small one", giga_size - page_size, page_size, 0,
		 giga_size},
		{"the end of a range", 1024 * page_size, page_size, page_size,
		 1024 * page_size},
		{"the middle of a table", 300 * page_size, page_size, page_size,
		 500 * page_size},
		{"behind a large page", 2 * huge_size, page_size, huge_size,
		 huge_size + page_size},
	};
	const World world;

	for (const auto &overlap : overlaps) {
		DYNAMIC_SECTION(overlap.name)
		{
			const Domain domain(world.context, soft_geometry);

			domain.map(overlap.there, phys(overlap.there),
				   overlap.there_length);
			const std::uint64_t used = world.used();

			CHECK(domain.try_map(overlap.iova, phys(overlap.iova),
					     overlap.length) == Errno{EEXIST});
			CHECK(world.used() == used);
			CHECK(domain.check(overlap.there, phys(overlap.there),
					   overlap.there_length) == ok);
			CHECK(domain.unmap(0, all_ones) == overlap.there_length);
			CHECK(world.used() == 0);
		}
	}
}

TEST_CASE("an unmap takes what lies in the range")
{
	const World world;
	const Domain domain(world.context, soft_geometry);

	SECTION("nothing")
	{
		CHECK(domain.unmap(0, all_ones) == 0);
		CHECK(domain.unmap(giga_size, page_size) == 0);
		CHECK(domain.unmap(0, 0) == 0);
	}
	SECTION("with holes, in several sizes")
	{
		domain.map(page_size, phys(0), page_size);
		domain.map(3 * huge_size, phys(huge_size), huge_size);
		domain.map(4 * giga_size, phys(giga_size), giga_size);
		domain.map(1UL << 47, phys(0), page_size);
		CHECK(domain.unmap(0, 5 * giga_size) ==
		      page_size + huge_size + giga_size);
		CHECK(domain.translate(1UL << 47) == ok);
		CHECK(world.used() == 4);
		CHECK(domain.unmap(1UL << 47, page_size) == page_size);
	}
	SECTION("a page that is cut stays")
	{
		domain.map(huge_size, phys(0), huge_size);
		CHECK(domain.unmap(0, huge_size + page_size) == 0);
		CHECK(domain.unmap(2 * huge_size - page_size, huge_size) == 0);
		CHECK(domain.unmap(huge_size + page_size, page_size) == 0);
		CHECK(domain.check(huge_size, phys(0), huge_size) == ok);
		CHECK(domain.unmap(huge_size, huge_size) == huge_size);
	}
	SECTION("the neighbours in the same table stay")
	{
		for (std::uint64_t n = 0; n < 3; n++)
			domain.map(n * page_size, phys(n * huge_size), page_size);
		CHECK(domain.unmap(page_size, page_size) == page_size);
		CHECK(domain.check(0, phys(0), page_size) == ok);
		CHECK(domain.translate(page_size) == Errno{ENOENT});
		CHECK(domain.check(2 * page_size, phys(2 * huge_size), page_size) == ok);
		CHECK(world.used() == 4);
		CHECK(domain.unmap(0, 3 * page_size) == 2 * page_size);
	}
	CHECK(world.used() == 0);
}

TEST_CASE("the end of a domain frees its tables")
{
	const World world;
	Domain domain(world.context, soft_geometry);

	domain.map(0, phys(0), giga_size + huge_size + page_size);
	domain.map(1UL << 46, phys(0), 3 * page_size, domain_rw, by_page);
	CHECK(world.used() == 7);
	domain.close();
	CHECK(world.used() == 0);
}

/* Against a list of pages: random ranges, with gaps, in several tables. */
TEST_CASE("random maps and unmaps")
{
	constexpr std::uint64_t slots = 2000, run = 40;
	const World world;
	const Domain domain(world.context, soft_geometry);
	std::vector<std::uint64_t> mapped(slots);
	std::mt19937_64 random(seed());

	for (unsigned int step = 0; step < 1500; step++) {
		const std::uint64_t first = random() % slots;
		const std::uint64_t end = std::min(slots, first + 1 + random() % run);
		const std::uint64_t length = (end - first) * page_size;
		const std::uint64_t iova = giga_size - huge_size + first * page_size;
		const auto from = mapped.begin() + static_cast<std::ptrdiff_t>(first);
		const auto to = mapped.begin() + static_cast<std::ptrdiff_t>(end);

		if (random() % 2) {
			const std::uint64_t address = (1 + random() % 1000) * page_size;
			const bool free = std::count(from, to, 0) == to - from;

			REQUIRE(domain.try_map(iova, phys(address), length) ==
				Errno{free ? 0 : EEXIST});
			for (auto page = from; free && page != to; page++)
				*page = address +
					static_cast<std::uint64_t>(page - from) *
						page_size;
		} else {
			REQUIRE(domain.unmap(iova, length) ==
				static_cast<std::uint64_t>((to - from) -
							   std::count(from, to, 0)) *
					page_size);
			std::fill(from, to, 0);
		}
	}
	for (std::uint64_t n = 0; n < slots; n++) {
		const std::uint64_t iova = giga_size - huge_size + n * page_size;

		if (mapped[n])
			REQUIRE(domain.check(iova, phys(mapped[n]), page_size) == ok);
		else
			REQUIRE(domain.translate(iova) == Errno{ENOENT});
	}
	domain.unmap(0, all_ones);
	CHECK(world.used() == 0);
}

TEST_CASE("half a page is where it was put")
{
	const World world;
	const Domain domain(world.context, mock_geometry);
	const std::uint64_t iova = mock_geometry.first;

	for (std::uint64_t first = 0; first < 4 * page_size; first += mio)
		for (std::uint64_t end = first + mio; end <= 4 * page_size; end += mio) {
			const Backing part = user(world.memory, first);

			domain.map(iova, part, end - first);
			REQUIRE(domain.check(iova, part, end - first) == ok);
			REQUIRE(domain.unmap(iova, end - first) == end - first);
		}
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(world.used() == 0);
}

TEST_CASE("a device may do what the mapping permits")
{
	const World world;
	const Domain domain(world.context, soft_geometry);

	for (const std::uint32_t prot : {domain_read, domain_write, domain_rw}) {
		INFO("permissions " << prot);
		domain.map(page_size, user(world.memory), page_size, prot);
		CHECK(domain.check(page_size, user(world.memory), page_size) == ok);
		CHECK(domain.translate(page_size, domain_read) ==
		      Errno{prot & domain_read ? 0 : EPERM});
		CHECK(domain.translate(page_size, domain_write) ==
		      Errno{prot & domain_write ? 0 : EPERM});
		CHECK(domain.translate(2 * page_size, domain_read) == Errno{ENOENT});
		CHECK(domain.unmap(page_size, page_size) == page_size);
	}
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

TEST_CASE("every allocation of a domain may fail")
{
	const NothingLeft nothing_left;
	const Context context;
	const Domain domain(context, soft_geometry);
	const Memory memory(4 * page_size);
	const auto look = [&] {
		return Snapshot{
			observation("tables", tables()),
			observation("there", static_cast<std::uint64_t>(
						     domain.translate(0).value)),
			observation("pins",
				    static_cast<std::uint64_t>(
					    check_refs(context, memory, 0).value)),
		};
	};
	Fd created;

	sweep({.name = "create",
	       .least = 2,
	       .run = [&] { return Domain::attempt(context, soft_geometry, &created); },
	       .undo = [&] { created.reset(); },
	       .errors = {ENOMEM, EMFILE}},
	      look);
	sweep({.name = "map a page",
	       .least = 4,
	       .run = [&] { return domain.try_map(0, phys(0), page_size); },
	       .undo = [&] { domain.unmap(0, page_size); },
	       .errors = {ENOMEM}},
	      look);
	sweep({.name = "map in all sizes",
	       .least = 6,
	       .run =
		       [&] {
			       return domain.try_map(
				       giga_size - huge_size - page_size,
				       phys(giga_size - huge_size - page_size),
				       giga_size + 2 * (huge_size + page_size));
		       },
	       .undo = [&] { domain.unmap(0, all_ones); },
	       .errors = {ENOMEM}},
	      look);
	sweep({.name = "map pages of the caller across tables",
	       .least = 5,
	       .run =
		       [&] {
			       return domain.try_map(huge_size - page_size, user(memory),
						     4 * page_size, domain_rw, by_page);
		       },
	       .undo = [&] { domain.unmap(0, all_ones); },
	       .errors = {ENOMEM}},
	      look);
}
