// SPDX-License-Identifier: GPL-2.0-only
// The section of the man page on what other processes have.
#include "dump.h"

namespace ctl {

constinit const std::string_view man_administration = R"(.SH OTHER PROCESSES
Ids of objects mean something only to who has the descriptor. Everybody may look on,
though: the module tells of all contexts through generic netlink, in the network
namespace of the host, and without any privilege.
.PP
.B context list
shows who has opened the device, and what is pinned for it;
.B context objects
lists what there is in all contexts, or in one, and
.B show
the state it is in:
.PP
.nf
iommuctl show
iommuctl show context 3
iommuctl show context 3 object 1 mapped
.fi
.PP
The numbers of contexts are the kernel's, and not those of
.BR "context show" .
Whose context it is is decided when it is opened, though the descriptor may go to others.
A list leaves out what is 0; JSON has the fields that the type of the object has.
.PP
.B show areas
and
.B show entries
tell what is mapped in an IOAS, and what an IOTLB translates. IOVAs are often addresses
of the process, so that takes CAP_SYS_ADMIN.
.B show counters
is for anybody.
.PP
.B top
shows rates of all contexts: reads and writes of drivers, misses of IOTLBs, finds of pages
on demand, and pages noted as written where dirty tracking is on. It does not see what
devices of hardware do by themselves. What an object that ends has counted since the
reading before is lost.
.PP
.B explain
tells why a context may pin no more memory, and the command that changes that. A process
itself gets only ENOMEM. Of an errno it tells what that means, for each command of the
module that fails with it, and what to do.
.PP
.B monitor
tells when contexts and objects come and go, and what went wrong, until it is interrupted.
Its first line says that it listens. With
.B \-j
each line is a JSON object that has only the fields that apply. If it cannot keep up the
kernel drops events:
.B events\-lost
says so, and how many if the kernel has counted them, and is followed by what has become
different meanwhile, marked as
.BR repaired .
Process and user of an event are those of the initial namespaces. If the module is unloaded
it ends with an error.
.PP
With
.B mappings
it tells of each piece of memory that is mapped or unmapped as well, with its address in the
process. With
.B trace
it also prints what the tracepoints of the module record, from an instance of tracefs that
is its own and goes with it: nobody else's tracing is disturbed. Both sources are ordered
in themselves, and not towards each other. What is recorded faster than it is printed is
lost:
.B trace\-lost
says how much. What the kernel writes there and the tool cannot make out is
.BR trace\-unknown .
To listen to events needs CAP_NET_ADMIN, to mappings CAP_SYS_ADMIN, and
tracefs is for root.
.SH TRACEPOINTS
The module has tracepoints in the group
.BR iommukit .
They name contexts and objects by the numbers of
.BR "context list" " and " "context objects" .
.I result
is 0, or a negative errno. A
.I length
of all ones is everything. None has an address of the kernel, nor one of a process.
.TP
.BR ioas_map ", " ioas_unmap
memory is mapped in an IOAS, or unmapped: one for each area, and one for each command that
fails
.TP
.BR access_pin ", " access_unpin
a driver wants pages of an IOAS to stay where they are, and lets go of them
.TP
.BR hwpt_map ", " hwpt_unmap
memory goes into an IO page table, piece by piece, or out of it; EIO if the IOMMU has let go
of something else than it was to
.TP
.BR ondemand_fault ", " ondemand_invalidate
pages of on\-demand memory are looked for, and change or go; the IOVA is where the memory
was mapped first. EAGAIN of the second: the kernel could not wait, and comes again.
.TP
.B dirty_read
what was written is read, of an IO page table or of an IOAS
.TP
.BR device_attach ", " device_replace ", " device_detach
a device; pt_id is the IO page table, or, if it fails, what was asked for
.TP
.BR iotlb_miss ", " iotlb_answer
an IOTLB lacks a translation, of which its server is asked, and what comes of that: both
have the same cookie. perm is 1 for reading, 2 for writing, 3 for both.
.TP
.B iotlb_invalidate
translations of an IOTLB are taken away
.PP
All that fails, as it happens, with nothing but a shell:
.PP
.nf
cd /sys/kernel/tracing && echo 'result < 0' >events/iommukit/filter &&
  echo 1 >events/iommukit/enable && cat trace_pipe
.fi
.PP
How long drivers wait for the servers of IOTLBs, in microseconds:
.PP
.nf
bpftrace \-e 'tracepoint:iommukit:iotlb_miss {
    @t[args\->ctx, args\->id, args\->cookie] = nsecs; }
  tracepoint:iommukit:iotlb_answer /@t[args\->ctx, args\->id, args\->cookie]/ {
    @us[args\->id] = hist((nsecs \- @t[args\->ctx, args\->id, args\->cookie]) / 1000);
    delete(@t[args\->ctx, args\->id, args\->cookie]); }'
.fi
)";

} // namespace ctl
