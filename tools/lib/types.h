// SPDX-License-Identifier: GPL-2.0-only
// Numbers that must not be swapped: an IOVA, a count of bytes, an object id.
// The constructors are explicit, and a pointer never becomes an IOVA by itself.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

namespace iommukit {

struct Bytes {
	constexpr Bytes() noexcept = default;
	constexpr explicit Bytes(std::uint64_t n) noexcept : value(n) {}
	auto operator<=>(const Bytes &) const = default;

	std::uint64_t value = 0;
};

struct Iova {
	constexpr Iova() noexcept = default;
	constexpr explicit Iova(std::uint64_t n) noexcept : value(n) {}
	auto operator<=>(const Iova &) const = default;

	std::uint64_t value = 0;
};

struct ObjectId {
	constexpr ObjectId() noexcept = default;
	constexpr explicit ObjectId(std::uint32_t n) noexcept : value(n) {}
	auto operator<=>(const ObjectId &) const = default;

	std::uint32_t value = 0;
};

constexpr Bytes operator+(Bytes a, Bytes b) noexcept
{
	return Bytes(a.value + b.value);
}

constexpr Iova operator+(Iova a, Bytes b) noexcept
{
	return Iova(a.value + b.value);
}

constexpr Iova operator-(Iova a, Bytes b) noexcept
{
	return Iova(a.value - b.value);
}

// The distance of two IOVAs; a must not be below b.
constexpr Bytes operator-(Iova a, Iova b) noexcept
{
	return Bytes(a.value - b.value);
}

// A closed interval: the whole space cannot be written as start and length.
struct IovaRange {
	Iova first;
	Iova last;

	auto operator<=>(const IovaRange &) const = default;
	constexpr bool contains(Iova iova) const noexcept
	{
		return first <= iova && iova <= last;
	}
};

std::string hex(std::uint64_t value);

std::ostream &operator<<(std::ostream &out, Bytes bytes);
std::ostream &operator<<(std::ostream &out, Iova iova);
std::ostream &operator<<(std::ostream &out, ObjectId id);
std::ostream &operator<<(std::ostream &out, const IovaRange &range);

inline namespace literals {

constexpr Bytes operator""_B(unsigned long long n) noexcept
{
	return Bytes(n);
}

constexpr Bytes operator""_KiB(unsigned long long n) noexcept
{
	return Bytes(n << 10);
}

constexpr Bytes operator""_MiB(unsigned long long n) noexcept
{
	return Bytes(n << 20);
}

constexpr Bytes operator""_GiB(unsigned long long n) noexcept
{
	return Bytes(n << 30);
}

constexpr Iova operator""_iova(unsigned long long n) noexcept
{
	return Iova(n);
}

} // namespace literals

} // namespace iommukit
