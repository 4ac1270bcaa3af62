// SPDX-License-Identifier: GPL-2.0-only
// An owned file descriptor: move-only, closed once.
#pragma once

#include <unistd.h>

#include <utility>

namespace iommukit {

class Fd {
    public:
	Fd() noexcept = default;
	explicit Fd(int fd) noexcept : fd_(fd) {}
	Fd(Fd &&other) noexcept : fd_(other.release()) {}
	Fd &operator=(Fd &&other) noexcept
	{
		if (this != &other)
			reset(other.release());
		return *this;
	}
	~Fd() { reset(); }

	int get() const noexcept { return fd_; }
	explicit operator bool() const noexcept { return fd_ >= 0; }

	// Gives the descriptor up without closing it.
	[[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

	// close() is not retried: Linux releases the descriptor even on EINTR.
	void reset(int fd = -1) noexcept
	{
		if (fd_ >= 0)
			::close(fd_);
		fd_ = fd;
	}

    private:
	int fd_ = -1;
};

} // namespace iommukit
