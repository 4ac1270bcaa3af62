// SPDX-License-Identifier: GPL-2.0-only
/* Pages that a thread of the program provides when they are touched by IOVA. */
#include "mm_tools.h"
#include "ondemand.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t size = 8 * page_size;

struct World : OndemandWorld {
	explicit World(Who who) : OndemandWorld(who)
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		map(memory);
	}

	void answer(const Userfault &faults, std::uint64_t page) const
	{
		const auto data = pattern_of(2, page - memory.va(), page_size);

		CHECK(faults.try_copy(page, data.data(), page_size) == ok);
	}

	Memory memory{size, Memory::Kind::private_anonymous};
};

void need_userfault(std::uint64_t features = 0)
{
	if (const auto reason = lacks_userfault(features); !reason.empty())
		skip(reason);
}

} // namespace

TEST_CASE("who waits for a page holds nothing that its provider needs")
{
	need_userfault();
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const Userfault faults;
			const Memory other(page_size);
			Errno error;
			std::byte byte{};

			faults.watch(world.memory.va(), size,
				     UFFDIO_REGISTER_MODE_MISSING);
			std::jthread reader(
				[&] { error = world.read(page_size, &byte, 1); });
			const auto page = faults.await_touch();
			CHECK(page == world.memory.va() + page_size);
			/* All that a provider may do, with this IOAS and beside it. */
			const std::uint64_t aside = iova + huge_size;
			CHECK(world.context.try_map(world.ioas, other.va(), page_size,
						    aside) == ok);
			CHECK(world.device.access().try_read(aside, &byte, 1) == ok);
			CHECK(world.context.unmap(world.ioas, aside, page_size) ==
			      page_size);
			CHECK(try_map_ondemand(world.context, world.ioas, other.va(),
					       page_size, aside) == ok);
			CHECK(world.context.unmap(world.ioas, aside, page_size) ==
			      page_size);
			CHECK(world.context.try_copy(world.ioas, aside, world.ioas, iova,
						     size) == ok);
			CHECK(world.context.unmap(world.ioas, aside, size) == size);
			world.stats();
			world.answer(faults, world.memory.va() + page_size);
			reader.join();
			CHECK(error == ok);
			CHECK(byte == pattern(2, page_size));
			CHECK(world.stats().out_userfault_waits == 1);
			CHECK(world.shows(2, page_size, page_size));
		}
	}
}

TEST_CASE("the mapping goes while somebody waits for a page of it")
{
	need_userfault();
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const Userfault faults;
			Errno error, unmapped;
			std::atomic<bool> over = false;
			std::byte byte{};

			faults.watch(world.memory.va(), size,
				     UFFDIO_REGISTER_MODE_MISSING);
			std::jthread reader([&] { error = world.read(0, &byte, 1); });
			CHECK(faults.await_touch() == world.memory.va());
			/* Either may come first, and neither may hang. */
			std::jthread unmapper([&] {
				unmapped =
					world.context.try_unmap(world.ioas, iova, size);
				over = true;
			});
			usleep(10000);
			world.answer(faults, world.memory.va());
			reader.join();
			unmapper.join();
			CHECK(over);
			CHECK(unmapped == ok);
			CHECK((error == ok || error == Errno{ENOENT}));
			if (error == ok)
				CHECK(byte == pattern(2, 0));
			CHECK(world.touch(0) == Errno{ENOENT});
		}
	}
}

TEST_CASE("a reader that waits can be killed")
{
	need_userfault();
	const World world(Who::other);
	const Userfault faults;
	Errno error;
	std::byte byte{};

	faults.watch(world.memory.va(), size, UFFDIO_REGISTER_MODE_MISSING);
	std::jthread reader([&] { error = world.read(0, &byte, 1); });
	CHECK(faults.await_touch() == world.memory.va());
	world.device.kill_other();
	reader.join();
	CHECK(error == Errno{ESRCH});
	/* What it held is free. */
	CHECK(world.context.unmap(world.ioas, iova, size) == size);
}

TEST_CASE("an owner that is killed while others wait for its page")
{
	need_userfault();
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas, 0);
	std::byte byte{};

	Child owner([&](const Child::Steps &step) {
		const Memory memory(size, Memory::Kind::private_anonymous);
		const Userfault faults;

		faults.watch(memory.va(), size, UFFDIO_REGISTER_MODE_MISSING);
		if (try_map_ondemand(context, ioas, memory.va(), size, iova) != ok)
			return 1;
		step.meet();
		if (!faults.await_touch())
			return 2;
		step.meet();
		return 3;
	});
	owner.await();
	Errno error;
	std::jthread reader([&] { error = access.try_read(iova, &byte, 1); });
	owner.resume();
	owner.await();
	owner.kill();
	CHECK(owner.join() == deadly_signal + SIGKILL);
	reader.join();
	/* The end of the userfaultfd may let a last page through. */
	CHECK((error == Errno{EFAULT} || error == ok));
	/* Who was looking for it may be the last to let go of the memory, a bit later. */
	CHECK(wait_until(
		[&] { return access.try_read(iova, &byte, 1) == Errno{EFAULT}; }));
	CHECK(context.unmap(ioas, iova, size) == size);
}

TEST_CASE("a write waits until its page may be written")
{
	need_userfault(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const Userfault faults(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
			Errno error;

			world.memory.fill(1);
			REQUIRE(world.put(0, pattern(1, 0)) == ok);
			faults.watch(world.memory.va(), size, UFFDIO_REGISTER_MODE_WP);
			REQUIRE(faults.try_protect(world.memory.va(), size, true) == ok);
			/* The entry that could be written is gone; reading waits not. */
			CHECK(world.shows(1, 0, size));
			std::jthread writer([&] { error = world.put(0, std::byte(7)); });
			CHECK(faults.await_touch() == world.memory.va());
			CHECK(world.memory.data()[0] == pattern(1, 0));
			REQUIRE(faults.try_protect(world.memory.va(), page_size, false) ==
				ok);
			writer.join();
			CHECK(error == ok);
			CHECK(world.memory.data()[0] == std::byte(7));
			CHECK(world.stats().out_userfault_waits >= 1);
		}
	}
}

TEST_CASE("a userfaultfd for user mode only is asked by nobody here")
{
	need_userfault();
	const World world(Who::other);
	const Fd faults(static_cast<int>(
		syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY)));
	uffdio_api api{UFFD_API, 0, 0};
	uffdio_register registration{};

	if (!faults)
		skip("this kernel has no userfaultfd for user mode only");
	REQUIRE(ioctl(faults.get(), UFFDIO_API, &api) == 0);
	registration.range = {world.memory.va(), size};
	registration.mode = UFFDIO_REGISTER_MODE_MISSING;
	REQUIRE(ioctl(faults.get(), UFFDIO_REGISTER, &registration) == 0);
	CHECK(world.touch(0) == Errno{EFAULT});
	CHECK(world.put(0, std::byte(1)) == Errno{EFAULT});
}

/* Without one who answers, who waits for the first page waits for ever. */
TEST_CASE("user space is not waited for if the next page cannot be had at all")
{
	need_userfault();
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const Userfault faults;
			const auto data = pattern_of(2, 0, 2 * page_size);
			std::uint64_t found = 0;

			world.memory.fill(1);
			faults.watch(world.memory.va(), page_size,
				     UFFDIO_REGISTER_MODE_MISSING);
			/* It can be written, but nobody may read it. */
			REQUIRE(mprotect(world.memory.data() + page_size, page_size,
					 PROT_WRITE) == 0);
			CHECK(try_prefetch(world.context, world.ioas, iova, 2 * page_size,
					   IOMMUKIT_IOAS_PREFETCH_WRITE, &found) == ok);
			CHECK(found == 1);
			CHECK(world.write(0, data.data(), 2 * page_size) ==
			      Errno{EFAULT});
			CHECK(!faults.await_touch(0));
		}
	}
}
