// SPDX-License-Identifier: GPL-2.0-only
/* GET_HW_INFO of a PCI device, compared with what the kernel's driver says in sysfs. */
#include "edu_world.h"
#include "mock.h"

#include <sys/utsname.h>

#include <cstdio>
#include <cstring>
#include <fstream>

using namespace guest;

namespace {

/* As the uAPI of VT-d has it. */
struct VtdInfo {
	std::uint32_t flags, reserved;
	std::uint64_t cap, ecap;
};

/* Before, drivers have nothing that could be asked: type NONE. */
bool drivers_tell()
{
	utsname name;
	int major = 0, minor = 0;

	REQUIRE(uname(&name) == 0);
	REQUIRE(std::sscanf(name.release, "%d.%d", &major, &minor) == 2);
	return major > 6 || (major == 6 && minor >= 12);
}

std::uint64_t intel(const PciFunction &function, const std::string &name)
{
	std::ifstream file("/sys/bus/pci/devices/" + function.address() +
			   "/iommu/intel-iommu/" + name);
	std::uint64_t value = 0;

	REQUIRE(file >> std::hex >> value);
	return value;
}

} // namespace

TEST_CASE("the registers of its IOMMU")
{
	const EduWorld world;
	iommukit_hw_info info{};
	VtdInfo said;

	std::memset(&said, 0xff, sizeof(said));
	for (const bool attached : {false, true}) {
		if (attached)
			world.device.attach(world.ioas);
		REQUIRE(hw_info(world.context, world.device.id(), &said, sizeof(said),
				&info) == ok);
		/* QEMU's has neither dirty bits nor, without scalable mode, PASIDs. */
		CHECK(info.out_capabilities == 0);
		CHECK(unsigned(info.out_max_pasid_log2) == 0);
		if (!drivers_tell()) {
			CHECK(info.out_data_type == IOMMUKIT_HW_INFO_TYPE_NONE);
			CHECK(info.data_len == 0);
			/* The rest of the buffer is zeroed, which is all of it. */
			CHECK(said.cap == 0);
			CHECK(said.ecap == 0);
			continue;
		}
		CHECK(info.out_data_type == IOMMUKIT_HW_INFO_TYPE_INTEL_VTD);
		CHECK(info.data_len == sizeof(said));
		CHECK(said.reserved == 0);
		CHECK(said.cap == intel(world.function, "cap"));
		CHECK(said.ecap == intel(world.function, "ecap"));
	}
}

TEST_CASE("a buffer of another length")
{
	const EduWorld world;
	const std::uint32_t length = drivers_tell() ? sizeof(VtdInfo) : 0;

	for (const std::uint32_t bytes : {0U, 4U, 16U, 24U, 100U}) {
		std::byte buffer[128];
		iommukit_hw_info info{};

		INFO(bytes << " bytes");
		std::memset(buffer, 0xa5, sizeof(buffer));
		REQUIRE(hw_info(world.context, world.device.id(), buffer, bytes, &info) ==
			ok);
		CHECK(info.data_len == length);
		for (std::uint32_t at = length; at < bytes; at++)
			CHECK(buffer[at] == std::byte(0));
		CHECK(buffer[bytes] == std::byte(0xa5));
	}
	for (const std::uint32_t bytes : {1U, 100U})
		CHECK(hw_info(world.context, world.device.id(), bad_pointer(), bytes) ==
		      Errno{EFAULT});
}

TEST_CASE("a type that is asked for")
{
	const EduWorld world;
	const auto ask = [&](std::uint32_t type) {
		auto cmd = command<iommukit_hw_info>();

		cmd.flags = IOMMUKIT_HW_INFO_FLAG_INPUT_TYPE;
		cmd.dev_id = world.device.id();
		cmd.in_data_type = type;
		return call(world.context.fd(), IOMMUKIT_GET_HW_INFO, &cmd);
	};

	CHECK(ask(IOMMUKIT_HW_INFO_TYPE_DEFAULT) == ok);
	CHECK(ask(IOMMUKIT_HW_INFO_TYPE_INTEL_VTD) ==
	      (drivers_tell() ? ok : Errno{EOPNOTSUPP}));
	CHECK(ask(IOMMUKIT_TEST_HW_INFO_TYPE) == Errno{EOPNOTSUPP});
}
