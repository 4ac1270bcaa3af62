// SPDX-License-Identifier: GPL-2.0-only
/*
 * Binding, attaching and replacing a PCI device, failed at each of their points in
 * turn; see fault.h. What its DMA reaches is part of what is looked at.
 */
#include "edu_world.h"
#include "fault_world.h"
#include "mock.h"

using namespace guest;

namespace {

constexpr std::uint64_t probe_iova = 0x100000;

/* Two IOASes that both have memory, and a page at the same IOVA that tells them apart. */
class World : public FaultWorld {
    public:
	World() : loan(function), device(context, function), edu(function)
	{
		REQUIRE(context.try_map(second, memory.va(), page_size, iova) == ok);
		context.map(first, in_first, probe_iova);
		context.map(second, in_second, probe_iova);
	}
	/* Which of the pages a write of the device goes to; 0 if none. */
	std::uint64_t where() const
	{
		in_first.fill(clean_salt);
		in_second.fill(clean_salt);
		edu.write(probe_iova);
		return (untouched(in_first) ? 0 : 1) + (untouched(in_second) ? 0 : 2);
	}

	PciFunction function = lone_edu();
	Loan loan;
	PciDevice device;
	Edu edu;
	Memory in_first{page_size}, in_second{page_size};
};

} // namespace

TEST_CASE("fail-nth: a PCI device is bound")
{
	FaultWorld world;
	const PciFunction function = lone_edu();
	const Loan loan(function);
	std::uint32_t device = 0;

	/*
	 * Points of the core only: to enable a function the kernel interprets ACPI
	 * code, which 6.1 goes on with in freed memory if that fails.
	 */
	sweep(Source::core,
	      {"DEVICE_BIND",
	       2,
	       [&] {
		       return PciDevice::attempt(world.context, function.address(),
						 &device);
	       },
	       [&] { world.context.destroy(device); },
	       {ENOMEM, EFAULT, EIO}},
	      [&] { return world.look(); });
}

TEST_CASE("fail-nth: a PCI device is attached")
{
	World world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.device.id(), world.second);

	world.observe("DMA goes to", [&] { return world.where(); });
	for (const std::uint32_t pt : {world.first, hwpt})
		world.sweep({"DEVICE_ATTACH",
			     2,
			     [&] { return world.device.try_attach(pt); },
			     [&] { world.device.detach(); },
			     {ENOENT, ENOMEM, EFAULT, EINVAL}});
}

TEST_CASE("fail-nth: a PCI device is replaced")
{
	World world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.device.id(), world.second);

	world.device.attach(world.first);
	world.observe("DMA goes to", [&] { return world.where(); });
	CHECK(world.where() == 1);
	/*
	 * Points of the core only: 6.1 detaches first, and warns if it has no memory to
	 * give the group its own domain back.
	 */
	for (const std::uint32_t pt : {world.second, hwpt})
		sweep(Source::core,
		      {"REPLACE of a PCI device",
		       2,
		       [&] { return world.device.try_replace(pt); },
		       [&] { world.device.replace(world.first); },
		       {ENOENT, ENOMEM, EFAULT, EINVAL},
		       true},
		      [&] { return world.look(); });
	CHECK(world.where() == 1);
}

TEST_CASE("fail-nth: mappings under a PCI device")
{
	World world;
	const Memory more(2 * FaultWorld::piece);
	constexpr std::uint64_t more_iova = 0x800000;
	std::uint32_t hwpt = 0;

	world.device.attach(world.first);
	world.sweep({"MAP under a PCI device",
		     2,
		     [&] {
			     return world.context.try_map(world.first, more.va(),
							  more.size(), more_iova);
		     },
		     [&] { world.context.unmap(world.first, more_iova, more.size()); },
		     {ENOENT, ENOMEM, EFAULT, EINVAL},
		     true});
	world.sweep({"HWPT_ALLOC for a PCI device",
		     2,
		     [&] {
			     return try_hwpt(world.context, world.device.id(),
					     world.second, &hwpt);
		     },
		     [&] { world.context.destroy(hwpt); },
		     {ENOENT, ENOMEM, EFAULT, EINVAL},
		     false,
		     false,
		     {},
		     true});
	CHECK(world.where() == 1);
}
