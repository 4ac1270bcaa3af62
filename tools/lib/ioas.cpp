// SPDX-License-Identifier: GPL-2.0-only
// Success is not believed blindly: a mapping at another place than the one asked
// for, an unmap of nothing, a count that contradicts the errno are errors here
// (EPROTO), because a program that goes on with them loses data.
#include "ioas.h"

#include "command.h"
#include "raw.h"

#include <cerrno>
#include <cstdint>
#include <utility>

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

} // namespace

Ioas::Ioas(const Context &context) : context_(context)
{
	auto cmd = command<iommukit_ioas_alloc>();

	call(context_.channel(), IOMMUKIT_IOAS_ALLOC, &cmd);
	if (!cmd.out_ioas_id)
		bad_answer(IOMMUKIT_IOAS_ALLOC, {});
	id_ = ObjectId(cmd.out_ioas_id);
}

Ioas::Ioas(Ioas &&other) noexcept
	: context_(other.context_), id_(std::exchange(other.id_, ObjectId(0)))
{
}

Ioas &Ioas::operator=(Ioas &&other) noexcept
{
	if (this != &other) {
		drop();
		context_ = other.context_;
		id_ = std::exchange(other.id_, ObjectId(0));
	}
	return *this;
}

Ioas::~Ioas()
{
	drop();
}

void Ioas::drop() noexcept
{
	if (id_ == ObjectId(0))
		return;
	auto cmd = command<iommukit_destroy>();
	cmd.id = id_.value;
	// Whatever refuses, the end of the context destroys it.
	(void)try_destroy(context_, cmd);
	id_ = ObjectId(0);
}

void Ioas::destroy()
{
	context_.destroy(id_);
	id_ = ObjectId(0);
}

ObjectId Ioas::release() noexcept
{
	return std::exchange(id_, ObjectId(0));
}

Iova Ioas::map(const void *memory, Bytes length, Permission permission,
	       std::optional<Iova> fixed) const
{
	auto cmd = command<iommukit_ioas_map>();
	Subject subject{.object = id_, .iova = fixed, .length = length};

	cmd.flags = map_flags(permission, fixed);
	cmd.ioas_id = id_.value;
	cmd.user_va = reinterpret_cast<std::uintptr_t>(memory);
	cmd.length = length.value;
	cmd.iova = fixed.value_or(Iova()).value;
	call(context_.channel(), IOMMUKIT_IOAS_MAP, &cmd, subject);
	return placed(IOMMUKIT_IOAS_MAP, subject, cmd.iova, fixed);
}

Iova Ioas::map_file(int fd, Bytes offset, Bytes length, Permission permission,
		    std::optional<Iova> fixed) const
{
	auto cmd = command<iommukit_ioas_map_file>();
	Subject subject{.object = id_, .iova = fixed, .length = length};

	cmd.flags = map_flags(permission, fixed);
	cmd.ioas_id = id_.value;
	cmd.fd = fd;
	cmd.start = offset.value;
	cmd.length = length.value;
	cmd.iova = fixed.value_or(Iova()).value;
	call(context_.channel(), IOMMUKIT_IOAS_MAP_FILE, &cmd, subject);
	return placed(IOMMUKIT_IOAS_MAP_FILE, subject, cmd.iova, fixed);
}

Iova Ioas::copy(const Ioas &source, Iova iova, Bytes length, Permission permission,
		std::optional<Iova> fixed) const
{
	auto cmd = command<iommukit_ioas_copy>();
	Subject subject{.object = source.id(), .iova = iova, .length = length};

	cmd.flags = map_flags(permission, fixed);
	cmd.dst_ioas_id = id_.value;
	cmd.src_ioas_id = source.id().value;
	cmd.length = length.value;
	cmd.dst_iova = fixed.value_or(Iova()).value;
	cmd.src_iova = iova.value;
	call(context_.channel(), IOMMUKIT_IOAS_COPY, &cmd, subject);
	return placed(IOMMUKIT_IOAS_COPY, subject, cmd.dst_iova, fixed);
}

Bytes Ioas::unmap(Iova iova, Bytes length) const
{
	auto cmd = command<iommukit_ioas_unmap>();
	Subject subject{.object = id_, .iova = iova, .length = length};

	cmd.ioas_id = id_.value;
	cmd.iova = iova.value;
	cmd.length = length.value;
	call(context_.channel(), IOMMUKIT_IOAS_UNMAP, &cmd, subject);
	// Success means that something was removed, and nothing outside.
	if (!cmd.length || cmd.length > length.value)
		bad_answer(IOMMUKIT_IOAS_UNMAP, subject);
	return Bytes(cmd.length);
}

Bytes Ioas::unmap_all() const
{
	auto cmd = command<iommukit_ioas_unmap>();

	cmd.ioas_id = id_.value;
	cmd.length = whole_space;
	call(context_.channel(), IOMMUKIT_IOAS_UNMAP, &cmd, {.object = id_});
	return Bytes(cmd.length);
}

UsableRanges Ioas::ranges() const
{
	std::vector<iommukit_iova_range> found(4);

	// The list may grow between two calls, hence the loop.
	for (;;) {
		auto cmd = command<iommukit_ioas_iova_ranges>();
		cmd.ioas_id = id_.value;
		cmd.num_iovas = static_cast<std::uint32_t>(found.size());
		cmd.allowed_iovas = reinterpret_cast<std::uintptr_t>(found.data());
		auto error = try_iova_ranges(context_, cmd);
		if (error && error.value() != EMSGSIZE)
			throw Error(error, "IOAS_IOVA_RANGES", {.object = id_});
		// EMSGSIZE with a count that fits would loop for ever.
		if ((cmd.num_iovas > found.size()) != (error.value() == EMSGSIZE))
			bad_answer(IOMMUKIT_IOAS_IOVA_RANGES, {.object = id_});
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
	cmd.ioas_id = id_.value;
	cmd.num_iovas = static_cast<std::uint32_t>(list.size());
	cmd.allowed_iovas = reinterpret_cast<std::uintptr_t>(list.data());
	call(context_.channel(), IOMMUKIT_IOAS_ALLOW_IOVAS, &cmd, {.object = id_});
}

bool Ioas::huge_pages() const
{
	return option_get(context_, IOMMUKIT_OPTION_HUGE_PAGES, id_) != 0;
}

void Ioas::set_huge_pages(bool on) const
{
	option_set(context_, IOMMUKIT_OPTION_HUGE_PAGES, id_, on);
}

} // namespace iommukit
