// SPDX-License-Identifier: GPL-2.0-only
/*
 * One thread does all that can be done to memory, in random order, while others read
 * and write it by IOVA. From time to time they rest, and what the IOVA shows is
 * compared with what the processor sees.
 *
 * IOMMUKIT_STRESS_SECONDS: how long, 5 if it is not set. The seed is printed, and set
 * by --rng-seed.
 */
#include "mm_tools.h"
#include "ondemand.h"
#include "threads.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
/* Anonymous memory, of which the second half may be of large pages, and a file. */
constexpr std::uint64_t anonymous_pages = 2 * huge_size / page_size;
constexpr std::uint64_t file_pages = 64;
constexpr std::uint64_t pages = anonymous_pages + file_pages;
constexpr std::uint64_t words_per_page = 8;
constexpr std::uint64_t step = page_size / words_per_page;

/* Whatever is in a page was meant for it, or is 0. */
constexpr std::uint64_t mark = 0x57e5UL << 48;

constexpr std::uint64_t word(std::uint64_t page, std::uint64_t random)
{
	return mark | page << 32 | (random & 0xffffffff);
}

constexpr bool fits(std::uint64_t found, std::uint64_t page)
{
	return found == 0 || found >> 32 == (mark | page << 32) >> 32;
}

unsigned int duration()
{
	const char *seconds = std::getenv("IOMMUKIT_STRESS_SECONDS");

	return seconds ? std::max(1, std::atoi(seconds)) : 5;
}

class Stress {
    public:
	Stress()
		: ioas(context.ioas()), itself(context, ioas, Who::owner_slow),
		  direct(context, ioas, Who::owner), other(context, ioas, Who::other),
		  file(memfd_create("stress", MFD_CLOEXEC))
	{
		copies_use_page_table();
		/* Large memory for the allocator would be at places that we free. */
		mallopt(M_MMAP_MAX, 0);
		mallopt(M_ARENA_MAX, 1);
		reserve();
		REQUIRE(ftruncate(file.get(), file_pages * page_size) == 0);
		renew(0, anonymous_pages);
		renew_file();
		map();
		if (lacks_ksm().empty())
			ksm.emplace();
		if (lacks_userfault().empty())
			start_monitor();
		lacks_swap();
	}
	~Stress() { munmap(base, 2 * pages * page_size); }

	void use(const Device &device, unsigned int number)
	{
		std::mt19937_64 random(seed() + number);

		while (!over) {
			const std::uint64_t page = random() % pages;
			const auto place = iova + page * page_size +
					   random() % words_per_page * step;
			std::uint64_t value = 0;
			Errno error = device.read(place, &value, sizeof(value));

			pause.rest_if_wanted();
			verdict.expect("read", error, {0, EFAULT, ENOENT});
			if (error == ok) {
				verdict.expect("foreign data", fits(value, page));
				reads++;
			}
			value = word(page, random());
			error = device.write(place, &value, sizeof(value));
			verdict.expect("write", error, {0, EFAULT, ENOENT});
			writes += error == ok;
			pause.rest_if_wanted();
		}
	}

	void change();
	void compare();

	Context context;
	std::uint32_t ioas;
	/* The last of them is forked before there is anything to share. */
	Device itself, direct, other;
	Pause pause;
	std::atomic<bool> over = false;
	std::atomic<std::uint64_t> reads = 0, writes = 0;
	std::uint64_t changes = 0, compared = 0, equal = 0;
	Verdict verdict;

    private:
	std::byte *at(std::uint64_t page) const { return base + page * page_size; }
	/* Where to move things to and from: never where the kernel likes. */
	std::byte *scratch() const { return at(pages); }
	void reserve();
	void map();
	void renew(std::uint64_t first, std::uint64_t number);
	void renew_file();
	void start_monitor();
	void put(std::uint64_t first, std::uint64_t number);
	void move_away(std::uint64_t first, std::uint64_t number);
	void move_here(std::uint64_t first, std::uint64_t number);
	void advise(std::uint64_t first, std::uint64_t number);
	void fork_one(std::uint64_t first, std::uint64_t number);
	void move_pages(std::uint64_t first, std::uint64_t number);
	void change_file();
	void watch(std::uint64_t first, std::uint64_t number);
	void map_again();
	bool cpu_read(std::uint64_t page, std::byte *to) const;

	std::mt19937_64 random{seed()};
	std::byte *base = nullptr;
	Fd file;
	std::optional<Ksm> ksm;
	std::optional<Userfault> faults;
};

void Stress::reserve()
{
	void *room = mmap(nullptr, 2 * pages * page_size + huge_size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	REQUIRE(room != MAP_FAILED);
	const auto address = reinterpret_cast<std::uint64_t>(room);
	base = reinterpret_cast<std::byte *>((address + huge_size - 1) &
					     ~(huge_size - 1));
}

void Stress::map()
{
	const auto va = reinterpret_cast<std::uint64_t>(base);
	const std::uint32_t around[] = {around_default, 0, 9};

	verdict.expect("map",
		       try_map_ondemand(context, ioas, va, pages * page_size, iova,
					map_rw_fixed, around[random() % 3]),
		       {0});
}

void Stress::map_again()
{
	verdict.expect("unmap", context.try_unmap(ioas, iova, pages * page_size), {0});
	map();
}

void Stress::renew(std::uint64_t first, std::uint64_t number)
{
	mmap(at(first), number * page_size, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

void Stress::renew_file()
{
	const int kind = random() % 4 ? MAP_SHARED : MAP_PRIVATE;

	mmap(at(anonymous_pages), file_pages * page_size, PROT_READ | PROT_WRITE,
	     kind | MAP_FIXED, file.get(), 0);
}

/* Words of their page for whoever touches what is not there. */
void Stress::start_monitor()
{
	const bool protects = lacks_userfault(UFFD_FEATURE_PAGEFAULT_FLAG_WP).empty();

	faults.emplace(protects ? UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0);
	faults->serve([this](std::uint64_t place) {
		const std::uint64_t page =
			(place - reinterpret_cast<std::uint64_t>(base)) / page_size;
		std::uint64_t content[page_size / 8] = {};

		for (std::uint64_t n = 0; n < words_per_page; n++)
			content[n * step / 8] = word(page, n);
		/* It may be there already, but protected. */
		if (faults->try_copy(place, content, page_size) == ok)
			return;
		faults->try_protect(place, page_size, false);
		faults->wake(place, page_size);
	});
}

/* As a processor would, without the signal for what cannot be written. */
void Stress::put(std::uint64_t first, std::uint64_t number)
{
	for (std::uint64_t page = first; page < first + number; page++) {
		std::uint64_t value = word(page, random());
		const iovec from{&value, sizeof(value)};
		const iovec to{at(page) + random() % words_per_page * step,
			       sizeof(value)};

		(void)!process_vm_writev(getpid(), &from, 1, &to, 1, 0);
	}
}

void Stress::move_away(std::uint64_t first, std::uint64_t number)
{
	const std::uint64_t bytes = number * page_size;

	mremap(at(first), bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, scratch());
	mmap(scratch(), bytes, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void Stress::move_here(std::uint64_t first, std::uint64_t number)
{
	const std::uint64_t bytes = number * page_size;
	std::byte *made = scratch();

	if (mmap(made, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != made)
		return;
	for (std::uint64_t n = 0; n < number; n++) {
		const std::uint64_t value = word(first + n, random());

		std::memcpy(made + n * page_size, &value, sizeof(value));
	}
	mremap(made, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at(first));
	mmap(made, bytes, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void Stress::advise(std::uint64_t first, std::uint64_t number)
{
	const int kinds[] = {
		MADV_DONTNEED,	    MADV_DONTNEED,	 MADV_FREE,	  MADV_FREE,
		MADV_COLD,	    MADV_PAGEOUT,	 MADV_PAGEOUT,	  MADV_MERGEABLE,
		MADV_UNMERGEABLE,   MADV_HUGEPAGE,	 MADV_NOHUGEPAGE, MADV_WILLNEED,
		MADV_DONTFORK,	    MADV_DOFORK,	 MADV_WIPEONFORK, MADV_KEEPONFORK,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_REMOVE,	  MADV_SEQUENTIAL,
		MADV_RANDOM,
	};

	madvise(at(first), number * page_size, kinds[random() % std::size(kinds)]);
}

/* The child's own words must never be seen by IOVA. */
void Stress::fork_one(std::uint64_t first, std::uint64_t number)
{
	const pid_t child = fork();

	if (child < 0)
		return;
	if (child == 0) {
		const std::uint64_t poison = ~0UL;
		const iovec from{const_cast<std::uint64_t *>(&poison), sizeof(poison)};

		/* The pages of the file are everybody's. */
		for (std::uint64_t page = first;
		     page < std::min(first + number, anonymous_pages); page++) {
			const iovec to{at(page), sizeof(poison)};

			(void)!process_vm_writev(getpid(), &from, 1, &to, 1, 0);
		}
		_exit(0);
	}
	if (random() % 2)
		put(first, number);
	waitpid(child, nullptr, 0);
}

void Stress::move_pages(std::uint64_t first, std::uint64_t number)
{
	void *where[64];
	int nodes[64] = {}, status[64];
	const auto count = std::min<std::uint64_t>(number, 64);

	for (std::uint64_t n = 0; n < count; n++)
		where[n] = at(first + n);
	syscall(SYS_move_pages, 0, count, where, nodes, status, 2);
	if (random() % 16 == 0)
		write_text("/proc/sys/vm/compact_memory", "1");
}

void Stress::change_file()
{
	const auto half = static_cast<off_t>(file_pages / 2 * page_size);

	switch (random() % 5) {
	case 0:
		(void)!ftruncate(file.get(),
				 static_cast<off_t>(random() % file_pages * page_size));
		break;
	case 1:
	case 2:
		(void)!ftruncate(file.get(), 2 * half);
		break;
	case 3:
		(void)!fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 static_cast<off_t>(random() % file_pages * page_size),
				 4 * page_size);
		break;
	default:
		renew_file();
	}
}

/* Whether it can be watched depends on what it is by now. */
void Stress::watch(std::uint64_t first, std::uint64_t number)
{
	if (!faults)
		return;
	const auto va = reinterpret_cast<std::uint64_t>(at(first));
	const std::uint64_t bytes = number * page_size;
	uffdio_register registration{};
	uffdio_range range{va, bytes};

	registration.range = range;
	registration.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
	if (ioctl(faults->fd(), UFFDIO_REGISTER, &registration) == 0) {
		faults->try_protect(va, bytes, true);
		for (unsigned int n = 0; n < 4; n++)
			put(first, number);
		if (random() % 2)
			madvise(at(first), bytes, MADV_DONTNEED);
	}
	ioctl(faults->fd(), UFFDIO_UNREGISTER, &range);
}

void Stress::change()
{
	const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				   PROT_READ | PROT_WRITE};
	const std::uint64_t first = random() % pages;
	const std::uint64_t most = std::min<std::uint64_t>(
		random() % 8 ? 16 : pages,
		(first < anonymous_pages ? anonymous_pages : pages) - first);
	const std::uint64_t number = 1 + random() % most;
	const bool is_file = first >= anonymous_pages;

	changes++;
	switch (random() % 16) {
	case 0:
		if (!is_file)
			renew(first, number);
		break;
	case 1:
		munmap(at(first), number * page_size);
		break;
	case 2:
		move_away(first, number);
		break;
	case 3:
		if (!is_file)
			move_here(first, number);
		break;
	case 4:
	case 5:
		mprotect(at(first), number * page_size, protections[random() % 4]);
		break;
	case 6:
	case 7:
		advise(first, number);
		break;
	case 8:
		fork_one(first, number);
		break;
	case 9:
		move_pages(first, number);
		break;
	case 10:
		change_file();
		break;
	case 11:
		if (!is_file)
			watch(first, number);
		break;
	case 12:
		madvise(at(first / 512 % 2 * 512), huge_size, MADV_HUGEPAGE);
		madvise(at(first / 512 % 2 * 512), huge_size, MADV_COLLAPSE);
		break;
	case 13:
		try_prefetch(context, ioas, iova + first * page_size, number * page_size,
			     static_cast<std::uint32_t>(random() % 4));
		break;
	case 14:
		if (random() % 4 == 0)
			map_again();
		break;
	default:
		put(first, number);
	}
	/* Or ever less of it would be there. */
	if (changes % 64 == 0) {
		renew(random() % 2 * anonymous_pages / 2, anonymous_pages / 2);
		change_file();
	}
}

bool Stress::cpu_read(std::uint64_t page, std::byte *to) const
{
	const iovec local{to, page_size}, remote{at(page), page_size};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) ==
	       static_cast<ssize_t>(page_size);
}

/* Twice by the processor: what was freed may go in between. */
void Stress::compare()
{
	std::byte first[page_size], second[page_size], shown[page_size];

	for (const Device *device : {&itself, &direct, &other})
		for (unsigned int n = 0; n < 64; n++) {
			const std::uint64_t page = random() % pages;
			const bool readable = cpu_read(page, first);
			const Errno error =
				device->read(iova + page * page_size, shown, page_size);

			compared++;
			if (!readable && device == &direct && !copies_use_page_table())
				continue;
			verdict.expect("read of what the processor can read",
				       error == (readable ? ok : Errno{EFAULT}));
			if (!readable || error != ok || !cpu_read(page, second))
				continue;
			equal++;
			verdict.expect("what the processor reads",
				       !std::memcmp(shown, first, page_size) ||
					       !std::memcmp(shown, second, page_size));
		}
}

} // namespace

TEST_CASE("memory that everything is done to")
{
	Stress stress;
	const auto end =
		std::chrono::steady_clock::now() + std::chrono::seconds(duration());

	{
		std::jthread threads[] = {
			std::jthread([&] { stress.use(stress.itself, 1); }),
			std::jthread([&] { stress.use(stress.direct, 2); }),
			std::jthread([&] { stress.use(stress.other, 3); }),
		};

		while (std::chrono::steady_clock::now() < end) {
			for (unsigned int n = 0; n < 40; n++)
				stress.change();
			stress.pause.begin(std::size(threads));
			stress.compare();
			stress.pause.end();
		}
		stress.over = true;
	}
	const Stats stats = query(stress.context, stress.ioas);
	std::cout << "# " << duration() << " s: " << stress.changes << " changes, "
		  << stress.reads << " reads, " << stress.writes << " writes, "
		  << stress.compared << " comparisons, of which " << stress.equal
		  << " of data; since the last map: " << stats.out_invalidations
		  << " invalidations, " << stats.out_zapped_pages << " pages zapped, "
		  << stats.out_retries << " retries" << std::endl;
	stress.verdict.check();
	CHECK(stress.changes > 0);
	CHECK(stress.reads > 0);
	CHECK(stress.writes > 0);
	CHECK(stress.equal > 0);
}
