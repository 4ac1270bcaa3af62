// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a PCI device can be attached to, what it takes out of the IOVA there, and the
 * commands of HWPTs on it. Whether its DMA goes there is the business of test_pci_dma.
 */
#include "edu_world.h"
#include "mock.h"

#include <cstring>

using namespace guest;

namespace {

using Attach = iommukit_device_attach;
using Ranges = std::vector<iommukit_iova_range>;

/* Interrupts of PCI devices are writes to there: VT-d does not translate them. */
constexpr iommukit_iova_range msi_window{0xfee00000, 0xfeefffff};
/* In IOVA, above what any VT-d translates: it has 57 bits at most. */
constexpr std::uint64_t beyond = 1UL << 60;

/* Two devices in groups of their own, and two IOASes with the same memory. */
struct World {
	World()
		: functions(lone_edus(2)), loans{Loan(functions[0]), Loan(functions[1])},
		  one(context, functions[0]), two(context, functions[1]),
		  first(context.ioas()), second(context.ioas())
	{
		context.map(first, memory, EduWorld::source_iova);
		context.map(second, memory, EduWorld::source_iova);
	}
	Errno pinned(std::uint32_t refs) const
	{
		return check_refs(context, memory, refs);
	}

	std::vector<PciFunction> functions;
	Loan loans[2];
	Context context;
	PciDevice one, two;
	std::uint32_t first, second;
	Memory memory{4 * page_size};
};

bool is_free(const Ranges &ranges)
{
	return ranges.size() == 1 && ranges[0].start == 0 && ranges[0].last == all_ones;
}

/* All but the window, up to the width of the IOMMU. */
bool is_of_device(const Ranges &ranges)
{
	return ranges.size() == 2 && ranges[0].start == 0 &&
	       ranges[0].last == msi_window.start - 1 &&
	       ranges[1].start == msi_window.last + 1 &&
	       (ranges[1].last & (ranges[1].last + 1)) == 0 &&
	       ranges[1].last >= (1UL << 39) - 1 && ranges[1].last < 1UL << 57;
}

Fault<Attach> device_fault(const char *name, std::uint32_t id, int error)
{
	return {name, "dev_id", [id](Attach &cmd) { cmd.dev_id = id; }, error};
}

Fault<Attach> table_fault(const char *name, std::uint32_t id, int error)
{
	return {name, "pt_id", [id](Attach &cmd) { cmd.pt_id = id; }, error};
}

/* Issues it, undoes it, and sees that a failure writes nothing back. */
Errno issue(const World &world, Attach &cmd)
{
	const Attach before = cmd;
	const Errno error = call(world.context.fd(), IOMMUKIT_DEVICE_ATTACH, &cmd);

	if (error != ok)
		CHECK(std::memcmp(&before, &cmd, sizeof(cmd)) == 0);
	else if (cmd.flags & IOMMUKIT_DEVICE_ATTACH_REPLACE)
		world.one.replace(world.first);
	else
		world.one.detach();
	return error;
}

} // namespace

TEST_CASE("DEVICE_ATTACH: errors in their order")
{
	const World world;
	const std::uint32_t window = world.context.ioas();
	const FaultQueue queue = make_fault_queue(world.context);
	const Mock mock = make_mock(world.context, world.context.ioas());
	const bool replace = GENERATE(false, true);
	const std::uint32_t base = replace ? IOMMUKIT_DEVICE_ATTACH_REPLACE : 0;
	const auto flag = [base](std::uint32_t value) {
		return Fault<Attach>{"an unknown flag", "flags",
				     [=](Attach &cmd) { cmd.flags = base | value; },
				     EOPNOTSUPP};
	};
	auto valid = command<Attach>();

	INFO((replace ? "to replace" : "to attach"));
	REQUIRE(world.context.try_map(window, world.memory.va(), page_size,
				      msi_window.start) == ok);
	(replace ? world.one : world.two).attach(world.first);
	valid.flags = base;
	valid.dev_id = world.one.id();
	valid.pt_id = world.second;
	check_ordered<Attach>(
		{
			flag(2),
			flag(1U << 31),
			device_fault("no such device", 0, ENOENT),
			device_fault("an IOAS for a device", world.first, ENOENT),
			device_fault("a mock device", mock.device, ENOENT),
			table_fault("no such object", 0, ENOENT),
			table_fault("a device for an IOAS", world.one.id(), EINVAL),
			table_fault("a queue for an IOAS", queue.id, EINVAL),
			device_fault(replace ? "not attached" : "attached already",
				     world.two.id(), replace ? EINVAL : EBUSY),
			table_fault("a HWPT of the mock's", mock.hwpt, EINVAL),
			table_fault("an IOAS with something at the window", window,
				    EADDRINUSE),
		},
		valid, [&](Attach &cmd) { return issue(world, cmd); });
	CHECK(is_free(world.context.ranges(world.second)));
	CHECK(is_free(world.context.ranges(window)));
	CHECK(issue(world, valid) == ok);
}

TEST_CASE("DEVICE_DETACH: errors in their order")
{
	const World world;
	const PciDevice &device = world.one;

	CHECK(device.try_detach() == Errno{EINVAL});
	device.attach(world.first);
	CHECK(device.try_detach() == ok);
	CHECK(device.try_detach() == Errno{EINVAL});
	CHECK(world.two.try_detach() == Errno{EINVAL});
}

TEST_CASE("DEVICE_ATTACH whose answer cannot be written changes nothing")
{
	const World world;
	const PageAndHole page;
	auto *at = static_cast<Attach *>(page.tail(sizeof(Attach)));

	*at = command<Attach>();
	at->dev_id = world.one.id();
	at->pt_id = world.second;
	SECTION("attach")
	{
		page.write_protect();
		CHECK(call(world.context.fd(), IOMMUKIT_DEVICE_ATTACH, at) ==
		      Errno{EFAULT});
		CHECK(world.one.try_detach() == Errno{EINVAL});
	}
	SECTION("replace")
	{
		const std::uint32_t hwpt = world.one.attach(world.first);

		at->flags = IOMMUKIT_DEVICE_ATTACH_REPLACE;
		page.write_protect();
		CHECK(call(world.context.fd(), IOMMUKIT_DEVICE_ATTACH, at) ==
		      Errno{EFAULT});
		CHECK(world.context.try_destroy(hwpt) == Errno{EBUSY});
	}
	CHECK(is_free(world.context.ranges(world.second)));
	CHECK(world.context.try_destroy(world.second) == ok);
}

TEST_CASE("an IOAS gets a HWPT for its devices, as long as it has some")
{
	const World world;
	const std::uint32_t hwpt = world.one.attach(world.first);

	CHECK(hwpt != world.first);
	CHECK(world.pinned(1) == ok);
	/* The IOMMU of both is the same. */
	CHECK(world.two.attach(world.first) == hwpt);
	CHECK(world.one.replace(world.first) == hwpt);
	CHECK(world.context.try_destroy(hwpt) == Errno{EBUSY});
	world.one.detach();
	CHECK(world.context.try_destroy(hwpt) == Errno{EBUSY});
	CHECK(world.one.attach(hwpt) == hwpt);
	world.two.replace(world.second);
	CHECK(world.context.try_destroy(hwpt) == Errno{EBUSY});
	world.one.replace(world.second);
	CHECK(world.context.try_destroy(hwpt) == Errno{ENOENT});
	world.one.detach();
	world.two.detach();
	CHECK(world.pinned(0) == ok);
	CHECK(world.context.try_destroy(world.first) == ok);
	CHECK(world.context.try_destroy(world.second) == ok);
}

TEST_CASE("what a device does not translate is taken out of the IOVA")
{
	const World world;
	const auto ranges = [&](std::uint32_t ioas) {
		return world.context.ranges(ioas);
	};

	CHECK(is_free(ranges(world.first)));
	CHECK(world.context.alignment(world.first) == 1);
	world.one.attach(world.first);
	CHECK(is_of_device(ranges(world.first)));
	CHECK(world.context.alignment(world.first) == page_size);
	for (const std::uint64_t iova : std::initializer_list<std::uint64_t>{
		     msi_window.start, msi_window.last + 1 - page_size, beyond})
		CHECK(world.context.try_map(world.first, world.memory.va(), page_size,
					    iova) == Errno{EINVAL});
	CHECK(world.context.try_map(world.first, world.memory.va(), page_size,
				    msi_window.last + 1) == ok);
	world.two.attach(world.first);
	world.one.detach();
	CHECK(is_of_device(ranges(world.first)));
	world.two.replace(world.second);
	CHECK(is_free(ranges(world.first)));
	CHECK(world.context.alignment(world.first) == 1);
	CHECK(is_of_device(ranges(world.second)));
	world.two.detach();
	CHECK(is_free(ranges(world.second)));
}

/* The width is of the HWPT, the window of the device. */
TEST_CASE("a HWPT limits the IOVA without a device, a device does more")
{
	const World world;
	const std::uint32_t hwpt = make_hwpt(world.context, world.one.id(), world.second);
	const Ranges alone = world.context.ranges(world.second);

	CHECK(alone.size() == 1);
	CHECK(alone[0].last < 1UL << 57);
	CHECK(world.pinned(1) == ok);
	CHECK(world.one.attach(hwpt) == hwpt);
	CHECK(is_of_device(world.context.ranges(world.second)));
	world.one.detach();
	CHECK(world.context.ranges(world.second).size() == 1);
	world.context.destroy(hwpt);
	CHECK(is_free(world.context.ranges(world.second)));
	CHECK(world.pinned(0) == ok);
}

TEST_CASE("an allowed range where the device does not translate")
{
	const World world;
	const std::uint32_t ioas = world.context.ioas();

	REQUIRE(world.context.try_allow(ioas, {{msi_window.start, msi_window.last}}) ==
		ok);
	CHECK(world.one.try_attach(ioas) == Errno{EADDRINUSE});
	REQUIRE(world.context.try_allow(ioas, {{0, msi_window.start - 1}}) == ok);
	CHECK(world.one.try_attach(ioas) == ok);
	CHECK(world.context.try_allow(ioas, {{0, msi_window.start}}) ==
	      Errno{EADDRINUSE});
}

TEST_CASE("explicit HWPTs: one for a device at a time, and never chosen by itself")
{
	const World world;
	const std::uint32_t a = make_hwpt(world.context, world.one.id(), world.first);
	const std::uint32_t b = make_hwpt(world.context, world.one.id(), world.second);
	const std::uint32_t c = make_hwpt(world.context, world.two.id(), world.first);

	CHECK(world.one.attach(a) == a);
	/* Within an IOAS and to another one. */
	for (const std::uint32_t to : {c, b, a, a, b, c}) {
		const std::uint32_t automatic = world.two.attach(world.first);

		CHECK(world.one.replace(to) == to);
		CHECK(automatic != a);
		CHECK(automatic != c);
		for (const std::uint32_t id : {a, b, c, automatic})
			if (id == to || id == automatic)
				CHECK(world.context.try_destroy(id) == Errno{EBUSY});
		world.two.detach();
		CHECK(world.context.try_destroy(automatic) == Errno{ENOENT});
	}
	world.one.replace(world.second);
	for (const std::uint32_t id : {a, b, c})
		CHECK(world.context.try_destroy(id) == ok);
	CHECK(world.context.try_destroy(world.first) == ok);
}

/* Page tables of software are no page tables of VT-d. */
TEST_CASE("mock devices and PCI devices on one IOAS")
{
	const World world;
	const std::uint32_t ioas = world.context.ioas();
	const Mock mock = make_mock(world.context, ioas);
	const std::uint32_t hwpt = world.one.attach(ioas);
	Mock other;

	CHECK(hwpt != mock.hwpt);
	CHECK(world.one.try_replace(mock.hwpt) == Errno{EINVAL});
	CHECK(world.two.try_attach(mock.hwpt) == Errno{EINVAL});
	CHECK(try_mock(world.context, hwpt, &other) == Errno{EINVAL});
	CHECK(world.context.ranges(ioas).back().last == aperture_last);
	world.context.destroy(mock.stdev);
	CHECK(is_of_device(world.context.ranges(ioas)));
}

TEST_CASE("HWPT_ALLOC: what VT-d as QEMU has it cannot do")
{
	using Cmd = iommukit_hwpt_alloc;
	const World world;
	const std::uint64_t data[3] = {};
	const auto flags = [](const char *name, std::uint32_t value) {
		return Fault<Cmd>{name, "flags", [value](Cmd &cmd) { cmd.flags = value; },
				  EOPNOTSUPP};
	};
	auto valid = command<Cmd>();

	valid.dev_id = world.one.id();
	valid.pt_id = world.second;
	check_ordered<Cmd>(
		{
			flags("dirty tracking", hwpt_dirty),
			flags("a parent", hwpt_parent),
			flags("both", hwpt_dirty | hwpt_parent),
			flags("a fault queue", IOMMUKIT_HWPT_FAULT_ID_VALID),
			{"data", "data_type",
			 [&](Cmd &cmd) {
				 cmd.data_type = IOMMUKIT_HWPT_DATA_VTD_S1;
				 cmd.data_len = sizeof(data);
				 cmd.data_uptr = reinterpret_cast<std::uint64_t>(data);
			 },
			 EOPNOTSUPP},
		},
		valid, [&](Cmd &cmd) { return probe_hwpt(world.context, cmd); });
	CHECK(is_free(world.context.ranges(world.second)));
	CHECK(world.pinned(0) == ok);
	CHECK(world.context.try_destroy(world.second) == ok);
}

TEST_CASE("dirty tracking of a HWPT that cannot")
{
	const World world;
	const std::uint32_t hwpt = make_hwpt(world.context, world.one.id(), world.first);
	const BitmapGeometry range{EduWorld::source_iova, page_size, page_size};
	std::uint64_t bits = 0;

	CHECK(set_dirty(world.context, hwpt, true) == Errno{EOPNOTSUPP});
	CHECK(get_dirty(world.context, hwpt, range,
			reinterpret_cast<std::uint64_t>(&bits)) == Errno{EOPNOTSUPP});
}
