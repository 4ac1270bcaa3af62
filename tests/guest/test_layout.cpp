// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers and layout of the binary interface: against literals when this file
 * is compiled, and against <linux/iommufd.h> if the machine has one.
 */
#include "access.h"

#if __has_include(<linux/iommufd.h>)
#include <linux/iommufd.h>
#define HAVE_UPSTREAM_HEADER 1
#endif

using namespace guest;

/* Size, and the offset of every member, as literals. */
#define AT(type, member, offset) static_assert(offsetof(type, member) == (offset))

static_assert(sizeof(iommukit_destroy) == 8);
AT(iommukit_destroy, size, 0);
AT(iommukit_destroy, id, 4);

static_assert(sizeof(iommukit_ioas_alloc) == 12);
AT(iommukit_ioas_alloc, size, 0);
AT(iommukit_ioas_alloc, flags, 4);
AT(iommukit_ioas_alloc, out_ioas_id, 8);

static_assert(sizeof(iommukit_iova_range) == 16);
AT(iommukit_iova_range, start, 0);
AT(iommukit_iova_range, last, 8);

static_assert(sizeof(iommukit_ioas_allow_iovas) == 24);
AT(iommukit_ioas_allow_iovas, size, 0);
AT(iommukit_ioas_allow_iovas, ioas_id, 4);
AT(iommukit_ioas_allow_iovas, num_iovas, 8);
AT(iommukit_ioas_allow_iovas, __reserved, 12);
AT(iommukit_ioas_allow_iovas, allowed_iovas, 16);

static_assert(sizeof(iommukit_ioas_copy) == 40);
AT(iommukit_ioas_copy, size, 0);
AT(iommukit_ioas_copy, flags, 4);
AT(iommukit_ioas_copy, dst_ioas_id, 8);
AT(iommukit_ioas_copy, src_ioas_id, 12);
AT(iommukit_ioas_copy, length, 16);
AT(iommukit_ioas_copy, dst_iova, 24);
AT(iommukit_ioas_copy, src_iova, 32);

static_assert(sizeof(iommukit_ioas_iova_ranges) == 32);
AT(iommukit_ioas_iova_ranges, size, 0);
AT(iommukit_ioas_iova_ranges, ioas_id, 4);
AT(iommukit_ioas_iova_ranges, num_iovas, 8);
AT(iommukit_ioas_iova_ranges, __reserved, 12);
AT(iommukit_ioas_iova_ranges, allowed_iovas, 16);
AT(iommukit_ioas_iova_ranges, out_iova_alignment, 24);

static_assert(sizeof(iommukit_ioas_map) == 40);
AT(iommukit_ioas_map, size, 0);
AT(iommukit_ioas_map, flags, 4);
AT(iommukit_ioas_map, ioas_id, 8);
AT(iommukit_ioas_map, __reserved, 12);
AT(iommukit_ioas_map, user_va, 16);
AT(iommukit_ioas_map, length, 24);
AT(iommukit_ioas_map, iova, 32);

static_assert(sizeof(iommukit_hwpt_alloc) == 48);
AT(iommukit_hwpt_alloc, size, 0);
AT(iommukit_hwpt_alloc, flags, 4);
AT(iommukit_hwpt_alloc, dev_id, 8);
AT(iommukit_hwpt_alloc, pt_id, 12);
AT(iommukit_hwpt_alloc, out_hwpt_id, 16);
AT(iommukit_hwpt_alloc, __reserved, 20);
AT(iommukit_hwpt_alloc, data_type, 24);
AT(iommukit_hwpt_alloc, data_len, 28);
AT(iommukit_hwpt_alloc, data_uptr, 32);
AT(iommukit_hwpt_alloc, fault_id, 40);
AT(iommukit_hwpt_alloc, __reserved2, 44);

static_assert(sizeof(iommukit_ioas_map_file) == 40);
AT(iommukit_ioas_map_file, size, 0);
AT(iommukit_ioas_map_file, flags, 4);
AT(iommukit_ioas_map_file, ioas_id, 8);
AT(iommukit_ioas_map_file, fd, 12);
AT(iommukit_ioas_map_file, start, 16);
AT(iommukit_ioas_map_file, length, 24);
AT(iommukit_ioas_map_file, iova, 32);

static_assert(sizeof(iommukit_ioas_unmap) == 24);
AT(iommukit_ioas_unmap, size, 0);
AT(iommukit_ioas_unmap, ioas_id, 4);
AT(iommukit_ioas_unmap, iova, 8);
AT(iommukit_ioas_unmap, length, 16);

static_assert(sizeof(struct iommukit_option) == 24);
AT(struct iommukit_option, size, 0);
AT(struct iommukit_option, option_id, 4);
AT(struct iommukit_option, op, 8);
AT(struct iommukit_option, __reserved, 10);
AT(struct iommukit_option, object_id, 12);
AT(struct iommukit_option, val64, 16);

static_assert(sizeof(iommukit_vfio_ioas) == 12);
AT(iommukit_vfio_ioas, size, 0);
AT(iommukit_vfio_ioas, ioas_id, 4);
AT(iommukit_vfio_ioas, op, 8);
AT(iommukit_vfio_ioas, __reserved, 10);

static_assert(sizeof(iommukit_info) == 32);
AT(iommukit_info, size, 0);
AT(iommukit_info, flags, 4);
AT(iommukit_info, out_version_major, 8);
AT(iommukit_info, out_version_minor, 10);
AT(iommukit_info, out_version_patch, 12);
AT(iommukit_info, __reserved, 14);
AT(iommukit_info, out_features, 16);
AT(iommukit_info, out_page_sizes, 24);

static_assert(sizeof(iommukit_ioas_map_ondemand) == 40);
AT(iommukit_ioas_map_ondemand, size, 0);
AT(iommukit_ioas_map_ondemand, flags, 4);
AT(iommukit_ioas_map_ondemand, ioas_id, 8);
AT(iommukit_ioas_map_ondemand, fault_around, 12);
AT(iommukit_ioas_map_ondemand, user_va, 16);
AT(iommukit_ioas_map_ondemand, length, 24);
AT(iommukit_ioas_map_ondemand, iova, 32);

static_assert(sizeof(iommukit_ioas_prefetch) == 40);
AT(iommukit_ioas_prefetch, size, 0);
AT(iommukit_ioas_prefetch, flags, 4);
AT(iommukit_ioas_prefetch, ioas_id, 8);
AT(iommukit_ioas_prefetch, __reserved, 12);
AT(iommukit_ioas_prefetch, iova, 16);
AT(iommukit_ioas_prefetch, length, 24);
AT(iommukit_ioas_prefetch, out_pages, 32);

static_assert(sizeof(iommukit_ondemand_query) == 344);
AT(iommukit_ondemand_query, size, 0);
AT(iommukit_ondemand_query, flags, 4);
AT(iommukit_ondemand_query, ioas_id, 8);
AT(iommukit_ondemand_query, __reserved, 12);
AT(iommukit_ondemand_query, iova, 16);
AT(iommukit_ondemand_query, out_state, 24);
AT(iommukit_ondemand_query, out_faults_read, 32);
AT(iommukit_ondemand_query, out_faults_write, 40);
AT(iommukit_ondemand_query, out_upgrades, 48);
AT(iommukit_ondemand_query, out_fault_errors, 56);
AT(iommukit_ondemand_query, out_around_pages, 64);
AT(iommukit_ondemand_query, out_prefetch_pages, 72);
AT(iommukit_ondemand_query, out_hits, 80);
AT(iommukit_ondemand_query, out_retries, 88);
AT(iommukit_ondemand_query, out_retry_max, 96);
AT(iommukit_ondemand_query, out_wait_max_us, 104);
AT(iommukit_ondemand_query, out_userfault_waits, 112);
AT(iommukit_ondemand_query, out_by_page, 120);
AT(iommukit_ondemand_query, out_invalidations, 128);
AT(iommukit_ondemand_query, out_invalidations_empty, 136);
AT(iommukit_ondemand_query, out_by_event, 144);
AT(iommukit_ondemand_query, out_zapped_pages, 208);
AT(iommukit_ondemand_query, out_downgraded_pages, 216);
AT(iommukit_ondemand_query, out_refused, 224);
AT(iommukit_ondemand_query, out_present_pages, 232);
AT(iommukit_ondemand_query, out_present_peak, 240);
AT(iommukit_ondemand_query, out_huge, 248);
AT(iommukit_ondemand_query, out_chunks, 256);
AT(iommukit_ondemand_query, out_table_bytes, 264);
AT(iommukit_ondemand_query, out_dirtied_pages, 272);
AT(iommukit_ondemand_query, out_hw_maps, 280);
AT(iommukit_ondemand_query, out_hw_unmaps, 288);
AT(iommukit_ondemand_query, out_hw_unmap_over, 296);
AT(iommukit_ondemand_query, out_hw_unmap_short, 304);
AT(iommukit_ondemand_query, out_tlb_syncs, 312);
AT(iommukit_ondemand_query, out_quarantined_pages, 320);
AT(iommukit_ondemand_query, out_pins_live, 328);
AT(iommukit_ondemand_query, out_pins_outlived, 336);

static_assert(sizeof(iommukit_test_cmd) == 72);
AT(iommukit_test_cmd, size, 0);
AT(iommukit_test_cmd, op, 4);
AT(iommukit_test_cmd, id, 8);
AT(iommukit_test_cmd, __reserved, 12);
AT(iommukit_test_cmd, add_reserved.start, 16);
AT(iommukit_test_cmd, add_reserved.length, 24);
AT(iommukit_test_cmd, check_refs.length, 16);
AT(iommukit_test_cmd, check_refs.uptr, 24);
AT(iommukit_test_cmd, check_refs.refs, 32);
AT(iommukit_test_cmd, create_access.out_access_fd, 16);
AT(iommukit_test_cmd, create_access.flags, 20);
AT(iommukit_test_cmd, destroy_access_pages.access_pages_id, 16);
AT(iommukit_test_cmd, access_pages.flags, 16);
AT(iommukit_test_cmd, access_pages.out_access_pages_id, 20);
AT(iommukit_test_cmd, access_pages.iova, 24);
AT(iommukit_test_cmd, access_pages.length, 32);
AT(iommukit_test_cmd, access_pages.uptr, 40);
AT(iommukit_test_cmd, access_rw.iova, 16);
AT(iommukit_test_cmd, access_rw.length, 24);
AT(iommukit_test_cmd, access_rw.uptr, 32);
AT(iommukit_test_cmd, access_rw.flags, 40);
AT(iommukit_test_cmd, memory_limit.limit, 16);
AT(iommukit_test_cmd, access_replace_ioas.ioas_id, 16);
AT(iommukit_test_cmd, last, 64);

#undef AT

static_assert(IOMMUKIT_DESTROY == 0x3b80);
static_assert(IOMMUKIT_IOAS_ALLOC == 0x3b81);
static_assert(IOMMUKIT_IOAS_ALLOW_IOVAS == 0x3b82);
static_assert(IOMMUKIT_IOAS_COPY == 0x3b83);
static_assert(IOMMUKIT_IOAS_IOVA_RANGES == 0x3b84);
static_assert(IOMMUKIT_IOAS_MAP == 0x3b85);
static_assert(IOMMUKIT_IOAS_UNMAP == 0x3b86);
static_assert(IOMMUKIT_OPTION == 0x3b87);
static_assert(IOMMUKIT_VFIO_IOAS == 0x3b88);
static_assert(IOMMUKIT_HWPT_ALLOC == 0x3b89);
static_assert(IOMMUKIT_IOAS_MAP_FILE == 0x3b8f);
static_assert(IOMMUKIT_INFO == 0x3bc0);
static_assert(IOMMUKIT_IOAS_MAP_ONDEMAND == 0x3bc1);
static_assert(IOMMUKIT_IOAS_PREFETCH == 0x3bc2);
static_assert(IOMMUKIT_ONDEMAND_QUERY == 0x3bc3);
static_assert(IOMMUKIT_TEST_CMD == 0x3ba0);

static_assert(IOMMUKIT_IOAS_MAP_FIXED_IOVA == 1);
static_assert(IOMMUKIT_IOAS_MAP_WRITEABLE == 2);
static_assert(IOMMUKIT_IOAS_MAP_READABLE == 4);
static_assert(IOMMUKIT_OPTION_RLIMIT_MODE == 0);
static_assert(IOMMUKIT_OPTION_HUGE_PAGES == 1);
static_assert(IOMMUKIT_OPTION_OP_SET == 0);
static_assert(IOMMUKIT_OPTION_OP_GET == 1);
static_assert(IOMMUKIT_VFIO_IOAS_GET == 0);
static_assert(IOMMUKIT_VFIO_IOAS_SET == 1);
static_assert(IOMMUKIT_VFIO_IOAS_CLEAR == 2);

TEST_CASE("layout as of literals, compiled in")
{
	/* Whoever runs this program has compiled the assertions above. */
	CHECK(sizeof(iommukit_ioas_map) == 40);
	CHECK(alignof(iommukit_ioas_map) == 8);
}

#ifdef HAVE_UPSTREAM_HEADER

namespace {

struct Pair {
	const char *name;
	std::uint64_t ours;
	std::uint64_t theirs;
};

#define MEMBER(command, member)                                            \
	Pair                                                               \
	{                                                                  \
#command "." #member,                                      \
			offsetof(struct iommukit_##command, member) << 8 | \
				sizeof(iommukit_##command::member),        \
			offsetof(struct iommu_##command, member) << 8 |    \
				sizeof(iommu_##command::member)            \
	}
#define WHOLE(command)                                       \
	Pair                                                 \
	{                                                    \
#command, sizeof(struct iommukit_##command), \
			sizeof(struct iommu_##command)       \
	}
#define VALUE(name)                                  \
	Pair                                         \
	{                                            \
#name, IOMMUKIT_##name, IOMMU_##name \
	}

} // namespace

TEST_CASE("layout as of linux/iommufd.h")
{
	const Pair pairs[] = {
		VALUE(DESTROY),
		VALUE(IOAS_ALLOC),
		VALUE(IOAS_ALLOW_IOVAS),
		VALUE(IOAS_COPY),
		VALUE(IOAS_IOVA_RANGES),
		VALUE(IOAS_MAP),
		VALUE(IOAS_UNMAP),
		VALUE(OPTION),
		VALUE(VFIO_IOAS),
		VALUE(IOAS_MAP_FIXED_IOVA),
		VALUE(IOAS_MAP_WRITEABLE),
		VALUE(IOAS_MAP_READABLE),
		VALUE(OPTION_RLIMIT_MODE),
		VALUE(OPTION_HUGE_PAGES),
		VALUE(OPTION_OP_SET),
		VALUE(OPTION_OP_GET),
		VALUE(VFIO_IOAS_GET),
		VALUE(VFIO_IOAS_SET),
		VALUE(VFIO_IOAS_CLEAR),
		WHOLE(destroy),
		MEMBER(destroy, id),
		WHOLE(ioas_alloc),
		MEMBER(ioas_alloc, flags),
		MEMBER(ioas_alloc, out_ioas_id),
		WHOLE(iova_range),
		MEMBER(iova_range, start),
		MEMBER(iova_range, last),
		WHOLE(ioas_allow_iovas),
		MEMBER(ioas_allow_iovas, ioas_id),
		MEMBER(ioas_allow_iovas, num_iovas),
		MEMBER(ioas_allow_iovas, allowed_iovas),
		WHOLE(ioas_copy),
		MEMBER(ioas_copy, flags),
		MEMBER(ioas_copy, dst_ioas_id),
		MEMBER(ioas_copy, src_ioas_id),
		MEMBER(ioas_copy, length),
		MEMBER(ioas_copy, dst_iova),
		MEMBER(ioas_copy, src_iova),
		WHOLE(ioas_iova_ranges),
		MEMBER(ioas_iova_ranges, ioas_id),
		MEMBER(ioas_iova_ranges, num_iovas),
		MEMBER(ioas_iova_ranges, allowed_iovas),
		MEMBER(ioas_iova_ranges, out_iova_alignment),
		WHOLE(ioas_map),
		MEMBER(ioas_map, flags),
		MEMBER(ioas_map, ioas_id),
		MEMBER(ioas_map, user_va),
		MEMBER(ioas_map, length),
		MEMBER(ioas_map, iova),
		WHOLE(ioas_unmap),
		MEMBER(ioas_unmap, ioas_id),
		MEMBER(ioas_unmap, iova),
		MEMBER(ioas_unmap, length),
		WHOLE(option),
		MEMBER(option, option_id),
		MEMBER(option, op),
		MEMBER(option, object_id),
		MEMBER(option, val64),
		WHOLE(vfio_ioas),
		MEMBER(vfio_ioas, ioas_id),
		MEMBER(vfio_ioas, op),
		VALUE(HWPT_ALLOC),
		VALUE(HWPT_ALLOC_NEST_PARENT),
		VALUE(HWPT_ALLOC_DIRTY_TRACKING),
		VALUE(HWPT_FAULT_ID_VALID),
		VALUE(HWPT_DATA_NONE),
		WHOLE(hwpt_alloc),
		MEMBER(hwpt_alloc, flags),
		MEMBER(hwpt_alloc, dev_id),
		MEMBER(hwpt_alloc, pt_id),
		MEMBER(hwpt_alloc, out_hwpt_id),
		MEMBER(hwpt_alloc, data_type),
		MEMBER(hwpt_alloc, data_len),
		MEMBER(hwpt_alloc, data_uptr),
		MEMBER(hwpt_alloc, fault_id),
#ifdef IOMMU_IOAS_MAP_FILE
		VALUE(IOAS_MAP_FILE),
		WHOLE(ioas_map_file),
		MEMBER(ioas_map_file, flags),
		MEMBER(ioas_map_file, ioas_id),
		MEMBER(ioas_map_file, fd),
		MEMBER(ioas_map_file, start),
		MEMBER(ioas_map_file, length),
		MEMBER(ioas_map_file, iova),
#endif
	};

	for (const Pair &pair : pairs) {
		INFO(pair.name);
		CHECK(pair.ours == pair.theirs);
	}
}

#else

TEST_CASE("layout as of linux/iommufd.h")
{
	skip("built on a machine without linux/iommufd.h");
}

#endif
