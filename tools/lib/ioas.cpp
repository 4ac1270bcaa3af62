// SPDX-License-Identifier: GPL-2.0-only
// Success is not believed blindly: a mapping at another place than the one asked
// for, an unmap of nothing, a count that contradicts the errno are errors here
// (EPROTO), because a program that goes on with them loses data.
#include "ioas.h"

#include "command.h"
#include "raw.h"

#include <cerrno>
#include <cstdint>

namespace iommukit {

namespace {

constexpr std::uint64_t whole_space = UINT64_MAX;

std::uint32_t map_flags(Permission permission, const std::optional<Iova> &fixed)
{
	auto flags = static_cast<std::uint32_t>(permission);

	return fixed ? flags | IOMMUKIT_IOAS_MAP_FIXED_IOVA : flags;
}

// A mapping at another place than the one asked for would go unnoticed until
// data is lost.
Iova placed(unsigned long request, const Subject &subject, std::uint64_t iova,
	    const std::optional<Iova> &fixed)
{
	if (fixed && fixed->value != iova)
		bad_answer(request, subject);
	return Iova(iova);
}

ObjectId alloc(const Context &context)
{
	auto cmd = command<iommukit_ioas_alloc>();

	call(context.channel(), IOMMUKIT_IOAS_ALLOC, &cmd);
	if (!cmd.out_ioas_id)
		bad_answer(IOMMUKIT_IOAS_ALLOC, {});
	return ObjectId(cmd.out_ioas_id);
}

} // namespace

Ioas::Ioas(const Context &context) : OwnedObject(context, alloc(context)) {}

Iova Ioas::map(const void *memory, Bytes length, Permission permission,
	       std::optional<Iova> fixed) const
{
	auto cmd = command<iommukit_ioas_map>();
	Subject subject{.object = id(), .iova = fixed, .length = length};

	cmd.flags = map_flags(permission, fixed);
	cmd.ioas_id = id().value;
	cmd.user_va = reinterpret_cast<std::uintptr_t>(memory);
	cmd.length = length.value;
	cmd.iova = fixed.value_or(Iova()).value;
	call(context().channel(), IOMMUKIT_IOAS_MAP, &cmd, subject);
	return placed(IOMMUKIT_IOAS_MAP, subject, cmd.iova, fixed);
}

Iova Ioas::map_file(int fd, Bytes offset, Bytes length, Permission permission,
		    std::optional<Iova> fixed) const
{
	auto cmd = command<iommukit_ioas_map_file>();
	Subject subject{.object = id(), .iova = fixed, .length = length};

	cmd.flags = map_flags(permission, fixed);
	cmd.ioas_id = id().value;
	cmd.fd = fd;
	cmd.start = offset.value;
	cmd.length = length.value;
	cmd.iova = fixed.value_or(Iova()).value;
	call(context().channel(), IOMMUKIT_IOAS_MAP_FILE, &cmd, subject);
	return placed(IOMMUKIT_IOAS_MAP_FILE, subject, cmd.iova, fixed);
}

Iova Ioas::copy(const Ioas &source, Iova iova, Bytes length, Permission permission,
		std::optional<Iova> fixed) const
{
	auto cmd = command<iommukit_ioas_copy>();
	Subject subject{.object = source.id(), .iova = iova, .length = length};

	cmd.flags = map_flags(permission, fixed);
	cmd.dst_ioas_id = id().value;
	cmd.src_ioas_id = source.id().value;
	cmd.length = length.value;
	cmd.dst_iova = fixed.value_or(Iova()).value;
	cmd.src_iova = iova.value;
	call(context().channel(), IOMMUKIT_IOAS_COPY, &cmd, subject);
	return placed(IOMMUKIT_IOAS_COPY, subject, cmd.dst_iova, fixed);
}

Bytes Ioas::unmap(Iova iova, Bytes length) const
{
	auto cmd = command<iommukit_ioas_unmap>();
	Subject subject{.object = id(), .iova = iova, .length = length};

	cmd.ioas_id = id().value;
	cmd.iova = iova.value;
	cmd.length = length.value;
	call(context().channel(), IOMMUKIT_IOAS_UNMAP, &cmd, subject);
	// Success means that something was removed, and nothing outside.
	if (!cmd.length || cmd.length > length.value)
		bad_answer(IOMMUKIT_IOAS_UNMAP, subject);
	return Bytes(cmd.length);
}

Bytes Ioas::unmap_all() const
{
	auto cmd = command<iommukit_ioas_unmap>();

	cmd.ioas_id = id().value;
	cmd.length = whole_space;
	call(context().channel(), IOMMUKIT_IOAS_UNMAP, &cmd, {.object = id()});
	return Bytes(cmd.length);
}

UsableRanges Ioas::ranges() const
{
	std::vector<iommukit_iova_range> found(4);

	// The list may grow between two calls, hence the loop.
	for (;;) {
		auto cmd = command<iommukit_ioas_iova_ranges>();
		cmd.ioas_id = id().value;
		cmd.num_iovas = static_cast<std::uint32_t>(found.size());
		cmd.allowed_iovas = reinterpret_cast<std::uintptr_t>(found.data());
		auto error = try_iova_ranges(context(), cmd);
		if (error && error.value() != EMSGSIZE)
			throw Error(error, "IOAS_IOVA_RANGES", {.object = id()});
		// EMSGSIZE with a count that fits would loop for ever.
		if ((cmd.num_iovas > found.size()) != (error.value() == EMSGSIZE))
			bad_answer(IOMMUKIT_IOAS_IOVA_RANGES, {.object = id()});
		found.resize(cmd.num_iovas);
		if (error)
			continue;
		UsableRanges usable{.ranges = {},
				    .alignment = Bytes(cmd.out_iova_alignment)};
		for (const auto &range : found)
			usable.ranges.push_back({Iova(range.start), Iova(range.last)});
		return usable;
	}
}

void Ioas::allow(std::span<const IovaRange> ranges) const
{
	auto cmd = command<iommukit_ioas_allow_iovas>();
	std::vector<iommukit_iova_range> list;

	for (const auto &range : ranges)
		list.push_back({range.first.value, range.last.value});
	cmd.ioas_id = id().value;
	cmd.num_iovas = static_cast<std::uint32_t>(list.size());
	cmd.allowed_iovas = reinterpret_cast<std::uintptr_t>(list.data());
	call(context().channel(), IOMMUKIT_IOAS_ALLOW_IOVAS, &cmd, {.object = id()});
}

bool Ioas::huge_pages() const
{
	return option_get(context(), IOMMUKIT_OPTION_HUGE_PAGES, id()) != 0;
}

void Ioas::set_huge_pages(bool on) const
{
	option_set(context(), IOMMUKIT_OPTION_HUGE_PAGES, id(), on);
}

void Ioas::track_dirty(bool on) const
{
	auto cmd = command<iommukit_ioas_set_dirty_tracking>();

	cmd.flags = on ? IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE : 0;
	cmd.ioas_id = id().value;
	call(context().channel(), IOMMUKIT_IOAS_SET_DIRTY_TRACKING, &cmd,
	     {.object = id()});
}

void Ioas::read_dirty(DirtyBitmap &bitmap, Marks marks) const
{
	auto cmd = command<iommukit_ioas_get_dirty_bitmap>();

	cmd.ioas_id = id().value;
	cmd.flags = marks == Marks::keep ? IOMMUKIT_IOAS_GET_DIRTY_BITMAP_NO_CLEAR : 0;
	cmd.iova = bitmap.range().first.value;
	cmd.length = bitmap.length().value;
	cmd.page_size = bitmap.page_size().value;
	cmd.data = reinterpret_cast<std::uintptr_t>(bitmap.words().data());
	call(context().channel(), IOMMUKIT_IOAS_GET_DIRTY_BITMAP, &cmd,
	     {.object = id(), .iova = bitmap.range().first, .length = bitmap.length()});
}

} // namespace iommukit
