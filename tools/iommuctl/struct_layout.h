// SPDX-License-Identifier: GPL-2.0-only
// The members of every command's structure, so that a structure can be shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ctl {

enum class Role {
	number,
	hex,
	text, // ends with a 0
	map_flags,
	port_flags,
	dma_flags,
	dma_op,
	option,
	option_op,
	hwpt_flags,
	hwpt_track_flags,
	hwpt_read_flags,
	ioas_track_flags,
	ioas_read_flags,
	device_flags,
	mock_flags,
	test_op,
	iotlb_flags,
	iotlb_evict,
	iotlb_query_flags,
	iotlb_stats_flags,
	iotlb_param,
	chan_format,
	chan_features,
	msg_op,
	msg_perm,
	msg_flags,
	fault_around,
	prefetch_flags,
	ondemand_query_flags,
	ondemand_iova, // of a mapping, or SUM
	output,	       // filled in by the kernel
	chosen,	       // iova: an input only with FIXED_IOVA, else an output
	option_val,    // an input only for SET
	at_run,	       // a pointer or descriptor that exists only in a real run
	ranges,	       // a pointer to num_iovas ranges
	messages,      // a pointer to count messages of an IOTLB
};

struct Member {
	std::string_view name;
	std::size_t offset;
	std::size_t size;
	Role role;
};

struct StructLayout {
	unsigned long request; // 0: no command, but a part of one
	std::span<const Member> members;
};

// A member of a structure of the uAPI, by its own name.
#define CTL_MEMBER(type, name, role)                                        \
	Member                                                              \
	{                                                                   \
#name, offsetof(type, name), sizeof(type::name), Role::role \
	}

// Throws std::logic_error for a command without a table. The test command has one
// for each op, hence its structure.
const StructLayout &struct_layout(unsigned long request, const void *cmd);

// A member's value, zero extended.
std::uint64_t member_value(const void *cmd, const Member &member);
// Of a member whose role is text.
std::string_view member_string(const void *cmd, const Member &member);
void set_member(void *cmd, const Member &member, std::uint64_t value);
const Member *find_member(const StructLayout &layout, std::string_view name);

struct Symbol {
	Role role;
	std::uint64_t value;
	std::string_view name;
};

// Those of IOTLBs: commands, the messages of one of them, symbols of flags and of values.
std::span<const StructLayout> iotlb_layouts();
const StructLayout &iotlb_message_layout();
std::span<const Symbol> iotlb_flag_symbols();
std::span<const Symbol> iotlb_value_symbols();

// Those of on-demand mappings.
std::span<const StructLayout> ondemand_layouts();
std::span<const Symbol> ondemand_flag_symbols();
std::span<const Symbol> ondemand_value_symbols();

// "READABLE|WRITEABLE": symbols of a value, empty if the role has none.
std::string symbols(Role role, std::uint64_t value);

} // namespace ctl
