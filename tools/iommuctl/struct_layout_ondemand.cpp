// SPDX-License-Identifier: GPL-2.0-only
// The structures of on-demand mappings, as in struct_layout.cpp.
#include "struct_layout.h"

#include "command.h"

#include <array>

namespace ctl {

namespace {

constexpr std::array map_ondemand = {
	CTL_MEMBER(iommukit_ioas_map_ondemand, size, number),
	CTL_MEMBER(iommukit_ioas_map_ondemand, flags, map_flags),
	CTL_MEMBER(iommukit_ioas_map_ondemand, ioas_id, number),
	CTL_MEMBER(iommukit_ioas_map_ondemand, fault_around, fault_around),
	CTL_MEMBER(iommukit_ioas_map_ondemand, user_va, at_run),
	CTL_MEMBER(iommukit_ioas_map_ondemand, length, hex),
	CTL_MEMBER(iommukit_ioas_map_ondemand, iova, chosen),
};

constexpr std::array prefetch = {
	CTL_MEMBER(iommukit_ioas_prefetch, size, number),
	CTL_MEMBER(iommukit_ioas_prefetch, flags, prefetch_flags),
	CTL_MEMBER(iommukit_ioas_prefetch, ioas_id, number),
	CTL_MEMBER(iommukit_ioas_prefetch, iova, hex),
	CTL_MEMBER(iommukit_ioas_prefetch, length, hex),
	CTL_MEMBER(iommukit_ioas_prefetch, out_pages, output),
};

constexpr std::array query = {
	CTL_MEMBER(iommukit_ondemand_query, size, number),
	CTL_MEMBER(iommukit_ondemand_query, flags, ondemand_query_flags),
	CTL_MEMBER(iommukit_ondemand_query, ioas_id, number),
	CTL_MEMBER(iommukit_ondemand_query, iova, ondemand_iova),
	CTL_MEMBER(iommukit_ondemand_query, out_state, output),
	CTL_MEMBER(iommukit_ondemand_query, out_faults_read, output),
	CTL_MEMBER(iommukit_ondemand_query, out_faults_write, output),
	CTL_MEMBER(iommukit_ondemand_query, out_upgrades, output),
	CTL_MEMBER(iommukit_ondemand_query, out_fault_errors, output),
	CTL_MEMBER(iommukit_ondemand_query, out_around_pages, output),
	CTL_MEMBER(iommukit_ondemand_query, out_prefetch_pages, output),
	CTL_MEMBER(iommukit_ondemand_query, out_hits, output),
	CTL_MEMBER(iommukit_ondemand_query, out_retries, output),
	CTL_MEMBER(iommukit_ondemand_query, out_retry_max, output),
	CTL_MEMBER(iommukit_ondemand_query, out_wait_max_us, output),
	CTL_MEMBER(iommukit_ondemand_query, out_userfault_waits, output),
	CTL_MEMBER(iommukit_ondemand_query, out_by_page, output),
	CTL_MEMBER(iommukit_ondemand_query, out_invalidations, output),
	CTL_MEMBER(iommukit_ondemand_query, out_invalidations_empty, output),
	CTL_MEMBER(iommukit_ondemand_query, out_by_event, output),
	CTL_MEMBER(iommukit_ondemand_query, out_zapped_pages, output),
	CTL_MEMBER(iommukit_ondemand_query, out_downgraded_pages, output),
	CTL_MEMBER(iommukit_ondemand_query, out_refused, output),
	CTL_MEMBER(iommukit_ondemand_query, out_present_pages, output),
	CTL_MEMBER(iommukit_ondemand_query, out_present_peak, output),
	CTL_MEMBER(iommukit_ondemand_query, out_huge, output),
	CTL_MEMBER(iommukit_ondemand_query, out_chunks, output),
	CTL_MEMBER(iommukit_ondemand_query, out_table_bytes, output),
	CTL_MEMBER(iommukit_ondemand_query, out_dirtied_pages, output),
	CTL_MEMBER(iommukit_ondemand_query, out_hw_maps, output),
	CTL_MEMBER(iommukit_ondemand_query, out_hw_unmaps, output),
	CTL_MEMBER(iommukit_ondemand_query, out_hw_unmap_over, output),
	CTL_MEMBER(iommukit_ondemand_query, out_hw_unmap_short, output),
	CTL_MEMBER(iommukit_ondemand_query, out_tlb_syncs, output),
	CTL_MEMBER(iommukit_ondemand_query, out_quarantined_pages, output),
	CTL_MEMBER(iommukit_ondemand_query, out_pins_live, output),
	CTL_MEMBER(iommukit_ondemand_query, out_pins_outlived, output),
};

constexpr std::array layouts = {
	StructLayout{IOMMUKIT_IOAS_MAP_ONDEMAND, map_ondemand},
	StructLayout{IOMMUKIT_IOAS_PREFETCH, prefetch},
	StructLayout{IOMMUKIT_ONDEMAND_QUERY, query},
};

constexpr std::array flag_symbols = {
	Symbol{Role::prefetch_flags, IOMMUKIT_IOAS_PREFETCH_WRITE, "WRITE"},
	Symbol{Role::prefetch_flags, IOMMUKIT_IOAS_PREFETCH_NO_FAULT, "NO_FAULT"},
	Symbol{Role::ondemand_query_flags, IOMMUKIT_ONDEMAND_QUERY_RESET, "RESET"},
};

constexpr std::array value_symbols = {
	Symbol{Role::fault_around, IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT, "DEFAULT"},
	Symbol{Role::ondemand_iova, IOMMUKIT_ONDEMAND_QUERY_SUM, "SUM"},
};

} // namespace

std::span<const StructLayout> ondemand_layouts()
{
	return layouts;
}

std::span<const Symbol> ondemand_flag_symbols()
{
	return flag_symbols;
}

std::span<const Symbol> ondemand_value_symbols()
{
	return value_symbols;
}

} // namespace ctl
