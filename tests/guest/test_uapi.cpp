// SPDX-License-Identifier: GPL-2.0-only
/*
 * The binary interface itself: dispatch, size negotiation and responses. What the
 * commands do is the business of the other programs.
 */
#include "ondemand.h"
#include "vfio.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x10000;

/* A context with one page mapped at area_iova. */
struct World {
	World() : ioas(context.ioas()) { context.map(ioas, memory, area_iova); }

	Context context;
	Memory memory{page_size};
	std::uint32_t ioas;
};

/* A command, and a valid call of it. */
struct Row {
	const char *name;
	unsigned long request;
	std::size_t size;
	std::size_t min_size;
	std::function<void(const World &, void *)> fill;
	/* Does it write its structure back? */
	bool responds;
};

template <class Command, class Fill>
Row row(const char *name, unsigned long request, bool responds, Fill fill)
{
	return {name,
		request,
		sizeof(Command),
		sizeof(Command),
		[fill](const World &world, void *to) {
			auto cmd = command<Command>();

			fill(world, cmd);
			std::memcpy(to, &cmd, sizeof(cmd));
		},
		responds};
}

iommukit_ioas_map_ondemand on_demand(const World &world, std::uint64_t iova)
{
	return ondemand_command(world.ioas, world.memory.va(), page_size, iova);
}

std::vector<Row> rows()
{
	std::vector<Row> all{
		row<iommukit_destroy>("DESTROY", IOMMUKIT_DESTROY, false,
				      [](const World &w, auto &cmd) { cmd.id = w.ioas; }),
		row<iommukit_ioas_alloc>("IOAS_ALLOC", IOMMUKIT_IOAS_ALLOC, true,
					 [](const World &, auto &) {}),
		row<iommukit_ioas_allow_iovas>(
			"ALLOW_IOVAS", IOMMUKIT_IOAS_ALLOW_IOVAS, false,
			[](const World &w, auto &cmd) { cmd.ioas_id = w.ioas; }),
		row<iommukit_ioas_copy>("COPY", IOMMUKIT_IOAS_COPY, true,
					[](const World &w, auto &cmd) {
						cmd.flags = map_rw_fixed;
						cmd.dst_ioas_id = w.ioas;
						cmd.src_ioas_id = w.ioas;
						cmd.length = page_size;
						cmd.dst_iova = 2 * area_iova;
						cmd.src_iova = area_iova;
					}),
		row<iommukit_ioas_iova_ranges>("IOVA_RANGES", IOMMUKIT_IOAS_IOVA_RANGES,
					       true,
					       [](const World &w, auto &cmd) {
						       /* The structure of the page
							* suffices. */
						       cmd.ioas_id = w.ioas;
						       cmd.num_iovas = 4;
						       cmd.allowed_iovas = w.memory.va();
					       }),
		row<iommukit_ioas_map>("MAP", IOMMUKIT_IOAS_MAP, true,
				       [](const World &w, auto &cmd) {
					       cmd.flags = map_rw_fixed;
					       cmd.ioas_id = w.ioas;
					       cmd.user_va = w.memory.va();
					       cmd.length = page_size;
					       cmd.iova = 2 * area_iova;
				       }),
		row<iommukit_ioas_unmap>("UNMAP", IOMMUKIT_IOAS_UNMAP, true,
					 [](const World &w, auto &cmd) {
						 cmd.ioas_id = w.ioas;
						 cmd.iova = area_iova;
						 cmd.length = page_size;
					 }),
		row<struct iommukit_option>("OPTION", IOMMUKIT_OPTION, false,
					    [](const World &w, auto &cmd) {
						    cmd.option_id =
							    IOMMUKIT_OPTION_HUGE_PAGES;
						    cmd.op = IOMMUKIT_OPTION_OP_GET;
						    cmd.object_id = w.ioas;
					    }),
		row<iommukit_vfio_ioas>("VFIO_IOAS", IOMMUKIT_VFIO_IOAS, true,
					[](const World &w, auto &cmd) {
						vfio_set(w.context, w.ioas);
						cmd.op = IOMMUKIT_VFIO_IOAS_GET;
					}),
		row<iommukit_ioas_map_file>("MAP_FILE", IOMMUKIT_IOAS_MAP_FILE, true,
					    [](const World &w, auto &cmd) {
						    static const Fd file(memfd_create(
							    "uapi", MFD_CLOEXEC));

						    cmd.flags = map_rw_fixed;
						    cmd.ioas_id = w.ioas;
						    cmd.fd = file.get();
						    cmd.length = page_size;
						    cmd.iova = 2 * area_iova;
					    }),
		row<iommukit_info>("INFO", IOMMUKIT_INFO, true,
				   [](const World &, auto &) {}),
		row<iommukit_ioas_map_ondemand>("MAP_ONDEMAND",
						IOMMUKIT_IOAS_MAP_ONDEMAND, true,
						[](const World &w, auto &cmd) {
							cmd = on_demand(w, 2 * area_iova);
						}),
		row<iommukit_ioas_prefetch>("PREFETCH", IOMMUKIT_IOAS_PREFETCH, true,
					    [](const World &w, auto &cmd) {
						    cmd.ioas_id = w.ioas;
						    cmd.iova = area_iova;
						    cmd.length = page_size;
					    }),
		row<iommukit_ondemand_query>(
			"ONDEMAND_QUERY", IOMMUKIT_ONDEMAND_QUERY, true,
			[](const World &w, auto &cmd) {
				auto map = on_demand(w, 3 * area_iova);

				/* It is there if this is not the first time. */
				call(w.context.fd(), IOMMUKIT_IOAS_MAP_ONDEMAND, &map);
				cmd.ioas_id = w.ioas;
				cmd.iova = 3 * area_iova;
			}),
		row<iommukit_test_cmd>(
			"TEST_CMD", IOMMUKIT_TEST_CMD, false,
			[](const World &, auto &cmd) {
				cmd.op = IOMMUKIT_TEST_OP_SET_TEMP_MEMORY_LIMIT;
				cmd.memory_limit.limit =
					IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT;
			}),
	};

	all.back().min_size = 68;
	all[all.size() - 2].min_size = 32;
	return all;
}

/* Issues a valid call whose buffer is @bytes long, prepared by @change. */
Errno issue(const Row &row, std::size_t bytes,
	    const std::function<void(std::byte *)> &change = {})
{
	const World world;
	std::vector<std::byte> buffer(std::max(bytes, row.size));

	row.fill(world, buffer.data());
	const auto size = static_cast<std::uint32_t>(bytes);
	std::memcpy(buffer.data(), &size, sizeof(size));
	if (change)
		change(buffer.data());
	return call(world.context.fd(), row.request, buffer.data());
}

void garble_body(std::byte *cmd, std::size_t bytes)
{
	std::memset(cmd + sizeof(std::uint32_t), 0xff, bytes - sizeof(std::uint32_t));
}

} // namespace

TEST_CASE("size negotiation")
{
	for (const Row &row : rows()) {
		DYNAMIC_SECTION(row.name)
		{
			CHECK(issue(row, row.size) == ok);
			CHECK(issue(row, row.min_size) == ok);
			for (std::size_t size :
			     {std::size_t(0), std::size_t(4), row.min_size - 1})
				CHECK(issue(row, size) == Errno{EINVAL});
			for (std::size_t more : {1, 8, 4096, 1 << 20})
				CHECK(issue(row, row.size + more) == ok);
			for (std::size_t more : {1, 9, 5000})
				CHECK(issue(row, row.size + more, [&](std::byte *cmd) {
					      cmd[row.size + more - 1] = std::byte(0xff);
				      }) == Errno{E2BIG});
		}
	}
}

TEST_CASE("a wrong size wins over a wrong body")
{
	for (const Row &row : rows()) {
		DYNAMIC_SECTION(row.name)
		{
			CHECK(issue(row, row.min_size - 1, [&](std::byte *cmd) {
				      garble_body(cmd, row.size);
			      }) == Errno{EINVAL});
			CHECK(issue(row, row.size + 1, [&](std::byte *cmd) {
				      garble_body(cmd, row.size + 1);
			      }) == Errno{E2BIG});
		}
	}
}

TEST_CASE("a structure that cannot be read")
{
	for (const Row &row : rows()) {
		DYNAMIC_SECTION(row.name)
		{
			const World world;
			const PageAndHole memory;
			const auto at = [&](std::size_t readable) {
				auto *to =
					static_cast<std::byte *>(memory.tail(readable));
				std::vector<std::byte> cmd(row.size);

				row.fill(world, cmd.data());
				std::memcpy(to, cmd.data(), std::min(readable, row.size));
				return to;
			};
			const auto size = static_cast<std::uint32_t>(row.size + 8);
			const int fd = world.context.fd();

			CHECK(call(fd, row.request, nullptr) == Errno{EFAULT});
			CHECK(call(fd, row.request, bad_pointer()) == Errno{EFAULT});
			/* Not even the size, only the size, all but a byte. */
			CHECK(call(fd, row.request, at(2)) == Errno{EFAULT});
			CHECK(call(fd, row.request, at(4)) == Errno{EFAULT});
			CHECK(call(fd, row.request, at(row.size - 1)) == Errno{EFAULT});
			/* The unknown tail. */
			std::memcpy(at(row.size), &size, sizeof(size));
			CHECK(call(fd, row.request, memory.tail(row.size)) ==
			      Errno{EFAULT});
			/* And the same, if all of it is there. */
			CHECK(call(fd, row.request, at(row.size)) == ok);
		}
	}
}

TEST_CASE("a response goes back into the whole structure, OPTION's into val64")
{
	for (const Row &row : rows()) {
		DYNAMIC_SECTION(row.name)
		{
			const World world;
			const PageAndHole memory;
			void *cmd = memory.tail(row.size);

			row.fill(world, cmd);
			memory.write_protect();
			const Errno error = call(world.context.fd(), row.request, cmd);
			if (std::string(row.name) == "OPTION")
				CHECK(error == Errno{EFAULT});
			else
				CHECK(error == (row.responds ? Errno{EFAULT} : ok));
		}
	}
	SECTION("only val64 of OPTION")
	{
		const World world;
		const Memory pages(2 * page_size);
		auto *cmd = reinterpret_cast<struct iommukit_option *>(
			pages.data() + page_size -
			offsetof(struct iommukit_option, val64));

		*cmd = command<struct iommukit_option>();
		cmd->option_id = IOMMUKIT_OPTION_HUGE_PAGES;
		cmd->op = IOMMUKIT_OPTION_OP_GET;
		cmd->object_id = world.ioas;
		REQUIRE(mprotect(pages.data(), page_size, PROT_READ) == 0);
		CHECK(call(world.context.fd(), IOMMUKIT_OPTION, cmd) == ok);
		CHECK(cmd->val64 == 1);
	}
}

TEST_CASE("a response is as long as the caller's structure")
{
	const World world;
	struct {
		iommukit_ioas_alloc cmd;
		std::uint32_t tail[5];
	} larger{};

	SECTION("inputs come back unchanged, the size too")
	{
		larger.cmd.size = sizeof(larger);
		REQUIRE(call(world.context.fd(), IOMMUKIT_IOAS_ALLOC, &larger) == ok);
		CHECK(larger.cmd.size == sizeof(larger));
		CHECK(larger.cmd.flags == 0);
		CHECK(larger.cmd.out_ioas_id != 0);
		for (std::uint32_t word : larger.tail)
			CHECK(word == 0);
	}
	SECTION("a shorter structure gets no more than it has")
	{
		auto cmd = test_command(IOMMUKIT_TEST_OP_CREATE_ACCESS, world.ioas);
		const PageAndHole memory;
		auto *user = static_cast<std::byte *>(memory.tail(68));
		std::uint32_t access = 0;

		cmd.size = 68;
		std::memcpy(user, &cmd, 68);
		REQUIRE(call(world.context.fd(), IOMMUKIT_TEST_CMD, user) == ok);
		std::memcpy(
			&access,
			user + offsetof(iommukit_test_cmd, create_access.out_access_fd),
			sizeof(access));
		CHECK(::close(static_cast<int>(access)) == 0);
	}
	SECTION("nothing is written on an error")
	{
		auto cmd = command<iommukit_ioas_alloc>();

		cmd.flags = 1;
		cmd.out_ioas_id = 0x12345678;
		CHECK(call(world.context.fd(), IOMMUKIT_IOAS_ALLOC, &cmd) ==
		      Errno{EOPNOTSUPP});
		CHECK(cmd.out_ioas_id == 0x12345678);
	}
}

TEST_CASE("numbers inside the table without a command")
{
	const World world;
	const int fd = world.context.fd();
	std::uint32_t cmd[32] = {sizeof(cmd)};

	for (unsigned int nr = 0x80; nr <= 0xa0; nr++) {
		const bool exists = nr <= 0x8f || nr == 0xa0;

		if (exists)
			continue;
		INFO("number 0x" << std::hex << nr);
		CHECK(call(fd, _IO(';', nr), nullptr) == Errno{EFAULT});
		CHECK(call(fd, _IO(';', nr), bad_pointer()) == Errno{EFAULT});
		CHECK(call(fd, _IO(';', nr), cmd) == Errno{ENOTTY});
	}
}

TEST_CASE("numbers outside of the tables do not touch the argument")
{
	const World world;
	const int fd = world.context.fd();
	std::uint32_t cmd[32] = {sizeof(cmd)};

	for (unsigned int nr = 0; nr <= 0xff; nr++) {
		const bool vfio =
			(nr >= 0x64 && nr <= 0x66) || (nr >= 0x70 && nr <= 0x72);

		if ((nr >= 0x80 && nr <= 0xa0) || (nr >= 0xc0 && nr <= 0xdf) || vfio)
			continue;
		INFO("number 0x" << std::hex << nr);
		CHECK(call(fd, _IO(';', nr), nullptr) == Errno{ENOTTY});
		CHECK(call(fd, _IO(';', nr), bad_pointer()) == Errno{ENOTTY});
		CHECK(call(fd, _IO(';', nr), cmd) == Errno{ENOTTY});
	}
}

TEST_CASE("extension numbers that are free")
{
	const World world;
	std::uint32_t cmd[32] = {sizeof(cmd)};

	for (unsigned int nr = 0xc4; nr <= 0xdf; nr++) {
		const bool exists = (nr >= 0xc8 && nr <= 0xca) || nr == 0xcc ||
				    nr == 0xcd || (nr >= 0xd0 && nr <= 0xd6);

		if (exists)
			continue;
		INFO("number 0x" << std::hex << nr);
		CHECK(call(world.context.fd(), _IO(';', nr), cmd) == Errno{ENOTTY});
	}
}

TEST_CASE("the whole command word counts")
{
	const World world;
	const int fd = world.context.fd();
	auto cmd = command<iommukit_ioas_alloc>();
	const unsigned long words[] = {
		_IOR(';', 0x81, iommukit_ioas_alloc),
		_IOW(';', 0x81, iommukit_ioas_alloc),
		_IOWR(';', 0x81, iommukit_ioas_alloc),
		_IO(':', 0x81),
		_IO(0, 0x81),
		_IO(';', 0x81) | 1UL << _IOC_SIZESHIFT,
		_IOWR(';', 0xc0, iommukit_info),
	};

	for (unsigned long word : words) {
		INFO("command word 0x" << std::hex << word);
		CHECK(call(fd, word, &cmd) == Errno{ENOTTY});
		CHECK(call(fd, word, nullptr) == Errno{EFAULT});
	}
	CHECK(call(fd, IOMMUKIT_IOAS_ALLOC, &cmd) == ok);
}

TEST_CASE("INFO")
{
	const World world;
	const int fd = world.context.fd();
	const auto valid = command<iommukit_info>();

	SECTION("answers")
	{
		auto cmd = valid;

		REQUIRE(call(fd, IOMMUKIT_INFO, &cmd) == ok);
		CHECK((cmd.out_features & IOMMUKIT_FEATURE_MAP_FILE) != 0);
		CHECK((cmd.out_features & IOMMUKIT_FEATURE_TEST) != 0);
		CHECK((cmd.out_page_sizes & -cmd.out_page_sizes) ==
		      static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
		CHECK(cmd.out_version_major + cmd.out_version_minor +
			      cmd.out_version_patch >
		      0);
	}
	SECTION("rejections")
	{
		check_ordered<iommukit_info>(
			{
				{"unknown flag", "flags",
				 [](auto &cmd) { cmd.flags = 1; }, EOPNOTSUPP},
				{"reserved", "__reserved",
				 [](auto &cmd) { cmd.__reserved = 1; }, EOPNOTSUPP},
			},
			valid, [&](auto &cmd) { return call(fd, IOMMUKIT_INFO, &cmd); });
	}
	SECTION("needs no object")
	{
		const Context fresh;
		auto cmd = valid;

		CHECK(call(fresh.fd(), IOMMUKIT_INFO, &cmd) == ok);
		CHECK(fresh.ioas() == 1);
	}
}

TEST_CASE("the device node")
{
	const Context context;

	SECTION("belongs to root and is closed to others")
	{
		struct stat info {};

		REQUIRE(stat("/dev/iommukit", &info) == 0);
		CHECK(S_ISCHR(info.st_mode));
		CHECK((info.st_mode & 07777) == 0660);
		CHECK(info.st_uid == 0);
		CHECK(in_child([] {
			      if (become_user(60000, page_size))
				      return 1;
			      return open("/dev/iommukit", O_RDWR) < 0 ? errno : 0;
		      }) == EACCES);
	}
	SECTION("has no other file operations")
	{
		char byte = 0;

		CHECK(read(context.fd(), &byte, 1) < 0);
		CHECK(errno == EINVAL);
		CHECK(write(context.fd(), &byte, 1) < 0);
		CHECK(errno == EINVAL);
		CHECK(mmap(nullptr, page_size, PROT_READ, MAP_SHARED, context.fd(), 0) ==
		      MAP_FAILED);
		CHECK(errno == ENODEV);
	}
	SECTION("ignores the open flags")
	{
		const Fd read_only(open("/dev/iommukit", O_RDONLY | O_NONBLOCK));
		auto cmd = command<iommukit_ioas_alloc>();

		REQUIRE(read_only);
		CHECK(call(read_only.get(), IOMMUKIT_IOAS_ALLOC, &cmd) == ok);
	}
	SECTION("gives every open its own context, and shares it by dup and fork")
	{
		const Context other;
		const Fd twin(dup(context.fd()));
		auto cmd = command<iommukit_destroy>();

		cmd.id = context.ioas();
		CHECK(cmd.id == 1);
		CHECK(other.try_destroy(1) == Errno{ENOENT});
		CHECK(other.ioas() == 1);
		CHECK(in_child([&] {
			      std::uint32_t id = 0;

			      context.try_ioas(&id);
			      return static_cast<int>(id);
		      }) == 2);
		CHECK(call(twin.get(), IOMMUKIT_DESTROY, &cmd) == ok);
		CHECK(context.try_destroy(1) == Errno{ENOENT});
		CHECK(context.try_destroy(2) == ok);
	}
}

#ifdef __x86_64__
namespace {

long compat_syscall(long number, long a, long b, long c)
{
	long result;

	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(number), "b"(a), "c"(b), "d"(c)
		     : "memory", "r8", "r9", "r10", "r11");
	return result;
}

constexpr long compat_getpid = 20;
constexpr long compat_ioctl = 54;

} // namespace

TEST_CASE("32-bit callers get ENOTTY for every command")
{
	const World world;

	if (in_child([] { return compat_syscall(compat_getpid, 0, 0, 0) != getpid(); }) !=
	    0)
		skip("this kernel has no 32-bit system calls");
	for (const Row &row : rows()) {
		INFO(row.name);
		CHECK(in_child([&] {
			      return static_cast<int>(
				      -compat_syscall(compat_ioctl, world.context.fd(),
						      static_cast<long>(row.request), 0));
		      }) == ENOTTY);
	}
}
#endif
