// SPDX-License-Identifier: GPL-2.0-only
// libkmod does the loading, without modprobe's configuration: what is loaded is
// the file that was named or found, with no option that nobody sees. Everything
// that is only looked at comes from /sys/module and /proc and needs no right.
//
// Waiting is bounded everywhere. After loading, the node may take a moment to
// appear and udev another one to set its owner; before unloading, a process that
// has just ended may still be closing its descriptor.
#include "module_control.h"

#include "failure.h"
#include "module_signature.h"
#include "module_users.h"
#include "sysfs.h"

#include <libkmod.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>

namespace ctl {

namespace fs = std::filesystem;
namespace sysfs = iommukit::sysfs;
using namespace std::chrono_literals;

namespace {

constexpr std::array modules = {
	KernelModule{"core", "iommukit", "/dev/iommukit"},
	KernelModule{"dma", "iommukit_dma", "/dev/iommukit-dma"},
	KernelModule{"pci", "iommukit_pci", ""},
	KernelModule{"test", "iommukit_test", ""},
	KernelModule{"bench", "iommukit_bench", ""},
};

constexpr auto poll = 20ms;

struct KmodDeleter {
	void operator()(kmod_ctx *ctx) const { kmod_unref(ctx); }
	void operator()(kmod_module *module) const { kmod_module_unref(module); }
	void operator()(kmod_list *list) const { kmod_module_unref_list(list); }
};

struct InfoDeleter {
	void operator()(kmod_list *list) const { kmod_module_info_free_list(list); }
};

template <class T> using Kmod = std::unique_ptr<T, KmodDeleter>;

Kmod<kmod_ctx> kmod_context()
{
	Kmod<kmod_ctx> ctx(kmod_new(nullptr, nullptr));

	if (!ctx)
		throw Failure(Exit::refused, "cannot use libkmod", "check /lib/modules",
			      ENOMEM);
	// Its own messages would come between those of this tool.
	kmod_set_log_priority(ctx.get(), 0);
	return ctx;
}

fs::path sys_module(std::string_view name)
{
	return sysfs::path("module") / name;
}

std::string load_hint(const KernelModule &module, const std::string &file, int number)
{
	switch (number) {
	case EPERM:
	case EACCES:
		if (::geteuid() != 0)
			return "run as root";
		// root is refused as well by a kernel that is locked down.
		return locked_down()
			       ? signature_hint(file)
			       : "this root has no CAP_SYS_MODULE: load it outside of "
				 "the container";
	case EKEYREJECTED:
	case ENOKEY:
		return signature_hint(file);
	case EBADMSG:
		return "its signature is damaged: build it anew";
	case ENOEXEC:
		return "it was built for another kernel: make clean, make, and load again "
		       "(dmesg | tail shows both versions)";
	case ENOENT:
		return module.word == "core"
			       ? "a symbol is missing in this kernel: dmesg | tail"
			       : "load the core first: iommuctl module load";
	case EINVAL:
		return "it does not fit this kernel or the loaded core: dmesg | tail";
	case EEXIST:
	case EBUSY:
		return "its device node or name is taken: dmesg | tail";
	case ENODEV:
		return "the kernel lacks something it needs: dmesg | tail";
	default:
		return "the kernel log says more: dmesg | tail";
	}
}

Failure load_failure(const KernelModule &module, const std::string &file, int number)
{
	Exit exit =
		number == EPERM || number == EACCES ? Exit::not_permitted : Exit::refused;

	return {exit, "cannot load " + file, load_hint(module, file, number), number,
		"finit_module"};
}

Failure unload_failure(std::string_view name, int number)
{
	std::string what = "cannot unload " + std::string(name);
	std::string hint = "run as root";
	Exit exit = number == EPERM ? Exit::not_permitted : Exit::refused;

	if (number == EWOULDBLOCK || number == EBUSY) {
		std::string users = users_of_module(name);
		hint = users.empty() ? "somebody uses it: end the programs that opened it"
				     : "in use by " + users + ": end them first";
		return {exit, what, hint, EBUSY, "delete_module"};
	}
	if (number == ENOSYS)
		hint = "this kernel cannot unload modules";
	return {exit, what, hint, number, "delete_module"};
}

// devtmpfs makes the node at once, udev sets its owner a moment later.
void wait_for_node(const KernelModule &module, std::chrono::milliseconds limit)
{
	auto deadline = std::chrono::steady_clock::now() + limit;
	std::string node(module.node);

	if (node.empty())
		return;
	while (::access(node.c_str(), R_OK | W_OK) < 0) {
		int number = errno;
		if (std::chrono::steady_clock::now() >= deadline)
			throw Failure(
				number == ENOENT ? Exit::absent : Exit::not_permitted,
				node + " did not become usable after loading",
				number == ENOENT
					? "is devtmpfs mounted on /dev? mount | grep dev"
					: "install the udev rule: make install",
				number);
		std::this_thread::sleep_for(poll);
	}
}

} // namespace

std::span<const KernelModule> kernel_modules()
{
	return modules;
}

const KernelModule &kernel_module(std::string_view word)
{
	return *std::ranges::find(modules, word, &KernelModule::word);
}

bool module_loaded(std::string_view name)
{
	// The directory exists for built-in modules and while loading, too.
	return sysfs::read(sys_module(name) / "initstate") == "live";
}

std::optional<std::string> loaded_version(std::string_view name)
{
	return sysfs::read(sys_module(name) / "version");
}

std::optional<unsigned> reference_count(std::string_view name)
{
	auto line = sysfs::read(sys_module(name) / "refcnt");

	if (!line)
		return std::nullopt;
	return static_cast<unsigned>(std::strtoul(line->c_str(), nullptr, 10));
}

std::vector<std::string> module_holders(std::string_view name)
{
	std::vector<std::string> out;
	std::error_code ignored;

	for (const auto &entry :
	     fs::directory_iterator(sys_module(name) / "holders", ignored))
		out.push_back(entry.path().filename());
	std::ranges::sort(out);
	return out;
}

std::optional<std::string> installed_file(std::string_view name)
{
	auto ctx = kmod_context();
	kmod_list *found = nullptr;

	if (kmod_module_new_from_lookup(ctx.get(), std::string(name).c_str(), &found) <
		    0 ||
	    !found)
		return std::nullopt;
	Kmod<kmod_list> list(found);
	Kmod<kmod_module> module(kmod_module_get_module(list.get()));
	const char *path = kmod_module_get_path(module.get());
	if (!path)
		return std::nullopt;
	return path;
}

std::optional<std::string> module_info(const std::string &file, std::string_view key)
{
	auto ctx = kmod_context();
	kmod_module *raw = nullptr;
	kmod_list *list = nullptr, *it = nullptr;

	if (kmod_module_new_from_path(ctx.get(), file.c_str(), &raw) < 0)
		return std::nullopt;
	Kmod<kmod_module> module(raw);
	if (kmod_module_get_info(module.get(), &list) < 0)
		return std::nullopt;
	std::unique_ptr<kmod_list, InfoDeleter> all(list);
	kmod_list_foreach(it, list)
	{
		if (key == kmod_module_info_get_key(it))
			return kmod_module_info_get_value(it);
	}
	return std::nullopt;
}

std::string how_to_install()
{
	return "install the package iommukit-dkms and the kernel's headers, or make && "
	       "make install, or iommuctl module load path DIRECTORY";
}

std::string module_file(const KernelModule &module, const std::string &path)
{
	constexpr int deepest = 4;
	std::error_code error;
	std::string wanted = std::string(module.name) + ".ko";

	if (path.empty()) {
		if (auto file = installed_file(module.name))
			return *file;
		throw Failure(Exit::absent,
			      std::string(module.name) +
				      " is not installed for this kernel",
			      how_to_install());
	}
	fs::file_status status = fs::status(path, error);
	if (!fs::exists(status))
		throw file_failure(path, "find", error ? error.value() : ENOENT);
	if (!fs::is_directory(status))
		return path;
	fs::recursive_directory_iterator it(path, error);
	for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
		if (it.depth() >= deepest)
			it.disable_recursion_pending();
		if (it->path().filename() == wanted)
			return it->path();
	}
	throw Failure(Exit::absent, "there is no " + wanted + " in " + path,
		      "build it first: make modules", error.value());
}

bool load_module(const KernelModule &module, const std::string &file,
		 std::chrono::milliseconds limit)
{
	auto ctx = kmod_context();
	kmod_module *raw = nullptr;

	if (module_loaded(module.name)) {
		wait_for_node(module, limit);
		return false;
	}
	int error = kmod_module_new_from_path(ctx.get(), file.c_str(), &raw);
	if (error < 0)
		throw load_failure(module, file, -error);
	Kmod<kmod_module> handle(raw);
	error = kmod_module_insert_module(handle.get(), 0, nullptr);
	if (error < 0 && error != -EEXIST)
		throw load_failure(module, file, -error);
	wait_for_node(module, limit);
	return error == 0;
}

bool unload_module(std::string_view name, std::chrono::milliseconds limit)
{
	auto deadline = std::chrono::steady_clock::now() + limit;
	auto ctx = kmod_context();
	kmod_module *raw = nullptr;

	if (!module_loaded(name))
		return false;
	int error = kmod_module_new_from_name(ctx.get(), std::string(name).c_str(), &raw);
	if (error < 0)
		throw unload_failure(name, -error);
	Kmod<kmod_module> handle(raw);
	for (;;) {
		error = kmod_module_remove_module(handle.get(), O_NONBLOCK);
		if (error >= 0)
			return true;
		bool busy = error == -EWOULDBLOCK || error == -EBUSY;
		if (!busy || std::chrono::steady_clock::now() >= deadline)
			throw unload_failure(name, -error);
		std::this_thread::sleep_for(poll);
	}
}

} // namespace ctl
