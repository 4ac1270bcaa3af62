// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two PCI functions that share an IOMMU group: what one is attached to, the other one
 * reaches, too.
 */
#include "mock.h"
#include "replace_world.h"

#include <optional>

using namespace guest;

namespace {

using Fate = ReplaceWorld::Fate;

struct World : public ReplaceWorld {
	World() : ReplaceWorld(edu_group()) {}

	/* Where a write of device n goes to. */
	Fate write(std::size_t n) const
	{
		edu(n).write(iova(n));
		return judge(n);
	}
	/* Of both. */
	bool write_to(Fate fate) const { return write(0) == fate && write(1) == fate; }

	const PciDevice &one = device(0), &two = device(1);
};

} // namespace

TEST_CASE("a device that is attached takes its group along")
{
	const World world;

	CHECK(world.write_to(Fate::lost));
	world.one.attach(world.first);
	CHECK(world.write_to(Fate::first));
	world.one.detach();
	CHECK(world.write_to(Fate::lost));
	world.two.attach(world.second);
	CHECK(world.write_to(Fate::second));
}

TEST_CASE("the second device goes where the first one is, by either name")
{
	const World world;
	const std::uint32_t hwpt = world.one.attach(world.first);
	const std::uint32_t explicit_first =
		make_hwpt(world.context, world.one.id(), world.first);
	const std::uint32_t explicit_second =
		make_hwpt(world.context, world.two.id(), world.second);
	std::uint32_t pt = 77;

	for (const std::uint32_t to : {world.second, explicit_first, explicit_second})
		CHECK(world.two.try_attach(to, &pt) == Errno{EINVAL});
	CHECK(pt == 77);
	CHECK(world.two.try_detach() == Errno{EINVAL});
	CHECK(world.two.try_replace(world.second) == Errno{EINVAL});
	CHECK(world.context.ranges(world.second).size() == 1);
	for (const std::uint32_t to : {world.first, hwpt}) {
		CHECK(world.two.attach(to) == hwpt);
		CHECK(world.two.try_attach(to) == Errno{EBUSY});
		world.two.detach();
	}
	/* What is explicit is not found by the name of its IOAS. */
	world.one.replace(explicit_first);
	CHECK(world.two.try_attach(world.first) == Errno{EINVAL});
	CHECK(world.two.attach(explicit_first) == explicit_first);
	CHECK(world.write_to(Fate::first));
}

TEST_CASE("a replace moves the whole group")
{
	const World world;
	const std::uint32_t hwpt = world.one.attach(world.first);

	SECTION("all of it attached")
	{
		CHECK(world.two.attach(world.first) == hwpt);
		const std::uint32_t moved = world.one.replace(world.second);

		CHECK(world.context.try_destroy(hwpt) == Errno{ENOENT});
		CHECK(world.write_to(Fate::second));
		/* It is there. */
		CHECK(world.two.replace(world.second) == moved);
		world.one.detach();
		CHECK(world.write_to(Fate::second));
		world.two.replace(world.first);
		CHECK(world.write_to(Fate::first));
		CHECK(world.context.try_destroy(moved) == Errno{ENOENT});
	}
	SECTION("one of it attached")
	{
		world.one.replace(world.second);
		CHECK(world.write_to(Fate::second));
	}
}

TEST_CASE("a group is blocked when the last device is detached")
{
	const World world;
	const PciDevice *order[] = {&world.one, &world.two};

	if (GENERATE(false, true))
		std::swap(order[0], order[1]);
	world.one.attach(world.first);
	world.two.attach(world.first);
	order[0]->detach();
	CHECK(world.write_to(Fate::first));
	CHECK(world.context.ranges(world.first).size() == 2);
	order[1]->detach();
	CHECK(world.write_to(Fate::lost));
	CHECK(world.context.ranges(world.first).size() == 1);
	world.one.attach(world.second);
	CHECK(world.write_to(Fate::second));
}

TEST_CASE("a group that cannot move stays")
{
	const World world;
	const Memory memory(page_size);
	const std::uint32_t ioas = world.context.ioas();

	REQUIRE(world.context.try_map(ioas, memory.va(), page_size, 0xfee00000) == ok);
	world.one.attach(world.first);
	world.two.attach(world.first);
	for (const PciDevice *device : {&world.one, &world.two})
		CHECK(device->try_replace(ioas) == Errno{EADDRINUSE});
	CHECK(world.write_to(Fate::first));
	CHECK(world.context.ranges(world.first).size() == 2);
	CHECK(world.context.ranges(ioas).size() == 1);
	world.one.detach();
	CHECK(world.context.ranges(world.first).size() == 2);
}

TEST_CASE("a group belongs to one context")
{
	const auto functions = edu_group();
	const Loan loans[] = {Loan(functions[0]), Loan(functions[1])};
	const Context other;
	std::optional<Context> context(std::in_place);
	std::uint32_t device = 0;
	const auto bind = [&](const Context &to, std::size_t n) {
		return PciDevice::attempt(to, functions[n].address(), &device);
	};

	CHECK(bind(*context, 0) == ok);
	CHECK(bind(other, 1) == Errno{EPERM});
	CHECK(bind(*context, 1) == ok);
	context->destroy(device);
	CHECK(bind(other, 1) == Errno{EPERM});
	context.reset();
	CHECK(bind(other, 1) == ok);
	CHECK(bind(other, 0) == ok);
}

/* A function without a driver does no harm, and needs not be ours. */
TEST_CASE("a group of which nobody has the rest")
{
	const auto functions = edu_group();
	const EduWorld world(functions[0]);
	std::uint32_t device = 0;

	CHECK(PciDevice::attempt(world.context, functions[1].address(), &device) ==
	      Errno{ENODEV});
	world.load();
	world.edu.write(EduWorld::target_iova);
	CHECK(landed(world.target));
}

TEST_CASE("a device that is destroyed leaves its group to the others")
{
	const World world;
	const bool first = GENERATE(false, true);
	const PciDevice &goes = first ? world.one : world.two;
	const PciDevice &stays = first ? world.two : world.one;
	const std::size_t n = first ? 1 : 0;

	world.one.attach(world.first);
	world.two.attach(world.first);
	world.context.destroy(goes.id());
	CHECK(goes.try_detach() == Errno{ENOENT});
	CHECK(world.write(n) == Fate::first);
	stays.replace(world.second);
	CHECK(world.write(n) == Fate::second);
	stays.detach();
	CHECK(world.write(n) == Fate::lost);
	CHECK(world.context.try_destroy(world.first) == ok);
	CHECK(world.context.try_destroy(world.second) == ok);
}
