// SPDX-License-Identifier: GPL-2.0-only
// Preloaded into iommuctl by tests/cli/run, it answers in place of the kernel where no
// module may be loaded: to every module with the errno in KMOD_ANSWER, to IOMMUKIT_INFO
// with the version in INFO_VERSION; installed modules are those below KMOD_DIRECTORY.
#include <linux/iommukit.h>

#include <dlfcn.h>
#include <libkmod.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace {

// What is called so behind this library.
template <class Function> Function *real(const char *name)
{
	return reinterpret_cast<Function *>(::dlsym(RTLD_NEXT, name));
}

} // namespace

extern "C" int kmod_module_insert_module(kmod_module *, unsigned int, const char *)
{
	const char *answer = std::getenv("KMOD_ANSWER");

	return answer ? -std::atoi(answer) : -1;
}

extern "C" kmod_ctx *kmod_new(const char *directory, const char *const *config)
{
	using New = kmod_ctx *(const char *, const char *const *);
	const char *other = std::getenv("KMOD_DIRECTORY");

	return real<New>("kmod_new")(other ? other : directory, config);
}

extern "C" int ioctl(int fd, unsigned long word, ...) noexcept
{
	const char *version = std::getenv("INFO_VERSION");
	unsigned int major = 0, minor = 0, patch = 0;
	va_list list;

	va_start(list, word);
	void *argument = va_arg(list, void *);
	va_end(list);
	if (!version || word != IOMMUKIT_INFO)
		return real<int(int, unsigned long, ...)>("ioctl")(fd, word, argument);
	auto *info = static_cast<iommukit_info *>(argument);
	std::sscanf(version, "%u.%u.%u", &major, &minor, &patch);
	info->out_version_major = static_cast<__u16>(major);
	info->out_version_minor = static_cast<__u16>(minor);
	info->out_version_patch = static_cast<__u16>(patch);
	info->out_page_sizes = 4096;
	return 0;
}
