// SPDX-License-Identifier: GPL-2.0-only
/* How a context gets a PCI device, and how it loses it again. */
#include "edu_world.h"
#include "mock.h"

#include <algorithm>
#include <cstring>
#include <optional>

using namespace guest;

namespace {

using Bind = iommukit_device_bind;

/* A function that a driver has which is not ours. */
PciFunction foreign()
{
	const auto all = PciFunction::all();
	const auto found =
		std::find_if(all.begin(), all.end(), [](const PciFunction &function) {
			return function.driver() &&
			       function.driver() != iommukit::pci_offer_driver;
		});

	if (found == all.end())
		skip("no PCI function of the guest has a driver");
	return *found;
}

Fault<Bind> named(const char *what, const std::string &name, int error)
{
	return {what, "name",
		[name](Bind &cmd) {
			const Bind other = bind_command(name);

			std::memcpy(cmd.name, other.name, sizeof(cmd.name));
		},
		error};
}

Errno bind(const Context &context, const PciFunction &function)
{
	std::uint32_t device = 0;

	return PciDevice::attempt(context, function.address(), &device);
}

} // namespace

/* These need no device, so every box checks them. */
TEST_CASE("devices that do not exist")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Mock mock = make_mock(context, ioas);
	auto attach = command<iommukit_device_attach>();
	auto detach = command<iommukit_device_detach>();

	for (const char *name :
	     {"", "iommukit", "0000:00:1f.7", "ffff:ff:1f.7", "/", "."}) {
		Bind cmd = bind_command(name);

		INFO("'" << name << "'");
		cmd.out_dev_id = 77;
		CHECK(call(context.fd(), IOMMUKIT_DEVICE_BIND, &cmd) == Errno{ENODEV});
		CHECK(cmd.out_dev_id == 77);
	}
	/* A driver in the kernel has the mock device: it is not the caller's to move. */
	for (const std::uint32_t id : {0U, ioas, mock.stdev, mock.device, mock.hwpt}) {
		INFO("id " << id);
		attach.dev_id = id;
		attach.pt_id = ioas;
		for (const std::uint32_t flags : {0U, 1U}) {
			attach.flags = flags;
			CHECK(call(context.fd(), IOMMUKIT_DEVICE_ATTACH, &attach) ==
			      Errno{ENOENT});
		}
		detach.dev_id = id;
		CHECK(call(context.fd(), IOMMUKIT_DEVICE_DETACH, &detach) ==
		      Errno{ENOENT});
	}
	CHECK(mock_stats(context, mock).attached == 1);
	CHECK(context.try_destroy(mock.device) == Errno{EBUSY});
}

TEST_CASE("sizes of the structures")
{
	const Context context;
	const struct {
		const char *name;
		unsigned long request;
		std::uint32_t size;
		int error;
	} commands[] = {
		{"BIND", IOMMUKIT_DEVICE_BIND, sizeof(iommukit_device_bind), ENODEV},
		{"ATTACH", IOMMUKIT_DEVICE_ATTACH, sizeof(iommukit_device_attach),
		 ENOENT},
		{"DETACH", IOMMUKIT_DEVICE_DETACH, sizeof(iommukit_device_detach),
		 ENOENT},
	};

	for (const auto &cmd : commands) {
		std::uint32_t buffer[32] = {};
		const auto issue = [&](std::uint32_t size) {
			buffer[0] = size;
			return call(context.fd(), cmd.request, buffer);
		};

		INFO(cmd.name);
		for (const std::uint32_t size : {0U, 4U, cmd.size - 1})
			CHECK(issue(size) == Errno{EINVAL});
		for (const std::uint32_t more : {0U, 8U})
			CHECK(issue(cmd.size + more) == Errno{cmd.error});
		buffer[cmd.size / 4] = 1;
		CHECK(issue(cmd.size + 8) == Errno{E2BIG});
		CHECK(issue(cmd.size) == Errno{cmd.error});
	}
}

TEST_CASE("DEVICE_BIND: errors in their order")
{
	const auto functions = lone_edus(2);
	const Loan loan(functions[0]);
	const std::string name = functions[0].address();
	const Context context;

	SECTION("of a device that can be bound")
	{
		const auto flags = [](std::uint32_t value) {
			return Fault<Bind>{"a flag", "flags",
					   [value](Bind &cmd) { cmd.flags = value; },
					   EOPNOTSUPP};
		};

		check_ordered<Bind>(
			{
				flags(1),
				flags(1U << 31),
				{"reserved", "__reserved",
				 [](Bind &cmd) { cmd.__reserved = 1; }, EOPNOTSUPP},
				named("a name without an end",
				      std::string(IOMMUKIT_DEVICE_NAME_MAX, '0'), EINVAL),
				named("no name", "", ENODEV),
				named("no such function", "0000:00:1f.7", ENODEV),
				named("without its domain", name.substr(5), ENODEV),
				named("more than a name", name + "0", ENODEV),
				named("a function without our driver",
				      functions[1].address(), ENODEV),
				named("a function of another driver", foreign().address(),
				      ENODEV),
			},
			bind_command(name), [&](Bind &cmd) {
				const Errno error =
					call(context.fd(), IOMMUKIT_DEVICE_BIND, &cmd);

				if (error == ok)
					context.destroy(cmd.out_dev_id);
				return error;
			});
		CHECK(bind(context, functions[0]) == ok);
	}
	SECTION("of one that is bound")
	{
		Bind cmd = bind_command(name);
		Context other;

		REQUIRE(bind(other, functions[0]) == ok);
		CHECK(bind(context, functions[0]) == Errno{EBUSY});
		CHECK(bind(other, functions[0]) == Errno{EBUSY});
		cmd.flags = 1;
		CHECK(call(context.fd(), IOMMUKIT_DEVICE_BIND, &cmd) ==
		      Errno{EOPNOTSUPP});
		other.close();
		CHECK(bind(context, functions[0]) == ok);
	}
}

TEST_CASE("DEVICE_BIND whose answer cannot be written binds nothing")
{
	const PciFunction function = lone_edu();
	const Loan loan(function);
	const Context context;
	const PageAndHole page;
	void *at = page.tail(sizeof(Bind));
	const Bind cmd = bind_command(function.address());

	std::memcpy(at, &cmd, sizeof(cmd));
	page.write_protect();
	CHECK(call(context.fd(), IOMMUKIT_DEVICE_BIND, at) == Errno{EFAULT});
	CHECK(bind(context, function) == ok);
}

TEST_CASE("a device is given back when it is destroyed, whatever its state")
{
	const PciFunction function = lone_edu();
	const Loan loan(function);
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);

	context.map(ioas, memory, EduWorld::source_iova);
	for (const bool attached : {false, true}) {
		const PciDevice device(context, function);

		INFO((attached ? "attached" : "not attached"));
		if (attached) {
			const std::uint32_t hwpt = device.attach(ioas);

			CHECK(context.try_destroy(ioas) == Errno{EBUSY});
			CHECK(context.try_destroy(hwpt) == Errno{EBUSY});
			CHECK(check_refs(context, memory, 1) == ok);
		}
		CHECK(context.try_destroy(device.id()) == ok);
		CHECK(context.try_destroy(device.id()) == Errno{ENOENT});
		CHECK(device.try_attach(ioas) == Errno{ENOENT});
		CHECK(device.try_detach() == Errno{ENOENT});
		CHECK(check_refs(context, memory, 0) == ok);
	}
	CHECK(context.ranges(ioas).size() == 1);
	CHECK(context.try_destroy(ioas) == ok);
}

TEST_CASE("a context that is closed gives its devices back")
{
	const auto functions = lone_edus(2);
	const Loan loans[] = {Loan(functions[0]), Loan(functions[1])};
	const Memory memory(page_size);
	const Context other;

	for (unsigned int round = 0; round < 3; round++) {
		const Context context;
		const std::uint32_t ioas = context.ioas();
		const PciDevice attached(context, functions[0]);
		const PciDevice idle(context, functions[1]);

		context.map(ioas, memory, EduWorld::source_iova);
		attached.attach(ioas);
		CHECK(bind(other, functions[0]) == Errno{EBUSY});
	}
	CHECK(check_refs(other, memory, 0) == ok);
	for (const PciFunction &function : {functions[0], functions[1]})
		CHECK(bind(other, function) == ok);
}

/* VT-d blocks a group as a whole: the other device would lose its memory. */
TEST_CASE("a group in which another driver works")
{
	const auto functions = crowded_edu();
	const PciFunction &edu = functions[0], &other = functions[1];
	const auto driver = other.driver();
	const Loan loan(edu);
	const Context context;

	CHECK(bind(context, edu) == Errno{EPERM});
	CHECK(other.driver() == driver);
	{
		const Loan too(other);
		const Context whole;

		CHECK(bind(whole, edu) == ok);
		CHECK(bind(whole, other) == ok);
	}
	CHECK(other.driver() == driver);
	CHECK(bind(context, edu) == Errno{EPERM});
}

TEST_CASE("a device without an IOMMU")
{
	const auto all = PciFunction::all();
	const auto found = std::find_if(all.begin(), all.end(), is_edu);

	if (iommukit::has_iommu() || found == all.end())
		skip("the guest has an IOMMU, or no edu");
	const Loan loan(*found);
	const Context context;

	CHECK(bind(context, *found) == Errno{EINVAL});
}
