// SPDX-License-Identifier: GPL-2.0-only
#include "iommu_faults.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace guest {

/* The log has the number of a function without that of its domain. */
IommuFaults::IommuFaults(const iommukit::PciFunction &function)
	: device('[' + function.address().substr(function.address().find(':') + 1) + ']'),
	  log(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC))
{
	REQUIRE(log);
	REQUIRE(lseek(log.get(), 0, SEEK_END) == 0);
}

/* Each read gives one line; EPIPE says that some were overwritten. */
unsigned int IommuFaults::count()
{
	char buffer[1024];
	ssize_t length;

	while ((length = read(log.get(), buffer, sizeof(buffer))) > 0 || errno == EPIPE) {
		const std::string line(buffer, length > 0 ? std::size_t(length) : 0);

		if (line.find("DMAR: [DMA") != line.npos &&
		    line.find(device) != line.npos)
			faults++;
	}
	return faults;
}

} // namespace guest
