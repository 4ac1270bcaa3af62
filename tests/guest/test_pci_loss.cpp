// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are lost while they are in use: pulled out, taken from their driver, the
 * driver unloaded, the process killed. Their ids end, and their DMA.
 */
#include "edu_world.h"
#include "fault.h"
#include "iommu_faults.h"
#include "mock.h"
#include "modules.h"
#include "process.h"

#include <csignal>
#include <iostream>
#include <optional>

using namespace guest;

namespace {

constexpr std::uint64_t source = EduWorld::source_iova;
constexpr std::uint64_t target = EduWorld::target_iova;

const std::string pci_module(iommukit::pci_offer_driver);

/* No command knows the id any more. */
void check_gone(const Context &context, const PciDevice &device, std::uint32_t ioas)
{
	std::uint32_t hwpt = 0;

	CHECK(device.try_attach(ioas) == Errno{ENOENT});
	CHECK(device.try_replace(ioas) == Errno{ENOENT});
	CHECK(device.try_detach() == Errno{ENOENT});
	CHECK(try_hwpt(context, device.id(), ioas, &hwpt) == Errno{ENOENT});
	CHECK(hw_info(context, device.id(), nullptr, 0) == Errno{ENOENT});
	CHECK(context.try_destroy(device.id()) == Errno{ENOENT});
}

/* Binds the function again, and sees that it works. */
void check_usable(const Context &context, const PciFunction &function)
{
	const PciDevice device(context, function);
	const Edu edu(function);
	const std::uint32_t ioas = context.ioas();
	const Memory data(page_size), memory(page_size);

	data.fill(data_salt);
	memory.fill(clean_salt);
	context.map(ioas, data, source);
	context.map(ioas, memory, target);
	device.attach(ioas);
	edu.read(source);
	edu.write(target);
	CHECK(landed(memory));
	context.destroy(device.id());
}

/* What is left of a device that was attached to an IOAS: nothing. */
void check_released(const EduWorld &world)
{
	check_gone(world.context, world.device, world.ioas);
	CHECK(world.context.ranges(world.ioas).size() == 1);
	CHECK(check_refs(world.context, world.target, 0) == ok);
}

} // namespace

TEST_CASE("a device that is taken from its driver while it writes")
{
	const EduWorld world;
	IommuFaults faults(world.function);

	world.load();
	const bool overtaken =
		world.overtake(target, [&] { take_from_driver(world.function); });

	if (overtaken)
		CHECK(untouched(world.target));
	check_released(world);
	/* It was kept from the bus before it was detached. */
	CHECK(faults.count() == 0);
	const Loan again(world.function);
	check_usable(world.context, world.function);
}

TEST_CASE("a device that is not attached is taken from its driver")
{
	const EduWorld world;

	take_from_driver(world.function);
	check_gone(world.context, world.device, world.ioas);
}

TEST_CASE("a device that is pulled out while it writes, and comes back")
{
	const auto functions = lone_edus(2);
	const EduWorld world(functions[0]);
	const Loan loan(functions[1]);
	const PciDevice device(world.context, functions[1]);
	const std::uint32_t ioas = world.context.ioas();
	const Memory own(page_size);
	std::optional<Edu> edu(std::in_place, functions[1]);
	bool overtaken;

	own.fill(clean_salt);
	world.context.map(ioas, world.source, source);
	world.context.map(ioas, own, target);
	world.load();
	device.attach(ioas);
	edu->read(source);
	edu->start_write(target);
	/* Its registers go with it. */
	edu.reset();
	{
		const Unplugged unplugged(functions[1]);

		overtaken = untouched(own);
		check_gone(world.context, device, ioas);
		CHECK(world.context.ranges(ioas).size() == 1);
		CHECK(check_refs(world.context, own, 0) == ok);
		/* The other device does not notice. */
		world.edu.write(target);
		CHECK(landed(world.target));
	}
	const Loan again(functions[1]);
	const PciDevice back(world.context, functions[1]);

	edu.emplace(functions[1]);
	edu->wait();
	if (overtaken)
		CHECK(untouched(own));
	else
		std::cout << "# the device was faster than its end" << std::endl;
	world.context.destroy(back.id());
	check_usable(world.context, functions[1]);
}

TEST_CASE("a device is pulled out again and again")
{
	const PciFunction function = lone_edu();
	const NothingLeft nothing_left;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);

	context.map(ioas, memory, source);
	for (unsigned int round = 0; round < 5; round++) {
		const Loan loan(function);
		const PciDevice device(context, function);

		if (round % 2)
			device.attach(ioas);
		const Unplugged unplugged(function);
		CHECK(device.try_detach() == Errno{ENOENT});
	}
	CHECK(check_refs(context, memory, 0) == ok);
	const Loan loan(function);
	check_usable(context, function);
}

/*
 * The one that comes back has to be the first of its slot: of another one the kernel
 * does not know in time that it has neighbours, and gives it a group of its own.
 */
TEST_CASE("one function of a group is pulled out")
{
	const auto functions = edu_group();
	const PciFunction &gone = functions[0], &left = functions[1];
	const Loan loans[] = {Loan(gone), Loan(left)};
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory data(page_size), memory(page_size);
	const PciDevice first(context, gone), second(context, left);
	const PciDevice *order[] = {&first, &second};
	const Edu edu(left);

	if (GENERATE(false, true))
		std::swap(order[0], order[1]);
	data.fill(data_salt);
	memory.fill(clean_salt);
	context.map(ioas, data, source);
	context.map(ioas, memory, target);
	for (const PciDevice *device : order)
		device->attach(ioas);
	edu.read(source);
	{
		const Unplugged unplugged(gone);

		check_gone(context, first, ioas);
		edu.write(target);
		CHECK(landed(memory));
		second.detach();
		memory.fill(clean_salt);
		edu.write(target);
		CHECK(untouched(memory));
	}
	const Loan again(gone);
	check_usable(context, gone);
	second.attach(ioas);
	edu.write(target);
	CHECK(landed(memory));
	CHECK(gone.group() == left.group());
}

/* It was made for a device that is no more, but it is of the IOAS. */
TEST_CASE("a HWPT outlives the device that it was made for")
{
	const auto functions = lone_edus(2);
	const EduWorld world(functions[0]);
	const Memory more(page_size);
	std::uint32_t hwpt;

	more.fill(clean_salt);
	{
		const Loan loan(functions[1]);
		const PciDevice device(world.context, functions[1]);

		hwpt = make_hwpt(world.context, device.id(), world.ioas);
		if (GENERATE(false, true))
			device.attach(hwpt);
		const Unplugged unplugged(functions[1]);

		check_gone(world.context, device, world.ioas);
		CHECK(check_refs(world.context, world.target, 1) == ok);
		CHECK(world.context.try_destroy(world.ioas) == Errno{EBUSY});
		world.context.map(world.ioas, more, 2 * target);
		CHECK(check_refs(world.context, more, 1) == ok);
		CHECK(world.context.unmap(world.ioas, target, world.target.size()) ==
		      world.target.size());
		CHECK(check_refs(world.context, world.target, 0) == ok);
	}
	/* Another one can use it. */
	REQUIRE(world.device.attach(hwpt) == hwpt);
	world.edu.read(source);
	world.edu.write(2 * target);
	CHECK(landed(more));
	world.device.detach();
	CHECK(world.context.try_destroy(hwpt) == ok);
	CHECK(check_refs(world.context, more, 0) == ok);
	CHECK(world.context.try_destroy(world.ioas) == ok);
}

TEST_CASE("the driver is unloaded while its device writes")
{
	const EduWorld world;
	const Modules modules;
	IommuFaults faults(world.function);
	Errno error;

	world.load();
	const bool overtaken =
		world.overtake(target, [&] { error = unload(pci_module); });

	REQUIRE(error == ok);
	if (overtaken)
		CHECK(untouched(world.target));
	check_released(world);
	CHECK(faults.count() == 0);
	world.target.fill(clean_salt);
	world.edu.write(target);
	CHECK(untouched(world.target));
	CHECK(faults.count() == 0);
	/* The core stays: a context is open. */
	CHECK(unload(core) == Errno{in_use});
	/* The function is still promised to the driver. */
	REQUIRE(load(pci_module) == ok);
	check_usable(world.context, world.function);
}

/* All that it had is the next one's: its memory is free, its device blocked. */
TEST_CASE("a process is killed while its device writes")
{
	const PciFunction function = lone_edu();
	const Loan loan(function);
	const Memory data(page_size), memory(page_size);
	unsigned int overtaken = 0;

	data.fill(data_salt);
	for (unsigned int round = 0; round < 4; round++) {
		memory.fill(clean_salt);
		Child child([&](const Child::Steps &step) {
			const Context context;
			const std::uint32_t ioas = context.ioas();
			const PciDevice device(context, function);
			const Edu edu(function);

			context.map(ioas, data, source);
			context.map(ioas, memory, target);
			device.attach(ioas);
			edu.read(source);
			edu.start_write(target);
			step.meet();
			return 0;
		});

		child.await();
		child.kill();
		REQUIRE(child.join() == deadly_signal + SIGKILL);
		const Context context;
		std::uint32_t device = 0;
		REQUIRE(wait_until([&] {
			return PciDevice::attempt(context, function.address(), &device) ==
			       ok;
		}));
		const bool before = untouched(memory);
		const Edu edu(function);

		CHECK(check_refs(context, memory, 0) == ok);
		edu.wait();
		if (before)
			CHECK(untouched(memory));
		overtaken += before;
		memory.fill(clean_salt);
		edu.write(target);
		CHECK(untouched(memory));
	}
	std::cout << "# " << overtaken << " of 4 processes were faster gone" << std::endl;
}
