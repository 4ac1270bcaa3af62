// SPDX-License-Identifier: GPL-2.0-only
// What the kernel can pin decides how a file is mapped. Files of tmpfs and
// hugetlbfs are memory already. The pages of any other file system belong to its
// cache, may be written back or moved any time, and must not be handed to a
// driver for long: their contents are copied into a memfd.
//
// A mapping always has whole pages, since a port that pins accepts no other; the
// number of bytes that mean something is kept beside it.
#include "backing.h"

#include "words.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

namespace ctl {

using namespace iommukit;

namespace {

constexpr unsigned cap_ipc_lock = 14;

bool has_capability(unsigned capability)
{
	std::ifstream status("/proc/self/status");
	std::string line;

	while (std::getline(status, line))
		if (line.starts_with("CapEff:"))
			return std::stoull(line.substr(7), nullptr, 16) >> capability & 1;
	return false;
}

Bytes round_up(Bytes size, Bytes unit)
{
	std::uint64_t rest = size.value % unit.value;
	Bytes out = rest ? Bytes(size.value + unit.value - rest) : size;

	if (out < size)
		throw usage_failure("size " + hex(size.value) + " is too large",
				    "it must fit into 64 bits in whole pages");
	return out;
}

// Pages are charged only when a driver pins them; saying so now beats an
// ENOMEM in the middle of somebody's DMA.
void check_memlock(const BackingOptions &options, Bytes size, const std::string &what)
{
	auto limit = memlock_limit();

	// What is never pinned is not charged.
	if (options.ondemand || !limit || options.mapped + size <= *limit)
		return;
	std::string text = what + " (" + human_size(size.value) + ") ";
	if (options.mapped.value)
		text += "and what is mapped already (" +
			human_size(options.mapped.value) + ") are ";
	else
		text += "is ";
	throw Failure(Exit::not_permitted,
		      text + "larger than the memlock limit of " +
			      human_size(limit->value),
		      "raise it (ulimit -l, or /etc/security/limits.d), map less with "
		      "length, or run as root");
}

BackingPtr make_backing(const BackingOptions &options, std::string kind, Bytes size,
			Bytes page)
{
	auto backing = std::make_shared<Backing>();

	backing->kind = std::move(kind);
	backing->content = size;
	backing->length = round_up(size, page);
	backing->ondemand = options.ondemand;
	check_memlock(options, backing->length, "the size");
	return backing;
}

// The file as the user named it, opened and found fit to be mapped.
struct OpenFile {
	Fd fd;
	struct stat stat;
	bool mappable; // as it is
	Bytes page;
};

OpenFile open_file(const std::string &path, bool writable, bool ondemand)
{
	OpenFile file{};
	struct statfs fs;

	// Not blocking: opening a FIFO must not wait for its writer.
	file.fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
	if (!file.fd)
		throw file_failure(path, "open", errno);
	if (::fstat(file.fd.get(), &file.stat) < 0 || ::fstatfs(file.fd.get(), &fs) < 0)
		throw file_failure(path, "examine", errno);
	if (S_ISDIR(file.stat.st_mode))
		throw file_failure(path, "map", EISDIR);
	if (!S_ISREG(file.stat.st_mode))
		throw Failure(Exit::usage, path + " is not a regular file",
			      "copy its data to a file first, then map that");
	if (file.stat.st_size == 0)
		throw Failure(Exit::usage, path + " is empty",
			      "there is nothing to map; see ls -l " + path);
	file.mappable =
		ondemand || fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC;
	file.page = fs.f_type == HUGETLBFS_MAGIC
			    ? Bytes(static_cast<std::uint64_t>(fs.f_bsize))
			    : page_size();
	if (file.mappable && writable) {
		file.fd = Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
		if (!file.fd)
			throw file_failure(path, "open for writing", errno);
	}
	return file;
}

// Copies [offset, offset + content) of the file into the memfd.
void load(const BackingOptions &options, Backing &backing, int from, Bytes offset)
{
	constexpr std::uint64_t chunk = 4 << 20;
	Progress progress(options.output, "loading " + backing.source,
			  backing.content.value);
	auto at = static_cast<off_t>(offset.value);
	std::uint64_t done = 0;

	if (::lseek(backing.memfd->fd(), 0, SEEK_SET) < 0)
		throw file_failure(backing.source, "load", errno);
	while (done < backing.content.value) {
		std::uint64_t want = std::min(chunk, backing.content.value - done);
		ssize_t n = ::sendfile(backing.memfd->fd(), from, &at, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			throw file_failure(backing.source, "read", errno);
		if (n == 0)
			throw Failure(Exit::refused,
				      backing.source + " shrank while it was read",
				      "map it again when nobody changes it");
		done += static_cast<std::uint64_t>(n);
		progress.update(done);
	}
}

// Without IOAS_MAP_FILE, and on demand, the module gets the address of a shared mapping,
// which is the same memory, but goes with the process.
void map_shared(Backing &backing, bool writable)
{
	backing.memory = Memory::of_file(backing.fd(), backing.offset, backing.length,
					 Memory::Share::shared, writable);
	backing.memfd.reset();
	backing.file.reset();
	backing.offset = Bytes(0);
	backing.as_file = false;
}

} // namespace

std::optional<Bytes> memlock_limit()
{
	struct rlimit limit;

	if (has_capability(cap_ipc_lock))
		return std::nullopt;
	if (::getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return std::nullopt;
	return Bytes(limit.rlim_cur);
}

BackingPtr anonymous_backing(const BackingOptions &options, Bytes size)
{
	auto backing = make_backing(options, "anonymous", size, page_size());

	if (!options.dry_run)
		backing->memory = Memory::anonymous(backing->length);
	return backing;
}

BackingPtr huge_backing(const BackingOptions &options, Bytes size, Bytes page)
{
	auto backing = make_backing(options, "huge", size, page);

	if (!options.dry_run)
		backing->memory = Memory::huge(backing->length, page);
	return backing;
}

BackingPtr memfd_backing(const BackingOptions &options, Bytes size, bool huge)
{
	Bytes page = huge ? Bytes(2 << 20) : page_size();
	auto backing = make_backing(options, "memfd", size, page);

	backing->as_file = options.map_file && !options.ondemand;
	if (options.dry_run)
		return backing;
	backing->memfd.emplace(backing->length,
			       huge ? MemFd::Pages::huge : MemFd::Pages::normal);
	if (!backing->as_file)
		map_shared(*backing, true);
	return backing;
}

BackingPtr file_backing(const BackingOptions &options, const std::string &path,
			Bytes offset, std::optional<Bytes> length)
{
	bool writable = options.permission != Permission::read;
	OpenFile file = open_file(path, writable, options.ondemand.has_value());
	Bytes size(static_cast<std::uint64_t>(file.stat.st_size));

	if (offset >= size)
		throw usage_failure(
			"offset " + hex(offset.value) + " is not inside the file " + path,
			"the file has " + std::to_string(size.value) + " bytes");
	Bytes rest(size.value - offset.value);
	if (length && *length > rest)
		throw usage_failure("length " + hex(length->value) +
					    " goes beyond the end of " + path,
				    "at most " + std::to_string(rest.value) +
					    " bytes follow the offset");
	if (file.mappable && offset.value % file.page.value)
		throw usage_failure("offset " + hex(offset.value) +
					    " is not a multiple of the page size",
				    "use a multiple of " + hex(file.page.value));

	auto backing = std::make_shared<Backing>();
	backing->kind = file.mappable ? "file" : "copy-of-file";
	backing->source = path;
	backing->content = length.value_or(rest);
	backing->length = round_up(backing->content, file.page);
	// The kernel pins whole pages of a file only; a last page that is not whole
	// is reached through a mapping of the file instead.
	bool whole = !file.mappable || offset + backing->length <= size;
	backing->ondemand = options.ondemand;
	backing->as_file = options.map_file && whole && !options.ondemand;
	check_memlock(options, backing->length, path);
	if (file.mappable) {
		backing->offset = offset;
		backing->file = std::move(file.fd);
	} else if (!options.dry_run) {
		backing->memfd.emplace(backing->length);
		load(options, *backing, file.fd.get(), offset);
	}
	if (!backing->as_file && !options.dry_run)
		map_shared(*backing, writable);
	return backing;
}

} // namespace ctl
