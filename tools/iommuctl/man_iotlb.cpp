// SPDX-License-Identifier: GPL-2.0-only
// The section of the man page on IOTLBs and those who serve them.
#include "dump.h"

namespace ctl {

constinit const std::string_view man_iotlb = R"(.SH IOTLB SERVERS
An IOTLB translates what a port of the engine, or another driver, takes for an address
into an IOVA of an IOAS. It is a cache. What it lacks, a miss, is asked for on its
channel; the driver waits, up to the timeout, until a server has answered: the virtual
IOMMU of a virtual machine, say. A port is attached to it by
.B dma attach iotlb
.IR ID ,
and its transfers need a length.
.PP
.B iotlb serve
is such a server. It answers from a map file, or translates each IOVA to itself, and
denies what it does not know. With
.B background
it has a thread of its own, and the session goes on; without, the command lasts until
Ctrl\-C. When the server ends, its channel is closed: drivers that wait fail, and all
entries go that are not pinned, unless the IOTLB was made with
.BR keep .
Another
.B iotlb serve
opens the channel anew. In the session,
.B iotlb update
and
.B iotlb invalidate
change the IOTLB as its owner; what the server knows does not change by that.
.PP
A line of a map file is
.IR "IOVA LENGTH TARGET PERM" ,
with numbers, variables and comments as in a session:
.PP
.nf
# IOVA      LENGTH  TARGET  PERM
0x10000000  16M     $m      rw
0x20000000  4K      0       r
.fi
.PP
To test those who depend on a server, it can be slow
.RB ( latency ),
lose misses
.RB ( drop ),
and lie
.RB ( wrong ).
A rate is a number, 10 for each tenth, or a percentage, which is by chance; the same
.B seed
gives the same course. The first wrong answer gives another target, the second too little
permission, and so on.
.B latency
is that of each miss: several at a time do not wait for each other.
.SS What a virtual machine monitor must do
Code that serves the IOTLB of a vhost device serves the channel unchanged:
VHOST_SET_BACKEND_FEATURES, poll, read a miss, write an update. It must
.IP * 2
answer every miss: what cannot be translated is denied (ACCESS_FAIL), or its driver waits
in vain until the timeout;
.IP * 2
invalidate when its own tables do not give the old translation any more, and before it
tells the guest that the unmap is complete. When the write has returned, no driver uses
what was removed;
.IP * 2
invalidate, too, before it gives another translation for what had one;
.IP * 2
keep walks of its tables and invalidations apart, or use native messages with EPOCH: an
update whose range was invalidated since the miss was read is refused with ESTALE then,
and the miss is asked for once more;
.IP * 2
serve in a thread that does not itself use a device behind the IOTLB;
.IP * 2
unmap the ring before it closes the channel: until then it counts as open.
.PP
It should give the largest translation that it knows, ask for LEN_HINT if that is small
and answer what its reader is about to need as well, and write several messages at once.
.B tools/lib/iotlb_server.cpp
of the sources is such a server.
)";

} // namespace ctl
