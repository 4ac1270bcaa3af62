// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the DMA of a PCI device goes: to what is mapped where it is attached, as long
 * as that is so, and nowhere else. Judged by what is in memory afterwards.
 */
#include "edu_world.h"
#include "iommu_faults.h"
#include "large_memory.h"
#include "pagemap.h"

#include <algorithm>
#include <cstring>
#include <iostream>
#include <memory>

using namespace guest;

namespace {

constexpr std::uint64_t source = EduWorld::source_iova;
constexpr std::uint64_t target = EduWorld::target_iova;

/* Of what the device has never had in its buffer, which a refused read may leave. */
constexpr unsigned int secret_salt = 3;

/* A page at an address that is one of the device, too, if there is one to be had. */
class LowPage {
    public:
	LowPage()
	{
		/* Not all that a box has. */
		while (chunks.size() < 16 && !page)
			look(*chunks.emplace_back(
				std::make_unique<LargeMemory>(16 * huge_size)));
		if (!page)
			skip("no memory was to be had that the device can name");
	}
	std::uint64_t physical() const { return address; }
	bool is_zero() const
	{
		return std::all_of(page, page + page_size,
				   [](std::byte byte) { return byte == std::byte(0); });
	}

    private:
	void look(const Memory &memory)
	{
		const auto pages = physical_pages(memory);

		for (std::size_t n = 0; n < pages.size() && !page; n++)
			if (pages[n] <= Edu::address_mask) {
				page = memory.data() + n * page_size;
				address = pages[n];
			}
	}

	std::vector<std::unique_ptr<LargeMemory>> chunks;
	const std::byte *page = nullptr;
	std::uint64_t address = 0;
};

} // namespace

TEST_CASE("an attached device copies from and to what is mapped")
{
	const EduWorld world;
	IommuFaults faults(world.function);

	world.load();
	world.edu.write(target + page_size);
	CHECK(landed(world.target, page_size));
	/* From an odd address across a page boundary, and back to another. */
	world.edu.read(target + 2 * page_size - 1001, 2002);
	world.edu.write(target + 3 * page_size - 501, 2002);
	CHECK(std::memcmp(world.target.data() + 3 * page_size - 501,
			  world.target.data() + 2 * page_size - 1001, 2002) == 0);
	CHECK(untouched(world.target, 3 * page_size + 1501, page_size - 1501));
	CHECK(untouched(world.target, 0, page_size));
	CHECK(faults.count() == 0);
}

/* It would, at the physical address, if nobody had claimed its group. */
TEST_CASE("a device that is not attached reaches no memory")
{
	const EduWorld world;
	const LowPage page;

	world.edu.write(page.physical());
	CHECK(page.is_zero());
	/* What it had to write may have been zeros. */
	world.load();
	world.device.detach();
	world.edu.write(page.physical());
	CHECK(page.is_zero());
}

TEST_CASE("a device that is detached reaches nothing until it is attached again")
{
	const EduWorld world;
	IommuFaults faults(world.function);

	world.load();
	world.device.detach();
	/* The kernel leaves out lines, if they come too fast. */
	CHECK(wait_until([&] {
		world.edu.write(target);
		return faults.count() > 0;
	}));
	CHECK(untouched(world.target));
	SECTION("to write")
	{
		world.device.attach(world.ioas);
		world.edu.write(target);
		CHECK(landed(world.target));
	}
	SECTION("to read")
	{
		world.source.fill(secret_salt);
		world.edu.read(source);
		world.device.attach(world.ioas);
		world.edu.write(target);
		CHECK_FALSE(untouched(world.target));
		CHECK(nothing_of(secret_salt, world.target));
	}
}

TEST_CASE("a device reaches what is mapped while it is attached, and not the rest")
{
	const EduWorld world;
	const Memory more(page_size);

	more.fill(clean_salt);
	world.load();
	/* Behind the mapping, and in front of it. */
	world.edu.write(target + world.target.size());
	world.edu.write(target - page_size);
	CHECK(untouched(world.target));
	world.context.map(world.ioas, more, target + world.target.size());
	world.edu.write(target + world.target.size());
	CHECK(landed(more));
	CHECK(untouched(world.target));
}

/*
 * The IOMMU has the translation in its cache by then: a flush that is missing or
 * comes too late is seen here.
 */
TEST_CASE("what is unmapped is left alone")
{
	const EduWorld world;
	const Memory other(world.target.size());

	other.fill(clean_salt);
	world.load();
	world.edu.write(target);
	REQUIRE(landed(world.target));
	world.target.fill(clean_salt);
	REQUIRE(world.context.unmap(world.ioas, target, world.target.size()) ==
		world.target.size());
	world.edu.write(target);
	CHECK(untouched(world.target));

	SECTION("also when something else is mapped there")
	{
		world.context.map(world.ioas, other, target);
		world.edu.write(target);
		CHECK(untouched(world.target));
		CHECK(landed(other));
	}
	SECTION("nor is it read")
	{
		world.target.fill(secret_salt);
		world.edu.read(target);
		world.context.map(world.ioas, other, target);
		world.edu.write(target);
		CHECK_FALSE(untouched(other));
		CHECK(nothing_of(secret_salt, other));
	}
	SECTION("while its neighbours go on")
	{
		world.context.map(world.ioas, other, target);
		REQUIRE(world.context.unmap(world.ioas, source, page_size) == page_size);
		world.edu.write(target + page_size);
		CHECK(landed(other, page_size));
	}
}

/* It was started before, and happens after. */
TEST_CASE("no write arrives when what forbids it has returned")
{
	EduWorld world;
	const struct {
		const char *name;
		std::function<void()> forbid, restore;
	} ways[] = {
		{"unmap",
		 [&] { world.context.unmap(world.ioas, target, world.target.size()); },
		 [&] { world.context.map(world.ioas, world.target, target); }},
		{"detach", [&] { world.device.detach(); },
		 [&] { world.device.attach(world.ioas); }},
		/* The last one: it cannot be restored. */
		{"close", [&] { world.context.close(); }, [] {}},
	};

	world.load();
	for (const auto &way : ways) {
		INFO(way.name);
		const bool overtaken = world.overtake(target, way.forbid);

		if (overtaken)
			CHECK(untouched(world.target));
		else
			std::cout << "# the device was faster than " << way.name << '\n';
		world.target.fill(clean_salt);
		way.restore();
	}
}

TEST_CASE("a device has the permissions of the mapping")
{
	const EduWorld world;
	const Memory memory(page_size);

	world.load();
	SECTION("to read only")
	{
		memory.fill(secret_salt);
		world.context.map(world.ioas, memory, 2 * target, map_read);
		world.edu.write(2 * target);
		world.edu.read(2 * target);
		world.edu.write(target);
		CHECK(landed(world.target, 0, secret_salt));
	}
	/* Which it may read as well: the kernel's VT-d driver has no less. */
	SECTION("to write only")
	{
		memory.fill(clean_salt);
		world.context.map(world.ioas, memory, 2 * target, map_write);
		world.edu.write(2 * target);
		CHECK(landed(memory));
	}
}

TEST_CASE("devices on two IOASes are apart, and on one together")
{
	const auto functions = lone_edus(2);
	const EduWorld world(functions[0]);
	const Loan loan(functions[1]);
	const PciDevice device(world.context, functions[1]);
	const Edu edu(functions[1]);
	const std::uint32_t ioas = world.context.ioas();
	const Memory own(world.target.size());
	const Memory more(page_size);

	own.fill(clean_salt);
	more.fill(clean_salt);
	world.load();
	world.context.map(ioas, world.source, source);
	world.context.map(ioas, own, target);
	world.context.map(ioas, more, 2 * target);
	device.attach(ioas);
	edu.read(source);

	world.edu.start_write(target);
	edu.write(target + page_size);
	world.edu.wait();
	CHECK(landed(world.target));
	CHECK(landed(own, page_size));
	world.edu.write(2 * target);
	CHECK(untouched(more));
	device.replace(world.ioas);
	world.target.fill(clean_salt);
	edu.write(target + 2 * page_size);
	CHECK(landed(world.target, 2 * page_size));
}
