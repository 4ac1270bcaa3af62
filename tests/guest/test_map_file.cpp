// SPDX-License-Identifier: GPL-2.0-only
/* IOAS_MAP_FILE: memfd, tmpfs, hugetlb, other files, seals and the end of file. */
#include "access.h"
#include "process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t length = 8 * page_size;

/* A memfd with known content, as long as @bytes. */
Fd make_memfd(std::uint64_t bytes, unsigned int flags = 0)
{
	Fd file(memfd_create("iommukit-test", MFD_CLOEXEC | flags));

	REQUIRE(file);
	REQUIRE(ftruncate(file.get(), static_cast<long>(bytes)) == 0);
	return file;
}

void fill(const Fd &file, std::uint64_t bytes, unsigned int salt)
{
	const Memory memory(bytes, file.get(), PROT_READ | PROT_WRITE, MAP_SHARED);

	memory.fill(salt);
}

Fd reopen(const Fd &file, int flags)
{
	const std::string path = "/proc/self/fd/" + std::to_string(file.get());
	Fd other(open(path.c_str(), flags | O_CLOEXEC));

	REQUIRE(other);
	return other;
}

/* A file system of its own in a directory that goes with the object. */
class Mount {
    public:
	explicit Mount(const char *type)
	{
		REQUIRE(mkdtemp(path) != nullptr);
		REQUIRE(mount("none", path, type, 0, nullptr) == 0);
	}
	Mount(const Mount &) = delete;
	Mount &operator=(const Mount &) = delete;
	~Mount()
	{
		umount2(path, MNT_DETACH);
		rmdir(path);
	}
	Fd create() const
	{
		Fd file(open((std::string(path) + "/file").c_str(),
			     O_RDWR | O_CREAT | O_CLOEXEC, 0600));

		REQUIRE(file);
		return file;
	}

    private:
	char path[32] = "/tmp/iommukit-mount-XXXXXX";
};

struct World {
	World() : ioas(context.ioas()), access(context, ioas) {}

	Errno map(const Fd &file, std::uint64_t start = 0, std::uint64_t bytes = length,
		  std::uint32_t flags = map_rw_fixed) const
	{
		return context.try_map_file(ioas, file.get(), start, bytes, area_iova,
					    flags);
	}

	Context context;
	std::uint32_t ioas;
	Access access;
};

} // namespace

TEST_CASE("MAP_FILE rejections in order")
{
	using Map = iommukit_ioas_map_file;
	const World world;
	const Fd file = make_memfd(length);
	const Fd read_only = reopen(file, O_RDONLY);
	const Memory memory(page_size);
	auto valid = command<Map>();

	REQUIRE(try_add_reserved(world.context, world.ioas, 0x8000, page_size) == ok);
	world.context.map(world.ioas, memory, 0x10000);
	valid.flags = map_rw_fixed;
	valid.ioas_id = world.ioas;
	valid.fd = file.get();
	valid.length = length;
	valid.iova = area_iova;
	check_ordered<Map>(
		{
			{"unknown flag 3", "flags", [](Map &cmd) { cmd.flags |= 8; },
			 EOPNOTSUPP},
			{"unknown flag 31", "flags",
			 [](Map &cmd) { cmd.flags |= 1U << 31; }, EOPNOTSUPP},
			{"iova ULONG_MAX", "iova", [](Map &cmd) { cmd.iova = all_ones; },
			 EOVERFLOW},
			{"length ULONG_MAX", "length",
			 [](Map &cmd) { cmd.length = all_ones; }, EOVERFLOW},
			{"neither read nor write", "flags",
			 [](Map &cmd) { cmd.flags &= map_fixed; }, EINVAL},
			{"no such IOAS", "ioas_id", [](Map &cmd) { cmd.ioas_id = 99; },
			 ENOENT},
			{"no length", "length", [](Map &cmd) { cmd.length = 0; }, EINVAL},
			{"the range in the file wraps", "start",
			 [](Map &cmd) { cmd.start = -page_size; }, EOVERFLOW},
			{"no file", "fd", [](Map &cmd) { cmd.fd = 12345; }, EBADF},
			{"fd -1", "fd", [](Map &cmd) { cmd.fd = -1; }, EBADF},
			{"not open for writing", "fd",
			 [&](Map &cmd) { cmd.fd = read_only.get(); }, EPERM},
			{"length not aligned", "length",
			 [](Map &cmd) { cmd.length -= 1; }, EINVAL},
			{"end of the IOVA wraps", "iova",
			 [](Map &cmd) { cmd.iova = -page_size; }, EOVERFLOW},
			{"reserved IOVA", "iova", [](Map &cmd) { cmd.iova = 0x8000; },
			 EINVAL},
			{"mapped IOVA", "iova", [](Map &cmd) { cmd.iova = 0x10000; },
			 EEXIST},
			{"start not aligned", "start", [](Map &cmd) { cmd.start = 512; },
			 EINVAL},
		},
		valid, [&](auto &cmd) {
			return call(world.context.fd(), IOMMUKIT_IOAS_MAP_FILE, &cmd);
		});
	CHECK(world.context.unmap_all(world.ioas) == page_size);
}

TEST_CASE("MAP_FILE of lengths that no file has")
{
	const World world;
	const Fd file = make_memfd(length);

	CHECK(world.map(file, 0, all_ones - page_size + 1) == Errno{EINVAL});
	CHECK(world.context.unmap_all(world.ioas) == 0);
}

TEST_CASE("MAP_FILE: files that can be mapped")
{
	const World world;
	const Mount tmpfs("tmpfs"), hugetlbfs("hugetlbfs");
	const auto check = [&](const Fd &file, std::uint64_t bytes) {
		std::vector<std::byte> data(100, std::byte(0x5a));

		fill(file, bytes, 1);
		REQUIRE(world.map(file, 0, bytes) == ok);
		world.access.pin(area_iova, bytes, pin_write);
		for (std::uint32_t flags : {0U, rw_slow})
			CHECK(world.access.read(area_iova, bytes, flags) ==
			      pattern_of(1, 0, bytes));
		CHECK(world.access.try_write(area_iova + page_size - 50, data.data(),
					     100) == ok);
		std::vector<std::byte> seen(100);
		CHECK(pread(file.get(), seen.data(), 100,
			    static_cast<long>(page_size) - 50) == 100);
		CHECK(seen == data);
		CHECK(world.context.unmap_all(world.ioas) == bytes);
	};

	SECTION("memfd")
	{
		check(make_memfd(length), length);
	}
	SECTION("hugetlb memfd")
	{
		check(make_memfd(2 * huge_size, MFD_HUGETLB), 2 * huge_size);
	}
	SECTION("file of tmpfs")
	{
		const Fd file = tmpfs.create();

		REQUIRE(ftruncate(file.get(), length) == 0);
		check(file, length);
	}
	SECTION("file of hugetlbfs")
	{
		const Fd file = hugetlbfs.create();

		REQUIRE(ftruncate(file.get(), huge_size) == 0);
		check(file, huge_size);
	}
}

TEST_CASE("MAP_FILE: files that cannot, which shows when pages are needed")
{
	const World world;
	const Mount ramfs("ramfs");
	const auto check = [&](const Fd &file, std::uint32_t flags) {
		char byte = 0;

		REQUIRE(file);
		REQUIRE(world.map(file, 0, page_size, flags | map_fixed) == ok);
		CHECK(world.access.try_pin(area_iova, page_size) == Errno{EINVAL});
		CHECK(world.access.try_read(area_iova, &byte, 1) == Errno{EINVAL});
		CHECK(world.context.unmap_all(world.ioas) == page_size);
	};

	SECTION("ordinary file")
	{
		const Fd file = ramfs.create();

		REQUIRE(ftruncate(file.get(), page_size) == 0);
		check(file, map_rw);
	}
	SECTION("directory")
	{
		check(Fd(open("/tmp", O_RDONLY | O_DIRECTORY)), map_read);
	}
	SECTION("device")
	{
		check(Fd(open("/dev/zero", O_RDWR)), map_rw);
	}
	SECTION("file of proc")
	{
		check(Fd(open("/proc/self/stat", O_RDONLY)), map_read);
	}
	SECTION("pipe")
	{
		int ends[2];

		REQUIRE(pipe(ends) == 0);
		const Fd reader(ends[0]), writer(ends[1]);
		check(reader, map_read);
	}
	SECTION("the context itself")
	{
		check(Fd(dup(world.context.fd())), map_rw);
	}
}

TEST_CASE("MAP_FILE and the end of the file")
{
	const World world;
	const Fd file = make_memfd(3 * page_size);
	char byte = 0;

	fill(file, 3 * page_size, 1);
	REQUIRE(world.map(file) == ok);
	SECTION("pages of the file can be had, pages behind it cannot")
	{
		CHECK(world.access.try_pin(area_iova, 3 * page_size) == ok);
		CHECK(world.access.try_pin(area_iova, 4 * page_size) == Errno{EINVAL});
		CHECK(world.access.try_pin(area_iova + 4 * page_size, page_size) ==
		      Errno{EINVAL});
		CHECK(world.access.read(area_iova, 3 * page_size) ==
		      pattern_of(1, 0, 3 * page_size));
		CHECK(world.access.try_read(area_iova + 3 * page_size, &byte, 1) ==
		      Errno{EINVAL});
	}
	SECTION("which is looked at when they are needed")
	{
		REQUIRE(ftruncate(file.get(), length) == 0);
		CHECK(world.access.try_pin(area_iova, length) == ok);
		CHECK(world.access.read(area_iova + 3 * page_size, 5 * page_size) ==
		      std::vector<std::byte>(5 * page_size));
	}
	SECTION("a file cut short keeps what is pinned")
	{
		world.access.pin(area_iova + page_size, page_size);
		REQUIRE(ftruncate(file.get(), 0) == 0);
		CHECK(world.access.try_pin(area_iova, page_size) == Errno{EINVAL});
		CHECK(world.access.try_pin(area_iova + page_size, page_size) == ok);
	}
	SECTION("a page that the file only begins counts as behind it")
	{
		REQUIRE(ftruncate(file.get(), page_size + 1) == 0);
		CHECK(world.access.try_pin(area_iova, page_size) == ok);
		CHECK(world.access.try_pin(area_iova + page_size, page_size) ==
		      Errno{EINVAL});
	}
	CHECK(world.context.unmap_all(world.ioas) == length);
}

TEST_CASE("MAP_FILE at an offset")
{
	const World world;
	const Fd file = make_memfd(length);
	auto cmd = command<iommukit_ioas_map_file>();

	fill(file, length, 1);
	SECTION("that is the hint of the placement")
	{
		cmd.flags = map_rw;
		cmd.ioas_id = world.ioas;
		cmd.fd = file.get();
		cmd.start = page_size;
		cmd.length = 2 * page_size;
		REQUIRE(call(world.context.fd(), IOMMUKIT_IOAS_MAP_FILE, &cmd) == ok);
		CHECK(cmd.iova == page_size);
		cmd.start = 2 * page_size;
		cmd.length = 2 * page_size;
		REQUIRE(call(world.context.fd(), IOMMUKIT_IOAS_MAP_FILE, &cmd) == ok);
		CHECK(cmd.iova == 4 * page_size);
		CHECK(world.access.read(4 * page_size, 2 * page_size) ==
		      pattern_of(1, 2 * page_size, 2 * page_size));
	}
	SECTION("inside a page")
	{
		const std::uint32_t ioas = world.context.ioas();
		const Access access(world.context, ioas, 0);

		REQUIRE(world.context.try_map_file(ioas, file.get(), 1000, 5000, 3) ==
			ok);
		CHECK(access.read(3, 5000) == pattern_of(1, 1000, 5000));
		CHECK(access.read(4000, 1, rw_slow) == pattern_of(1, 4997, 1));
	}
	SECTION("inside a huge page")
	{
		const Fd huge = make_memfd(2 * huge_size, MFD_HUGETLB);

		fill(huge, 2 * huge_size, 2);
		REQUIRE(world.map(huge, huge_size - 3 * page_size, length) == ok);
		world.access.pin(area_iova + page_size, 5 * page_size);
		CHECK(world.access.read(area_iova, length) ==
		      pattern_of(2, huge_size - 3 * page_size, length));
	}
}

TEST_CASE("MAP_FILE and the mode of the file")
{
	const World world;
	const Fd file = make_memfd(length);
	const Fd read_only = reopen(file, O_RDONLY);
	char byte = 1;

	for (std::uint32_t flags : {map_write, map_rw})
		CHECK(world.map(read_only, 0, length, flags | map_fixed) == Errno{EPERM});
	CHECK(world.map(read_only, 0, length, map_read | map_fixed) == ok);
	CHECK(world.access.try_pin(area_iova, length) == ok);
	CHECK(world.access.try_pin(area_iova, length, pin_write) == Errno{EPERM});
	CHECK(world.access.try_write(area_iova, &byte, 1) == Errno{EPERM});
	/* A copy is no way to more. */
	CHECK(world.context.try_copy(world.ioas, 2 * area_iova, world.ioas, area_iova,
				     length) == Errno{EPERM});
	CHECK(world.context.try_copy(world.ioas, 2 * area_iova, world.ioas, area_iova,
				     length, map_read | map_fixed) == ok);
}

TEST_CASE("MAP_FILE and seals")
{
	const World world;
	const Fd file = make_memfd(length, MFD_ALLOW_SEALING);
	const auto seal = [&](int seals) {
		return fcntl(file.get(), F_ADD_SEALS, seals) < 0 ? errno : 0;
	};

	SECTION("that forbid writing")
	{
		const int forbidding[] = {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE};

		for (int seals : forbidding) {
			DYNAMIC_SECTION("seal " << seals)
			{
				REQUIRE(seal(seals) == 0);
				CHECK(world.map(file) == Errno{EPERM});
				CHECK(world.map(file, 0, length, map_write | map_fixed) ==
				      Errno{EPERM});
				CHECK(world.map(file, 0, length, map_read | map_fixed) ==
				      ok);
				CHECK(world.access.try_pin(area_iova, length) == ok);
			}
		}
	}
	SECTION("of the size do not matter")
	{
		REQUIRE(seal(F_SEAL_SHRINK | F_SEAL_GROW) == 0);
		CHECK(world.map(file) == ok);
		CHECK(world.access.try_pin(area_iova, length, pin_write) == ok);
	}
	SECTION("against writing cannot be set on a writeable mapping")
	{
		REQUIRE(world.map(file) == ok);
		CHECK(seal(F_SEAL_WRITE) == EBUSY);
		REQUIRE(world.context.try_copy(world.ioas, 2 * area_iova, world.ioas,
					       area_iova, length) == ok);
		CHECK(world.context.unmap(world.ioas, area_iova, length) == length);
		/* A copy of it is still one. */
		CHECK(seal(F_SEAL_WRITE) == EBUSY);
		CHECK(world.context.unmap_all(world.ioas) == length);
		CHECK(seal(F_SEAL_WRITE) == 0);
	}
	SECTION("can be set on one for reading")
	{
		REQUIRE(world.map(file, 0, length, map_read | map_fixed) == ok);
		CHECK(seal(F_SEAL_WRITE) == 0);
	}
	SECTION("a mapping that was refused does not prevent them")
	{
		REQUIRE(world.map(file) == ok);
		REQUIRE(world.map(file) == Errno{EEXIST});
		CHECK(world.context.unmap_all(world.ioas) == length);
		CHECK(seal(F_SEAL_WRITE) == 0);
	}
}

TEST_CASE("MAP_FILE keeps the file")
{
	const World world;
	const Mount tmpfs("tmpfs");

	SECTION("when its descriptor is closed")
	{
		{
			const Fd file = make_memfd(length);

			fill(file, length, 1);
			REQUIRE(world.map(file) == ok);
		}
		CHECK(world.access.read(area_iova, length) == pattern_of(1, 0, length));
	}
	SECTION("when the process that mapped it is gone")
	{
		CHECK(in_child([&] {
			      const Fd file = make_memfd(length);

			      fill(file, length, 2);
			      return world.map(file).value;
		      }) == 0);
		CHECK(world.access.read(area_iova + 1, 5) == pattern_of(2, 1, 5));
		world.access.pin(area_iova, length);
		CHECK(world.access.read(area_iova, length) == pattern_of(2, 0, length));
	}
	SECTION("until the mapping goes")
	{
		const std::string path = "/dev/shm/iommukit-gone";
		{
			const Fd file(
				open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));

			REQUIRE(file);
			REQUIRE(ftruncate(file.get(), length) == 0);
			REQUIRE(world.map(file) == ok);
		}
		CHECK(unlink(path.c_str()) == 0);
		CHECK(world.access.try_pin(area_iova, length) == ok);
	}
	CHECK(world.context.unmap_all(world.ioas) == length);
}

TEST_CASE("MAP_FILE of a file that was never written reads as zeros")
{
	const World world;
	const Fd file = make_memfd(length);
	const Fd read_only = reopen(file, O_RDONLY);

	REQUIRE(world.map(read_only, 0, length, map_read | map_fixed) == ok);
	CHECK(world.access.read(area_iova, length) == std::vector<std::byte>(length));
	world.access.pin(area_iova, length);
	/* What is written later is seen in the pinned pages. */
	fill(file, length, 1);
	CHECK(world.access.read(area_iova, length, rw_slow) == pattern_of(1, 0, length));
}

TEST_CASE("MAP_FILE and MAP of the same pages see the same bytes")
{
	const World world;
	const Fd file = make_memfd(length);
	const Memory memory(length, file.get(), PROT_READ | PROT_WRITE, MAP_SHARED);

	memory.fill(1);
	REQUIRE(world.map(file) == ok);
	world.context.map(world.ioas, memory, 2 * area_iova);
	world.access.pin(area_iova, length, pin_write, memory.va());
	world.access.pin(2 * area_iova, length, pin_write, memory.va());
	CHECK(check_refs(world.context, memory, 2) == ok);
	memory.fill(2);
	CHECK(world.access.read(area_iova, length) ==
	      world.access.read(2 * area_iova, length));
	CHECK(world.context.unmap_all(world.ioas) == 2 * length);
	CHECK(check_refs(world.context, memory, 0) == ok);
}
