// SPDX-License-Identifier: GPL-2.0-only
#include "mm_tools.h"

#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace guest {

bool write_text(const std::string &path, const std::string &text)
{
	const Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));

	return file && write(file.get(), text.data(), text.size()) ==
			       static_cast<ssize_t>(text.size());
}

std::optional<std::uint64_t> read_number(const std::string &path)
{
	std::ifstream file(path);
	std::uint64_t value = 0;

	if (!(file >> value))
		return std::nullopt;
	return value;
}

std::uint64_t pagemap_entry(std::uint64_t va)
{
	const Fd file(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	std::uint64_t entry = 0;

	REQUIRE(file);
	REQUIRE(pread(file.get(), &entry, sizeof(entry),
		      static_cast<off_t>(va / page_size * sizeof(entry))) ==
		static_cast<ssize_t>(sizeof(entry)));
	return entry;
}

std::uint64_t frame_of(std::uint64_t va)
{
	const std::uint64_t entry = pagemap_entry(va);

	REQUIRE(entry & pagemap_present);
	return entry & ((1UL << 55) - 1);
}

std::uint64_t there(const Memory &memory)
{
	std::uint64_t number = 0;

	for (std::uint64_t at = 0; at < memory.size(); at += page_size)
		number += (pagemap_entry(memory.va() + at) & pagemap_present) != 0;
	return number;
}

long own_pages(const std::string &field)
{
	return status_pages(getpid(), field);
}

const char disk_directory[] = "/tmp/iommukit-disk";

namespace {

bool exists(const std::string &path)
{
	return access(path.c_str(), F_OK) == 0;
}

/* A message of a tool that fails is no news: the reason is given to skip(). */
bool run(const std::string &what)
{
	return std::system((what + " >/dev/null 2>&1").c_str()) == 0;
}

/* Disks in memory, one to swap to, one for files; undone by who has made them. */
class Disks {
    public:
	~Disks()
	{
		if (getpid() != owner)
			return;
		if (swapping)
			swapoff(swap_disk);
		if (mounted)
			umount2(disk_directory, MNT_DETACH);
		if (swapping || mounted)
			run("rmmod brd");
	}

	std::string swap()
	{
		if (swapping)
			return {};
		if (const auto reason = find(swap_disk); !reason.empty())
			return reason;
		if (!run(std::string("mkswap ") + swap_disk) || swapon(swap_disk, 0) < 0)
			return "no swapping to a disk in memory";
		claim();
		swapping = true;
		return {};
	}

	std::string files()
	{
		if (mounted)
			return {};
		if (const auto reason = find(file_disk); !reason.empty())
			return reason;
		mkdir(disk_directory, 0700);
		if (!run(std::string("mke2fs ") + file_disk) ||
		    (mount(file_disk, disk_directory, "ext4", 0, nullptr) < 0 &&
		     mount(file_disk, disk_directory, "ext2", 0, nullptr) < 0))
			return "no file system of disks";
		claim();
		mounted = true;
		return {};
	}

    private:
	static constexpr char swap_disk[] = "/dev/ram0", file_disk[] = "/dev/ram1";

	void claim() { owner = getpid(); }
	static std::string find(const char *disk)
	{
		if (!exists(disk))
			run("modprobe brd rd_nr=2 rd_size=65536");
		if (!wait_briefly(disk))
			return "no disks in memory (brd)";
		return {};
	}
	/* devtmpfs has it as soon as the module is there. */
	static bool wait_briefly(const char *disk)
	{
		for (int tries = 0; tries < 20 && !exists(disk); tries++)
			usleep(1000);
		return exists(disk);
	}

	pid_t owner = -1;
	bool swapping = false, mounted = false;
};

Disks disks;

} // namespace

std::string lacks_swap()
{
	return disks.swap();
}

/* A page that another processor is about to put into its list is left alone at first. */
bool swap_out(void *memory, std::uint64_t length)
{
	return wait_until([&] {
		if (madvise(memory, length, MADV_PAGEOUT) == 0 &&
		    pagemap_entry(reinterpret_cast<std::uint64_t>(memory)) &
			    pagemap_swapped)
			return true;
		write_text("/proc/sys/vm/drop_caches", "1");
		return false;
	});
}

std::string lacks_disk()
{
	return disks.files();
}

std::string lacks_ksm()
{
	return exists("/sys/kernel/mm/ksm/run") ? "" : "this kernel has no KSM";
}

std::string lacks_thp()
{
	std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
	std::string line;

	if (!std::getline(file, line))
		return "this kernel has no transparent huge pages";
	return line.find("[never]") == std::string::npos
		       ? ""
		       : "transparent huge pages are switched off";
}

std::string lacks_huge_pages(std::uint64_t number)
{
	const auto free =
		read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");

	if (!free)
		return "this kernel has no huge pages";
	return *free >= number ? "" : "too few huge pages are free";
}

std::string lacks_userfault(std::uint64_t features)
{
	const Fd faults(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC)));
	uffdio_api api{UFFD_API, 0, 0};

	if (!faults)
		return "this kernel has no userfaultfd";
	if (ioctl(faults.get(), UFFDIO_API, &api) < 0 ||
	    (api.features & features) != features)
		return "userfaultfd of this kernel cannot do that";
	return {};
}

std::string lacks_soft_dirty()
{
	const Memory page(page_size, Memory::Kind::private_anonymous);

	if (!write_text("/proc/self/clear_refs", "4"))
		return "this kernel has no soft-dirty bits";
	page.fill(1);
	return pagemap_entry(page.va()) & pagemap_soft_dirty
		       ? ""
		       : "this kernel has no soft-dirty bits";
}

std::string lacks_forced_write()
{
	const Memory page(page_size, Memory::Kind::private_anonymous);
	const Fd mem(open("/proc/self/mem", O_RDWR | O_CLOEXEC));

	page.protect(PROT_READ);
	return mem && pwrite(mem.get(), "x", 1, static_cast<off_t>(page.va())) == 1
		       ? ""
		       : "this kernel does not force writes";
}

bool copies_use_page_table()
{
	static const bool heed = [] {
		const Memory page(page_size, Memory::Kind::private_anonymous);
		int ends[2];

		REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
		const Fd reader(ends[0]), writer(ends[1]);
		page.fill(1);
		page.protect(PROT_NONE);
		return write(writer.get(), page.data(), 1) < 0;
	}();

	return heed;
}

std::string lacks_secret_memory()
{
#ifdef SYS_memfd_secret
	const Fd file(static_cast<int>(syscall(SYS_memfd_secret, O_CLOEXEC)));

	if (file)
		return {};
#endif
	return "this kernel has no secret memory";
}

/* ---- KSM ---- */

Ksm::Ksm()
{
	REQUIRE(write_text("/sys/kernel/mm/ksm/pages_to_scan", "10000"));
	REQUIRE(write_text("/sys/kernel/mm/ksm/sleep_millisecs", "1"));
	REQUIRE(write_text("/sys/kernel/mm/ksm/run", "1"));
}

/* 2: nothing is shared any more. */
Ksm::~Ksm()
{
	write_text("/sys/kernel/mm/ksm/run", "2");
	write_text("/sys/kernel/mm/ksm/run", "0");
}

std::uint64_t Ksm::sharing()
{
	return read_number("/sys/kernel/mm/ksm/pages_sharing").value_or(0);
}

bool Ksm::await_scan() const
{
	const char scans[] = "/sys/kernel/mm/ksm/full_scans";
	const auto begin = read_number(scans).value_or(0);

	return wait_until([&] { return read_number(scans).value_or(0) >= begin + 3; });
}

/* ---- userfaultfd ---- */

Userfault::Userfault(std::uint64_t features)
	: faults(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)))
{
	uffdio_api api{UFFD_API, features, 0};

	REQUIRE(faults);
	REQUIRE(ioctl(faults.get(), UFFDIO_API, &api) == 0);
}

/* Closing it lets everybody go on that waits. */
Userfault::~Userfault()
{
	monitor.request_stop();
	if (monitor.joinable())
		monitor.join();
}

void Userfault::watch(std::uint64_t va, std::uint64_t length, std::uint64_t mode) const
{
	uffdio_register registration{};

	registration.range = {va, length};
	registration.mode = mode;
	REQUIRE(ioctl(faults.get(), UFFDIO_REGISTER, &registration) == 0);
}

Errno Userfault::try_copy(std::uint64_t to, const void *from, std::uint64_t length) const
{
	uffdio_copy copy{};

	copy.dst = to;
	copy.src = reinterpret_cast<std::uint64_t>(from);
	copy.len = length;
	return Errno{ioctl(faults.get(), UFFDIO_COPY, &copy) < 0 ? errno : 0};
}

Errno Userfault::try_zero(std::uint64_t to, std::uint64_t length) const
{
	uffdio_zeropage zero{};

	zero.range = {to, length};
	return Errno{ioctl(faults.get(), UFFDIO_ZEROPAGE, &zero) < 0 ? errno : 0};
}

Errno Userfault::try_protect(std::uint64_t va, std::uint64_t length, bool on) const
{
	uffdio_writeprotect protect{};

	protect.range = {va, length};
	protect.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
	return Errno{ioctl(faults.get(), UFFDIO_WRITEPROTECT, &protect) < 0 ? errno : 0};
}

void Userfault::wake(std::uint64_t va, std::uint64_t length) const
{
	uffdio_range range{va, length};

	ioctl(faults.get(), UFFDIO_WAKE, &range);
}

std::optional<std::uint64_t> Userfault::await_touch(int limit_ms) const
{
	pollfd wait{.fd = faults.get(), .events = POLLIN, .revents = 0};
	uffd_msg message;

	if (poll(&wait, 1, limit_ms) != 1 ||
	    read(faults.get(), &message, sizeof(message)) != sizeof(message) ||
	    message.event != UFFD_EVENT_PAGEFAULT)
		return std::nullopt;
	return message.arg.pagefault.address & ~(page_size - 1);
}

void Userfault::serve(std::function<void(std::uint64_t page)> answer)
{
	monitor = std::jthread([this, answer](std::stop_token stop) {
		while (!stop.stop_requested())
			if (const auto page = await_touch(10)) {
				count++;
				answer(*page);
			}
	});
}

/* ---- groups ---- */

namespace {

const char group_root_v2[] = "/sys/fs/cgroup";
const char group_root_v1[] = "/sys/fs/cgroup/memory";

/* Which version is mounted, mounting one if none is; 0: none. */
int group_version()
{
	static int version = [] {
		if (exists("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
			return 1;
		if (!exists("/sys/fs/cgroup/cgroup.controllers"))
			mount("none", group_root_v2, "cgroup2", 0, nullptr);
		std::ifstream file("/sys/fs/cgroup/cgroup.controllers");
		std::string word;
		while (file >> word)
			if (word == "memory")
				return write_text(std::string(group_root_v2) +
							  "/cgroup.subtree_control",
						  "+memory")
					       ? 2
					       : 0;
		return 0;
	}();

	return version;
}

std::string group_root()
{
	return group_version() == 1 ? group_root_v1 : group_root_v2;
}

} // namespace

std::string lacks_memory_groups()
{
	return group_version() ? "" : "this kernel cannot limit the memory of groups";
}

MemoryGroup::MemoryGroup(std::uint64_t limit)
	: path(group_root() + "/iommukit-" + std::to_string(getpid()))
{
	REQUIRE(mkdir(path.c_str(), 0700) == 0);
	set_limit(limit);
}

MemoryGroup::~MemoryGroup()
{
	leave(getpid());
	CHECK(wait_until([&] { return rmdir(path.c_str()) == 0; }));
}

bool MemoryGroup::enter(pid_t pid) const
{
	return write_text(path + "/cgroup.procs", std::to_string(pid));
}

bool MemoryGroup::leave(pid_t pid)
{
	return write_text(group_root() + "/cgroup.procs", std::to_string(pid));
}

std::uint64_t MemoryGroup::usage() const
{
	const char *name =
		group_version() == 1 ? "/memory.usage_in_bytes" : "/memory.current";

	return read_number(path + name).value_or(0);
}

void MemoryGroup::set_limit(std::uint64_t limit) const
{
	const char *name =
		group_version() == 1 ? "/memory.limit_in_bytes" : "/memory.max";

	REQUIRE(write_text(path + name, std::to_string(limit)));
}

std::uint64_t MemoryGroup::oom_kills() const
{
	std::ifstream file(
		path + (group_version() == 1 ? "/memory.oom_control" : "/memory.events"));
	std::string name;
	std::uint64_t value = 0;

	while (file >> name >> value)
		if (name == "oom_kill")
			return value;
	return 0;
}

std::optional<AddressRange> find_mapping(const std::string &name)
{
	std::ifstream maps("/proc/self/maps");
	std::string line;

	while (std::getline(maps, line)) {
		AddressRange range{};
		char dash = 0;

		if (!line.ends_with(name))
			continue;
		if (std::istringstream(line) >> std::hex >> range.begin >> dash >>
		    range.end)
			return range;
	}
	return std::nullopt;
}

} // namespace guest
