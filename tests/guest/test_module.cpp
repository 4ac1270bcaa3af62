// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading: refused while anything is in use, complete afterwards.
 * Every case ends with the modules loaded as it found them.
 */
#include "access.h"
#include "engine.h"
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
/* What the kernel says of a module that is in use. */
constexpr int in_use = EWOULDBLOCK;
const std::string core = "iommukit";

Errno unload(const std::string &name)
{
	return Errno{syscall(SYS_delete_module, name.c_str(), O_NONBLOCK) < 0 ? errno
									      : 0};
}

Errno load(const std::string &name)
{
	const Fd file(
		open(("/lib/iommukit/" + name + ".ko").c_str(), O_RDONLY | O_CLOEXEC));

	if (!file)
		return Errno{errno};
	return Errno{syscall(SYS_finit_module, file.get(), "", 0) < 0 ? errno : 0};
}

/* Names of loaded modules of ours, the core last: the order of unloading. */
std::vector<std::string> loaded()
{
	std::ifstream modules("/proc/modules");
	std::vector<std::string> names;
	std::string line, name;

	while (std::getline(modules, line)) {
		std::istringstream(line) >> name;
		if (name.starts_with(core))
			names.push_back(name);
	}
	std::sort(names.begin(), names.end(), std::greater<>());
	return names;
}

/*
 * Remembers what is loaded, and restores it. The last reference to a file may
 * be dropped a moment after its process was reaped, so unloading is repeated.
 */
class Modules {
    public:
	Modules() : names(loaded())
	{
		REQUIRE(std::find(names.begin(), names.end(), core) != names.end());
	}
	Modules(const Modules &) = delete;
	Modules &operator=(const Modules &) = delete;
	~Modules() { std::for_each(names.rbegin(), names.rend(), load); }

	void unload_dependents() const
	{
		for (const std::string &name : names)
			if (name != core)
				unload_soon(name);
	}
	void unload_all() const
	{
		unload_dependents();
		unload_soon(core);
	}
	void load_all() const
	{
		for (auto name = names.rbegin(); name != names.rend(); name++) {
			INFO(*name);
			REQUIRE(load(*name) == ok);
		}
	}
	static void unload_soon(const std::string &name)
	{
		Errno error;

		INFO(name);
		CHECK(wait_until([&] {
			error = unload(name);
			return error != Errno{in_use};
		}));
		CHECK(error == ok);
	}

    private:
	std::vector<std::string> names;
};

bool exists(const std::string &path)
{
	struct stat info {};

	return lstat(path.c_str(), &info) == 0;
}

/* The slab caches of the module, by their names in sysfs. */
std::vector<std::string> slab_caches()
{
	std::vector<std::string> names;
	DIR *directory = opendir("/sys/kernel/slab");

	REQUIRE(directory != nullptr);
	while (const dirent *entry = readdir(directory))
		if (std::string(entry->d_name).starts_with(core))
			names.push_back(entry->d_name);
	closedir(directory);
	return names;
}

/*
 * Objects in use of a cache; nothing if the kernel has merged it with others.
 * Shrinking brings back what the processors keep for themselves.
 */
std::optional<unsigned long> slab_objects(const std::string &cache)
{
	const std::string path = "/sys/kernel/slab/" + cache;
	struct stat info {};
	unsigned long objects = 0;

	REQUIRE(lstat(path.c_str(), &info) == 0);
	if (S_ISLNK(info.st_mode))
		return {};
	std::ofstream(path + "/shrink") << 1;
	REQUIRE(std::ifstream(path + "/objects") >> objects);
	return objects;
}

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
	/* Opens or not, but never anything between. */
	const auto body = [](const Child::Steps &) {
		for (unsigned int i = 0; i < 3000; i++) {
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

	for (unsigned int i = 0; i < 5; i++) {
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
		if (nr != 0x8f)
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
