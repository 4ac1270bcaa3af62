// SPDX-License-Identifier: GPL-2.0-only
// A mapping whose length is 0 is not there (any more): moved from, released or
// unmapped.
#include "mapping.h"

#include "command.h"
#include "raw.h"

#include <utility>

namespace iommukit {

Mapping::Mapping(Mapping &&other) noexcept
	: context_(other.context_), ioas_(other.ioas_), iova_(other.iova_),
	  length_(std::exchange(other.length_, Bytes(0)))
{
}

Mapping &Mapping::operator=(Mapping &&other) noexcept
{
	if (this != &other) {
		Bytes removed;
		(void)drop(removed);
		context_ = other.context_;
		ioas_ = other.ioas_;
		iova_ = other.iova_;
		length_ = std::exchange(other.length_, Bytes(0));
	}
	return *this;
}

Mapping::~Mapping()
{
	Bytes removed;

	// What cannot be unmapped now goes with the context.
	(void)drop(removed);
}

std::error_code Mapping::drop(Bytes &removed) noexcept
{
	if (!mapped())
		return {};
	auto cmd = command<iommukit_ioas_unmap>();
	cmd.ioas_id = ioas_.value;
	cmd.iova = iova_.value;
	cmd.length = length_.value;
	auto error = try_ioas_unmap(context_, cmd);
	removed = Bytes(cmd.length);
	return error;
}

void Mapping::unmap()
{
	Bytes removed;
	Subject subject{.object = ioas_, .iova = iova_, .length = length_};

	if (!mapped())
		return;
	if (auto error = drop(removed))
		throw Error(error, "IOAS_UNMAP", subject);
	if (removed != length_)
		bad_answer(IOMMUKIT_IOAS_UNMAP, subject);
	length_ = Bytes(0);
}

} // namespace iommukit
