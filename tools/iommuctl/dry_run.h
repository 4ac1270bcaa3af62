// SPDX-License-Identifier: GPL-2.0-only
// A channel that shows commands instead of issuing them. What the kernel would
// answer is made up so that a session can go on: ids count from 1, an IOVA that
// the kernel would choose is 0.
#pragma once

#include "channel.h"
#include "output.h"

#include <string>

namespace ctl {

class DryRunChannel final : public iommukit::Channel {
    public:
	DryRunChannel(const Output &output, std::string device)
		: output_(output), device_(std::move(device))
	{
	}

	std::error_code issue(unsigned long request, void *arg) noexcept override;
	int fd() const noexcept override { return -1; }

    private:
	void show(unsigned long request, const void *arg) const;
	void answer(unsigned long request, void *arg);

	const Output &output_;
	std::string device_;
	std::uint32_t last_id_ = 0;
};

} // namespace ctl
