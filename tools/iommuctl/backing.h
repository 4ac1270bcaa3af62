// SPDX-License-Identifier: GPL-2.0-only
// The memory behind a mapping of a session: who made it, how big it is, and
// whether the kernel gets it as an address or as a file.
#pragma once

#include "ioas.h"
#include "memory.h"
#include "ondemand.h"
#include "output.h"
#include "types.h"

#include <memory>
#include <optional>
#include <string>

namespace ctl {

struct Backing {
	std::string kind;	 // anonymous, huge, memfd, file, copy-of-file
	std::string source;	 // path, or empty
	iommukit::Bytes content; // bytes that mean something
	iommukit::Bytes length;	 // bytes mapped: whole pages
	iommukit::Bytes offset;	 // in the file

	iommukit::Memory memory;
	std::optional<iommukit::MemFd> memfd;
	iommukit::Fd file;

	// The kernel gets the file, not an address.
	bool as_file = false;
	// Of an on-demand mapping, which stands for the addresses, not for the pages.
	std::optional<iommukit::FaultAround> ondemand = {};
	int fd() const { return memfd ? memfd->fd() : file.get(); }
};

using BackingPtr = std::shared_ptr<Backing>;

// How the backing is to be made.
struct BackingOptions {
	const Output &output;
	bool dry_run = false;
	// The module knows IOAS_MAP_FILE.
	bool map_file = true;
	std::optional<iommukit::FaultAround> ondemand = {};
	iommukit::Permission permission = iommukit::Permission::read_write;
	// What the session has mapped already and may be pinned, for the memlock check.
	iommukit::Bytes mapped;
};

BackingPtr anonymous_backing(const BackingOptions &options, iommukit::Bytes size);
BackingPtr huge_backing(const BackingOptions &options, iommukit::Bytes size,
			iommukit::Bytes page);
BackingPtr memfd_backing(const BackingOptions &options, iommukit::Bytes size, bool huge);
// Files of tmpfs and hugetlbfs are mapped as they are, others are loaded into
// a memfd: a kernel can only keep the former pinned. On demand none is pinned, and each
// is mapped as it is.
BackingPtr file_backing(const BackingOptions &options, const std::string &path,
			iommukit::Bytes offset, std::optional<iommukit::Bytes> length);

// The soft limit of RLIMIT_MEMLOCK, empty if there is none or if the process
// may exceed it.
std::optional<iommukit::Bytes> memlock_limit();

} // namespace ctl
