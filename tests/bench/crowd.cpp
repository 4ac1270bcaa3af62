// SPDX-License-Identifier: GPL-2.0-only
#include "crowd.h"

#include <sys/mman.h>

#include <vector>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

static constexpr unsigned placed_at_once = 100;

Reservation::Reservation(Bytes length)
	: length_(length),
	  data_(::mmap(nullptr, length.value, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))
{
	if (data_ == MAP_FAILED)
		throw Error(last_error(), "mmap", {.length = length});
}

Reservation::~Reservation()
{
	::munmap(data_, length_.value);
}

Crowd::Crowd(unsigned areas, Layout layout, const std::string &device)
	: context_(device), ioas_(context_), memory_(2_MiB), layout_(layout)
{
	for (std::uint64_t i = 0; i < areas; i++)
		fill(i);
}

// Never left to the kernel to place: an implementation in which that takes long
// would take for ever to fill.
void Crowd::fill(std::uint64_t i) const
{
	std::uint64_t at = 0;
	Bytes length = 4_KiB;

	switch (layout_) {
	case Layout::dense:
		at = dense_place(i).value;
		break;
	case Layout::holes:
		at = page * 2 * i;
		break;
	case Layout::misaligned:
		// Pages 3 and 4 of each four are taken: 1 and 2 are free,
		// counted from an odd page.
		at = i ? page * (4 * i - 1) : 0;
		length = i ? 8_KiB : 4_KiB;
		break;
	}
	ioas_.map(memory_.data(), length, Permission::read_write, Iova(at));
}

Slice Crowd::place() const
{
	const Bytes length = layout_ == Layout::dense ? 4_KiB : 8_KiB;
	std::vector<Iova> placed;

	placed.reserve(placed_at_once);
	const double ns =
		1e9 * seconds([&] {
			for (unsigned i = 0; i < placed_at_once; i++)
				placed.push_back(ioas_.map(memory_.data(), length));
		});

	for (const auto iova : placed)
		ioas_.unmap(iova, length);
	return {ns, ns / placed_at_once};
}

} // namespace bench
