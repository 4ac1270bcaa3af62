// SPDX-License-Identifier: GPL-2.0-only
// The section of the man page on on-demand mappings.
#include "dump.h"

namespace ctl {

constinit const std::string_view man_ondemand = R"(.SH ON\-DEMAND MAPPINGS
A normal area names pages as of the time they were mapped or pinned; an on\-demand area,
mapped with
.BR ondemand ,
names addresses of the process that mapped it: what an IOVA shows is what the address
shows, at any time. After a munmap the IOVA faults, after a new mmap at the same place
it shows that.
.PP
Pages are found when somebody touches the IOVA; they are neither pinned nor charged to
RLIMIT_MEMLOCK, may be swapped, migrated and reclaimed, and are forgotten before that
happens. To map takes the same time and memory whatever the length is. What the process
itself cannot read or write is EFAULT, and so is everything once it has exited or runs
another program
.RB ( dead_process ).
A file of any file system is mapped as it is, without being loaded first.
.PP
Drivers that copy, and software devices, which wait for what their page table lacks,
work with them. So do devices that report page faults: the kernel finds the pages and
answers, unless the HWPT has a fault queue. A HWPT of a device that cannot wait does not
go together with them: EOPNOTSUPP. A driver that pins gets the pages of that moment,
which are charged, and keeps them whatever the process does
.RB ( pins_outlived
counts those that have changed since).
.PP
An IOMMU may not let go of a page that the kernel takes back. The page is then kept from
everybody else
.RB ( quarantined_pages )
until no device can reach it any more: those of the HWPT are cut off, and the context is
dead
.RB ( dead_context ).
All that is left is to look at it by
.BR "ondemand show" ,
to unmap and to destroy; everything else is EIO.
.PP
.B prefetch
finds pages before they are needed, which they may not be any more when it returns.
.B ondemand show
tells what has happened to a mapping, or to all of an IOAS together,
.B ondemand watch
how fast. With
.B ondemand discard
the process gives pages of a mapping back, as programs do that manage their memory.
)";

} // namespace ctl
