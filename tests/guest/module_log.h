// SPDX-License-Identifier: GPL-2.0-only
/* What the module has to say in the kernel's log. */
#pragma once

#include "kit.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace guest {

/* Since then. */
class ModuleLog {
    public:
	ModuleLog() : log(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC))
	{
		REQUIRE(log);
		REQUIRE(lseek(log.get(), 0, SEEK_END) == 0);
	}

	/* Those with @text, up to now; ask for one text only. */
	unsigned int lines(const std::string &text = "")
	{
		char buffer[1024];
		ssize_t length;

		while ((length = read(log.get(), buffer, sizeof(buffer))) > 0 ||
		       errno == EPIPE) {
			const std::string line(buffer,
					       length > 0 ? std::size_t(length) : 0);

			seen += line.find(";iommukit: ") != line.npos &&
				line.find(text) != line.npos;
		}
		return seen;
	}

    private:
	Fd log;
	unsigned int seen = 0;
};

} // namespace guest
