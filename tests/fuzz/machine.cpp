// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

#include "command.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <system_error>

#include "error.h"

namespace fuzz {

namespace {

constexpr std::uint64_t cut_pages = 16;
constexpr unsigned no_access = 12345;
constexpr std::uint64_t most_ranges = page_size / sizeof(iommukit_iova_range);
void *const arena_start = reinterpret_cast<void *>(arena_base - arena_room);

[[noreturn]] void fail(const std::string &what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

iommukit::Fd make_file(const char *name, std::uint64_t bytes, unsigned flags = 0)
{
	iommukit::Fd file(memfd_create(name, MFD_CLOEXEC | flags));

	if (!file || ftruncate(file.get(), static_cast<off_t>(bytes)) < 0)
		fail("memfd");
	return file;
}

iommukit::Fd open_file(const std::string &path, int flags)
{
	iommukit::Fd file(open(path.c_str(), flags | O_CLOEXEC));

	if (!file)
		fail(path);
	return file;
}

iommukit::Fd reopen(const iommukit::Fd &file, int flags)
{
	return open_file("/proc/self/fd/" + std::to_string(file.get()), flags);
}

unsigned char *map_shared(std::uint64_t bytes, int protection, int fd)
{
	void *at = mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	return static_cast<unsigned char *>(at);
}

void forbid(unsigned char *at, std::uint64_t bytes)
{
	if (mprotect(at, bytes, PROT_NONE) < 0)
		fail("mprotect");
}

// A line of /proc/PID/status in pages.
std::uint64_t status_pages(const std::string &text, const char *name)
{
	const auto at = text.find(name);

	if (at == std::string::npos)
		throw std::runtime_error(std::string("no ") + name + " in /proc");
	return std::stoull(text.substr(at + std::strlen(name))) * 1024 / page_size;
}

std::string read_text(const std::string &path)
{
	const iommukit::Fd file = open_file(path, O_RDONLY);
	char text[4096];
	const ssize_t got = read(file.get(), text, sizeof(text));

	return std::string(text, got < 0 ? 0 : static_cast<std::size_t>(got));
}

// The least that the module takes: how long UNMAP waits for stubborn drivers.
void set_unmap_timeout(const char *milliseconds)
{
	const iommukit::Fd parameter =
		open_file("/sys/module/iommukit/parameters/unmap_timeout_ms", O_WRONLY);

	if (write(parameter.get(), milliseconds, std::strlen(milliseconds)) < 0)
		fail("unmap_timeout_ms");
}

// A wake-up of a child on another processor costs more than its work.
void stay_on_this_processor(cpu_set_t &before)
{
	cpu_set_t here;

	if (sched_getaffinity(0, sizeof(before), &before) < 0)
		fail("sched_getaffinity");
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_setaffinity(0, sizeof(here), &here) < 0)
		fail("sched_setaffinity");
}

int cut_file(int fd, const Op &op)
{
	const auto at = static_cast<off_t>(op[F::value]);
	const auto length = static_cast<off_t>(op[F::length]);

	return length ? fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
				  length)
		      : ftruncate(fd, at);
}

bool differ(const Piece &piece, const unsigned char *bytes)
{
	return piece.disagrees(bytes) < piece.length;
}

std::string name_of(int error)
{
	return error ? iommukit::errno_name(error) : "success";
}

} // namespace

Environment find_environment()
{
	const iommukit::Fd file = make_file("probe", page_size);
	unsigned char *at = map_shared(page_size, PROT_READ | PROT_WRITE, file.get());
	Environment environment;

	if (::access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) != 0)
		environment.alignment_cap = page_size;
	*at = 1;
	forbid(at, page_size);
	environment.reads_forbidden = pwrite(file.get(), at, 1, 0) == 1;
	munmap(at, page_size);
	return environment;
}

Mailbox::Mailbox()
{
	const iommukit::Fd file = make_file("mailbox", page_size);

	command = map_shared(page_size, PROT_READ | PROT_WRITE, file.get());
	read_only = map_shared(page_size, PROT_READ, file.get());
	const std::uint64_t room = io_room + 5 * page_size;
	const iommukit::Fd space = make_file("mailbox-data", room);
	unsigned char *at = map_shared(room, PROT_READ | PROT_WRITE, space.get());
	command_end = at + page_size;
	forbid(command_end, page_size);
	ranges = command_end + page_size;
	forbid(ranges + page_size, page_size);
	data = ranges + 2 * page_size;
	data_end = data + io_room;
	forbid(data_end, page_size);
}

Machine::Machine()
{
	stay_on_this_processor(processors);
	set_unmap_timeout("1000");
	if (mmap(arena_start, 2 * arena_room, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		 0) != arena_start)
		fail("no room for the arena");
	file[file_shared] = make_file("shared", shared_slots * page_size);
	file[file_cut] = make_file("cut", 0);
	file[file_read_only] = reopen(file[file_shared], O_RDONLY);
	file[file_device] = open_file("/dev/zero", O_RDWR);
	file[file_write_only] = reopen(file[file_cut], O_WRONLY);
	file[file_sealed] = make_file("sealed", 8 * page_size, MFD_ALLOW_SEALING);
	if (fcntl(file[file_sealed].get(), F_ADD_SEALS, F_SEAL_WRITE) < 0)
		fail("seal");
	window = map_shared(shared_slots * page_size, PROT_READ | PROT_WRITE,
			    file[file_shared].get());
}

Machine::~Machine()
{
	set_unmap_timeout("10000");
	sched_setaffinity(0, sizeof(processors), &processors);
	munmap(arena_start, 2 * arena_room);
}

void Machine::map_slots(unsigned first, unsigned number, Change what, unsigned page)
{
	Call call{.shared_file = file[file_shared].get()};

	call.op.kind = Kind::memory;
	call.op[F::first] = first;
	call.op[F::number] = number;
	call.op[F::value] = static_cast<std::uint64_t>(what);
	call.op[F::page] = page;
	errno = perform(call);
	if (errno)
		fail("arena");
}

void Machine::reset()
{
	for (auto &one : child)
		one.reset();
	for (auto &one : access)
		one.reset();
	for (auto &one : context)
		one = open_file("/dev/iommukit", O_RDWR);
	for (const File which : {file_shared, file_cut})
		if (ftruncate(file[which].get(), 0) < 0)
			fail("ftruncate");
	if (ftruncate(file[file_shared].get(), shared_slots * page_size) < 0 ||
	    ftruncate(file[file_cut].get(), 8 * page_size) < 0)
		fail("ftruncate");
	map_slots(0, shared_slots, Change::shared, 0);
	map_slots(shared_slots, slots - shared_slots, Change::fresh, 0);
}

iommukit_test_cmd &Machine::start_test(const Op &op, std::uint32_t what)
{
	auto &cmd = start<iommukit_test_cmd>(op, IOMMUKIT_TEST_CMD);

	cmd.op = what;
	cmd.id = static_cast<std::uint32_t>(op[F::id]);
	return cmd;
}

std::uint32_t Machine::access_fd(const Op &op) const
{
	if (op[F::slot] >= accesses || !access[op[F::slot]])
		return no_access;
	return static_cast<std::uint32_t>(access[op[F::slot]].get());
}

void Machine::build_ranges(const Op &op)
{
	const bool bad = op[F::value];

	if (op.kind == Kind::ranges) {
		auto &cmd =
			start<iommukit_ioas_iova_ranges>(op, IOMMUKIT_IOAS_IOVA_RANGES);

		std::memset(mailbox.ranges, untouched, page_size);
		cmd.ioas_id = static_cast<std::uint32_t>(op[F::id]);
		cmd.num_iovas = static_cast<std::uint32_t>(op[F::num]);
		cmd.__reserved = static_cast<std::uint32_t>(op[F::reserved]);
		cmd.allowed_iovas = reinterpret_cast<std::uint64_t>(
			bad ? hole : static_cast<void *>(mailbox.ranges));
		return;
	}
	auto &cmd = start<iommukit_ioas_allow_iovas>(op, IOMMUKIT_IOAS_ALLOW_IOVAS);
	const std::uint64_t list[] = {op[F::first1], op[F::last1],  op[F::first2],
				      op[F::last2],  op[F::first3], op[F::last3]};
	unsigned char *at = mailbox.ranges + page_size - sizeof(list);

	std::memcpy(at, list, sizeof(list));
	cmd.ioas_id = static_cast<std::uint32_t>(op[F::id]);
	cmd.num_iovas = static_cast<std::uint32_t>(op[F::num]);
	cmd.__reserved = static_cast<std::uint32_t>(op[F::reserved]);
	cmd.allowed_iovas = reinterpret_cast<std::uint64_t>(at);
}

void Machine::build(const Op &op, const Expect &expect)
{
	const auto flags = static_cast<std::uint32_t>(op[F::flags]);
	const auto id = static_cast<std::uint32_t>(op[F::id]);
	const auto reserved = static_cast<std::uint32_t>(op[F::reserved]);

	switch (op.kind) {
	case Kind::ioas_alloc:
		start<iommukit_ioas_alloc>(op, IOMMUKIT_IOAS_ALLOC).flags = flags;
		return;
	case Kind::destroy:
		start<iommukit_destroy>(op, IOMMUKIT_DESTROY).id = id;
		return;
	case Kind::map: {
		auto &cmd = start<iommukit_ioas_map>(op, IOMMUKIT_IOAS_MAP);
		cmd.flags = flags;
		cmd.ioas_id = id;
		cmd.__reserved = reserved;
		cmd.user_va = op[F::va];
		cmd.length = op[F::length];
		cmd.iova = op[F::iova];
		return;
	}
	case Kind::map_file: {
		auto &cmd = start<iommukit_ioas_map_file>(op, IOMMUKIT_IOAS_MAP_FILE);
		cmd.flags = flags;
		cmd.ioas_id = id;
		cmd.fd = op[F::file] < files ? file[op[F::file]].get() : no_access;
		cmd.start = op[F::va];
		cmd.length = op[F::length];
		cmd.iova = op[F::iova];
		return;
	}
	case Kind::copy: {
		auto &cmd = start<iommukit_ioas_copy>(op, IOMMUKIT_IOAS_COPY);
		cmd.flags = flags;
		cmd.dst_ioas_id = id;
		cmd.src_ioas_id = static_cast<std::uint32_t>(op[F::source]);
		cmd.length = op[F::length];
		cmd.dst_iova = op[F::iova];
		cmd.src_iova = op[F::source_iova];
		return;
	}
	case Kind::unmap: {
		auto &cmd = start<iommukit_ioas_unmap>(op, IOMMUKIT_IOAS_UNMAP);
		cmd.ioas_id = id;
		cmd.iova = op[F::iova];
		cmd.length = op[F::length];
		return;
	}
	case Kind::allow:
	case Kind::ranges:
		build_ranges(op);
		return;
	case Kind::option: {
		auto &cmd = start<struct iommukit_option>(op, IOMMUKIT_OPTION);
		cmd.option_id = static_cast<std::uint32_t>(op[F::option]);
		cmd.op = static_cast<std::uint16_t>(op[F::num]);
		cmd.__reserved = static_cast<std::uint16_t>(reserved);
		cmd.object_id = id;
		cmd.val64 = op[F::value];
		return;
	}
	case Kind::raw:
		start<iommukit_test_cmd>(op, _IO(IOMMUKIT_TYPE, op[F::value]));
		return;
	case Kind::mock:
	case Kind::mock_new:
	case Kind::mock_replace:
	case Kind::hwpt_alloc:
	case Kind::check_map:
	case Kind::hwpt_track:
	case Kind::hwpt_dirty:
	case Kind::hwpt_mark:
	case Kind::ioas_track:
	case Kind::ioas_dirty:
		build_device(op);
		return;
	case Kind::iotlb:
	case Kind::iotlb_query:
	case Kind::iotlb_set:
		build_iotlb(op);
		return;
	case Kind::iotlb_submit:
		build_submit(op, expect);
		return;
	case Kind::map_ondemand:
	case Kind::prefetch:
	case Kind::ondemand_query:
		build_ondemand(op);
		return;
	default:
		build_access(op);
	}
}

void Machine::build_access(const Op &op)
{
	const auto flags = static_cast<std::uint32_t>(op[F::flags]);
	const std::uint32_t fd = access_fd(op);

	switch (op.kind) {
	case Kind::reserve: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_ADD_RESERVED);
		cmd.add_reserved.start = op[F::iova];
		cmd.add_reserved.length = op[F::length];
		return;
	}
	case Kind::access:
		start_test(op, IOMMUKIT_TEST_OP_CREATE_ACCESS).create_access.flags =
			flags;
		return;
	case Kind::access_new:
		start_test(op, IOMMUKIT_TEST_OP_ACCESS_CREATE).access_create.flags =
			flags;
		return;
	case Kind::replace: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_ACCESS_REPLACE_IOAS);
		cmd.access_replace_ioas.ioas_id = cmd.id;
		cmd.id = fd;
		return;
	}
	case Kind::attach: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_ACCESS_ATTACH);
		cmd.access_attach.ioas_id = cmd.id;
		cmd.id = fd;
		return;
	}
	case Kind::detach:
		start_test(op, IOMMUKIT_TEST_OP_ACCESS_DETACH).id = fd;
		return;
	case Kind::pin: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_ACCESS_PAGES);
		cmd.id = fd;
		cmd.access_pages.flags = flags;
		cmd.access_pages.iova = op[F::iova];
		cmd.access_pages.length = op[F::length];
		cmd.access_pages.uptr = op[F::va];
		return;
	}
	case Kind::unpin: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES);
		cmd.id = fd;
		cmd.destroy_access_pages.access_pages_id =
			static_cast<std::uint32_t>(op[F::value]);
		return;
	}
	case Kind::stats:
		start_test(op, IOMMUKIT_TEST_OP_ACCESS_STATS).id = fd;
		return;
	case Kind::stubborn: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_ACCESS_BEHAVIOUR);
		cmd.id = fd;
		cmd.access_behaviour.flags =
			op[F::value] ? IOMMUKIT_TEST_ACCESS_STUBBORN : 0;
		return;
	}
	default: {
		const bool write = op.kind == Kind::write;
		const std::uint64_t length = std::min(op[F::length], io_room);
		unsigned char *data = mailbox.data_end - length;
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_ACCESS_RW);

		if (write)
			fill_pattern(op[F::value], data, length);
		else
			std::memset(data, untouched, length);
		cmd.id = fd;
		cmd.access_rw.iova = op[F::iova];
		cmd.access_rw.length = op[F::length];
		cmd.access_rw.uptr =
			reinterpret_cast<std::uint64_t>(op[F::va] ? hole : data);
		cmd.access_rw.flags = flags | (write ? IOMMUKIT_TEST_ACCESS_RW_WRITE : 0);
	}
	}
}

int Machine::issue(const Op &op)
{
	Call call{.fd = context[op.ctx].get(),
		  .request = request,
		  .argument = mailbox.command,
		  .op = op};

	std::memcpy(expected.data(), mailbox.command, size);
	if (op.pass == Pass::null)
		call.argument = nullptr;
	if (op.pass == Pass::read_only)
		call.argument = mailbox.read_only;
	if (op.pass == Pass::cut) {
		call.argument = mailbox.command_end - (size - 4);
		std::memcpy(call.argument, mailbox.command, size - 4);
	}
	return op.who ? child[op.who]->call(call) : perform(call);
}

// What the structure must look like afterwards.
void Machine::answer(const Op &op, const Expect &expect)
{
	const auto out = static_cast<std::uint32_t>(expect.out);
	auto *to = expected.data();
	auto &test = *reinterpret_cast<iommukit_test_cmd *>(to);
	const auto &got = *reinterpret_cast<iommukit_test_cmd *>(mailbox.command);

	if (op.kind == Kind::ranges && (!error || error == EMSGSIZE)) {
		auto &cmd = *reinterpret_cast<iommukit_ioas_iova_ranges *>(to);
		cmd.num_iovas = out;
		cmd.out_iova_alignment = expect.more;
	}
	answer_iotlb(op, expect);
	if (error)
		return;
	answer_ondemand(op, expect);
	switch (op.kind) {
	case Kind::ioas_alloc:
		reinterpret_cast<iommukit_ioas_alloc *>(to)->out_ioas_id = out;
		return;
	case Kind::map:
		reinterpret_cast<iommukit_ioas_map *>(to)->iova = expect.out;
		return;
	case Kind::map_file:
		reinterpret_cast<iommukit_ioas_map_file *>(to)->iova = expect.out;
		return;
	case Kind::copy:
		reinterpret_cast<iommukit_ioas_copy *>(to)->dst_iova = expect.out;
		return;
	case Kind::unmap:
		reinterpret_cast<iommukit_ioas_unmap *>(to)->length = expect.out;
		return;
	case Kind::option:
		reinterpret_cast<struct iommukit_option *>(to)->val64 = expect.out;
		return;
	case Kind::access_new:
		test.access_create.out_access_id = out;
		[[fallthrough]];
	case Kind::access: // at the same place in both
		test.create_access.out_access_fd = got.create_access.out_access_fd;
		access[op[F::slot]].reset(
			static_cast<int>(got.create_access.out_access_fd));
		return;
	case Kind::pin:
		test.access_pages.out_access_pages_id = out;
		return;
	case Kind::stats:
		test.access_stats = got.access_stats;
		test.access_stats.out_items = out;
		if (!expect.ranges.empty()) {
			test.access_stats.out_calls = static_cast<unsigned>(expect.more);
			test.access_stats.out_last_iova = expect.ranges[0].first;
			test.access_stats.out_last_length = expect.ranges[0].last;
		}
		return;
	default:
		answer_device(op, expect);
	}
}

Machine::Difference Machine::compare_ranges(const Expect &expect) const
{
	const auto *got = reinterpret_cast<const Range *>(mailbox.ranges);
	const std::uint64_t number = expect.ranges.size();

	for (std::uint64_t n = 0; n < number; n++)
		if (got[n] != expect.ranges[n])
			return say("range ", n, " is ", got[n].first, "-", got[n].last,
				   ", not ", expect.ranges[n].first, "-",
				   expect.ranges[n].last);
	for (std::uint64_t n = number * sizeof(Range); n < page_size; n++)
		if (mailbox.ranges[n] != untouched)
			return say("written beyond range ", number);
	return {};
}

Machine::Difference Machine::compare_read(const Op &op, const Expect &expect) const
{
	const unsigned char *at = mailbox.data_end - std::min(op[F::length], io_room);

	if (error) {
		for (; at < mailbox.data_end; at++)
			if (*at != untouched)
				return "a failed read has written to the buffer";
		return {};
	}
	for (const Piece &piece : expect.pieces) {
		const std::uint64_t wrong = piece.disagrees(at);

		if (wrong < piece.length)
			return say("byte ",
				   at + wrong - (mailbox.data_end - op[F::length]),
				   " is ", unsigned(at[wrong]), ", not ",
				   unsigned(piece.page->data[piece.offset + wrong]));
		at += piece.length;
	}
	return {};
}

Machine::Difference Machine::compare(const Op &op, const Expect &expect)
{
	if (error != expect.error && (!expect.other || error != expect.other))
		return name_of(error) + ", not " + name_of(expect.error);
	if (!error && expect.ondemand)
		if (auto difference = compare_counters(op, expect))
			return difference;
	answer(op, expect);
	for (std::uint32_t n = 0; n < size; n++)
		if (mailbox.command[n] != expected[n]) {
			const std::uint32_t word = n & ~7U;
			std::uint64_t got = 0, wanted = 0;

			std::memcpy(&got, mailbox.command + word, 8);
			std::memcpy(&wanted, expected.data() + word, 8);
			return say(name_of(error), ", but at offset ", word,
				   " of the structure ", got, ", not ", wanted);
		}
	if (op.kind == Kind::ranges)
		return compare_ranges(expect);
	if (op.kind == Kind::read)
		return compare_read(op, expect);
	if (op.kind == Kind::hwpt_dirty || op.kind == Kind::ioas_dirty)
		return compare_bits(op, expect);
	if (op.kind == Kind::iotlb_submit)
		return compare_submitted(op, expect);
	if (op.kind == Kind::iotlb_query)
		return compare_entries(op, expect);
	return {};
}

// Are pages of the process that does the operation pinned so many times?
Machine::Difference Machine::check_refs(const Op &op, std::uint64_t va,
					std::uint64_t length, std::uint64_t refs)
{
	auto &cmd = start_test(op, IOMMUKIT_TEST_OP_MD_CHECK_REFS);

	cmd.check_refs.uptr = va;
	cmd.check_refs.length = length;
	cmd.check_refs.refs = static_cast<std::uint32_t>(refs);
	error = issue(op);
	if (error)
		return say("pages at ", va, " are not pinned ", refs,
			   " times: ", name_of(error));
	return {};
}

Machine::Difference Machine::check_account(const Op &op, const Expect &expect)
{
	const std::string who = op.who ? std::to_string(child[op.who]->pid()) : "self";
	const std::string text = read_text("/proc/" + who + "/status");
	const std::uint64_t pinned = status_pages(text, "VmPin:");
	const std::uint64_t locked = status_pages(text, "VmLck:");

	if (pinned != expect.out || locked != expect.more)
		return say("VmPin is ", pinned, " pages, not ", expect.out, "; VmLck ",
			   locked, ", not ", expect.more);
	return {};
}

// Operations that are no command; 0 or an errno.
int Machine::run_plain(const Op &op)
{
	const Call call{.op = op,
			.shared_file = file[file_shared].get(),
			.cut_file = file[file_cut].get()};

	switch (op.kind) {
	case Kind::open:
		context[op.ctx] = open_file("/dev/iommukit", O_RDWR);
		return 0;
	case Kind::close:
		context[op.ctx].reset();
		return 0;
	case Kind::access_close:
		access[op[F::slot]].reset();
		return 0;
	case Kind::truncate:
		return cut_file(file[file_cut].get(), op) < 0 ? errno : 0;
	case Kind::fork:
		child[op.who] = std::make_unique<Child>(op[F::value]);
		return 0;
	case Kind::exit:
		child[op.who].reset();
		return 0;
	default:
		return op.who ? child[op.who]->call(call) : perform(call);
	}
}

std::optional<std::string> Machine::execute(const Op &op, const Expect &expect)
{
	error = 0;
	switch (op.kind) {
	case Kind::open:
	case Kind::close:
	case Kind::access_close:
	case Kind::memory:
	case Kind::poke:
	case Kind::truncate:
	case Kind::fork:
	case Kind::exit:
	case Kind::limit:
		error = run_plain(op);
		if (error)
			return name_of(error);
		return {};
	case Kind::check_account:
		return check_account(op, expect);
	case Kind::check_refs:
		return check_refs(op, op[F::va] & -page_size, page_size, expect.out);
	default:
		build(op, expect);
		error = issue(op);
		return compare(op, expect);
	}
}

// What the processes and files hold by now.
Machine::Difference Machine::compare_memory(Model &model)
{
	const auto &memory = model.world.process[0]->memory;
	Inode &cut = *model.world.file[file_cut].inode;
	std::array<unsigned char, page_size> bytes;

	for (unsigned n = 0; n < slots; n++) {
		const auto *at =
			reinterpret_cast<unsigned char *>(arena_base) + n * page_size;

		const PageRef page = memory[n].readable ? memory[n].page() : nullptr;
		if (page && differ({page, 0, page_size}, at))
			return say("other bytes than expected in slot ", n);
	}
	for (unsigned n = 0; n < shared_slots; n++) {
		const PageRef page = model.world.file[file_shared].inode->page(n);

		if (differ({page, 0, page_size}, window + n * page_size))
			return say("other bytes than expected in page ", n,
				   " of the shared file");
	}
	for (std::uint64_t n = 0; n < cut.size; n += page_size) {
		const std::uint64_t length = std::min(page_size, cut.size - n);

		if (pread(file[file_cut].get(), bytes.data(), length,
			  static_cast<off_t>(n)) != static_cast<ssize_t>(length) ||
		    differ({cut.page(n / page_size), 0, length}, bytes.data()))
			return say("other bytes than expected at ", n,
				   " of the file that is cut");
	}
	return {};
}

std::optional<std::string> Machine::finish(Model &model)
{
	Difference difference = compare_memory(model);

	for (auto &one : access)
		one.reset();
	for (auto &one : context)
		one.reset();
	if (difference)
		return difference;
	context[0] = open_file("/dev/iommukit", O_RDWR);
	difference = check_refs({}, reinterpret_cast<std::uint64_t>(window),
				shared_slots * page_size, 0);
	for (unsigned n = 0; n < processes && !difference; n++) {
		Op op;

		op.who = static_cast<std::uint8_t>(n);
		if (n == 0 || child[n])
			difference = check_account(op, {});
	}
	if (difference)
		return "after everything was closed: " + *difference;
	return {};
}

} // namespace fuzz
