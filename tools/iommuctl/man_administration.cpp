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
itself gets only ENOMEM.
.PP
.B monitor
tells when contexts and objects come and go, and what went wrong, until it is interrupted.
Its first line says that it listens. With
.B \-j
each line is a JSON object that has only the fields that apply. If it cannot keep up the
kernel drops events:
.B events\-lost
says so, and is followed by what has become different meanwhile, marked as
.BR repaired .
Process and user of an event are those of the initial namespaces.
)";

} // namespace ctl
