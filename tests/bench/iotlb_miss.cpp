// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_miss.h"

#include "pinned.h"

#include <future>
#include <latch>
#include <stdexcept>

namespace bench {

using namespace iommukit;

namespace {

constexpr std::uint32_t misses_per_slice = 200;
constexpr std::uint32_t ring_entries = 256;
// More than it takes to answer.
constexpr std::uint32_t spin_us = 200;
// Readers begin with the first one.
constexpr unsigned reader_processor = 0;
constexpr unsigned other_processor = 1;

const IotlbPages pages{.count = misses_per_slice};

void relax()
{
	__builtin_ia32_pause();
}

} // namespace

MissWorld::MissWorld(Way way)
	: iotlb_(std::in_place, IotlbUse{.spin_us = way == Way::ring ? spin_us : 0}),
	  channel_(iotlb_->take_channel())
{
	if (way == Way::ring)
		need_two_processors();
	ring_ = channel_.configure({.features = IOMMUKIT_IOTLB_CHAN_EPOCH,
				    .ring_entries = way == Way::ring ? ring_entries : 0});
	if (ring_)
		ring_->disarm();
}

MissWorld::~MissWorld() = default;

std::size_t MissWorld::fetch(std::span<IotlbMessage> to)
{
	std::size_t count = 0;

	if (!ring_) {
		if (const auto error = channel_.try_read(to, count))
			throw Error(error, "read of the channel");
		return count;
	}
	while (!(count = ring_->take(to)) && !give_up_.load(std::memory_order_relaxed))
		relax();
	return count;
}

void MissWorld::answer(const IotlbMessage &miss) const
{
	constexpr std::uint64_t page = 4096;
	const Iova first(miss.iova & ~(page - 1));
	auto update = iotlb_update({{first, first + Bytes(page - 1)}, first.value});
	std::size_t count;

	update.cookie = miss.cookie;
	update.epoch = miss.epoch;
	if (const auto error = channel_.try_write({&update, 1}, count))
		throw Error(error, "write to the channel", {.iova = first});
}

void MissWorld::serve(std::uint32_t misses, std::latch &ready)
{
	const Pinned pinned(ring_ ? other_processor : reader_processor);
	IotlbMessage message;

	ready.count_down();
	while (misses && fetch({&message, 1})) {
		if (message.op != IOMMUKIT_IOTLB_OP_MISS)
			continue;
		answer(message);
		misses--;
	}
}

double MissWorld::run_reader()
{
	try {
		return iotlb_->side().time({.op = IOTLB_BENCH_OP_MISS, .pages = pages},
					   misses_per_slice);
	} catch (...) {
		// The server may wait for what nobody is going to ask.
		give_up_ = true;
		iotlb_.reset();
		throw;
	}
}

Slice MissWorld::slice()
{
	std::latch ready(1);
	auto server =
		std::async(std::launch::async, [&] { serve(misses_per_slice, ready); });

	ready.wait();
	const double ns = run_reader();

	server.get();
	iotlb_->side().flush();
	return {ns, ns / misses_per_slice};
}

namespace {

struct Pipe {
	Fd in, out;

	Pipe()
	{
		int ends[2];

		if (::pipe(ends))
			throw Error(last_error(), "pipe");
		in.reset(ends[0]);
		out.reset(ends[1]);
	}
};

void pass(const Fd &from, const Fd &to)
{
	char byte;

	if (::read(from.get(), &byte, 1) != 1 || ::write(to.get(), &byte, 1) != 1)
		throw std::runtime_error("a pipe does not work");
}

} // namespace

Slice slice_of_pipes()
{
	const Pinned pinned(reader_processor);
	const Pipe there, back;
	auto echo = std::async(std::launch::async, [&] {
		const Pinned same(reader_processor);

		for (std::uint32_t i = 0; i < misses_per_slice; i++)
			pass(there.in, back.out);
	});
	const double ns = 1e9 * seconds([&] {
				  if (::write(there.out.get(), "", 1) != 1)
					  throw std::runtime_error("no pipe");
				  for (std::uint32_t i = 1; i < misses_per_slice; i++)
					  pass(back.in, there.out);
				  char byte;
				  if (::read(back.in.get(), &byte, 1) != 1)
					  throw std::runtime_error("no pipe");
			  });

	echo.get();
	return {ns, ns / misses_per_slice};
}

} // namespace bench
