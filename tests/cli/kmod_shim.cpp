// SPDX-License-Identifier: GPL-2.0-only
// Preloaded into iommuctl by tests/cli/run: the kernel's answer to every module is the
// errno in KMOD_ANSWER, and installed modules are those below KMOD_DIRECTORY. So what
// the tool makes of an answer can be tested where no module may be loaded.
#include <libkmod.h>

#include <dlfcn.h>

#include <cstdlib>

extern "C" int kmod_module_insert_module(kmod_module *, unsigned int, const char *)
{
	const char *answer = std::getenv("KMOD_ANSWER");

	return answer ? -std::atoi(answer) : -1;
}

extern "C" kmod_ctx *kmod_new(const char *directory, const char *const *config)
{
	using New = kmod_ctx *(const char *, const char *const *);
	auto real = reinterpret_cast<New *>(::dlsym(RTLD_NEXT, "kmod_new"));
	const char *other = std::getenv("KMOD_DIRECTORY");

	return real(other ? other : directory, config);
}
