// SPDX-License-Identifier: GPL-2.0-only
#include "dirty_world.h"

#include <functional>

namespace guest {

namespace {

template <class Combine> Bits combine(const Bits &a, const Bits &b, Combine how)
{
	Bits bits(a.size());

	REQUIRE(a.size() == b.size());
	for (std::size_t i = 0; i < a.size(); i++)
		bits[i] = static_cast<std::uint8_t>(how(a[i], b[i]));
	return bits;
}

} // namespace

Bits every(std::uint64_t nbits, std::uint64_t stride, std::uint64_t first)
{
	Bits bits((nbits + 7) / 8);

	for (std::uint64_t k = first; k < nbits; k += stride)
		add_bits(bits, k, k);
	return bits;
}

Bits no_bits(const BitmapGeometry &range)
{
	return Bits(range.nbytes());
}

std::uint64_t count(const Bits &bits)
{
	std::uint64_t set = 0;

	for (std::uint64_t k = 0; k < bits.size() * 8; k++)
		set += has_bit(bits, k);
	return set;
}

Bits either(const Bits &a, const Bits &b)
{
	return combine(a, b, std::bit_or<>());
}

Bits expected(const Bits &marks, const BitmapGeometry &range, std::uint64_t unit)
{
	Bits bits(range.nbytes());

	for (std::uint64_t k = 0; k < range.length / mock_page; k++) {
		const std::uint64_t at = k * mock_page / unit * unit;

		if (has_bit(marks, k))
			add_bits(bits, at / range.page_size,
				 (at + unit - 1) / range.page_size);
	}
	return bits;
}

DirtyWorld::DirtyWorld(std::uint64_t bytes, std::uint32_t flags, Memory::Kind kind)
	: memory(bytes, kind), home(context.ioas()), ioas(context.ioas()),
	  mock(make_mock(context, home, flags))
{
	context.map(ioas, memory, where);
	hwpt = make_hwpt(context, mock.device, ioas, hwpt_dirty);
	REQUIRE(set_dirty(context, hwpt, true) == ok);
}

std::uint64_t DirtyWorld::mark(const Bits &bits) const
{
	return mark_dirty(context, hwpt, {where, memory.size()}, bits);
}

Bits DirtyWorld::read(std::uint64_t granule, std::uint32_t flags) const
{
	return dirty_bits(context, hwpt, range(granule), flags);
}

} // namespace guest
