// SPDX-License-Identifier: GPL-2.0-only
// One operation of a sequence: a command of the device, of an access or a mock device
// of the test module, or a change of a process's memory. A plain value: it is generated,
// run, left out, printed and read back.
#pragma once

#include <array>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace fuzz {

constexpr std::uint64_t page_size = 4096;
constexpr std::uint64_t all_ones = ~0UL;

// Where every process has its memory: slots of one page, nothing around them.
constexpr std::uint64_t arena_base = 0x4000000000;
constexpr std::uint64_t arena_room = 64UL << 20;
constexpr unsigned shared_slots = 16;
constexpr unsigned slots = 32;
// The fuzzer itself, and its children.
constexpr unsigned processes = 3;
constexpr unsigned contexts = 2;
constexpr unsigned accesses = 6;
// Data of one rw; the test module takes more, and refuses above a limit.
constexpr std::uint64_t io_room = 64UL << 10;
constexpr std::uint64_t io_limit = 16UL << 20;

// Descriptors that MAP_FILE is given. Others do not exist.
enum File : std::uint64_t {
	file_shared,	// of what the first slots map
	file_cut,	// of a memfd that is truncated now and then
	file_read_only, // of the first, for reading
	file_device,	// of no shmem
	file_write_only,
	file_sealed, // of a memfd that is sealed against writing
	files,
};

enum class Kind : std::uint8_t {
	open,
	close,
	ioas_alloc,
	destroy,
	map,
	map_file,
	copy,
	unmap,
	allow,
	ranges,
	option,
	reserve,
	access,
	access_new,
	access_close,
	replace,
	attach,
	detach,
	pin,
	unpin,
	read,
	write,
	stats,
	stubborn,
	memory,
	poke,
	truncate,
	fork,
	exit,
	limit,
	check_refs,
	check_account,
	raw,
	mock,
	mock_new,
	mock_replace,
	hwpt_alloc,
	check_map,
	hwpt_track,
	hwpt_dirty,
	hwpt_mark,
	ioas_track,
	ioas_dirty,
	iotlb,
	iotlb_element, // of the array of the next submit; no command of its own
	iotlb_submit,
	iotlb_query,
	iotlb_set,
	map_ondemand,
	prefetch,
	ondemand_query,
	count,
};

// How a command is handed over.
enum class Pass : std::uint8_t {
	normal,
	null,	   // no structure at all
	too_short, // a size below the first version
	longer,	   // unknown members, all zero
	garbage,   // unknown members with a value
	cut,	   // the structure ends in unmapped memory
	read_only, // the answer cannot be written
	count,
};

// What a memory operation does to slots.
enum class Change : std::uint64_t {
	unmap,
	fresh,	// private memory
	shared, // of the shared file, from page @page on
	none,	// no permission
	readable,
	writable,
	discard,
	cut,  // of the file that is cut, from page @page on
	free, // MADV_FREE: while there is memory enough, nothing changes
	move, // one slot, to slot @page
	count,
};

enum class F : std::uint8_t {
	id,
	flags,
	reserved,
	va,
	length,
	iova,
	source,
	source_iova,
	file,
	num,
	first1,
	last1,
	first2,
	last2,
	first3,
	last3,
	option,
	value,
	slot,
	first,
	number,
	page,
	count,
};

struct Op {
	Kind kind = Kind::open;
	std::uint8_t who = 0;
	std::uint8_t ctx = 0;
	Pass pass = Pass::normal;
	std::array<std::uint64_t, static_cast<unsigned>(F::count)> field{};

	std::uint64_t &operator[](F f) { return field[static_cast<unsigned>(f)]; }
	std::uint64_t operator[](F f) const { return field[static_cast<unsigned>(f)]; }
	bool operator==(const Op &) const = default;
};

using Sequence = std::vector<Op>;

// What is known of a kind: its name, every result that the specification gives it,
// and the members that mean something.
struct KindInfo {
	const char *name;
	std::vector<int> errors;
	std::vector<F> fields;

	bool has(F field) const;
};
const KindInfo &info(Kind kind);
bool specified(Kind kind, int error);

std::string to_text(const Op &op);
// Throws std::runtime_error, with the line, for what is no operation.
Op parse_op(const std::string &line);
Sequence parse(std::istream &in, const std::string &name);

// The sequence as a batch of iommuctl, as far as the tool can do it.
std::string to_batch(const Sequence &sequence);

// The bytes that a write with that seed writes.
void fill_pattern(std::uint64_t seed, unsigned char *to, std::uint64_t length);

} // namespace fuzz
