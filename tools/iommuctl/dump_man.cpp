// SPDX-License-Identifier: GPL-2.0-only
// The man page: prose that no table has, around what the command table says. It
// is checked in, and a test compares it with what this file prints; the title
// has no date, or it would differ from day to day.
#include "command_table.h"
#include "dump.h"
#include "failure.h"
#include "help.h"
#include "info.h"

#include <algorithm>

namespace ctl {

namespace {

constexpr std::string_view head = R"(.SH NAME
iommuctl \- IO address spaces behind /dev/iommukit
.SH SYNOPSIS
.B iommuctl
.RI [ OPTION ]...
.I OBJECT VERB
.RI [ ARGUMENT ]...
.br
.B iommuctl
.RI [ OPTION ]...
.B \-c
.I CMD
.RB [ \-c
.IR CMD ]...
.br
.B iommuctl
.RI [ OPTION ]...
.BR shell " | " batch
.IR FILE | \-
.SH DESCRIPTION
.B iommuctl
loads and examines the iommukit kernel modules, and creates, shows and changes
IO address spaces (IOAS): maps from IOVA, the addresses that devices and drivers
use, to memory of a process or to the contents of a file.
.PP
Objects live as long as the descriptor they were made with. Work that takes
several commands therefore runs in one session: several
.B \-c
options, a batch, or the shell.
.PP
Data goes to the standard output, messages to the standard error. A failed
command says what failed, on what value, the errno, and in a line that begins
with
.B hint:
what to do next.
)";

constexpr std::string_view session = R"(.SH SESSIONS
A line is an object, a verb and arguments, split at blanks; quotes and
backslashes work as in a shell, a word that begins with # starts a comment.
.PP
.B $name = OBJECT VERB ...
keeps the result. Later lines write
.B $name
for its main value (the id of an IOAS, the IOVA of a mapping, a digest) and
.B $name.field
for any other field of it.
.PP
A batch, several
.BR \-c ,
and a shell that reads from a pipe stop at the first error and name file and
line, unless
.B \-f
is given. The exit status is that of the first error.
.PP
Numbers are decimal, or hexadecimal with 0x, may have a suffix K, M, G or T
(powers of 1024), and may be sums and differences: $m+4K. IOVA ranges are
written FIRST\-LAST, both inclusive.
.PP
Operands come before keys; a key may also be written with two dashes in front:
.B path DIR
and
.B \-\-path DIR
are the same.
.SH JSON
With
.B \-j
every command prints one document on one line, with
.B """version"":\ 1
and the object's name as a key; errors and warnings are such documents on the
standard error. Addresses are numbers there and hexadecimal in text. Fields are
never renamed.
.SH DRY RUN
With
.B \-\-dry\-run
nothing is opened or allocated, and no driver loses its device; the structures of
the commands are printed. A question mark stands for what only a real run knows. Ids count from 1 then, and
an IOVA that the kernel would choose is taken to be 0.
.SH DEVICES
A device works through a page table, a HWPT, that mirrors an IOAS: one that the
kernel makes when the device is attached to the IOAS, or one that
.B hwpt add
has made before. A software device is a port of the DMA engine:
.B device add soft
binds it, and
.B dma
lets it work.
.B device replace
moves it to another HWPT while it does. A mock device is one of the test module
and is attached for good; its HWPTs are like those of hardware.
.PP
A PCI function is taken from its driver with
.BR "device bind" ,
which needs the module iommukit_pci, and works for a program: one that maps its
registers, for example. Its DMA is refused until it is attached. The others of its
IOMMU group must be bound as well, or have no driver;
.B device show PCI\-ADDRESS
tells who they are. All of a group go through one HWPT. What a function has under
way when that is replaced may be lost.
.PP
Functions go back to their drivers with
.BR "device unbind" ,
at the end of the session, and on SIGINT, SIGTERM, SIGHUP or SIGQUIT, after which the
session ends; those of a group together, when none of it is bound any more. A session that
is killed leaves them to iommukit_pci:
.B device unbind PCI\-ADDRESS
gives them back then, too.
.PP
Dirty tracking tells which pages were written. An IOAS notes what software
writes by way of it, drivers and software devices; a HWPT made with
.B dirty
notes what devices write by it.
.SH FILES THAT ARE MAPPED
A memfd, or a file of tmpfs or hugetlbfs, is mapped as it is. Any other file is
loaded into a memfd first, so that drivers see a copy of its contents. The last
page is padded with zeroes. A mapping larger than RLIMIT_MEMLOCK is refused
unless the process has CAP_IPC_LOCK. On demand no file is loaded, and no size refused.
)";

constexpr std::string_view tail = R"(.SH FILES
.TP
.B /dev/iommukit
the device of the core
.TP
.B /dev/iommukit\-dma
the device of the software DMA engine
.SH ENVIRONMENT
.TP
.B IOMMUKIT_DEVICE
another node than /dev/iommukit
.TP
.B IOMMUKIT_DMA_DEVICE
another node than /dev/iommukit\-dma
.TP
.B IOMMUKIT_SYSFS
another directory than /sys
.TP
.B NO_COLOR
if set, no colours are used
.SH EXAMPLES
Map a file and let the kernel compute its SHA\-256 by IOVA:
.PP
.nf
iommuctl \-c 'ioas add' \-c '$m = map file vmlinuz' \-c 'dma bind' \e
         \-c 'dma attach' \-c 'dma sha256 $m' \-c 'ioas show'
.fi
.PP
See where a device writes, each second until Ctrl\-C:
.PP
.nf
iommuctl \-c 'ioas add' \-c '$m = map anonymous 64M' \-c 'device add soft' \e
         \-c 'device attach' \-c 'dirty on' \-c 'dma start fill $m+16M length 4M' \e
         \-c 'dirty watch svg heat.svg'
.fi
.PP
Let a PCI function reach the contents of a file and nothing else, as long as the
shell runs:
.PP
.nf
iommuctl shell
ioas add
map file data.bin iova 1M
device bind 0000:00:05.0
device attach
.fi
.PP
Let the engine copy through an IOTLB whose misses are answered in the session, and see
how long they take:
.PP
.nf
iommuctl \-c '$s = ioas add' \-c '$m = map anonymous 2M' \-c '$t = iotlb add' \e
         \-c 'iotlb serve $t identity page 4K background' \-c 'dma bind' \e
         \-c 'dma attach iotlb $t' \-c 'dma copy $m $m+1M length 1M' \e
         \-c 'iotlb top $t count 1'
.fi
.PP
Let a device write into a sparse file of 10 GiB, of which it finds pages as it goes:
.PP
.nf
truncate \-s 10G sparse
iommuctl \-c 'ioas add' \-c '$m = map file sparse perm rw ondemand' \e
         \-c 'device add soft' \-c 'device attach' \-c 'dma fill $m+5G length 1M' \e
         \-c 'ondemand show $m'
.fi
.PP
See what keeps the module from working:
.PP
.nf
iommuctl module status
.fi
.SH SEE ALSO
.BR getrlimit (2),
.BR memfd_create (2),
.BR iommukit (4),
.BR iommukit\-dma (4),
.BR insmod (8)
)";

// Plain text as roff: dashes stay dashes, a leading dot is no request.
std::string roff(std::string_view text)
{
	std::string out;

	for (char c : text) {
		if (c == '-' || c == '\\')
			out += '\\';
		out += c;
	}
	return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string entry(std::string_view term, std::string_view text)
{
	return ".TP\n.B " + roff(term) + "\n" + roff(text) + "\n";
}

std::string options_section()
{
	std::string out = ".SH OPTIONS\n";

	for (const auto &option : global_options()) {
		std::string flags;
		for (char c : option.flags)
			flags += c == ',' ? ", " : std::string(1, c);
		if (!option.value.empty())
			flags += " " + std::string(option.value);
		out += entry(flags, option.help);
	}
	return out;
}

std::string verb_section(const Object &object, const Verb &verb)
{
	std::string out =
		".TP\n.B " + roff(synopsis(object, verb)) + "\n" + roff(verb.summary);

	if (!verb.name.empty() && verb.name == object.default_verb)
		out += " (the default verb)";
	out += "\n";
	if (verb.params.empty())
		return out;
	out += ".RS\n";
	for (const auto &param : verb.params) {
		bool operand = param.place == Place::operand ||
			       param.place == Place::optional_operand ||
			       param.place == Place::rest;
		out += entry(operand ? placeholder(param) : std::string(param.name),
			     param.help);
	}
	return out + ".RE\n";
}

std::string object_section(const Object &object)
{
	std::string out =
		".SS " + std::string(object.name) + ": " + roff(object.summary) + "\n";

	for (const auto &verb : object.verbs)
		out += verb_section(object, verb);
	return out;
}

std::string fields_section()
{
	std::string out = ".SH FIELDS\nThe fields of results, in text, in JSON, as "
			  "$name.field and for show FIELD.\n";
	std::vector<const FieldTable *> seen;

	for (const Object *object : objects())
		for (const FieldTable *table : object->tables) {
			if (std::ranges::find(seen, table) != seen.end())
				continue;
			seen.push_back(table);
			out += ".SS " + std::string(object->name) + ": " +
			       std::string(table->name) + "\n";
			for (const auto &field : table->fields)
				out += entry(field.name, field.help);
		}
	return out;
}

std::string builtins_section()
{
	std::string out = ".SS other commands\n";

	for (const auto &builtin : builtins())
		out += entry(builtin.synopsis, builtin.summary);
	return out;
}

std::string exit_section()
{
	std::string out = ".SH EXIT STATUS\n";

	for (const auto &status : exit_statuses())
		out += entry(std::to_string(status.status), status.meaning);
	return out;
}

} // namespace

std::string dump_man()
{
	std::string out = ".\\\" SPDX-License-Identifier: GPL-2.0-only\n"
			  ".\\\" Generated by iommuctl __dump man; do not edit.\n"
			  ".TH IOMMUCTL 1 \"\" \"iommukit " +
			  iommukit::tool_version().text() + "\" \"User Commands\"\n";

	out += head;
	out += options_section();
	out += ".SH COMMANDS\n";
	for (const Object *object : objects())
		out += object_section(*object);
	out += builtins_section();
	out += session;
	out += man_ondemand;
	out += man_administration;
	out += man_iotlb;
	out += fields_section();
	out += exit_section();
	out += tail;
	return out;
}

std::string dump(std::string_view what)
{
	if (what == "man")
		return dump_man();
	if (what == "bash")
		return dump_bash();
	if (what == "zsh")
		return dump_zsh();
	if (what == "fish")
		return dump_fish();
	throw usage_failure("__dump does not know '" + std::string(what) + "'",
			    "man, bash, zsh or fish");
}

} // namespace ctl
