// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_side.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <numeric>
#include <random>
#include <stdexcept>

namespace bench {

using namespace iommukit;

namespace {

constexpr const char *our_device = "/dev/iotlb-bench";
constexpr const char *vhost_device = "/dev/vhost-iotlb-bench";

constexpr double iterations_max = 1e9;
// Elements of a command.
constexpr std::size_t piece = 4096;
constexpr std::uint64_t page_bytes = 4096;
// Not the very first addresses.
constexpr std::uint64_t base = 1 << 30;

// Numbers that look as if they had nothing to do with each other.
std::uint64_t mix(std::uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

Fd open_device(const std::string &device)
{
	Fd fd(::open(device.c_str(), O_RDWR | O_CLOEXEC));

	if (!fd && errno == ENOENT)
		throw NotHere("there is no " + device);
	if (!fd)
		throw Error(last_error(), "open", {.path = device});
	return fd;
}

} // namespace

IovaRange IotlbPages::range(std::uint32_t page) const
{
	const Iova first(base + page * stride.value);

	return {first, first + Bytes(page_bytes - 1)};
}

IotlbMessage IotlbPages::update(std::uint32_t page, unsigned generation) const
{
	const std::uint64_t number = page + (std::uint64_t(generation) << 32);

	// An address of 47 bits, of the beginning of a page.
	return iotlb_update({range(page), mix(number) >> 17 & ~(page_bytes - 1)});
}

IotlbMessage IotlbPages::invalidation(std::uint32_t page) const
{
	return iotlb_invalidate(range(page));
}

std::vector<std::uint32_t> IotlbPages::shuffled() const
{
	std::vector<std::uint32_t> pages(count);

	std::iota(pages.begin(), pages.end(), 0U);
	std::shuffle(pages.begin(), pages.end(), std::mt19937(count));
	return pages;
}

IotlbSide::IotlbSide(const std::string &device) : fd_(open_device(device)) {}

void IotlbSide::attach(const iotlb_bench_attach &cmd) const
{
	auto copy = cmd;

	if (const auto error = raw(fd_.get(), IOTLB_BENCH_ATTACH, &copy))
		throw Error(error, "IOTLB_BENCH_ATTACH");
}

void IotlbSide::attach(const Iotlb &iotlb)
{
	auto cmd = command<iotlb_bench_attach>();

	submit_fd_ = cmd.fd = iotlb.context().fd();
	iotlb_id_ = cmd.iotlb_id = iotlb.id().value;
	attach(cmd);
}

void IotlbSide::attach_table(std::uint32_t limit, bool retire)
{
	auto cmd = command<iotlb_bench_attach>();

	submit_fd_ = fd_.get();
	cmd.limit = limit;
	cmd.retire = retire;
	attach(cmd);
}

void IotlbSide::submit(std::span<const IotlbMessage> messages) const
{
	auto cmd = command<iommukit_iotlb_submit>();

	cmd.iotlb_id = iotlb_id_;
	cmd.count = static_cast<std::uint32_t>(messages.size());
	cmd.array = reinterpret_cast<std::uintptr_t>(messages.data());
	cmd.entry_size = sizeof(IotlbMessage);
	if (const auto error = raw(submit_fd_, IOMMUKIT_IOTLB_SUBMIT, &cmd))
		throw Error(error, "IOTLB_SUBMIT",
			    {.iova = Iova(messages[cmd.out_done].iova)});
}

void IotlbSide::submit_pieces(std::span<const IotlbMessage> messages) const
{
	for (std::size_t i = 0; i < messages.size(); i += piece)
		submit(messages.subspan(i, std::min(piece, messages.size() - i)));
}

void IotlbSide::fill(const IotlbPages &pages) const
{
	std::vector<IotlbMessage> messages;

	messages.reserve(piece);
	for (const auto page : pages.shuffled()) {
		messages.push_back(pages.update(page));
		if (messages.size() == piece) {
			submit(messages);
			messages.clear();
		}
	}
	submit_pieces(messages);
}

void IotlbSide::flush() const
{
	const auto message = iotlb_flush();

	submit({&message, 1});
}

iotlb_bench_run IotlbSide::run(const IotlbLoop &loop, std::uint32_t iterations,
			       std::uint64_t seed) const
{
	auto cmd = command<iotlb_bench_run>();

	cmd.op = loop.op;
	// In the middle of a page, as the addresses of devices are.
	cmd.iova = loop.pages.range(0).first.value + 0x400;
	cmd.stride = loop.pages.stride.value;
	cmd.seed = seed;
	cmd.keys = loop.pages.count;
	cmd.hot = loop.hot;
	cmd.length = 64;
	cmd.per_gate = loop.per_gate;
	cmd.iterations = iterations;
	cmd.threads = loop.threads;
	if (const auto error = raw(fd_.get(), IOTLB_BENCH_RUN, &cmd))
		throw Error(error, "IOTLB_BENCH_RUN");
	return cmd;
}

iotlb_bench_run IotlbSide::run(const IotlbLoop &loop, std::uint32_t iterations) const
{
	// Keys that were looked up a moment ago would still be in the processor's caches.
	static std::atomic<std::uint64_t> runs;

	return run(loop, iterations, mix(++runs));
}

double IotlbSide::time(const IotlbLoop &loop, std::uint32_t iterations) const
{
	const auto result = run(loop, iterations);

	if (result.out_missed)
		throw std::runtime_error(std::to_string(result.out_missed) +
					 " lookups found nothing");
	return static_cast<double>(result.out_ns);
}

void IotlbSide::stop() const
{
	if (const auto error = raw(fd_.get(), IOTLB_BENCH_STOP, nullptr))
		throw Error(error, "IOTLB_BENCH_STOP");
}

std::uint32_t IotlbSide::calibrate(IotlbLoop loop, double wanted_ns) const
{
	std::uint32_t n = 64;

	loop.threads = 1;
	for (double ns = time(loop, n); n < iterations_max; n *= 8) {
		ns = time(loop, n);
		if (ns > wanted_ns / 10) {
			const double wanted = n * wanted_ns / ns;

			return static_cast<std::uint32_t>(
				std::clamp(wanted, 64.0, iterations_max));
		}
	}
	return n;
}

OurIotlb::OurIotlb(const IotlbUse &use)
	: ioas_(context_), iotlb_(ioas_, use), side_(our_device)
{
	side_.attach(iotlb_);
}

VhostIotlb::VhostIotlb(std::uint32_t limit, bool retire) : side_(vhost_device)
{
	side_.attach_table(limit, retire);
}

IotlbPair::IotlbPair(const IotlbPages &pages)
	: pages_(pages), vhost_(pages.count),
	  ours_({.max_entries = pages.count, .evict = IOMMUKIT_IOTLB_EVICT_NONE})
{
	ours().fill(pages);
	vhost().fill(pages);
	check();
}

void IotlbPair::check() const
{
	constexpr std::uint32_t lookups = 10'000;
	constexpr std::uint64_t seed = 1;
	const IotlbLoop loop{.pages = pages_};
	const auto a = ours().run(loop, lookups, seed);
	const auto b = vhost().run(loop, lookups, seed);

	if (a.out_missed || b.out_missed || a.out_sum != b.out_sum)
		throw std::runtime_error("the two tables do not translate alike");
}

} // namespace bench
