// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the owner's memory management does, and what the IOVA shows afterwards: one
 * table. Operations that end a process: test_ondemand_process.cpp; those that need
 * pressure or several parties: test_ondemand_reclaim.cpp, test_ondemand_userfault.cpp.
 */
#include "mm_region.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <set>
#include <thread>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

using namespace guest;

namespace {

constexpr std::uint64_t pages = Region::pages;

/* What is there afterwards. */
struct Shows {
	Errno read;
	/* Of the content, if it can be read */
	unsigned int salt;
	Errno write;
};
constexpr unsigned int zero = 0, either = 99;
const Shows old{ok, 1, ok};
const Shows fresh{ok, 2, ok};
const Shows zeros{ok, zero, ok};
const Shows gone{Errno{EFAULT}, 0, Errno{EFAULT}};
const Shows read_only{ok, 1, Errno{EFAULT}};

struct Place {
	std::uint64_t offset;
	Shows shows;
};

constexpr std::uint64_t everywhere = all_ones;

struct Row {
	const char *name;
	Kind kind;
	std::function<void(Region &)> operation;
	std::vector<Place> places;
	/* Looks at what else there is to see. */
	std::function<void(Region &)> after = {};
	std::function<std::string()> lacks = {};
	/* Plain copies of the kernel do as processes only if they use the page table. */
	bool by_page_table = false;
};

/* ---- operations ---- */

void change_by_thread(Region &r)
{
	std::thread([&] { r.memory->fill(2); }).join();
}

void write_untouched(Region &r)
{
	r.advise(MADV_DONTNEED);
	CHECK(r.world.shows_zeros(0, r.length));
	r.memory->fill(2);
}

void unmap_and_map(Region &r)
{
	REQUIRE(munmap(r.at(0), r.length) == 0);
	CHECK(r.world.touch(0) == Errno{EFAULT});
	r.replace(2);
}

void move_away(Region &r)
{
	void *room =
		mmap(nullptr, r.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(room != MAP_FAILED);
	REQUIRE(mremap(r.at(0), r.length, r.length, MREMAP_MAYMOVE | MREMAP_FIXED,
		       room) == room);
	REQUIRE(munmap(room, r.length) == 0);
}

void move_here(Region &r)
{
	const Memory other(r.length, Memory::Kind::private_anonymous);

	other.fill(2);
	REQUIRE(mremap(other.data(), r.length, r.length, MREMAP_MAYMOVE | MREMAP_FIXED,
		       r.at(0)) == r.at(0));
}

void dirty_private_copy(Region &r)
{
	r.memory->fill(2);
	CHECK(r.world.shows(2, 0, r.length));
	r.advise(MADV_DONTNEED);
}

void free_and_write(Region &r)
{
	const auto data = pattern_of(2, 0, r.length);

	r.advise(MADV_FREE);
	/* The entry is writable, and nobody but us knows of this write. */
	REQUIRE(r.world.write(0, data.data(), r.length) == ok);
	r.advise(MADV_FREE);
	REQUIRE(r.world.write(0, data.data(), r.length) == ok);
	r.advise(MADV_PAGEOUT);
}

void page_out(Region &r)
{
	CHECK(swap_out(r.at(0), r.length));
}

void protect_forth_and_back(Region &r)
{
	r.memory->protect(PROT_NONE);
	CHECK(r.world.touch(0) == Errno{EFAULT});
	r.memory->protect(PROT_READ);
	CHECK(r.world.touch(0) == ok);
	CHECK(r.world.put(0, std::byte(7)) == Errno{EFAULT});
	r.memory->protect(PROT_READ | PROT_WRITE);
}

void merge(Region &r)
{
	r.elsewhere = std::make_unique<Memory>(r.length, Memory::Kind::private_anonymous);
	r.elsewhere->fill(1);
	r.ksm = std::make_unique<Ksm>();
	r.advise(MADV_MERGEABLE);
	REQUIRE(madvise(r.elsewhere->data(), r.length, MADV_MERGEABLE) == 0);
	CHECK(wait_until([] { return Ksm::sharing() >= pages; }));
}

void look_at_merged(Region &r)
{
	const auto content = pattern_of(1, 0, r.length);

	/* What was written by IOVA has not gone to the other that shared it. */
	CHECK(std::memcmp(r.elsewhere->data(), content.data(), r.length) == 0);
}

void collapse(Region &r)
{
	r.advise(MADV_NOHUGEPAGE);
	r.advise(MADV_DONTNEED);
	r.memory->fill(1);
	CHECK(r.world.shows(1, 0, page_size));
	r.advise(MADV_HUGEPAGE);
	CHECK(wait_until([&] { return madvise(r.at(0), r.length, MADV_COLLAPSE) == 0; }));
}

std::string lacks_collapse()
{
	if (const auto reason = lacks_thp(); !reason.empty())
		return reason;
	const Memory memory(huge_size, Memory::Kind::private_anonymous);

	memory.fill(1);
	return madvise(memory.data(), huge_size, MADV_COLLAPSE) == 0
		       ? ""
		       : "this kernel has no MADV_COLLAPSE";
}

void compact(Region &)
{
	write_text("/proc/sys/vm/compact_memory", "1");
}

std::string lacks_compaction()
{
	return access("/proc/sys/vm/compact_memory", W_OK) == 0
		       ? ""
		       : "this kernel cannot compact memory";
}

/* Of the only node there is, which is the easiest way to be looked at. */
void move_pages_to_node(Region &r)
{
	std::vector<void *> where;
	std::vector<int> nodes(pages, 0), status(pages, -1);

	for (std::uint64_t n = 0; n < pages; n++)
		where.push_back(r.at(n * page_size));
	REQUIRE(syscall(SYS_move_pages, 0, pages, where.data(), nodes.data(),
			status.data(), 2) >= 0);
}

std::string lacks_move_pages()
{
	return access("/sys/devices/system/node/node0", F_OK) == 0
		       ? ""
		       : "this kernel knows no nodes";
}

void truncate_half(Region &r)
{
	REQUIRE(ftruncate(r.file.get(), static_cast<off_t>(r.length / 2)) == 0);
}

void truncate_and_extend(Region &r)
{
	truncate_half(r);
	CHECK(r.world.touch(r.length / 2) == Errno{EFAULT});
	REQUIRE(ftruncate(r.file.get(), static_cast<off_t>(r.length)) == 0);
}

void punch_hole(Region &r)
{
	REQUIRE(fallocate(r.file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  page_size, 2 * page_size) == 0);
}

void write_back(Region &r)
{
	REQUIRE(msync(r.at(0), r.length, MS_SYNC) == 0);
	REQUIRE(fsync(r.file.get()) == 0);
}

/* What a device wrote after the last write-back is written back the next time. */
void look_at_disk(Region &r)
{
	std::vector<std::byte> on_disk(r.length);

	write_back(r);
	REQUIRE(posix_fadvise(r.file.get(), 0, 0, POSIX_FADV_DONTNEED) == 0);
	REQUIRE(pread(r.file.get(), on_disk.data(), r.length, 0) ==
		static_cast<ssize_t>(r.length));
	CHECK(std::memcmp(on_disk.data(), r.at(0), r.length) == 0);
}

void clear_soft_dirty(Region &r)
{
	REQUIRE(write_text("/proc/self/clear_refs", "4"));
	CHECK((pagemap_entry(r.memory->va()) & pagemap_soft_dirty) == 0);
}

void look_at_soft_dirty(Region &r)
{
	for (std::uint64_t offset = 0; offset < r.length; offset += page_size)
		CHECK((pagemap_entry(r.memory->va() + offset) & pagemap_soft_dirty) != 0);
}

void watch_missing(Region &r)
{
	r.advise(MADV_DONTNEED);
	r.faults = std::make_unique<Userfault>();
	r.faults->watch(r.memory->va(), r.length, UFFDIO_REGISTER_MODE_MISSING);
}

void serve_missing(Region &r)
{
	watch_missing(r);
	r.faults->serve([&r](std::uint64_t page) {
		const auto data = pattern_of(2, page - r.memory->va(), page_size);

		r.faults->try_copy(page, data.data(), page_size);
	});
}

void serve_zeros(Region &r)
{
	watch_missing(r);
	r.faults->serve(
		[&r](std::uint64_t page) { r.faults->try_zero(page, page_size); });
}

void fill_missing(Region &r)
{
	const auto data = pattern_of(2, 0, r.length);

	watch_missing(r);
	REQUIRE(r.faults->try_copy(r.memory->va(), data.data(), r.length) == ok);
}

void write_protect(Region &r)
{
	r.faults = std::make_unique<Userfault>(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	r.faults->watch(r.memory->va(), r.length, UFFDIO_REGISTER_MODE_WP);
	REQUIRE(r.faults->try_protect(r.memory->va(), r.length, true) == ok);
	r.faults->serve([&r](std::uint64_t page) {
		r.faults->try_protect(page, page_size, false);
	});
}

/* Every page had to be waited for. */
void look_at_waits(Region &r)
{
	CHECK(r.faults->served() >= pages);
}

std::string lacks_write_protection()
{
	return lacks_userfault(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
}

/* UFFDIO_MOVE, as of 6.8. */
struct UserfaultMove {
	std::uint64_t to, from, length, mode;
	std::int64_t moved;
};

std::string lacks_userfault_move()
{
	constexpr std::uint64_t feature = 1 << 16;

	return lacks_userfault(feature);
}

void userfault_move(const Region &r, const Memory &from, const Memory &to)
{
	UserfaultMove move{to.va(), from.va(), r.length, 0, 0};

	REQUIRE(ioctl(r.faults->fd(), _IOWR(UFFDIO, 0x05, UserfaultMove), &move) == 0);
}

void move_pages_away(Region &r)
{
	r.elsewhere = std::make_unique<Memory>(r.length, Memory::Kind::private_anonymous);
	r.faults = std::make_unique<Userfault>();
	r.faults->watch(r.elsewhere->va(), r.length, UFFDIO_REGISTER_MODE_MISSING);
	userfault_move(r, *r.memory, *r.elsewhere);
}

void move_pages_here(Region &r)
{
	r.elsewhere = std::make_unique<Memory>(r.length, Memory::Kind::private_anonymous);
	r.elsewhere->fill(2);
	watch_missing(r);
	userfault_move(r, *r.elsewhere, *r.memory);
}

/* The kernel tells who has the page at once, and does not take being ignored. */
void poison_second(Region &r)
{
	struct sigaction take_note = {}, before;

	take_note.sa_handler = [](int) {};
	REQUIRE(sigaction(SIGBUS, &take_note, &before) == 0);
	r.advise(MADV_HWPOISON, page_size, page_size);
	REQUIRE(sigaction(SIGBUS, &before, nullptr) == 0);
}

std::string lacks_poison()
{
	return access("/proc/sys/vm/memory_failure_recovery", F_OK) == 0
		       ? ""
		       : "this kernel cannot lose pages";
}

void force_write(Region &r)
{
	const Fd mem(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
	const auto data = pattern_of(2, 0, r.length);

	REQUIRE(mem);
	r.memory->protect(PROT_READ);
	CHECK(r.world.shows(1, 0, r.length));
	REQUIRE(pwrite(mem.get(), data.data(), r.length,
		       static_cast<off_t>(r.memory->va())) ==
		static_cast<ssize_t>(r.length));
}

std::function<void(Region &)> advice(int value)
{
	return [value](Region &r) { r.advise(value); };
}

std::function<std::string()> needs_huge(std::uint64_t number)
{
	return [number] { return lacks_huge_pages(number); };
}

void fork_and_stay(Region &r)
{
	r.fork_one(1);
}

void look_at_child(Region &r)
{
	CHECK(r.join() == 0);
}

/* The whole of section 7, but for what the head of this file names. */
const Row rows[] = {
	{"nothing", Kind::anonymous, [](Region &) {}, {{everywhere, old}}},
	{"a write",
	 Kind::anonymous,
	 [](Region &r) { r.memory->fill(2); },
	 {{everywhere, fresh}}},
	{"a write by a thread", Kind::anonymous, change_by_thread, {{everywhere, fresh}}},
	{"a first write", Kind::anonymous, write_untouched, {{everywhere, fresh}}},
	{"munmap",
	 Kind::anonymous,
	 [](Region &r) { r.memory->unmap(0, r.length); },
	 {{everywhere, gone}}},
	{"munmap of a page",
	 Kind::anonymous,
	 [](Region &r) { r.memory->unmap(page_size, page_size); },
	 {{0, old}, {page_size, gone}, {2 * page_size, old}}},
	{"munmap and mmap", Kind::anonymous, unmap_and_map, {{everywhere, fresh}}},
	{"mmap on top",
	 Kind::shared,
	 [](Region &r) { r.replace(2); },
	 {{everywhere, fresh}}},
	{"mremap away", Kind::anonymous, move_away, {{everywhere, gone}}},
	{"mremap to here", Kind::anonymous, move_here, {{everywhere, fresh}}},
	{"DONTNEED", Kind::anonymous, advice(MADV_DONTNEED), {{everywhere, zeros}}},
	{"DONTNEED of a page",
	 Kind::anonymous,
	 [](Region &r) { r.advise(MADV_DONTNEED, page_size, page_size); },
	 {{0, old}, {page_size, zeros}, {2 * page_size, old}}},
	{"DONTNEED, shared", Kind::shared, advice(MADV_DONTNEED), {{everywhere, old}}},
	{"DONTNEED, file", Kind::memfd, advice(MADV_DONTNEED), {{everywhere, old}}},
	{"DONTNEED, private file",
	 Kind::memfd_private,
	 dirty_private_copy,
	 {{everywhere, old}}},
	{"FREE", Kind::anonymous, advice(MADV_FREE), {{everywhere, {ok, either, ok}}}},
	{"FREE and pressure",
	 Kind::anonymous,
	 [](Region &r) {
		 r.advise(MADV_FREE);
		 r.advise(MADV_PAGEOUT);
	 },
	 {{everywhere, {ok, either, ok}}}},
	{"FREE, written by IOVA, and pressure",
	 Kind::anonymous,
	 free_and_write,
	 {{everywhere, fresh}},
	 {},
	 {},
	 true},
	{"PAGEOUT", Kind::anonymous, page_out, {{everywhere, old}}, {}, lacks_swap},
	{"PAGEOUT, shared", Kind::shared, advice(MADV_PAGEOUT), {{everywhere, old}}},
	{"COLD", Kind::anonymous, advice(MADV_COLD), {{everywhere, old}}},
	{"WILLNEED", Kind::memfd, advice(MADV_WILLNEED), {{everywhere, old}}},
	{"DONTFORK", Kind::anonymous, advice(MADV_DONTFORK), {{everywhere, old}}},
	{"REMOVE", Kind::shared, advice(MADV_REMOVE), {{everywhere, zeros}}},
	{"mlock",
	 Kind::anonymous,
	 [](Region &r) { REQUIRE(mlock(r.at(0), r.length) == 0); },
	 {{everywhere, old}}},
	{"mprotect to nothing",
	 Kind::anonymous,
	 [](Region &r) { r.memory->protect(PROT_NONE); },
	 {{everywhere, gone}},
	 {},
	 {},
	 true},
	{"mprotect to reading",
	 Kind::anonymous,
	 [](Region &r) { r.memory->protect(PROT_READ); },
	 {{everywhere, read_only}}},
	{"mprotect to reading, shared",
	 Kind::shared,
	 [](Region &r) { r.memory->protect(PROT_READ); },
	 {{everywhere, read_only}}},
	{"mprotect forth and back",
	 Kind::anonymous,
	 protect_forth_and_back,
	 {{everywhere, old}},
	 {},
	 {},
	 true},
	{"fork", Kind::anonymous, fork_and_stay, {{everywhere, old}}, look_at_child},
	{"fork, a child that writes",
	 Kind::anonymous,
	 [](Region &r) { r.fork_one(2, [&r] { r.memory->fill(2); }); },
	 {{everywhere, old}},
	 look_at_child},
	{"fork, a child that is gone",
	 Kind::anonymous,
	 [](Region &r) {
		 r.fork_one(1);
		 CHECK(r.join() == 0);
		 r.memory->fill(2);
	 },
	 {{everywhere, fresh}}},
	{"fork, shared",
	 Kind::shared,
	 [](Region &r) { r.fork_one(9); },
	 {{everywhere, old}},
	 look_at_child},
	{"fork, private file",
	 Kind::memfd_private,
	 fork_and_stay,
	 {{everywhere, old}},
	 look_at_child},
	{"fork, large pages",
	 Kind::large,
	 fork_and_stay,
	 {{0, old}, {huge_size, old}},
	 look_at_child,
	 lacks_thp},
	{"KSM", Kind::anonymous, merge, {{everywhere, old}}, look_at_merged, lacks_ksm},
	{"KSM that ends",
	 Kind::anonymous,
	 [](Region &r) {
		 merge(r);
		 r.advise(MADV_UNMERGEABLE);
	 },
	 {{everywhere, old}},
	 look_at_merged,
	 lacks_ksm},
	{"collapse to large pages",
	 Kind::large,
	 collapse,
	 {{0, old}, {page_size, old}, {2 * huge_size - page_size, old}},
	 {},
	 lacks_collapse},
	{"split of large pages",
	 Kind::large,
	 [](Region &r) { r.memory->unmap(page_size, page_size); },
	 {{0, old}, {page_size, gone}, {2 * page_size, old}, {huge_size, old}},
	 {},
	 lacks_thp},
	{"split of large pages by mprotect",
	 Kind::large,
	 [](Region &r) { REQUIRE(mprotect(r.at(page_size), page_size, PROT_READ) == 0); },
	 {{0, old}, {page_size, read_only}, {2 * page_size, old}},
	 {},
	 lacks_thp},
	{"DONTNEED of a part of a large page",
	 Kind::large,
	 [](Region &r) { r.advise(MADV_DONTNEED, page_size, page_size); },
	 {{0, old}, {page_size, zeros}, {2 * page_size, old}},
	 {},
	 lacks_thp},
	{"compaction",
	 Kind::anonymous,
	 compact,
	 {{everywhere, old}},
	 {},
	 lacks_compaction},
	{"move_pages",
	 Kind::anonymous,
	 move_pages_to_node,
	 {{everywhere, old}},
	 {},
	 lacks_move_pages},
	{"truncate",
	 Kind::memfd,
	 truncate_half,
	 {{0, old}, {3 * page_size, old}, {4 * page_size, gone}, {7 * page_size, gone}}},
	{"truncate and extend",
	 Kind::memfd,
	 truncate_and_extend,
	 {{0, old}, {4 * page_size, zeros}, {7 * page_size, zeros}}},
	{"truncate, private file",
	 Kind::memfd_private,
	 truncate_half,
	 {{0, old}, {4 * page_size, gone}}},
	{"hole punch",
	 Kind::memfd,
	 punch_hole,
	 {{0, old}, {page_size, zeros}, {2 * page_size, zeros}, {3 * page_size, old}}},
	{"msync and fsync",
	 Kind::disk,
	 write_back,
	 {{everywhere, old}},
	 look_at_disk,
	 lacks_disk},
	{"truncate on a disk",
	 Kind::disk,
	 truncate_half,
	 {{0, old}, {4 * page_size, gone}},
	 {},
	 lacks_disk},
	{"clear_refs",
	 Kind::anonymous,
	 clear_soft_dirty,
	 {{everywhere, old}},
	 look_at_soft_dirty,
	 lacks_soft_dirty},
	{"userfaultfd, page missing",
	 Kind::anonymous,
	 serve_missing,
	 {{everywhere, fresh}},
	 look_at_waits,
	 [] { return lacks_userfault(); }},
	{"userfaultfd, page missing, zeros",
	 Kind::anonymous,
	 serve_zeros,
	 {{everywhere, zeros}},
	 look_at_waits,
	 [] { return lacks_userfault(); }},
	{"userfaultfd, page there",
	 Kind::anonymous,
	 fill_missing,
	 {{everywhere, fresh}},
	 {},
	 [] { return lacks_userfault(); }},
	{"userfaultfd, write protection",
	 Kind::anonymous,
	 write_protect,
	 {{everywhere, old}},
	 look_at_waits,
	 lacks_write_protection},
	{"userfaultfd, moved away",
	 Kind::anonymous,
	 move_pages_away,
	 {{everywhere, zeros}},
	 {},
	 lacks_userfault_move},
	{"userfaultfd, moved to here",
	 Kind::anonymous,
	 move_pages_here,
	 {{everywhere, fresh}},
	 {},
	 lacks_userfault_move},
	{"loss of a page",
	 Kind::anonymous,
	 poison_second,
	 {{0, old}, {page_size, gone}, {2 * page_size, old}},
	 {},
	 lacks_poison},
	{"forced write",
	 Kind::anonymous,
	 force_write,
	 {{everywhere, {ok, 2, Errno{EFAULT}}}},
	 {},
	 lacks_forced_write},
	{"reserved huge pages",
	 Kind::reserved,
	 [](Region &r) { r.memory->fill(2); },
	 {{0, fresh}, {huge_size, fresh}},
	 {},
	 needs_huge(2)},
	{"reserved huge pages, munmap",
	 Kind::reserved,
	 [](Region &r) { r.memory->unmap(0, huge_size); },
	 {{0, gone}, {page_size, gone}, {huge_size, old}},
	 {},
	 needs_huge(2)},
	{"reserved huge pages, DONTNEED",
	 Kind::reserved,
	 advice(MADV_DONTNEED),
	 {{0, zeros}, {huge_size, zeros}},
	 {},
	 needs_huge(2)},
	{"reserved huge pages, fork",
	 Kind::reserved,
	 fork_and_stay,
	 {{0, old}, {huge_size, old}},
	 look_at_child,
	 needs_huge(4)},
};

/* ---- running ---- */

/* What entries there are before the operation. */
enum class Before { nothing, read, written };

struct Variant {
	Who who;
	Before before;
};

const Variant variants[] = {
	{Who::owner_slow, Before::written}, {Who::other, Before::written},
	{Who::owner_slow, Before::read},    {Who::other, Before::read},
	{Who::other, Before::nothing},	    {Who::owner, Before::nothing},
	{Who::kthread, Before::nothing},
};

/* The first two say enough where all would take minutes. */
std::size_t number_of_variants()
{
	return slowness() > 1 ? 2 : std::size(variants);
}

/* Of large pages, some at the beginning of each. */
void prepare(const OndemandWorld &world, const Region &region, Before before)
{
	const auto bytes = pages * page_size;

	for (std::uint64_t at = 0; at < region.length; at += huge_size) {
		const auto data = pattern_of(1, at, bytes);

		if (before == Before::read)
			REQUIRE(world.shows(1, at, bytes));
		if (before == Before::written)
			REQUIRE(world.write(at, data.data(), bytes) == ok);
	}
}

/* With @memory: what is written by IOVA is there for the processor, too. */
void look(const Region &region, std::uint64_t offset, const Shows &shows)
{
	std::vector<std::byte> buffer(page_size, std::byte(0xee));
	const std::vector<std::byte> none(page_size);
	const auto wanted = pattern_of(shows.salt, offset, page_size);
	const auto next = pattern_of(9, offset, page_size);

	INFO("at " << offset);
	CHECK(region.world.read(offset, buffer.data(), page_size) == shows.read);
	if (shows.read == ok && shows.salt == either)
		CHECK((buffer == pattern_of(1, offset, page_size) || buffer == none));
	else if (shows.read == ok)
		CHECK((buffer == (shows.salt == zero ? none : wanted)));
	CHECK(region.world.write(offset, next.data(), page_size) == shows.write);
	if (shows.write == ok) {
		CHECK(std::memcmp(region.at(offset), next.data(), page_size) == 0);
		CHECK(region.world.shows(9, offset, page_size));
	}
}

void check_row(const Row &row, const Variant &variant)
{
	const OndemandWorld world(variant.who);
	Region region(world, row.kind);

	INFO(name_of(variant.who)
	     << ", entries before: " << static_cast<int>(variant.before));
	world.map(*region.memory);
	prepare(world, region, variant.before);
	row.operation(region);
	for (const Place &place : row.places)
		if (place.offset != everywhere)
			look(region, place.offset, place.shows);
		else
			for (std::uint64_t at = 0; at < region.length; at += page_size)
				look(region, at, place.shows);
	if (row.after)
		row.after(region);
	CHECK(world.context.unmap_all(world.ioas) == region.length);
}

} // namespace

TEST_CASE("what the IOVA shows after an operation on the memory")
{
	static std::set<std::string> said;

	for (const Row &row : rows) {
		DYNAMIC_SECTION(row.name)
		{
			const std::string reason = row.lacks ? row.lacks() : "";

			if (!reason.empty()) {
				if (said.insert(row.name).second)
					std::cout << "# without '" << row.name
						  << "': " << reason << std::endl;
				SUCCEED(reason);
				continue;
			}
			for (std::size_t n = 0; n < number_of_variants(); n++)
				if (!row.by_page_table || copies_use_page_table() ||
				    variants[n].who == Who::owner_slow ||
				    variants[n].who == Who::other)
					check_row(row, variants[n]);
		}
	}
}
