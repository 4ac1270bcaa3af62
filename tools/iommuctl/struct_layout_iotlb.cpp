// SPDX-License-Identifier: GPL-2.0-only
// The structures of IOTLBs and of their channels, as in struct_layout.cpp.
#include "struct_layout.h"

#include "command.h"

#include <array>

namespace ctl {

namespace {

constexpr std::array alloc = {
	CTL_MEMBER(iommukit_iotlb_alloc, size, number),
	CTL_MEMBER(iommukit_iotlb_alloc, flags, iotlb_flags),
	CTL_MEMBER(iommukit_iotlb_alloc, ioas_id, number),
	CTL_MEMBER(iommukit_iotlb_alloc, num_asids, number),
	CTL_MEMBER(iommukit_iotlb_alloc, max_entries, number),
	CTL_MEMBER(iommukit_iotlb_alloc, max_pending, number),
	CTL_MEMBER(iommukit_iotlb_alloc, miss_timeout_ms, number),
	CTL_MEMBER(iommukit_iotlb_alloc, evict_policy, iotlb_evict),
	CTL_MEMBER(iommukit_iotlb_alloc, iova_first, hex),
	CTL_MEMBER(iommukit_iotlb_alloc, iova_last, hex),
	CTL_MEMBER(iommukit_iotlb_alloc, user_tag, hex),
	CTL_MEMBER(iommukit_iotlb_alloc, granule_shift, number),
	CTL_MEMBER(iommukit_iotlb_alloc, spin_us, number),
	CTL_MEMBER(iommukit_iotlb_alloc, out_iotlb_id, output),
	CTL_MEMBER(iommukit_iotlb_alloc, out_channel_fd, output),
};

constexpr std::array submit = {
	CTL_MEMBER(iommukit_iotlb_submit, size, number),
	CTL_MEMBER(iommukit_iotlb_submit, flags, hex),
	CTL_MEMBER(iommukit_iotlb_submit, iotlb_id, number),
	CTL_MEMBER(iommukit_iotlb_submit, count, number),
	CTL_MEMBER(iommukit_iotlb_submit, array, messages),
	CTL_MEMBER(iommukit_iotlb_submit, entry_size, number),
	CTL_MEMBER(iommukit_iotlb_submit, out_done, output),
	CTL_MEMBER(iommukit_iotlb_submit, out_epoch, output),
};

constexpr std::array message = {
	CTL_MEMBER(iommukit_iotlb_msg, asid, number),
	CTL_MEMBER(iommukit_iotlb_msg, iova, hex),
	CTL_MEMBER(iommukit_iotlb_msg, length, hex),
	CTL_MEMBER(iommukit_iotlb_msg, target, hex),
	CTL_MEMBER(iommukit_iotlb_msg, perm, msg_perm),
	CTL_MEMBER(iommukit_iotlb_msg, op, msg_op),
	CTL_MEMBER(iommukit_iotlb_msg, flags, msg_flags),
};

constexpr std::array query = {
	CTL_MEMBER(iommukit_iotlb_query, size, number),
	CTL_MEMBER(iommukit_iotlb_query, flags, iotlb_query_flags),
	CTL_MEMBER(iommukit_iotlb_query, iotlb_id, number),
	CTL_MEMBER(iommukit_iotlb_query, asid, number),
	CTL_MEMBER(iommukit_iotlb_query, iova_first, hex),
	CTL_MEMBER(iommukit_iotlb_query, iova_last, hex),
	CTL_MEMBER(iommukit_iotlb_query, array, at_run),
	CTL_MEMBER(iommukit_iotlb_query, count, number),
	CTL_MEMBER(iommukit_iotlb_query, entry_size, number),
	CTL_MEMBER(iommukit_iotlb_query, out_next, output),
	CTL_MEMBER(iommukit_iotlb_query, out_epoch, output),
};

constexpr std::array stats = {
	CTL_MEMBER(iommukit_iotlb_stats, size, number),
	CTL_MEMBER(iommukit_iotlb_stats, flags, iotlb_stats_flags),
	CTL_MEMBER(iommukit_iotlb_stats, iotlb_id, number),
	CTL_MEMBER(iommukit_iotlb_stats, count, number),
	CTL_MEMBER(iommukit_iotlb_stats, array, at_run),
};

constexpr std::array set = {
	CTL_MEMBER(iommukit_iotlb_set, size, number),
	CTL_MEMBER(iommukit_iotlb_set, flags, hex),
	CTL_MEMBER(iommukit_iotlb_set, iotlb_id, number),
	CTL_MEMBER(iommukit_iotlb_set, param, iotlb_param),
	CTL_MEMBER(iommukit_iotlb_set, value, number),
};

constexpr std::array channel_open = {
	CTL_MEMBER(iommukit_iotlb_channel_open, size, number),
	CTL_MEMBER(iommukit_iotlb_channel_open, flags, hex),
	CTL_MEMBER(iommukit_iotlb_channel_open, iotlb_id, number),
	CTL_MEMBER(iommukit_iotlb_channel_open, out_fd, output),
};

constexpr std::array chan_config = {
	CTL_MEMBER(iommukit_iotlb_chan_config, size, number),
	CTL_MEMBER(iommukit_iotlb_chan_config, flags, hex),
	CTL_MEMBER(iommukit_iotlb_chan_config, format, chan_format),
	CTL_MEMBER(iommukit_iotlb_chan_config, ring_entries, number),
	CTL_MEMBER(iommukit_iotlb_chan_config, eventfd, at_run),
	CTL_MEMBER(iommukit_iotlb_chan_config, features, chan_features),
	CTL_MEMBER(iommukit_iotlb_chan_config, out_ring_off, output),
	CTL_MEMBER(iommukit_iotlb_chan_config, out_cons_off, output),
};

constexpr std::array chan_info = {
	CTL_MEMBER(iommukit_iotlb_chan_info, size, number),
	CTL_MEMBER(iommukit_iotlb_chan_info, flags, hex),
	CTL_MEMBER(iommukit_iotlb_chan_info, asid, number),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_iotlb_id, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_state, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_pending, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_delivered, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_backlog, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_num_asids, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_granule_shift, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_max_pending, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_format, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_iova_first, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_iova_last, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_inval_seq, output),
	CTL_MEMBER(iommukit_iotlb_chan_info, out_features, output),
};

constexpr std::array layouts = {
	StructLayout{IOMMUKIT_IOTLB_ALLOC, alloc},
	StructLayout{IOMMUKIT_IOTLB_SUBMIT, submit},
	StructLayout{IOMMUKIT_IOTLB_QUERY, query},
	StructLayout{IOMMUKIT_IOTLB_STATS, stats},
	StructLayout{IOMMUKIT_IOTLB_SET, set},
	StructLayout{IOMMUKIT_IOTLB_CHANNEL_OPEN, channel_open},
	StructLayout{IOMMUKIT_IOTLB_CHAN_CONFIG, chan_config},
	StructLayout{IOMMUKIT_IOTLB_CHAN_INFO, chan_info},
};

constexpr StructLayout message_layout{0, message};

constexpr std::array flag_symbols = {
	Symbol{Role::iotlb_flags, IOMMUKIT_IOTLB_TARGET_UVA, "TARGET_UVA"},
	Symbol{Role::iotlb_flags, IOMMUKIT_IOTLB_KEEP_ON_CLOSE, "KEEP_ON_CLOSE"},
	Symbol{Role::iotlb_flags, IOMMUKIT_IOTLB_NO_CHANNEL, "NO_CHANNEL"},
	Symbol{Role::iotlb_query_flags, IOMMUKIT_IOTLB_QUERY_DUMP, "DUMP"},
	Symbol{Role::iotlb_stats_flags, IOMMUKIT_IOTLB_STATS_RESET, "RESET"},
	Symbol{Role::chan_features, IOMMUKIT_IOTLB_CHAN_EPOCH, "EPOCH"},
	Symbol{Role::chan_features, IOMMUKIT_IOTLB_CHAN_UPGRADE, "UPGRADE"},
	Symbol{Role::chan_features, IOMMUKIT_IOTLB_CHAN_LEN_HINT, "LEN_HINT"},
	Symbol{Role::msg_flags, IOMMUKIT_IOTLB_MSG_PREFETCH, "PREFETCH"},
	Symbol{Role::msg_flags, IOMMUKIT_IOTLB_MSG_PINNED, "PINNED"},
	Symbol{Role::msg_flags, IOMMUKIT_IOTLB_MSG_NO_REPLACE, "NO_REPLACE"},
	Symbol{Role::msg_flags, IOMMUKIT_IOTLB_MSG_NEGATIVE, "NEGATIVE"},
};

constexpr std::array value_symbols = {
	Symbol{Role::iotlb_evict, IOMMUKIT_IOTLB_EVICT_CLOCK, "CLOCK"},
	Symbol{Role::iotlb_evict, IOMMUKIT_IOTLB_EVICT_FIFO, "FIFO"},
	Symbol{Role::iotlb_evict, IOMMUKIT_IOTLB_EVICT_NONE, "NONE"},
	Symbol{Role::iotlb_param, IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, "MAX_ENTRIES"},
	Symbol{Role::iotlb_param, IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS,
	       "MISS_TIMEOUT_MS"},
	Symbol{Role::iotlb_param, IOMMUKIT_IOTLB_PARAM_EVICT_POLICY, "EVICT_POLICY"},
	Symbol{Role::iotlb_param, IOMMUKIT_IOTLB_PARAM_SPIN_US, "SPIN_US"},
	Symbol{Role::chan_format, IOMMUKIT_IOTLB_MSG_NATIVE, "NATIVE"},
	Symbol{Role::msg_op, IOMMUKIT_IOTLB_OP_UPDATE, "UPDATE"},
	Symbol{Role::msg_op, IOMMUKIT_IOTLB_OP_INVALIDATE, "INVALIDATE"},
	Symbol{Role::msg_op, IOMMUKIT_IOTLB_OP_FLUSH, "FLUSH"},
	Symbol{Role::msg_perm, IOMMUKIT_IOTLB_PERM_READ, "READ"},
	Symbol{Role::msg_perm, IOMMUKIT_IOTLB_PERM_WRITE, "WRITE"},
	Symbol{Role::msg_perm, IOMMUKIT_IOTLB_PERM_RW, "RW"},
};

} // namespace

std::span<const StructLayout> iotlb_layouts()
{
	return layouts;
}

const StructLayout &iotlb_message_layout()
{
	return message_layout;
}

std::span<const Symbol> iotlb_flag_symbols()
{
	return flag_symbols;
}

std::span<const Symbol> iotlb_value_symbols()
{
	return value_symbols;
}

} // namespace ctl
