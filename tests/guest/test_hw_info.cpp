// SPDX-License-Identifier: GPL-2.0-only
/* GET_HW_INFO: what mock devices say of themselves, and to buffers of which size. */
#include "mock.h"

#include <algorithm>
#include <array>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint32_t input_type = IOMMUKIT_HW_INFO_FLAG_INPUT_TYPE;
constexpr std::uint32_t mock_type = IOMMUKIT_TEST_HW_INFO_TYPE;
constexpr std::uint32_t info_bytes = sizeof(iommukit_test_hw_info);
constexpr std::byte around{0xa5};

struct World {
	World() : ioas(context.ioas()), mock(make_mock(context, ioas)) {}

	Errno issue(iommukit_hw_info &cmd) const
	{
		return call(context.fd(), IOMMUKIT_GET_HW_INFO, &cmd);
	}

	Context context;
	std::uint32_t ioas;
	Mock mock;
};

/* What a mock device says, in a buffer of @bytes before something else. */
std::array<std::byte, 32> said(std::size_t bytes)
{
	const iommukit_test_hw_info info{0, IOMMUKIT_TEST_HW_INFO_REGVAL};
	std::array<std::byte, 32> buffer;

	buffer.fill(around);
	std::fill_n(buffer.begin(), std::min(bytes, buffer.size()), std::byte(0));
	std::memcpy(buffer.data(), &info, std::min(bytes, sizeof(info)));
	return buffer;
}

} // namespace

TEST_CASE("GET_HW_INFO: errors in their order")
{
	const World world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.mock.device, world.ioas, hwpt_parent);
	const std::uint32_t nested = make_nested(world.context, world.mock.device, hwpt);
	const FaultQueue queue = make_fault_queue(world.context);
	std::array<std::byte, 32> buffer;
	using Cmd = iommukit_hw_info;
	const auto id = [](const char *name, std::uint32_t value) {
		return Fault<Cmd>{name, "dev_id", [value](Cmd &c) { c.dev_id = value; },
				  ENOENT};
	};
	const auto flag = [](const char *name, std::uint32_t value) {
		return Fault<Cmd>{name, "flags", [value](Cmd &c) { c.flags |= value; },
				  EOPNOTSUPP};
	};
	const auto reserved = [](const char *name, unsigned int n) {
		return Fault<Cmd>{name, "__reserved",
				  [n](Cmd &c) { c.__reserved[n] = 1; }, EOPNOTSUPP};
	};
	const auto type = [](const char *name, std::uint32_t value) {
		return Fault<Cmd>{name, "type",
				  [value](Cmd &c) { c.in_data_type = value; },
				  EOPNOTSUPP};
	};
	auto valid = command<Cmd>();

	valid.flags = input_type;
	valid.in_data_type = mock_type;
	valid.dev_id = world.mock.device;
	valid.data_len = info_bytes;
	valid.data_uptr = reinterpret_cast<std::uint64_t>(buffer.data());
	check_ordered<Cmd>(
		{
			flag("an unknown flag", 2),
			flag("the last flag", 1U << 31),
			reserved("__reserved[0]", 0),
			reserved("__reserved[1]", 1),
			reserved("__reserved[2]", 2),
			id("no such object", 0),
			id("an IOAS", world.ioas),
			id("the test module's object", world.mock.stdev),
			id("an automatic HWPT", world.mock.hwpt),
			id("a HWPT", hwpt),
			id("a nested HWPT", nested),
			id("a queue", queue.id),
			type("an unknown type", mock_type + 1),
			type("a type of another driver", IOMMUKIT_HW_INFO_TYPE_INTEL_VTD),
			{"a buffer that cannot be written", "data_uptr",
			 [](Cmd &c) { c.data_uptr = 16; }, EFAULT},
		},
		valid, [&](Cmd &cmd) {
			const Cmd before = cmd;
			const Errno error = world.issue(cmd);

			/* A failure writes nothing back. */
			CHECK((error == ok ||
			       std::memcmp(&before, &cmd, sizeof(cmd)) == 0));
			return error;
		});
	CHECK(world.issue(valid) == ok);
}

TEST_CASE("buffers of any length")
{
	const World world;

	for (const std::uint32_t bytes : {0, 1, 4, 7, 8, 9, 16, 31}) {
		std::array<std::byte, 32> buffer;
		iommukit_hw_info info{};

		INFO(bytes << " bytes");
		buffer.fill(around);
		REQUIRE(hw_info(world.context, world.mock.device, buffer.data(), bytes,
				&info) == ok);
		CHECK(buffer == said(bytes));
		CHECK(info.data_len == info_bytes);
		CHECK(info.out_data_type == mock_type);
		CHECK(info.out_max_pasid_log2 == 0);
		CHECK(info.dev_id == world.mock.device);
	}
}

TEST_CASE("a buffer without room is not touched")
{
	const World world;

	for (void *data : {static_cast<void *>(nullptr), bad_pointer()}) {
		CHECK(hw_info(world.context, world.mock.device, data, 0) == ok);
		for (const std::uint32_t bytes : {1U, info_bytes, 64U})
			CHECK(hw_info(world.context, world.mock.device, data, bytes) ==
			      Errno{EFAULT});
	}
}

TEST_CASE("a buffer that ends where nothing is")
{
	const World world;
	const PageAndHole page;

	for (const std::uint32_t bytes : {1, 4, 8, 16, 100}) {
		std::memset(page.tail(bytes), 0xa5, bytes);
		REQUIRE(hw_info(world.context, world.mock.device, page.tail(bytes),
				bytes) == ok);
		CHECK(std::memcmp(page.tail(bytes), said(bytes).data(),
				  std::min(bytes, 16U)) == 0);
		/* Neither a part of it nor its zeros fit any more. */
		CHECK(hw_info(world.context, world.mock.device, page.tail(bytes),
			      bytes + 1) == Errno{EFAULT});
	}
	page.write_protect();
	CHECK(hw_info(world.context, world.mock.device, page.tail(8), 8) ==
	      Errno{EFAULT});
}

TEST_CASE("a long buffer is zeroed up to its end")
{
	const World world;
	const Memory memory(3 * page_size);

	memory.fill(1);
	REQUIRE(hw_info(world.context, world.mock.device, memory.data() + 5,
			2 * page_size) == ok);
	CHECK(std::all_of(memory.data() + 5 + info_bytes,
			  memory.data() + 5 + 2 * page_size,
			  [](std::byte byte) { return byte == std::byte(0); }));
	CHECK(memory.data()[4] == pattern(1, 4));
	CHECK(memory.data()[5 + 2 * page_size] == pattern(1, 5 + 2 * page_size));
}

TEST_CASE("the type that is asked for")
{
	const World world;
	const struct {
		std::uint32_t flags, type;
	} asked[] = {
		{0, 0},
		/* Without the flag it is not looked at. */
		{0, 1},
		{0, ~0U},
		{input_type, IOMMUKIT_HW_INFO_TYPE_DEFAULT},
		{input_type, mock_type},
	};

	for (const auto &[flags, type] : asked) {
		auto cmd = command<iommukit_hw_info>();

		INFO(flags << " " << type);
		cmd.flags = flags;
		cmd.in_data_type = type;
		cmd.dev_id = world.mock.device;
		CHECK(world.issue(cmd) == ok);
		CHECK(cmd.out_data_type == mock_type);
		CHECK(cmd.data_len == info_bytes);
	}
}

TEST_CASE("capabilities and PASIDs")
{
	const World world;
	const struct {
		std::uint32_t flags;
		bool dirty;
		unsigned int pasid;
	} kinds[] = {
		{0, true, 0},
		{mock_no_dirty, false, 0},
		{mock_huge_pages, true, 0},
		{mock_pasid, true, IOMMUKIT_TEST_PASID_WIDTH},
		{mock_pasid | mock_no_dirty, false, IOMMUKIT_TEST_PASID_WIDTH},
	};

	for (const auto &kind : kinds) {
		const Mock mock = make_mock(world.context, world.ioas, kind.flags);
		iommukit_hw_info info{};

		INFO("flags " << kind.flags);
		REQUIRE(hw_info(world.context, mock.device, nullptr, 0, &info) == ok);
		CHECK(info.out_capabilities ==
		      (kind.dirty ? IOMMUKIT_HW_CAP_DIRTY_TRACKING : 0));
		CHECK(unsigned(info.out_max_pasid_log2) == kind.pasid);
		for (const unsigned int byte : info.__reserved)
			CHECK(byte == 0);
	}
}

TEST_CASE("a structure without capabilities")
{
	const World world;
	auto cmd = command<iommukit_hw_info>();

	cmd.size = offsetof(iommukit_hw_info, out_capabilities);
	cmd.dev_id = world.mock.device;
	cmd.out_capabilities = all_ones;
	CHECK(world.issue(cmd) == ok);
	CHECK(cmd.out_data_type == mock_type);
	CHECK(cmd.out_capabilities == all_ones);
	cmd.size--;
	CHECK(world.issue(cmd) == Errno{EINVAL});
}

TEST_CASE("the answer cannot be written")
{
	const World world;
	const PageAndHole page;
	auto *at = static_cast<iommukit_hw_info *>(page.tail(sizeof(iommukit_hw_info)));

	*at = command<iommukit_hw_info>();
	at->dev_id = world.mock.device;
	page.write_protect();
	CHECK(world.issue(*at) == Errno{EFAULT});
}

TEST_CASE("a device that is gone, and one that moves")
{
	const World world;
	const std::uint32_t other = world.context.ioas();
	const Mock mock = make_mock(world.context, world.ioas);
	std::uint32_t pt = other;

	REQUIRE(try_mock_replace(world.context, mock, &pt) == ok);
	CHECK(hw_info(world.context, mock.device, nullptr, 0) == ok);
	world.context.destroy(mock.stdev);
	CHECK(hw_info(world.context, mock.device, nullptr, 0) == Errno{ENOENT});
	CHECK(hw_info(world.context, world.mock.device, nullptr, 0) == ok);
}
