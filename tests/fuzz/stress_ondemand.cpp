// SPDX-License-Identifier: GPL-2.0-only
#include "stress_ondemand.h"
#include "stress_calls.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace fuzz {

namespace {

constexpr std::uint64_t length = ShiftingMemory::pages * page_size;
constexpr std::uint64_t window_step = 1UL << 20;
constexpr std::uint64_t tag = 0x0deaUL << 48, foreign_tag = 0xf02eUL << 48;
constexpr std::uint64_t random_bits = 0x7fffffff;
constexpr std::uint64_t read_write =
	IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
constexpr std::size_t most_items = 6;

[[noreturn]] void fail(const char *what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

std::uint64_t address(const void *at)
{
	return reinterpret_cast<std::uint64_t>(at);
}

// Words that are all of an offset of their own.
iommukit::Fd make_words(const char *name, std::uint64_t with)
{
	iommukit::Fd file(memfd_create(name, MFD_CLOEXEC));
	std::vector<std::uint64_t> words(length / 8);

	for (std::size_t n = 0; n < words.size(); n++)
		words[n] = with | n << 31;
	if (!file ||
	    pwrite(file.get(), words.data(), length, 0) != static_cast<ssize_t>(length))
		fail("memfd");
	return file;
}

unsigned char *make_memory()
{
	void *at = mmap(nullptr, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	return static_cast<unsigned char *>(at);
}

} // namespace

ShiftingMemory::ShiftingMemory(int device)
	: ioas(make_ioas(device)), words(make_words("words", tag)),
	  foreign(make_words("foreign", foreign_tag)), base(make_memory())
{
}

ShiftingMemory::~ShiftingMemory()
{
	munmap(base, length);
}

std::uint64_t ShiftingMemory::iova(std::uint64_t window, std::uint64_t block)
{
	return IOMMUKIT_TEST_APERTURE_FIRST + window * window_step + block * block_length;
}

std::uint64_t ShiftingMemory::word(std::uint64_t iova, std::uint64_t random)
{
	return tag | iova % window_step / 8 << 31 | (random & random_bits);
}

bool ShiftingMemory::is_word(std::uint64_t value, std::uint64_t iova)
{
	return value == 0 || (value & ~random_bits) == word(iova, 0);
}

bool ShiftingMemory::intact() const
{
	if (mprotect(base, length, PROT_READ) < 0)
		fail("mprotect");
	for (std::uint64_t at = 0; at < length; at += 8) {
		std::uint64_t value;

		std::memcpy(&value, base + at, 8);
		if (!is_word(value, IOMMUKIT_TEST_APERTURE_FIRST + at))
			return false;
	}
	return true;
}

Shifter::Shifter(ShiftingMemory &m, Random &r, int device, Call c, Blame b)
	: memory(m), random(r), call(std::move(c)), blame(std::move(b)),
	  access(make_access(device, m.ioas))
{
	static_assert(length <= window_step);
	static_assert(IOMMUKIT_TEST_APERTURE_FIRST % window_step == 0);
}

void Shifter::demand(bool holds, const char *what) const
{
	if (!holds)
		blame(what);
}

std::uint64_t Shifter::pick_iova()
{
	return ShiftingMemory::iova(random.below(ShiftingMemory::windows),
				    random.below(ShiftingMemory::blocks));
}

void Shifter::map()
{
	auto cmd = iommukit::command<iommukit_ioas_map_ondemand>();
	const std::uint64_t block = random.below(ShiftingMemory::blocks);

	cmd.flags = read_write | IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	cmd.ioas_id = memory.ioas;
	cmd.fault_around = static_cast<std::uint32_t>(random.below(10));
	cmd.user_va = address(memory.block(block));
	cmd.length = ShiftingMemory::block_length;
	cmd.iova = ShiftingMemory::iova(random.below(ShiftingMemory::windows), block);
	call(Kind::map_ondemand, IOMMUKIT_IOAS_MAP_ONDEMAND, &cmd);
}

// To another window, where the same block has its place.
void Shifter::copy()
{
	auto cmd = iommukit::command<iommukit_ioas_copy>();
	const std::uint64_t block = random.below(ShiftingMemory::blocks);
	const std::uint64_t from = random.below(ShiftingMemory::windows);

	cmd.flags = read_write | IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	cmd.src_ioas_id = cmd.dst_ioas_id = memory.ioas;
	cmd.src_iova = ShiftingMemory::iova(from, block);
	cmd.dst_iova = ShiftingMemory::iova((from + 1) % ShiftingMemory::windows, block);
	cmd.length = ShiftingMemory::block_length;
	call(Kind::copy, IOMMUKIT_IOAS_COPY, &cmd);
}

void Shifter::unmap()
{
	auto cmd = iommukit::command<iommukit_ioas_unmap>();

	cmd.ioas_id = memory.ioas;
	cmd.iova = pick_iova();
	cmd.length = ShiftingMemory::block_length;
	if (call(Kind::unmap, IOMMUKIT_IOAS_UNMAP, &cmd) == 0)
		demand(cmd.length == ShiftingMemory::block_length,
		       "an area was not unmapped whole");
}

void Shifter::prefetch()
{
	auto cmd = iommukit::command<iommukit_ioas_prefetch>();
	const std::uint64_t wanted = 1 + random.below(2 * ShiftingMemory::block_pages);

	cmd.flags = static_cast<std::uint32_t>(random.below(4));
	cmd.ioas_id = memory.ioas;
	cmd.iova = pick_iova();
	cmd.length = wanted * page_size;
	if (call(Kind::prefetch, IOMMUKIT_IOAS_PREFETCH, &cmd) == 0)
		demand(cmd.out_pages >= 1 && cmd.out_pages <= wanted,
		       "other pages were found than were to be");
}

// Counters change meanwhile; what is there is limited, though.
void Shifter::query()
{
	auto cmd = iommukit::command<iommukit_ondemand_query>();
	const bool sum = random.one_in(4);
	const std::uint64_t most =
		ShiftingMemory::windows *
		(sum ? ShiftingMemory::pages : ShiftingMemory::block_pages);

	cmd.flags = random.one_in(4);
	cmd.ioas_id = memory.ioas;
	cmd.iova = sum ? IOMMUKIT_ONDEMAND_QUERY_SUM : pick_iova();
	if (call(Kind::ondemand_query, IOMMUKIT_ONDEMAND_QUERY, &cmd))
		return;
	demand(cmd.out_state == 0, "a mapping is dead, its process is not");
	demand(cmd.out_present_pages <= most && cmd.out_pins_live <= most,
	       "there are more pages than the mapping has");
	demand(cmd.out_quarantined_pages == 0 && cmd.out_hw_maps == 0,
	       "something is in a page table of no device");
}

void Shifter::read_or_write()
{
	const std::uint64_t room = ShiftingMemory::block_length / 8;
	const std::uint64_t first = random.below(room);
	const std::uint64_t number =
		1 + random.below(random.one_in(4) ? std::min(room - first, buffer.size())
						  : 1);
	const std::uint64_t iova = pick_iova() + first * 8;
	const bool write = random.one_in(2);
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_RW, access.get());

	cmd.access_rw.iova = iova;
	cmd.access_rw.length = number * 8;
	cmd.access_rw.uptr = address(buffer.data());
	cmd.access_rw.flags = random.one_in(3) ? 0 : IOMMUKIT_TEST_ACCESS_RW_SLOW_PATH;
	if (write)
		cmd.access_rw.flags |= IOMMUKIT_TEST_ACCESS_RW_WRITE;
	for (std::uint64_t n = 0; write && n < number; n++)
		buffer[n] = ShiftingMemory::word(iova + n * 8, random.next());
	if (call(write ? Kind::write : Kind::read, IOMMUKIT_TEST_CMD, &cmd) || write)
		return;
	for (std::uint64_t n = 0; n < number; n++)
		demand(ShiftingMemory::is_word(buffer[n], iova + n * 8),
		       "read on demand what was never at that address");
}

void Shifter::pin()
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, access.get());
	const std::uint64_t skip = random.below(ShiftingMemory::block_pages);

	if (items.size() >= most_items)
		return unpin();
	cmd.access_pages.flags = random.one_in(2);
	cmd.access_pages.iova = pick_iova() + skip * page_size;
	cmd.access_pages.length =
		(1 + random.below(ShiftingMemory::block_pages)) * page_size;
	if (call(Kind::pin, IOMMUKIT_TEST_CMD, &cmd) == 0)
		items.push_back(cmd.access_pages.out_access_pages_id);
}

// Somebody may have unmapped it.
void Shifter::unpin()
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES, access.get());

	if (items.empty())
		return pin();
	cmd.destroy_access_pages.access_pages_id = items.back();
	items.pop_back();
	call(Kind::unpin, IOMMUKIT_TEST_CMD, &cmd);
}

// Private memory stays private, as children write to it.
void Shifter::change()
{
	const std::uint64_t first = random.below(ShiftingMemory::pages);
	const std::uint64_t number =
		1 +
		random.below(std::min<std::uint64_t>(6, ShiftingMemory::pages - first));
	const bool is_private = first < ShiftingMemory::pages / 2;
	unsigned char *const at = memory.block(0) + first * page_size;
	constexpr int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				       PROT_READ | PROT_WRITE};
	constexpr int advice[] = {MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT};
	const std::uint64_t most = ShiftingMemory::pages / 2 - first;
	const std::uint64_t bytes =
		(is_private ? std::min(number, most) : number) * page_size;

	switch (random.below(4)) {
	case 0:
		mprotect(at, bytes, random.of(protections));
		return;
	case 1:
		madvise(at, bytes, random.of(advice));
		return;
	case 2:
		if (is_private || random.one_in(2)) {
			mmap(at, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			     0);
			return;
		}
		[[fallthrough]];
	default:
		mmap(at, bytes, PROT_READ | PROT_WRITE,
		     (is_private ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED,
		     memory.words.get(), static_cast<off_t>(first * page_size));
	}
}

// By a call, since the memory may be gone.
void Shifter::poke()
{
	const std::uint64_t at = random.below(length / 8) * 8;
	const std::uint64_t bytes = 8 + random.below(8) * 8;

	if (pread(memory.words.get(), memory.block(0) + at, std::min(bytes, length - at),
		  static_cast<off_t>(at)) < 0)
		demand(errno == EFAULT, "a page cannot be written");
}

// Of the memory that is private, the child writes to its own copy. Descriptors are
// shared: one in a table of its own would outlive its end in another thread.
void Shifter::fork()
{
	const pid_t child =
		static_cast<pid_t>(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));

	if (child < 0)
		fail("clone");
	if (child == 0) {
		for (std::uint64_t at = 0; at < length / 2; at += page_size)
			if (pread(memory.foreign.get(), memory.block(0) + at, page_size,
				  static_cast<off_t>(at)) < 0)
				continue;
		_exit(0);
	}
	if (waitpid(child, nullptr, 0) != child)
		fail("waitpid");
}

// That cannot wait for pages, so it gets in only while nothing is on demand.
void Shifter::device()
{
	auto cmd =
		test_command(IOMMUKIT_TEST_OP_MOCK_DOMAIN, static_cast<int>(memory.ioas));
	auto gone = iommukit::command<iommukit_destroy>();

	if (call(Kind::mock, IOMMUKIT_TEST_CMD, &cmd))
		return;
	gone.id = cmd.mock_domain.out_stdev_id;
	demand(call(Kind::destroy, IOMMUKIT_DESTROY, &gone) == 0,
	       "a device could not be taken away");
}

void Shifter::step()
{
	const std::uint64_t what = random.below(400);

	if (what < 50)
		map();
	else if (what < 65)
		copy();
	else if (what < 95)
		unmap();
	else if (what < 140)
		prefetch();
	else if (what < 155)
		query();
	else if (what < 285)
		read_or_write();
	else if (what < 315)
		pin();
	else if (what < 335)
		unpin();
	else if (what < 365)
		change();
	else if (what < 397)
		poke();
	else if (what < 399)
		device();
	else if (random.one_in(4))
		fork();
}

} // namespace fuzz
