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
shows what there is in all contexts, or in one. The numbers are the kernel's, and not
those of
.BR "context show" .
Whose context it is is decided when it is opened, though the descriptor may go to others.
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
