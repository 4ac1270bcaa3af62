// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading: refused while anything is in use, complete afterwards.
 * Every case ends with the modules loaded as it found them.
 */
#include "access.h"
#include "engine.h"
#include "mock.h"
#include "modules.h"
#include "netlink.h"
#include "process.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;

/* Objects of every kind, pinned pages included. */
void use_everything()
{
	const Context context;
	const std::uint32_t ioas = context.ioas(), other = context.ioas();
	const Memory memory(16 * page_size);
	const Access access(context, ioas);
	const Engine engine(context, ioas);

	context.map(ioas, memory, area_iova);
	for (std::uint64_t n = 0; n < 8; n++)
		REQUIRE(context.try_copy(other, n * page_size, ioas, area_iova,
					 page_size) == ok);
	access.pin(area_iova, memory.size());
	engine.start(dma_job(IOMMUKIT_DMA_OP_FILL, 0, area_iova, page_size, dma_pin));
	REQUIRE(try_add_reserved(context, ioas, 0, page_size) == ok);
	REQUIRE(context.try_allow(other, {{page_size, huge_size}}) == ok);
}

} // namespace

TEST_CASE("modules are in use by those that depend on them")
{
	const Modules modules;

	CHECK(unload(core) == Errno{in_use});
	CHECK(loaded().size() >= 3);
}

TEST_CASE("the core is in use by an open context")
{
	const Modules modules;
	std::optional<Context> context(std::in_place);

	modules.unload_dependents();
	CHECK(unload(core) == Errno{in_use});
	SECTION("with objects in it")
	{
		const Memory memory(page_size);

		context->map(context->ioas(), memory, 0);
		CHECK(unload(core) == Errno{in_use});
	}
	SECTION("of another process")
	{
		Child child([](const Child::Steps &step) {
			const Context own;

			step.meet();
			return 0;
		});

		child.await();
		context.reset();
		CHECK(unload(core) == Errno{in_use});
		child.kill();
		child.join();
	}
	context.reset();
	Modules::unload_soon(core);
	CHECK_FALSE(exists("/sys/module/iommukit"));
}

TEST_CASE("the test module is in use by an access")
{
	const Modules modules;
	const Memory memory(page_size);
	Fd access;

	{
		const Context context;
		const std::uint32_t ioas = context.ioas();

		context.map(ioas, memory, area_iova);
		REQUIRE(Access::attempt(context, ioas, access_pins, &access) == ok);
	}
	CHECK(unload("iommukit_test") == Errno{in_use});
	CHECK(unload(core) == Errno{in_use});
	access.reset();
	Modules::unload_soon("iommukit_test");
}

TEST_CASE("the DMA module is in use by an engine")
{
	const Modules modules;
	std::optional<Engine> engine(std::in_place);
	const Memory memory(page_size);

	SECTION("that is just open")
	{
		CHECK(unload("iommukit_dma") == Errno{in_use});
	}
	SECTION("that runs, although its context is closed")
	{
		{
			const Context context;
			const std::uint32_t ioas = context.ioas();

			context.map(ioas, memory, area_iova);
			engine->join(0, context, ioas);
			engine->start(dma_job(IOMMUKIT_DMA_OP_FILL, 0, area_iova,
					      page_size, dma_pin));
		}
		engine->await_passes(1);
		CHECK(unload("iommukit_dma") == Errno{in_use});
		CHECK(unload(core) == Errno{in_use});
	}
	engine.reset();
	Modules::unload_soon("iommukit_dma");
	CHECK_FALSE(exists("/dev/iommukit-dma"));
}

TEST_CASE("nothing is left when all descriptors are closed")
{
	const Modules modules;

	use_everything();
	const auto caches = slab_caches();
	CHECK_FALSE(caches.empty());
	for (const std::string &cache : caches) {
		INFO(cache);
		/* Freed after a grace period, some of them. */
		CHECK(wait_until([&] { return slab_objects(cache).value_or(0) == 0; }));
	}
	CHECK(status_pages(getpid(), "VmPin") == 0);
	CHECK(status_pages(getpid(), "VmLck") == 0);
}

TEST_CASE("nothing is left after unloading")
{
	const Modules modules;

	use_everything();
	modules.unload_all();
	CHECK(loaded().empty());
	CHECK(wait_until([] { return slab_caches().empty(); }));
	for (const char *path :
	     {"/dev/iommukit", "/dev/iommukit-dma", "/sys/module/iommukit",
	      "/sys/class/misc/iommukit", "/sys/class/misc/iommukit-dma"}) {
		INFO(path);
		CHECK_FALSE(exists(path));
	}
	CHECK(status_pages(getpid(), "VmPin") == 0);
	modules.load_all();
	const Context context;
	CHECK(context.ioas() == 1);
}

TEST_CASE("nothing is left of processes that were killed")
{
	const Modules modules;
	std::vector<std::unique_ptr<Child>> children;

	for (unsigned int n = 0; n < 4; n++) {
		children.push_back(std::make_unique<Child>([](const Child::Steps &step) {
			const Context context;
			const std::uint32_t ioas = context.ioas();
			const Memory memory(64 * page_size);
			const Access access(context, ioas);
			const Engine engine(context, ioas);

			context.map(ioas, memory, area_iova);
			access.pin(area_iova, memory.size());
			engine.start(dma_job(IOMMUKIT_DMA_OP_FILL, 0, area_iova,
					     page_size, dma_pin));
			step.meet();
			return 0;
		}));
		children.back()->await();
	}
	for (const auto &child : children) {
		child->kill();
		child->join();
	}
	modules.unload_all();
	CHECK(wait_until([] { return slab_caches().empty(); }));
}

TEST_CASE("loading and unloading again and again")
{
	const Modules modules;

	for (unsigned int i = 0; i < 5; i++) {
		use_everything();
		modules.unload_all();
		REQUIRE(loaded().empty());
		modules.load_all();
	}
	CHECK(exists("/dev/iommukit"));
}

TEST_CASE("contexts are opened while the module is unloaded")
{
	const Modules modules;
	const unsigned int rounds = 2500 / slowness() + 500;
	/* Opens or not, but never anything between. */
	const auto body = [rounds](const Child::Steps &) {
		for (unsigned int i = 0; i < rounds; i++) {
			const Fd file(open("/dev/iommukit", O_RDWR | O_CLOEXEC));
			auto cmd = command<iommukit_ioas_alloc>();

			if (!file && errno != ENOENT && errno != ENODEV && errno != ENXIO)
				return errno;
			if (file && call(file.get(), IOMMUKIT_IOAS_ALLOC, &cmd) != ok)
				return 1;
		}
		return 0;
	};
	Child first(body), second(body);

	for (unsigned int i = 0; i < 4 / slowness() + 1; i++) {
		modules.unload_all();
		modules.load_all();
	}
	CHECK(first.join() == 0);
	CHECK(second.join() == 0);
	modules.unload_all();
}

TEST_CASE("without the test module the command table ends before it")
{
	const Modules modules;

	modules.unload_soon("iommukit_test");
	const Context context;
	std::uint32_t cmd[32] = {sizeof(cmd)};
	auto info = command<iommukit_info>();

	REQUIRE(call(context.fd(), IOMMUKIT_INFO, &info) == ok);
	CHECK((info.out_features & IOMMUKIT_FEATURE_TEST) == 0);
	for (unsigned int nr = 0x95; nr <= 0xa0; nr++) {
		INFO("number 0x" << std::hex << nr);
		CHECK(call(context.fd(), _IO(';', nr), nullptr) == Errno{ENOTTY});
		CHECK(call(context.fd(), _IO(';', nr), cmd) == Errno{ENOTTY});
	}
	for (unsigned int nr = 0x88; nr <= 0x94; nr++) {
		INFO("number 0x" << std::hex << nr);
		CHECK(call(context.fd(), _IO(';', nr), nullptr) == Errno{EFAULT});
		if (nr > 0x8f)
			CHECK(call(context.fd(), _IO(';', nr), cmd) == Errno{ENOTTY});
	}
	/* An existing context learns the command when the module comes. */
	REQUIRE(load("iommukit_test") == ok);
	CHECK(set_temp_memory_limit(context, IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT) == ok);
}

TEST_CASE("reserved IOVA of the test module outlives it")
{
	const Modules modules;
	const Context context;
	const std::uint32_t ioas = context.ioas();

	REQUIRE(try_add_reserved(context, ioas, 0, page_size) == ok);
	modules.unload_soon("iommukit_test");
	CHECK(context.ranges(ioas).front().start == page_size);
	CHECK(context.try_destroy(ioas) == ok);
}

TEST_CASE("what an IOMMU keeps is pinned until the module goes")
{
	const Modules modules;
	const Memory kept(4 * page_size), other(page_size), more(2 * page_size);
	const std::uint64_t where = aperture_first;
	std::uint64_t unmapped = 0;

	{
		const NothingPinned nothing_pinned;
		{
			Netlink listener;
			listener.listen(1 << 20);
			const Context context;
			const std::uint32_t ioas = context.ioas();
			/* Page by page, so that a map may fail half way. */
			REQUIRE(context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, ioas,
						       0) == ok);
			const Mock mock = mock_create(context, ioas, {mock_keeps});

			context.map(ioas, kept, where);
			CHECK(check_refs(context, kept, 1) == ok);
			CHECK(context.try_unmap(ioas, where, kept.size(), &unmapped) ==
			      Errno{EIO});
			const NetlinkMessage event =
				listener.next(IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY);
			CHECK(event.u32(IOMMUKIT_NL_A_OD_IOAS_ID) == ioas);
			CHECK(event.u64(IOMMUKIT_NL_A_OD_IOVA) == where);
			CHECK(event.u64(IOMMUKIT_NL_A_OD_LENGTH) == kept.size());
			CHECK(event.u64(IOMMUKIT_NL_A_OD_UNMAP_IOVA) == where);
			CHECK(event.u64(IOMMUKIT_NL_A_OD_UNMAP_ASKED) == kept.size());
			CHECK(event.u64(IOMMUKIT_NL_A_OD_UNMAP_DONE) < kept.size());
			CHECK(check_refs(context, kept, 1) == ok);
			/* It is gone for users, but the IOMMU has it. */
			CHECK(context.try_unmap(ioas, where, kept.size()) ==
			      Errno{ENOENT});
			CHECK(context.try_map(ioas, other.va(), page_size, where) == ok);
			CHECK(context.try_map(ioas, other.va(), page_size,
					      where + 3 * page_size) == Errno{EEXIST});
			CHECK(context.try_map(ioas, more.va(), more.size(),
					      where + 2 * page_size) == Errno{EEXIST});
			CHECK(check_refs(context, more, 1) == ok);
			context.destroy(mock.stdev);
			CHECK(check_refs(context, kept, 1) == ok);
			CHECK(context.unmap_all(ioas) == page_size);
			CHECK(check_refs(context, other, 1) == ok);
		}
		{
			const Context context;

			CHECK(check_refs(context, kept, 1) == ok);
			CHECK(check_refs(context, other, 1) == ok);
		}
		modules.unload_all();
	}
	modules.load_all();
	const Context context;

	CHECK(check_refs(context, kept, 0) == ok);
	CHECK(check_refs(context, other, 0) == ok);
	CHECK(check_refs(context, more, 0) == ok);
}
