// SPDX-License-Identifier: GPL-2.0-only
// A context: one open descriptor of /dev/iommukit. A Context is a handle;
// copies, and the objects made from it, share the descriptor, which is closed
// with the last of them.
#pragma once

#include "channel.h"
#include "info.h"
#include "types.h"

#include <memory>
#include <string>

namespace iommukit {

// $IOMMUKIT_DEVICE if it is set, else /dev/iommukit.
std::string default_device();

class Context {
    public:
	Context() : Context(default_device()) {}
	explicit Context(const std::string &path) : Context(open_channel(path)) {}
	explicit Context(Fd fd) : Context(std::make_shared<DeviceChannel>(std::move(fd)))
	{
	}
	explicit Context(std::shared_ptr<Channel> channel) noexcept
		: channel_(std::move(channel))
	{
	}

	int fd() const noexcept { return channel_->fd(); }
	Channel &channel() const noexcept { return *channel_; }

	ModuleInfo info() const;
	void destroy(ObjectId id) const;

	// Where pins are counted against RLIMIT_MEMLOCK: per process, or per user.
	bool per_process_accounting() const;
	void set_per_process_accounting(bool on) const;

    private:
	std::shared_ptr<Channel> channel_;
};

// One level below the methods above, for any option id and object.
std::uint64_t option_get(const Context &context, std::uint32_t option, ObjectId object);
void option_set(const Context &context, std::uint32_t option, ObjectId object,
		std::uint64_t value);

} // namespace iommukit
