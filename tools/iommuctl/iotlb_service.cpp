// SPDX-License-Identifier: GPL-2.0-only
// Signals are for the thread that reads commands. The thread here destroys the server
// under the lock, so that whoever has the lock may ask it.
#include "iotlb_service.h"

#include <pthread.h>
#include <signal.h>

namespace ctl {

using namespace iommukit;

namespace {

// A thread inherits what is blocked.
class NoSignals {
    public:
	NoSignals()
	{
		sigset_t all;

		::sigfillset(&all);
		::pthread_sigmask(SIG_SETMASK, &all, &before_);
	}
	NoSignals(const NoSignals &) = delete;
	NoSignals &operator=(const NoSignals &) = delete;
	~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

    private:
	sigset_t before_;
};

IotlbService::State state_of(IotlbServer::End end)
{
	switch (end) {
	case IotlbServer::End::stopped:
		return IotlbService::State::stopped;
	case IotlbServer::End::counted:
		return IotlbService::State::counted;
	case IotlbServer::End::gone:
		break;
	}
	return IotlbService::State::gone;
}

} // namespace

IotlbService::IotlbService(std::string name, IotlbChannel channel, IotlbSource source,
			   const IotlbServerOptions &options)
	: name_(std::move(name)),
	  server_(std::in_place, std::move(channel), std::move(source), options)
{
	NoSignals none;

	thread_ = std::thread(&IotlbService::serve, this);
}

IotlbService::~IotlbService()
{
	stop();
}

void IotlbService::serve() noexcept
{
	std::exception_ptr error;
	State state = State::failed;

	try {
		state = state_of(server_->run());
	} catch (...) {
		error = std::current_exception();
	}
	std::lock_guard guard(lock_);
	counts_ = server_->counts();
	server_.reset();
	error_ = error;
	state_ = state;
}

IotlbService::State IotlbService::state() const
{
	std::lock_guard guard(lock_);

	return state_;
}

IotlbServerCounts IotlbService::counts() const
{
	std::lock_guard guard(lock_);

	return server_ ? server_->counts() : counts_;
}

void IotlbService::stop() noexcept
{
	{
		std::lock_guard guard(lock_);
		if (server_)
			server_->stop();
	}
	if (thread_.joinable())
		thread_.join();
}

void IotlbService::check() const
{
	std::lock_guard guard(lock_);

	if (error_)
		std::rethrow_exception(error_);
}

} // namespace ctl
