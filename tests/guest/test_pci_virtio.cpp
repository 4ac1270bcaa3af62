// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI device whose IOMMU cannot keep its interrupts from other devices, as
 * virtio-iommu: only who asks for it gets it. It is also an IOMMU that knows what its
 * page tables are like when they are attached, not before.
 */
#include "edu_world.h"
#include "mock.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

using namespace guest;

namespace {

constexpr std::uint64_t source = EduWorld::source_iova;
constexpr std::uint64_t target = EduWorld::target_iova;

/* It has no group yet: the kernel asks where its IOMMU is when it gets a driver. */
PciFunction edu_without_isolation()
{
	const auto all = PciFunction::all();
	const auto found = std::find_if(all.begin(), all.end(), is_edu);

	if (access("/sys/bus/virtio/drivers/virtio_iommu", F_OK) ||
	    !access("/sys/class/iommu/dmar0", F_OK) || found == all.end())
		skip("the guest has no edu behind a virtio-iommu");
	return *found;
}

/* The administrator's consent, withdrawn at the end. */
class Unsafe {
    public:
	Unsafe() { set("Y"); }
	Unsafe(const Unsafe &) = delete;
	Unsafe &operator=(const Unsafe &) = delete;
	~Unsafe() { set("N"); }

    private:
	static void set(const char *value)
	{
		std::ofstream file(
			"/sys/module/iommukit/parameters/allow_unsafe_interrupts");

		CHECK((file << value << std::flush).good());
	}
};

Errno bind(const Context &context, const PciFunction &function)
{
	std::uint32_t device = 0;

	return PciDevice::attempt(context, function.address(), &device);
}

} // namespace

TEST_CASE("a device whose interrupts are not isolated")
{
	const PciFunction function = edu_without_isolation();
	const Loan loan(function);
	const Context context;

	CHECK(bind(context, function) == Errno{EPERM});
	{
		const Unsafe unsafe;
		const Context careless;

		CHECK(bind(careless, function) == ok);
		CHECK(bind(context, function) == Errno{EBUSY});
	}
	CHECK(bind(context, function) == Errno{EPERM});
}

TEST_CASE("DMA where nothing is known of an IOMMU until it is attached")
{
	const Unsafe unsafe;
	const EduWorld world(edu_without_isolation());
	const std::uint32_t ioas = world.context.ioas();
	const Memory own(page_size);
	std::uint32_t hwpt = 0;

	own.fill(clean_salt);
	world.context.map(ioas, own, target);
	world.edu.write(target);
	CHECK(untouched(world.target));
	world.load();
	world.edu.write(target + page_size);
	CHECK(landed(world.target, page_size));
	world.target.fill(clean_salt);

	SECTION("goes on if it cannot move")
	{
		/* To find out, the device would have to leave for a moment. */
		CHECK(world.device.try_replace(ioas) == Errno{EOPNOTSUPP});
		CHECK(try_hwpt(world.context, world.device.id(), ioas, &hwpt) ==
		      Errno{EOPNOTSUPP});
		world.edu.write(target);
		CHECK(landed(world.target));
	}
	SECTION("moves to what was made while it was not attached")
	{
		world.device.detach();
		const std::uint32_t there =
			make_hwpt(world.context, world.device.id(), ioas);

		world.device.attach(world.ioas);
		world.device.replace(there);
		world.edu.write(target);
		CHECK(untouched(world.target));
		CHECK(landed(own));
		world.device.detach();
		world.context.destroy(there);
	}
	SECTION("ends with the mapping")
	{
		world.context.unmap(world.ioas, target, world.target.size());
		world.edu.write(target);
		CHECK(untouched(world.target));
	}
	SECTION("ends with the attachment")
	{
		world.device.detach();
		world.edu.write(target);
		CHECK(untouched(world.target));
	}
}
