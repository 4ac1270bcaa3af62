// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading each module, failed at each point of its initialisation in turn; see
 * fault.h. Only the kernel can inject there: the core's points need a module
 * that is loaded.
 */
#include "fault.h"
#include "modules.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

using namespace guest;

namespace {

/*
 * Everything by which the outside can tell that a module is there. The kernel
 * does not mind if a cache cannot be listed in sysfs: that none is left counts.
 */
Snapshot look()
{
	Snapshot seen = loaded();

	if (seen.empty())
		for (const std::string &cache : slab_caches())
			seen.push_back("cache " + cache);
	for (const char *path :
	     {"/dev/iommukit", "/dev/iommukit-dma", "/sys/class/misc/iommukit",
	      "/sys/class/misc/iommukit-dma", "/sys/module/iommukit",
	      "/sys/module/iommukit_dma", "/sys/module/iommukit_test"})
		if (exists(path))
			seen.push_back(path);
	return seen;
}

std::string image_of(const std::string &name)
{
	std::ifstream file("/lib/iommukit/" + name + ".ko", std::ios::binary);
	std::ostringstream image;

	REQUIRE(image << file.rdbuf());
	return image.str();
}

/*
 * Tells the box that traces of failed allocations are no reports meanwhile: when
 * it loads a module and has no memory, the kernel prints some itself.
 */
class ForcedFailures {
    public:
	ForcedFailures() { say("begin"); }
	ForcedFailures(const ForcedFailures &) = delete;
	ForcedFailures &operator=(const ForcedFailures &) = delete;
	~ForcedFailures() { say("end"); }

    private:
	static void say(const char *what)
	{
		std::ofstream("/dev/kmsg")
			<< "<6>iommukit-box: forced failures " << what << std::flush;
	}
};

/*
 * Tells by the kernel's event of a loaded module, which it emits just before
 * the initialisation, how far a load has come. The loader's own points are not
 * failed: it is not ours, and not always calm about it.
 */
class LoadEvent {
    public:
	LoadEvent()
	{
		if (!exists(enable))
			skip("the kernel has no event of a module's loading");
		/*
		 * Names of commands are recorded by events of the scheduler, whose
		 * code would be patched while all processors run it: emulated ones
		 * have died of that.
		 */
		std::ofstream(names) << 0 << std::flush;
		REQUIRE(std::ofstream(enable) << 1 << std::flush);
	}
	LoadEvent(const LoadEvent &) = delete;
	LoadEvent &operator=(const LoadEvent &) = delete;
	~LoadEvent()
	{
		std::ofstream(enable) << 0 << std::flush;
		std::ofstream(names) << 1 << std::flush;
	}

	/* Since it was asked last. */
	static bool happened()
	{
		std::ostringstream text;

		text << std::ifstream(trace).rdbuf();
		std::ofstream(trace, std::ios::trunc).flush();
		return text.str().find("module_load:") != std::string::npos;
	}

    private:
	static constexpr char enable[] =
		"/sys/kernel/tracing/events/module/module_load/enable";
	static constexpr char trace[] = "/sys/kernel/tracing/trace";
	static constexpr char names[] = "/sys/kernel/tracing/options/record-cmd";
};

void sweep_load(const std::string &name)
{
	need_kernel_faults();
	const ForcedFailures forced;
	const LoadEvent event;
	const Modules modules;
	const std::string image = image_of(name);
	const auto run = [&] {
		return Errno{syscall(SYS_init_module, image.data(), image.size(), "") < 0
				     ? errno
				     : 0};
	};

	modules.unload_dependents();
	if (name == core)
		Modules::unload_soon(core);
	sweep(Source::kernel,
	      {"load " + name,
	       1,
	       run,
	       [&] {
		       Modules::unload_soon(name);
		       LoadEvent::happened();
	       },
	       {ENOMEM},
	       false,
	       false,
	       LoadEvent::happened},
	      look);
	if (name == core)
		REQUIRE(load(core) == ok);
}

} // namespace

TEST_CASE("fail-nth: load the core")
{
	sweep_load(core);
}

TEST_CASE("fail-nth: load the DMA module")
{
	sweep_load("iommukit_dma");
}

TEST_CASE("fail-nth: load the test module")
{
	sweep_load("iommukit_test");
}
