// SPDX-License-Identifier: GPL-2.0-only
// Every miss gets an answer: a translation, or a denial, also if the kernel refuses the
// translation. Only one that came too late needs none, for the kernel asks once more.
// All answers that are due are written at once.
#include "iotlb_server.h"

#include "error.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace iommukit {

namespace {

Fd make_eventfd()
{
	Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));

	if (!fd)
		throw Error(last_error(), "eventfd");
	return fd;
}

// The server sleeps in poll() only.
void stop_blocking(int fd)
{
	int flags = ::fcntl(fd, F_GETFL);

	if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		throw Error(last_error(), "fcntl");
}

timespec to_timespec(std::chrono::nanoseconds time)
{
	constexpr std::chrono::seconds second(1);

	return {.tv_sec = static_cast<time_t>(time / second),
		.tv_nsec = static_cast<long>((time % second).count())};
}

// All of the space has no length: half of it is taken, the one with that byte.
IotlbTranslation writable_part(const IotlbTranslation &translation, Iova iova)
{
	constexpr IovaRange lower{Iova(0), Iova(INT64_MAX)};
	constexpr IovaRange upper{Iova(std::uint64_t(INT64_MAX) + 1), Iova(UINT64_MAX)};

	if (translation.range.first.value || translation.range.last.value != UINT64_MAX)
		return translation;
	return translation.clip(lower.contains(iova) ? lower : upper);
}

} // namespace

std::uint64_t IotlbServer::features(const IotlbServerOptions &options) noexcept
{
	std::uint64_t out = IOMMUKIT_IOTLB_CHAN_EPOCH | IOMMUKIT_IOTLB_CHAN_UPGRADE;

	return options.ahead ? out | IOMMUKIT_IOTLB_CHAN_LEN_HINT : out;
}

IotlbServer::IotlbServer(IotlbChannel channel, IotlbSource source,
			 const IotlbServerOptions &options)
	: source_(std::move(source)), options_(options), faults_(options.faults),
	  stop_(make_eventfd()), wakeup_(make_eventfd()), channel_(std::move(channel))
{
	auto info = channel_.info();

	aperture_ = {Iova(info.out_iova_first), Iova(info.out_iova_last)};
	stop_blocking(channel_.fd());
	ring_ = channel_.configure({.features = features(options),
				    .ring_entries = options.ring_entries,
				    .eventfd = options.ring_entries
						       ? wakeup_.get()
						       : IOMMUKIT_IOTLB_EVENTFD_NONE});
}

IotlbServer::End IotlbServer::run()
{
	try {
		return serve();
	} catch (const Error &error) {
		if (error.number() != ENODEV)
			throw;
		return End::gone;
	}
}

void IotlbServer::stop() noexcept
{
	// It fails only if it was done 2^64 times before.
	(void)::eventfd_write(stop_.get(), 1);
}

IotlbServerCounts IotlbServer::counts() const noexcept
{
	return {.misses = counters_.misses,
		.updates = counters_.updates,
		.denied = counters_.denied,
		.dropped = counters_.dropped,
		.wrong = counters_.wrong,
		.stale = counters_.stale,
		.requeued = counters_.requeued,
		.refused = counters_.refused};
}

bool IotlbServer::counted() const noexcept
{
	return options_.count && counters_.misses >= *options_.count;
}

IotlbServer::End IotlbServer::serve()
{
	for (;;) {
		receive();
		answer_due();
		if (counted())
			return End::counted;
		if (!wait())
			return End::stopped;
	}
}

// What is there; 0 if nothing is.
std::size_t IotlbServer::fetch(std::span<IotlbMessage> to)
{
	std::size_t count = 0;

	if (ring_) {
		count = ring_->take(to);
		if (!count && ring_->backlog()) {
			channel_.kick();
			count = ring_->take(to);
		}
		return count;
	}
	std::error_code error;
	do
		error = channel_.try_read(to, count);
	while (error == std::errc::interrupted);
	if (error && error != std::errc::resource_unavailable_try_again)
		throw Error(error, "read");
	return count;
}

void IotlbServer::receive()
{
	std::array<IotlbMessage, 64> messages;
	std::size_t count;

	do {
		count = fetch(messages);
		auto due = Clock::now() + options_.latency;
		for (const IotlbMessage &message : std::span(messages).first(count)) {
			// Reports were not asked for.
			if (message.op != IOMMUKIT_IOTLB_OP_MISS)
				continue;
			if (message.flags & IOMMUKIT_IOTLB_MSG_REQUEUED)
				counters_.requeued++;
			waiting_.push_back({message, due});
		}
	} while (count == messages.size());
}

void IotlbServer::answer_due()
{
	auto now = Clock::now();

	while (!waiting_.empty() && waiting_.front().due <= now && !counted()) {
		answer(waiting_.front().miss);
		waiting_.pop_front();
	}
	send();
}

std::optional<IotlbTranslation> IotlbServer::translate(std::uint32_t asid,
						       Iova iova) const
{
	auto found = source_(asid, iova);

	if (!found || !found->range.contains(iova) || !aperture_.contains(iova))
		return std::nullopt;
	return writable_part(found->clip(aperture_), iova);
}

void IotlbServer::add_update(const IotlbMessage &miss,
			     const IotlbTranslation &translation, std::uint64_t cookie)
{
	IotlbMessage update = iotlb_update(translation, miss.asid);

	update.cookie = cookie;
	update.epoch = miss.epoch;
	answers_.push_back(update);
	counters_.updates++;
}

// From the end of the translation that was missed to that of what its reader needs.
void IotlbServer::look_ahead(const IotlbMessage &miss, Iova last)
{
	std::uint64_t room = UINT64_MAX - miss.iova;
	Iova needed(miss.iova + std::min(room, std::max<std::uint64_t>(miss.aux, 1) - 1));

	for (std::uint32_t n = 0; n < options_.ahead && last < needed; n++) {
		auto next = translate(miss.asid, last + Bytes(1));
		if (!next)
			return;
		last = next->range.last;
		add_update(miss, *next, 0);
	}
}

void IotlbServer::answer(const IotlbMessage &miss)
{
	counters_.misses++;
	if (faults_.drop()) {
		counters_.dropped++;
		return;
	}
	auto found = translate(miss.asid, Iova(miss.iova));
	if (!found) {
		answers_.push_back(iotlb_denial(miss, EFAULT));
		counters_.denied++;
		return;
	}
	// The one with the cookie comes last: its reader runs, and finds the others.
	look_ahead(miss, found->range.last);
	add_update(miss, *found, miss.cookie);
	if (faults_.wrong()) {
		faults_.spoil(answers_.back(), miss);
		counters_.wrong++;
	}
}

// What is to be written in place of an answer that was refused; false: nothing.
bool IotlbServer::replace_refused(IotlbMessage &message, int number)
{
	if (message.op != IOMMUKIT_IOTLB_OP_UPDATE)
		throw Error(make_errno(number), "write", {.iova = Iova(message.iova)});
	if (number == ESTALE) {
		counters_.stale++;
		return false;
	}
	counters_.refused++;
	// Nobody waits for what was ahead.
	if (!message.cookie)
		return false;
	message = iotlb_denial(message, EIO);
	counters_.denied++;
	return true;
}

void IotlbServer::send()
{
	std::span<IotlbMessage> rest(answers_);

	while (!rest.empty()) {
		std::size_t count = 0;
		auto error = channel_.try_write(rest, count);
		if (error == std::errc::interrupted)
			continue;
		if (error == std::errc::no_such_device)
			throw Error(error, "write");
		if (!error && !count)
			throw Error(make_errno(EPROTO), "write");
		if (error && !replace_refused(rest.front(), error.value()))
			count = 1;
		rest = rest.subspan(count);
	}
	answers_.clear();
}

// Until there is something to do; false if that is to end.
bool IotlbServer::wait()
{
	// Of a ring the eventfd tells; the end of the IOTLB is told in any case.
	const short channel_events = ring_ ? 0 : POLLIN;
	std::array<pollfd, 3> fds = {{{stop_.get(), POLLIN, 0},
				      {channel_.fd(), channel_events, 0},
				      {wakeup_.get(), POLLIN, 0}}};
	std::optional<timespec> limit;
	eventfd_t ignored;

	// A ring that is not empty is no reason to wait, nor would poll().
	if (ring_ && !ring_->arm())
		limit = timespec{0, 0};
	else if (!waiting_.empty())
		limit = to_timespec(std::max(waiting_.front().due - Clock::now(),
					     Clock::duration::zero()));
	if (::ppoll(fds.data(), fds.size(), limit ? &*limit : nullptr, nullptr) < 0 &&
	    errno != EINTR)
		throw Error(last_error(), "poll");
	if (ring_)
		ring_->disarm();
	(void)::eventfd_read(wakeup_.get(), &ignored);
	if (fds[1].revents & (POLLERR | POLLHUP))
		throw Error(make_errno(ENODEV), "poll");
	return !fds[0].revents;
}

} // namespace iommukit
