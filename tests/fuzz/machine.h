// SPDX-License-Identifier: GPL-2.0-only
// The real thing: runs operations against /dev/iommukit and the test module, and
// says where the answer is not the expected one.
#pragma once

#include "child.h"
#include "model.h"

#include "command.h"
#include "fd.h"

#include "../../kmod/test/iommukit_test_abi.h"

#include <linux/iommukit.h>
#include <sched.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>

namespace fuzz {

// Commands and their data lie in memory that all processes share. What is behind
// each of the regions is not mapped.
struct Mailbox {
	Mailbox();

	unsigned char *command, *read_only, *command_end;
	unsigned char *ranges;
	unsigned char *data, *data_end;
};

class Machine {
    public:
	Machine();
	~Machine();

	// Everything as a new Model expects it.
	void reset();
	// What is wrong with the answer, if anything is.
	std::optional<std::string> execute(const Op &op, const Expect &expect);
	// Compares the memory, closes everything: nothing may be left pinned.
	std::optional<std::string> finish(Model &model);

	int last_error() const { return error; }

    private:
	using Difference = std::optional<std::string>;

	void map_slots(unsigned first, unsigned number, Change what, unsigned page);
	void build(const Op &op, const Expect &expect);
	void build_access(const Op &op);
	void build_ranges(const Op &op);
	void build_device(const Op &op);
	void build_dirty(const Op &op);
	void build_iotlb(const Op &op);
	void build_submit(const Op &op, const Expect &expect);
	void build_ondemand(const Op &op);
	void answer_ondemand(const Op &op, const Expect &expect);
	Difference compare_counters(const Op &op, const Expect &expect) const;
	void answer_device(const Op &op, const Expect &expect);
	void answer_iotlb(const Op &op, const Expect &expect);
	template <class Command> Command &start(const Op &op, unsigned long request);
	iommukit_test_cmd &start_test(const Op &op, std::uint32_t what);
	int issue(const Op &op);
	void answer(const Op &op, const Expect &expect);
	Difference compare(const Op &op, const Expect &expect);
	Difference compare_read(const Op &op, const Expect &expect) const;
	Difference compare_bits(const Op &op, const Expect &expect) const;
	Difference compare_submitted(const Op &op, const Expect &expect) const;
	Difference compare_entries(const Op &op, const Expect &expect) const;
	unsigned char *rows_of(const Op &op) const;
	iommukit_iotlb_entry listed(const Op &op, std::uint64_t n) const;
	unsigned char *bitmap(const Op &op) const;
	Difference compare_ranges(const Expect &expect) const;
	Difference compare_memory(Model &model);
	Difference check_account(const Op &op, const Expect &expect);
	Difference check_refs(const Op &op, std::uint64_t va, std::uint64_t length,
			      std::uint64_t refs);
	int run_plain(const Op &op);
	std::uint32_t access_fd(const Op &op) const;

	Mailbox mailbox;
	std::array<iommukit::Fd, contexts> context;
	std::array<iommukit::Fd, accesses> access;
	std::array<iommukit::Fd, files> file;
	std::array<std::unique_ptr<Child>, processes> child;
	unsigned char *window;
	cpu_set_t processors;

	// The command that was sent, and how it must look afterwards.
	unsigned long request = 0;
	std::uint32_t size = 0;
	std::array<unsigned char, 512> expected;
	int error = 0;
};

// Looks at this kernel.
Environment find_environment();

// The least size that the module takes.
template <class Command> constexpr std::uint32_t first_version()
{
	if (std::is_same_v<Command, iommukit_test_cmd>)
		return offsetof(iommukit_test_cmd, last) + 4;
	if (std::is_same_v<Command, iommukit_hwpt_alloc>)
		return offsetof(iommukit_hwpt_alloc, data_type);
	if (std::is_same_v<Command, iommukit_iotlb_alloc>)
		return offsetof(iommukit_iotlb_alloc, __reserved);
	if (std::is_same_v<Command, iommukit_iotlb_submit>)
		return offsetof(iommukit_iotlb_submit, __reserved);
	if (std::is_same_v<Command, iommukit_iotlb_query>)
		return offsetof(iommukit_iotlb_query, out_epoch);
	if (std::is_same_v<Command, iommukit_ondemand_query>)
		return query_head;
	return sizeof(Command);
}

constexpr unsigned char untouched = 0xa5;
const void *const hole = reinterpret_cast<void *>(16);

template <class... Values> std::string say(const Values &...values)
{
	std::ostringstream text;

	text << std::hex << std::showbase;
	(text << ... << values);
	return text.str();
}

// Puts a structure where and how the operation wants it.
template <class Command> Command &Machine::start(const Op &op, unsigned long number)
{
	auto *cmd = reinterpret_cast<Command *>(mailbox.command);

	request = number;
	size = sizeof(Command);
	*cmd = iommukit::command<Command>();
	if (op.pass == Pass::too_short)
		cmd->size = first_version<Command>() - 1;
	if (op.pass == Pass::longer || op.pass == Pass::garbage) {
		cmd->size += 16;
		std::memset(mailbox.command + size, 0, 16);
		mailbox.command[size + 15] = op.pass == Pass::garbage;
	}
	return *cmd;
}

} // namespace fuzz
