// SPDX-License-Identifier: GPL-2.0-only
#include "bitmap.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <fstream>

namespace guest {

namespace {

constexpr std::uint8_t around = 0xa5;

/* Pages that are pinned now, of all the system. */
std::int64_t pinned_now()
{
	std::int64_t pinned = 0, value;
	std::string name;

	/* What each processor counts for itself is added. */
	std::ofstream("/proc/sys/vm/stat_refresh") << 1 << std::flush;
	std::ifstream file("/proc/vmstat");
	while (file >> name >> value) {
		if (name == "nr_foll_pin_acquired")
			pinned += value;
		else if (name == "nr_foll_pin_released")
			pinned -= value;
	}
	return pinned;
}

} // namespace

std::ostream &operator<<(std::ostream &out, const IovaRange &range)
{
	return out << std::hex << "(0x" << range.iova << ", 0x" << range.length << ")"
		   << std::dec;
}

unsigned int BitmapGeometry::shift() const
{
	return static_cast<unsigned int>(std::countr_zero(page_size));
}

BitmapMemory::BitmapMemory(std::uint64_t at, std::uint64_t size, bool mapped_behind,
			   Memory::Kind kind)
	: memory((at + size + page_size - 1) / page_size * page_size + 2 * page_size,
		 kind),
	  offset(at), nbytes(size)
{
	std::memset(memory.data(), around, memory.size());
	clear();
	if (!mapped_behind)
		memory.unmap(memory.size() - page_size, page_size);
}

void BitmapMemory::clear() const
{
	std::memset(bytes(), 0, nbytes);
}

void BitmapMemory::protect(std::uint64_t n, int protection) const
{
	REQUIRE(mprotect(page(n), page_size, protection) == 0);
}

void BitmapMemory::check(const std::vector<std::uint8_t> &expected) const
{
	const auto *first = reinterpret_cast<std::uint8_t *>(memory.data());
	const std::uint8_t *end = first + (npages() + 1) * page_size;
	const auto foreign = [](std::uint8_t byte) { return byte != around; };
	const auto before =
		std::find_if(first, static_cast<const std::uint8_t *>(bytes()), foreign);
	const auto behind =
		std::find_if(bytes() + nbytes, const_cast<std::uint8_t *>(end), foreign);
	const auto differ =
		std::mismatch(expected.begin(), expected.end(), bytes()).first;

	REQUIRE(expected.size() == nbytes);
	CHECK(bytes() - before == 0);
	CHECK(end - behind == 0);
	if (differ == expected.end())
		return;
	const auto at = differ - expected.begin();
	INFO("byte " << at << " of " << nbytes);
	CHECK(int(bytes()[at]) == int(*differ));
}

BitmapScript::BitmapScript(const BitmapGeometry &geometry, std::uint64_t data,
			   std::uint32_t flags, std::uint32_t window_pages)
{
	cmd.iova = geometry.iova;
	cmd.length = geometry.length;
	cmd.page_size = geometry.page_size;
	cmd.data = data;
	cmd.flags = flags;
	cmd.window_pages = window_pages;
	if (flags & bitmap_kbuf)
		cmd.kbuf_bytes = (geometry.nbytes() + 7) / 8 * 8;
}

BitmapStep bitmap_step(std::uint32_t what, std::uint32_t when)
{
	BitmapStep step{};

	step.what = what;
	step.when = when;
	return step;
}

BitmapMeeting::BitmapMeeting(std::function<void()> what)
	: thread([this, what = std::move(what)](const std::stop_token &stop) {
		  while (state != 1 && !stop.stop_requested())
			  std::this_thread::yield();
		  if (state != 1)
			  return;
		  what();
		  state = 2;
	  })
{
}

BitmapStep BitmapMeeting::step(std::uint32_t when)
{
	BitmapStep step = bitmap_step(IOMMUKIT_TEST_BITMAP_MEET, when);

	step.uptr = reinterpret_cast<std::uint64_t>(&state);
	return step;
}

BitmapScript &BitmapScript::add(const BitmapStep &step)
{
	steps.push_back(step);
	return *this;
}

BitmapScript &BitmapScript::set(std::uint64_t iova, std::uint64_t length,
				std::uint32_t when)
{
	return series({iova, length}, 0, 1, when);
}

BitmapScript &BitmapScript::series(const IovaRange &first, std::uint64_t stride,
				   std::uint32_t count, std::uint32_t when,
				   std::uint32_t what)
{
	BitmapStep step = bitmap_step(what, when);

	step.iova = first.iova;
	step.length = first.length;
	step.stride = stride;
	step.count = count;
	return add(step);
}

Errno BitmapScript::attempt(const Context &context, BitmapRun *run)
{
	std::vector<iommukit_test_bitmap_call> calls(16);
	auto test = test_command(IOMMUKIT_TEST_OP_BITMAP);

	cmd.steps = reinterpret_cast<std::uint64_t>(steps.data());
	cmd.nsteps = static_cast<std::uint32_t>(steps.size());
	cmd.calls = reinterpret_cast<std::uint64_t>(calls.data());
	cmd.ncalls = static_cast<std::uint32_t>(calls.size());
	cmd.out_ncalls = 0;
	test.bitmap.uptr = reinterpret_cast<std::uint64_t>(&cmd);
	const Errno error = test_call(context, test);
	if (error != ok)
		return error;

	*run = {cmd.out_result,
		cmd.out_error,
		cmd.out_windows,
		cmd.out_pages,
		cmd.out_clipped,
		{},
		{},
		{}};
	calls.resize(std::min<std::size_t>(calls.size(), cmd.out_ncalls));
	for (const auto &call : calls)
		(call.undelivered ? run->undelivered : run->calls)
			.push_back({call.iova, call.length});
	for (const BitmapStep &step : steps)
		run->steps.push_back(step.out_result);
	return ok;
}

BitmapRun BitmapScript::run(const Context &context)
{
	BitmapRun run;

	REQUIRE(attempt(context, &run) == ok);
	return run;
}

bool has_bit(const std::vector<std::uint8_t> &bytes, std::uint64_t k)
{
	return bytes[k / 8] >> (k % 8) & 1;
}

void add_bits(std::vector<std::uint8_t> &bytes, std::uint64_t first, std::uint64_t last)
{
	for (std::uint64_t k = first; k <= last; k++)
		bytes[k / 8] = static_cast<std::uint8_t>(bytes[k / 8] | 1 << k % 8);
}

NothingPinned::NothingPinned() : before(pinned_now()) {}

NothingPinned::~NothingPinned()
{
	if (std::uncaught_exceptions() > 0)
		return;
	CHECK(wait_until([&] { return pinned_now() == before; }));
}

} // namespace guest
