// SPDX-License-Identifier: GPL-2.0-only
// Memory mapped into IOAS by this process or by a child, which then waits.
#pragma once

#include <iommukit.hpp>

#include <sys/types.h>

#include <vector>

namespace bench {

class Owner {
    public:
	enum class Who { self, child };

	// The same memory at the same IOVA of each, and of one more on demand.
	Owner(const std::vector<const iommukit::Ioas *> &ioases, iommukit::Bytes length,
	      Who who, const iommukit::Ioas *ondemand = nullptr);
	Owner(const iommukit::Ioas &ioas, iommukit::Bytes length, Who who)
		: Owner(std::vector{&ioas}, length, who)
	{
	}
	Owner(const Owner &) = delete;
	Owner &operator=(const Owner &) = delete;
	~Owner();

	iommukit::Iova iova() const noexcept { return iova_; }

    private:
	void spawn(const std::vector<const iommukit::Ioas *> &ioases,
		   iommukit::Bytes length, const iommukit::Ioas *ondemand);

	iommukit::Memory memory_;
	iommukit::Iova iova_;
	pid_t child_ = -1;
};

} // namespace bench
