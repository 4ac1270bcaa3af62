// SPDX-License-Identifier: GPL-2.0-only
#include "stress.h"
#include "generator.h"
#include "stress_calls.h"
#include "stress_iotlb.h"
#include "stress_ondemand.h"

#include "error.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace fuzz {

namespace {

using iommukit::Fd;

constexpr unsigned pages = 64;
constexpr unsigned shared_accesses = 4;
// Ids and pages of IOVA whose owners are followed.
constexpr std::uint64_t followed = 4096;
constexpr std::uint64_t busy_pages = 256;
constexpr std::size_t most_areas = 12, most_items = 6, most_ioases = 4;
constexpr std::uint64_t chaos_pages = 4, chaos_slots = 24;
constexpr std::uint64_t chaos_length = chaos_pages * page_size;
constexpr std::uint32_t read_write =
	IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
constexpr std::uint64_t magic = 0xa5c3UL << 48;

[[noreturn]] void fail(const char *what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

// Every word of memory tells where it lies; the rest of it is random.
std::uint64_t word(std::uint64_t offset, std::uint64_t random)
{
	return magic | offset / 8 << 31 | (random & 0x7fffffff);
}

bool is_word(std::uint64_t value, std::uint64_t offset)
{
	return (value & ~0x7fffffffUL) == word(offset, 0);
}

// The offset of the page that a word says it lies in.
std::uint64_t page_of(std::uint64_t value)
{
	return ((value & ~magic) >> 31) * 8 & -page_size;
}

// Another thread may be at the same area, or invalidate what was pinned; but here nobody
// keeps pages.
bool possible(Kind kind, int error)
{
	if (kind == Kind::unmap && (error == EBUSY || error == EDEADLOCK))
		return error == EBUSY;
	if (error == EAGAIN)
		return kind == Kind::pin || kind == Kind::read || kind == Kind::write;
	return specified(kind, error);
}

struct Arena {
	Arena() : base(map_pages(pages)), loose(map_pages(pages))
	{
		for (std::uint64_t at = 0; at < pages * page_size; at += 8) {
			const std::uint64_t value = word(at, 0);

			std::memcpy(base + at, &value, 8);
		}
	}
	Arena(const Arena &) = delete;
	Arena &operator=(const Arena &) = delete;
	~Arena()
	{
		munmap(base, pages * page_size);
		munmap(loose, pages * page_size);
	}

	// Always there; and memory that is changed under its mappings.
	unsigned char *base, *loose;
};

// What all threads share.
struct Shared {
	Shared();
	void blame(const std::string &what);

	Arena arena;
	Fd device;
	MovingMemory moving;
	ShiftingMemory shifting;
	// In the first, a thread unmaps what it has mapped; in the second, anything.
	std::uint32_t tidy = 0, chaos = 0;
	// An IOTLB that leads to the second; its translations come and go.
	std::uint32_t translated = 0;
	std::array<Fd, shared_accesses> access;
	std::atomic<std::uint64_t> chaos_bytes = 0;
	std::array<std::atomic<bool>, followed> id_taken{}, page_taken{};
	std::atomic<bool> stop = false;
	std::atomic<std::uint64_t> operations = 0;
	std::mutex lock;
	std::string failure;
};

Fd open_device()
{
	Fd device(open("/dev/iommukit", O_RDWR | O_CLOEXEC));

	if (!device)
		fail("/dev/iommukit");
	return device;
}

Shared::Shared() : device(open_device()), moving(device.get()), shifting(device.get())
{
	tidy = make_ioas(device.get());
	chaos = make_ioas(device.get());
	translated = make_iotlb(device.get(), iotlb_command(chaos));
	id_taken[tidy] = id_taken[chaos] = true;
	for (Fd &one : access)
		one = make_access(device.get(), tidy);
}

void Shared::blame(const std::string &what)
{
	const std::lock_guard guard(lock);

	if (failure.empty())
		failure = what;
	stop = true;
}

class Worker {
    public:
	Worker(Shared &s, std::uint64_t seed, unsigned number, unsigned threads);
	void run();
	std::uint64_t operations() const { return done; }

    private:
	struct Mine {
		std::uint64_t iova, pages, page;
		// Pins of the thread's own access.
		std::vector<std::uint32_t> items = {};
	};
	using Step = void (Worker::*)();

	void map();
	void copy();
	void unmap();
	void read();
	void write();
	void pin();
	void unpin();
	void chaos_map();
	void chaos_copy();
	void chaos_unmap();
	void chaos_translate();
	void use_shared_access();
	void replace();
	void objects();
	void short_access();
	void short_context();
	void settings();
	void change_memory();
	void translate() { mover.step(); }
	void shift() { shifter.step(); }

	int call(Kind kind, unsigned long request, void *cmd);
	int call_test(Kind kind, iommukit_test_cmd &cmd);
	void demand(bool holds, const char *what);
	Mine &pick() { return areas[random.below(areas.size())]; }
	void take(Mine area);
	std::uint64_t chaos_iova() { return random.below(chaos_slots) * chaos_length; }
	std::uint32_t pick_anchor();
	std::uint32_t pick_access();
	iommukit_test_cmd rw_command(std::uint32_t fd, std::uint64_t iova,
				     std::uint64_t length);

	Shared &shared;
	Random random;
	Fd access;
	std::vector<Mine> areas;
	std::vector<std::uint32_t> ioases;
	std::array<std::uint64_t, 4 * page_size / 8> words{};
	std::uint64_t done = 0;
	Mover mover;
	Shifter shifter;
};

Worker::Worker(Shared &s, std::uint64_t seed, unsigned number, unsigned threads)
	: shared(s), random(seed), access(make_access(s.device.get(), s.tidy)),
	  mover(
		  s.moving, random, number, threads,
		  [this](Kind kind, unsigned long request, void *cmd) {
			  return call(kind, request, cmd);
		  },
		  [this](const char *what) { shared.blame(what); }),
	  shifter(
		  s.shifting, random, s.device.get(),
		  [this](Kind kind, unsigned long request, void *cmd) {
			  return call(kind, request, cmd);
		  },
		  [this](const char *what) { shared.blame(what); })
{
}

int Worker::call(Kind kind, unsigned long request, void *cmd)
{
	const int error = issue(shared.device.get(), request, cmd);

	done++;
	if (!possible(kind, error))
		shared.blame(std::string(info(kind).name) + ": " +
			     iommukit::errno_name(error) + " is not specified");
	return error;
}

int Worker::call_test(Kind kind, iommukit_test_cmd &cmd)
{
	return call(kind, IOMMUKIT_TEST_CMD, &cmd);
}

void Worker::demand(bool holds, const char *what)
{
	if (!holds)
		shared.blame(what);
}

void Worker::take(Mine area)
{
	for (std::uint64_t n = 0; n < area.pages; n++)
		if (const std::uint64_t at = area.iova / page_size + n; at < followed)
			demand(!shared.page_taken[at].exchange(true), "areas overlap");
	areas.push_back(std::move(area));
}

void Worker::map()
{
	const std::uint64_t number = 1 + random.below(4);
	const std::uint64_t page = random.below(pages - number);
	auto cmd = map_command(shared.tidy, shared.arena.base + page * page_size, number);

	if (areas.size() >= most_areas)
		return unmap();
	if (random.one_in(2)) {
		cmd.flags |= IOMMUKIT_IOAS_MAP_FIXED_IOVA;
		cmd.iova = random.below(busy_pages) * page_size;
	}
	if (call(Kind::map, IOMMUKIT_IOAS_MAP, &cmd) == 0)
		take({cmd.iova, number, page});
}

void Worker::copy()
{
	auto cmd = iommukit::command<iommukit_ioas_copy>();

	if (areas.empty() || areas.size() >= most_areas)
		return unmap();
	const Mine &from = pick();
	const std::uint64_t skip = random.below(from.pages), page = from.page + skip;
	cmd.flags = read_write;
	cmd.src_ioas_id = cmd.dst_ioas_id = shared.tidy;
	cmd.src_iova = from.iova + skip * page_size;
	cmd.length = (from.pages - skip) * page_size;
	const int error = call(Kind::copy, IOMMUKIT_IOAS_COPY, &cmd);
	// The source is this thread's own: it cannot go away.
	demand(error == 0, "a copy of the thread's own area failed");
	if (error == 0)
		take({cmd.dst_iova, cmd.length / page_size, page});
}

void Worker::unmap()
{
	auto cmd = iommukit::command<iommukit_ioas_unmap>();

	if (areas.empty())
		return map();
	std::swap(pick(), areas.back());
	const Mine area = areas.back();
	areas.pop_back();
	// From now on it can be somebody else's.
	for (std::uint64_t n = 0; n < area.pages; n++)
		if (const std::uint64_t at = area.iova / page_size + n; at < followed)
			shared.page_taken[at] = false;
	cmd.ioas_id = shared.tidy;
	cmd.iova = area.iova;
	cmd.length = area.pages * page_size;
	const int error = call(Kind::unmap, IOMMUKIT_IOAS_UNMAP, &cmd);
	demand(error == 0 && cmd.length == area.pages * page_size,
	       "the thread's own area could not be unmapped whole");
	// The callback has released them.
	for (const std::uint32_t item : area.items) {
		auto gone =
			test_command(IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES, access.get());

		gone.destroy_access_pages.access_pages_id = item;
		demand(call_test(Kind::unpin, gone) == ENOENT,
		       "a pin has outlived its area");
	}
}

iommukit_test_cmd Worker::rw_command(std::uint32_t fd, std::uint64_t iova,
				     std::uint64_t length)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_RW, static_cast<int>(fd));

	cmd.access_rw.iova = iova;
	cmd.access_rw.length = length;
	cmd.access_rw.uptr = reinterpret_cast<std::uint64_t>(words.data());
	cmd.access_rw.flags = random.one_in(3) ? IOMMUKIT_TEST_ACCESS_RW_SLOW_PATH : 0;
	return cmd;
}

// Through the thread's own access, in its own area: which page it is, is known.
void Worker::read()
{
	if (areas.empty())
		return map();
	const Mine &area = pick();
	const std::uint64_t all = area.pages * page_size / 8;
	const std::uint64_t first = random.below(all);
	const std::uint64_t number = 1 + random.below(random.one_in(4) ? all - first : 1);
	auto cmd = rw_command(access.get(), area.iova + first * 8, number * 8);

	demand(call_test(Kind::read, cmd) == 0, "the thread's own area cannot be read");
	for (std::uint64_t n = 0; n < number; n++) {
		const std::uint64_t at = area.page * page_size + (first + n) * 8;

		demand(is_word(words[n], at), "read what was not written to that page");
	}
}

void Worker::write()
{
	if (areas.empty())
		return map();
	const Mine &area = pick();
	const std::uint64_t all = area.pages * page_size / 8;
	const std::uint64_t first = random.below(all);
	const std::uint64_t number = 1 + random.below(random.one_in(4) ? all - first : 1);
	auto cmd = rw_command(access.get(), area.iova + first * 8, number * 8);

	for (std::uint64_t n = 0; n < number; n++)
		words[n] = word(area.page * page_size + (first + n) * 8, random.next());
	cmd.access_rw.flags |= IOMMUKIT_TEST_ACCESS_RW_WRITE;
	demand(call_test(Kind::write, cmd) == 0,
	       "the thread's own area cannot be written");
}

void Worker::pin()
{
	if (areas.empty())
		return map();
	Mine &area = pick();
	const std::uint64_t skip = random.below(area.pages);
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, access.get());

	if (area.items.size() >= most_items)
		return unpin();
	cmd.access_pages.iova = area.iova + skip * page_size;
	cmd.access_pages.length = (1 + random.below(area.pages - skip)) * page_size;
	// The test module compares the pages.
	cmd.access_pages.uptr = reinterpret_cast<std::uint64_t>(shared.arena.base) +
				(area.page + skip) * page_size;
	demand(call_test(Kind::pin, cmd) == 0, "the thread's own area cannot be pinned");
	area.items.push_back(cmd.access_pages.out_access_pages_id);
}

void Worker::unpin()
{
	if (areas.empty())
		return map();
	Mine &area = pick();
	auto cmd = test_command(IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES, access.get());

	if (area.items.empty())
		return pin();
	cmd.destroy_access_pages.access_pages_id = area.items.back();
	area.items.pop_back();
	demand(call_test(Kind::unpin, cmd) == 0, "a pin is gone, its area is not");
}

// Places that all threads map and unmap. Bytes are counted before they are mapped,
// or somebody may unmap what is not counted yet.
void Worker::chaos_map()
{
	unsigned char *const from =
		random.one_in(3) ? shared.arena.loose : shared.arena.base;
	auto cmd = map_command(shared.chaos,
			       from + random.below(pages - chaos_pages) * page_size,
			       chaos_pages);

	cmd.flags |= IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	cmd.iova = chaos_iova();
	shared.chaos_bytes += chaos_length;
	if (call(Kind::map, IOMMUKIT_IOAS_MAP, &cmd))
		shared.chaos_bytes -= chaos_length;
}

void Worker::chaos_copy()
{
	auto cmd = iommukit::command<iommukit_ioas_copy>();

	cmd.flags = read_write | IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	cmd.src_ioas_id = cmd.dst_ioas_id = shared.chaos;
	cmd.src_iova = chaos_iova();
	cmd.dst_iova = chaos_iova();
	cmd.length = chaos_length;
	shared.chaos_bytes += chaos_length;
	if (call(Kind::copy, IOMMUKIT_IOAS_COPY, &cmd))
		shared.chaos_bytes -= chaos_length;
}

void Worker::chaos_unmap()
{
	auto cmd = iommukit::command<iommukit_ioas_unmap>();

	cmd.ioas_id = shared.chaos;
	cmd.iova = chaos_iova();
	cmd.length = chaos_length;
	if (call(Kind::unmap, IOMMUKIT_IOAS_UNMAP, &cmd))
		return;
	demand(cmd.length == chaos_length, "an area was not unmapped whole");
	shared.chaos_bytes -= chaos_length;
}

// Whoever is attached to the IOTLB finds the same there as without it, or nothing.
void Worker::chaos_translate()
{
	const std::uint64_t iova = chaos_iova();
	std::vector<iommukit_iotlb_msg> elements;

	if (!random.one_in(3))
		elements.push_back(
			element(IOMMUKIT_IOTLB_OP_INVALIDATE, iova, chaos_length));
	if (random.one_in(8))
		elements = {element(IOMMUKIT_IOTLB_OP_FLUSH, 0, 0)};
	if (elements.empty() || random.one_in(2))
		elements.push_back(update_element(iova, chaos_length, iova));
	if (random.one_in(16))
		elements.push_back(update_element(0, chaos_slots * chaos_length, 0));
	auto cmd = submit_command(shared.translated, elements);
	demand(call(Kind::iotlb_submit, IOMMUKIT_IOTLB_SUBMIT, &cmd) == 0,
	       "a translation could not be changed");
}

// Where accesses are attached that are not the thread's own.
std::uint32_t Worker::pick_anchor()
{
	const std::uint32_t anchors[] = {shared.tidy, shared.chaos, shared.translated};

	return random.of(anchors);
}

std::uint32_t Worker::pick_access()
{
	return static_cast<std::uint32_t>(
		shared.access[random.below(shared_accesses)].get());
}

// Whatever its IOAS is just now.
void Worker::use_shared_access()
{
	const std::uint32_t fd = pick_access();
	const std::uint64_t iova = random.below(chaos_slots * chaos_length / 8) * 8;
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, static_cast<int>(fd));

	if (random.one_in(2)) {
		const std::uint64_t number = 1 + random.below(random.one_in(4) ? 600 : 4);

		cmd = rw_command(fd, iova, number * 8);
		if (call_test(Kind::read, cmd))
			return;
		for (std::uint64_t n = 0; n < number; n++)
			demand(words[n] == 0 ||
				       is_word(words[n],
					       page_of(words[n]) +
						       (iova + n * 8) % page_size),
			       "read what nobody wrote");
		return;
	}
	cmd.access_pages.iova = iova & -page_size;
	cmd.access_pages.length = (1 + random.below(6)) * page_size;
	if (call_test(Kind::pin, cmd) || random.one_in(8))
		return;
	const std::uint32_t item = cmd.access_pages.out_access_pages_id;
	cmd = test_command(IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES, static_cast<int>(fd));
	cmd.destroy_access_pages.access_pages_id = item;
	call_test(Kind::unpin, cmd);
}

void Worker::replace()
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_REPLACE_IOAS,
				static_cast<int>(pick_access()));

	cmd.access_replace_ioas.ioas_id = pick_anchor();
	const int error = call_test(Kind::replace, cmd);
	demand(error == 0 || error == ENOENT, "replace by an IOAS with room failed");
}

void Worker::objects()
{
	if (ioases.size() < most_ioases && !random.one_in(3)) {
		auto cmd = iommukit::command<iommukit_ioas_alloc>();

		if (call(Kind::ioas_alloc, IOMMUKIT_IOAS_ALLOC, &cmd))
			return;
		demand(cmd.out_ioas_id && cmd.out_ioas_id < followed &&
			       !shared.id_taken[cmd.out_ioas_id].exchange(true),
		       "an id was given twice");
		ioases.push_back(cmd.out_ioas_id);
	} else if (!ioases.empty()) {
		auto cmd = iommukit::command<iommukit_destroy>();

		cmd.id = ioases.back();
		ioases.pop_back();
		shared.id_taken[cmd.id] = false;
		demand(call(Kind::destroy, IOMMUKIT_DESTROY, &cmd) == 0,
		       "an unused IOAS could not be destroyed");
	}
}

// Comes, pins, and goes with its pins.
void Worker::short_access()
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_CREATE_ACCESS,
				static_cast<int>(pick_anchor()));

	cmd.create_access.flags = IOMMUKIT_TEST_ACCESS_CREATE_NEEDS_PIN_PAGES;
	if (call_test(Kind::access, cmd))
		return;
	const Fd created(static_cast<int>(cmd.create_access.out_access_fd));
	for (unsigned n = 0; n < 3; n++) {
		cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, created.get());
		cmd.access_pages.iova = chaos_iova();
		cmd.access_pages.length = chaos_length;
		call_test(Kind::pin, cmd);
	}
}

// A context of its own; the access goes last.
void Worker::short_context()
{
	Fd device = open_device();
	const std::uint32_t ioas = make_ioas(device.get());
	auto map = map_command(ioas, shared.arena.base, pages);

	demand(ioas == 1, "the first id of a context is not 1");
	demand(issue(device.get(), IOMMUKIT_IOAS_MAP, &map) == 0,
	       "no room in a new IOAS");
	const Fd created = make_access(device.get(), ioas);
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, created.get());
	cmd.access_pages.iova = map.iova;
	cmd.access_pages.length = map.length;
	demand(issue(device.get(), IOMMUKIT_TEST_CMD, &cmd) == 0,
	       "a new IOAS cannot be pinned");
	done += 4;
	device.reset();
}

void Worker::settings()
{
	auto option = iommukit::command<struct iommukit_option>();
	auto ranges = iommukit::command<iommukit_ioas_iova_ranges>();
	auto limit = test_command(IOMMUKIT_TEST_OP_SET_TEMP_MEMORY_LIMIT, 0);
	auto allow = iommukit::command<iommukit_ioas_allow_iovas>();
	const iommukit_iova_range range{0, all_ones / 2};

	switch (random.below(4)) {
	case 0:
		option.option_id = IOMMUKIT_OPTION_HUGE_PAGES;
		option.object_id = random.one_in(2) ? shared.tidy : shared.chaos;
		option.val64 = random.below(2);
		demand(call(Kind::option, IOMMUKIT_OPTION, &option) == 0,
		       "huge pages could not be switched");
		return;
	case 1:
		ranges.ioas_id = shared.tidy;
		ranges.num_iovas = 1;
		ranges.allowed_iovas = reinterpret_cast<std::uint64_t>(words.data());
		demand(call(Kind::ranges, IOMMUKIT_IOAS_IOVA_RANGES, &ranges) == 0 &&
			       words[0] == 0 && words[1] == all_ones,
		       "not all of the IOVA space is usable");
		return;
	case 2:
		allow.ioas_id = shared.tidy;
		allow.num_iovas = static_cast<std::uint32_t>(random.below(2));
		allow.allowed_iovas = reinterpret_cast<std::uint64_t>(&range);
		demand(call(Kind::allow, IOMMUKIT_IOAS_ALLOW_IOVAS, &allow) == 0,
		       "no list of allowed IOVA");
		return;
	default:
		limit.memory_limit.limit = static_cast<std::uint32_t>(
			random.one_in(2)
				? IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT
				: IOMMUKIT_TEST_TEMP_MEMORY_MIN + random.below(100));
		demand(issue(shared.device.get(), IOMMUKIT_TEST_CMD, &limit) == 0,
		       "no limit of temporary memory");
		done++;
	}
}

void Worker::change_memory()
{
	const std::uint64_t first = random.below(pages);
	unsigned char *at = shared.arena.loose + first * page_size;
	const std::uint64_t length =
		(1 + random.below(std::min<std::uint64_t>(8, pages - first))) * page_size;
	constexpr int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};

	switch (random.below(3)) {
	case 0:
		mprotect(at, length, random.of(protections));
		break;
	case 1:
		madvise(at, length, MADV_DONTNEED);
		break;
	default:
		mmap(at, length, PROT_READ | PROT_WRITE,
		     (random.one_in(2) ? MAP_PRIVATE : MAP_SHARED) | MAP_ANONYMOUS |
			     MAP_FIXED,
		     -1, 0);
	}
	done++;
}

void Worker::run()
{
	struct Choice {
		Step step;
		unsigned weight;
	};
	constexpr Choice choices[] = {
		{&Worker::map, 120},
		{&Worker::copy, 60},
		{&Worker::unmap, 120},
		{&Worker::read, 150},
		{&Worker::write, 120},
		{&Worker::pin, 120},
		{&Worker::unpin, 60},
		{&Worker::chaos_map, 100},
		{&Worker::chaos_copy, 60},
		{&Worker::chaos_unmap, 100},
		{&Worker::chaos_translate, 60},
		{&Worker::use_shared_access, 200},
		{&Worker::replace, 20},
		{&Worker::objects, 30},
		{&Worker::short_access, 10},
		{&Worker::short_context, 3},
		{&Worker::settings, 10},
		{&Worker::change_memory, 10},
		{&Worker::translate, 300},
		{&Worker::shift, 500},
	};
	std::vector<Step> table;

	for (const Choice &choice : choices)
		table.insert(table.end(), choice.weight, choice.step);
	while (!shared.stop) {
		for (unsigned n = 0; n < 64; n++)
			(this->*table[random.below(table.size())])();
		shared.operations += std::exchange(done, 0);
	}
}

// When all threads are done.
void check_rest(Shared &shared)
{
	auto unmap = iommukit::command<iommukit_ioas_unmap>();
	auto limit = test_command(IOMMUKIT_TEST_OP_SET_TEMP_MEMORY_LIMIT, 0);

	unmap.ioas_id = shared.chaos;
	unmap.length = all_ones;
	if (issue(shared.device.get(), IOMMUKIT_IOAS_UNMAP, &unmap) ||
	    unmap.length != shared.chaos_bytes)
		shared.blame("other areas are left than were mapped and not unmapped");
	for (Fd &one : shared.access)
		one.reset();
	shared.device = open_device();
	if (!shared.shifting.intact())
		shared.blame("memory on demand has what nobody wrote to it");
	if (!unpinned(shared.device.get(), shared.arena.base, pages) ||
	    !shared.moving.unpinned(shared.device.get()))
		shared.blame("pages stay pinned after everything was closed");
	limit.memory_limit.limit = IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT;
	if (issue(shared.device.get(), IOMMUKIT_TEST_CMD, &limit))
		shared.blame("no limit of temporary memory");
	for (std::uint64_t at = 0; at < pages * page_size; at += 8) {
		std::uint64_t value;

		std::memcpy(&value, shared.arena.base + at, 8);
		if (!is_word(value, at))
			shared.blame("memory has what nobody wrote to it");
	}
}

std::uint64_t pinned_pages()
{
	std::ifstream status("/proc/self/status");
	std::string key;
	std::uint64_t kilobytes = 0;

	while (status >> key)
		if (key == "VmPin:" && status >> kilobytes)
			break;
	return kilobytes * 1024 / page_size;
}

} // namespace

StressResult stress(unsigned threads, std::uint64_t seed, std::uint64_t seconds,
		    std::uint64_t operations,
		    const std::function<void(std::uint64_t)> &progress)
{
	using Clock = std::chrono::steady_clock;
	const std::uint64_t pinned = pinned_pages();
	const auto began = Clock::now();
	const auto shared = std::make_unique<Shared>();
	StressResult result;
	{
		std::vector<std::unique_ptr<Worker>> workers;
		std::vector<std::jthread> running;

		for (unsigned n = 0; n < threads; n++)
			workers.push_back(
				std::make_unique<Worker>(*shared, seed + n, n, threads));
		for (auto &worker : workers)
			running.emplace_back([&] {
				try {
					worker->run();
				} catch (const std::exception &error) {
					shared->blame(error.what());
				}
			});
		while (!shared->stop &&
		       (operations
				? shared->operations < operations
				: Clock::now() < began + std::chrono::seconds(seconds))) {
			std::this_thread::sleep_for(std::chrono::milliseconds(20));
			progress(shared->operations);
		}
		shared->stop = true;
	}
	result.operations = shared->operations;
	result.seconds = std::chrono::duration<double>(Clock::now() - began).count();
	check_rest(*shared);
	if (pinned_pages() != pinned)
		shared->blame("VmPin is not what it was");
	result.failure = shared->failure;
	return result;
}

} // namespace fuzz
