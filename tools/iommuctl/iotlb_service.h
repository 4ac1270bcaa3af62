// SPDX-License-Identifier: GPL-2.0-only
// A server of an IOTLB in a thread of its own, so that the session can use the IOTLB
// meanwhile. When it ends, for whatever reason, the channel is closed.
#pragma once

#include "iotlb_server.h"

#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace ctl {

class IotlbService {
    public:
	enum class State { running, stopped, counted, gone, failed };

	// Begins to serve. The name of the source is for people.
	IotlbService(std::string name, iommukit::IotlbChannel channel,
		     iommukit::IotlbSource source,
		     const iommukit::IotlbServerOptions &options);
	IotlbService(const IotlbService &) = delete;
	IotlbService &operator=(const IotlbService &) = delete;
	~IotlbService();

	const std::string &name() const noexcept { return name_; }
	State state() const;
	bool running() const { return state() == State::running; }
	iommukit::IotlbServerCounts counts() const;
	// Returns when it has ended.
	void stop() noexcept;
	// Throws what it has failed with, if it has.
	void check() const;

    private:
	void serve() noexcept;

	std::string name_;
	mutable std::mutex lock_;
	// Below the lock; but for its end only the thread changes them.
	std::optional<iommukit::IotlbServer> server_; // holds the channel
	State state_ = State::running;
	iommukit::IotlbServerCounts counts_;
	std::exception_ptr error_;
	std::thread thread_;
};

} // namespace ctl
