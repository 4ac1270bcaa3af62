// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call of a driver, made by the test module, failed at each of its points
 * in turn; see fault.h.
 */
#include "fault_world.h"
#include "process.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

using namespace guest;

namespace {

constexpr std::uint64_t iova = FaultWorld::iova;
constexpr std::uint64_t piece = FaultWorld::piece;
constexpr std::uint64_t mapped = FaultWorld::mapped;
constexpr std::uint64_t middle = PinWorld::middle;
constexpr std::uint64_t middle_length = PinWorld::middle_length;

/* Takes CAP_IPC_LOCK out of effect, so that pins are charged. */
class Charged {
    public:
	explicit Charged(std::uint64_t npages)
	{
		set(false);
		REQUIRE(getrlimit(RLIMIT_MEMLOCK, &before) == 0);
		const rlimit limit{npages * page_size, before.rlim_max};
		REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	}
	Charged(const Charged &) = delete;
	Charged &operator=(const Charged &) = delete;
	~Charged()
	{
		setrlimit(RLIMIT_MEMLOCK, &before);
		set(true);
	}

    private:
	static void set(bool effective)
	{
		__user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
		__user_cap_data_struct data[2] = {};
		auto &word = data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective;

		CHECK(syscall(SYS_capget, &header, data) == 0);
		word = effective ? word | CAP_TO_MASK(CAP_IPC_LOCK)
				 : word & ~CAP_TO_MASK(CAP_IPC_LOCK);
		CHECK(syscall(SYS_capset, &header, data) == 0);
	}

	rlimit before{};
};

} // namespace

/* ---- coming and going ---- */

TEST_CASE("fail-nth: test command ADD_RESERVED")
{
	const FaultWorld world;
	std::uint32_t ioas = 0;
	const auto look = [&] {
		Snapshot seen;

		for (const auto &range : world.context.ranges(ioas))
			seen.push_back(observation("usable", range.start));
		return seen;
	};

	/* A reserved range goes with its IOAS only. */
	ioas = world.context.ioas();
	sweep({"ADD_RESERVED",
	       2,
	       [&] {
		       return try_add_reserved(world.context, ioas, huge_size, page_size);
	       },
	       [&] {
		       world.context.destroy(ioas);
		       REQUIRE(world.context.ioas() == ioas);
	       },
	       {ENOENT, ENOMEM}},
	      look);
}

TEST_CASE("fail-nth: access create")
{
	const FaultWorld world;
	Fd access;

	world.sweep({"access create, then attach",
		     5,
		     [&] {
			     return Access::attempt_extended(world.context, world.first,
							     access_pins, &access);
		     },
		     [&] { access.reset(); },
		     {ENOENT, ENOMEM, ENFILE}});
	world.sweep({"access create attached",
		     5,
		     [&] {
			     return Access::attempt(world.context, world.first,
						    access_pins, &access);
		     },
		     [&] { access.reset(); },
		     {ENOENT, ENOMEM, ENFILE}});
	world.sweep({"access create",
		     2,
		     [&] {
			     return Access::attempt_extended(world.context, 0,
							     access_pins, &access);
		     },
		     [&] { access.reset(); },
		     {ENOMEM, ENFILE}});
}

TEST_CASE("fail-nth: access attach and detach")
{
	const FaultWorld world;
	const Access access = Access::extended(world.context, 0, access_pins);
	auto detach = test_command(IOMMUKIT_TEST_OP_ACCESS_DETACH, access.id());

	world.sweep({"access attach",
		     3,
		     [&] { return access.try_attach(world.first); },
		     [&] { access.detach(); },
		     {ENOENT, ENOMEM}});
	REQUIRE(access.try_attach(world.first) == ok);
	world.sweep({"access detach",
		     0,
		     [&] { return test_call(world.context, detach); },
		     [&] { REQUIRE(access.try_attach(world.first) == ok); },
		     {}});
}

TEST_CASE("fail-nth: access replace")
{
	const PinWorld world;

	/* The pins go when the other IOAS has accepted the access, not before. */
	world.sweep({"access replace",
		     3,
		     [&] { return world.access.try_replace(world.second); },
		     [&] {
			     REQUIRE(world.access.try_replace(world.first) == ok);
			     world.pin();
		     },
		     {ENOENT, ENOMEM}});
	world.sweep({"access replace by the same",
		     1,
		     [&] { return world.access.try_replace(world.first); },
		     {},
		     {ENOENT}});
}

TEST_CASE("fail-nth: access detach with pins")
{
	const PinWorld world;
	auto detach = test_command(IOMMUKIT_TEST_OP_ACCESS_DETACH, world.access.id());

	world.sweep({"access detach with pins",
		     0,
		     [&] { return test_call(world.context, detach); },
		     [&] {
			     REQUIRE(world.access.try_attach(world.first) == ok);
			     world.pin();
		     },
		     {}});
}

TEST_CASE("fail-nth: access close with pins")
{
	const FaultWorld world;
	std::optional<Access> access;
	const auto open_and_pin = [&] {
		access.emplace(world.context, world.first);
		access->pin(middle, middle_length, pin_write);
	};

	open_and_pin();
	world.sweep({"access close",
		     0,
		     [&] {
			     access->close();
			     return ok;
		     },
		     open_and_pin,
		     {}});
}

TEST_CASE("fail-nth: pin")
{
	const PinWorld world(0, false);

	/* Two areas: of each getting, describing, storing and charging. */
	world.sweep({"pin",
		     9,
		     [&] { return world.try_pin(); },
		     [&] { world.unpin(); },
		     {ENOMEM, EINVAL}});
	world.sweep({"pin and compare",
		     9,
		     [&] {
			     return world.access.try_pin(
				     middle, middle_length, 0,
				     world.memory.va() + piece + page_size, &world.item);
		     },
		     [&] { world.unpin(); },
		     {ENOMEM, EINVAL}});
}

TEST_CASE("fail-nth: pin around and inside of pins")
{
	const PinWorld world;
	const Access &access = world.access;
	std::uint32_t item = no_item;
	const auto unpin = [&] { REQUIRE(access.try_unpin(item) == ok); };

	/*
	 * One page in the midst of a segment of three cuts it in three, which
	 * it stays until the outer pin goes, too.
	 */
	world.sweep({"pin inside of a pin",
		     4,
		     [&] {
			     return access.try_pin(middle + page_size, page_size, 0, 0,
						   &item);
		     },
		     [&] {
			     unpin();
			     world.unpin();
			     world.pin();
		     },
		     {ENOMEM, EINVAL}});
	world.sweep({"pin across the ends of a pin",
		     13,
		     [&] { return access.try_pin(iova, mapped, 0, 0, &item); },
		     unpin,
		     {ENOMEM, EINVAL}});
}

TEST_CASE("fail-nth: pin of several segments")
{
	const NothingLeft nothing_left;
	const Context context;
	constexpr std::uint64_t length = 40UL << 20;
	const Memory memory(length);
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas);
	std::uint32_t item = no_item;
	/* Segments end where addresses are multiples of this. */
	constexpr std::uint64_t bound = 16UL << 20, before = 7UL << 20;
	const std::uint64_t at = iova + bound - memory.va() % bound + bound - before;

	context.map(ioas, memory, iova);
	memory.fill(1);
	sweep({"pin of two segments",
	       9,
	       [&] { return access.try_pin(at, 2 * before, 0, 0, &item); },
	       [&] { REQUIRE(access.try_unpin(item) == ok); },
	       {ENOMEM, EINVAL}},
	      [&] {
		      return Snapshot{
			      observation("VmPin",
					  static_cast<std::uint64_t>(
						  status_pages(getpid(), "VmPin"))),
			      observation("pinned",
					  static_cast<std::uint64_t>(
						  check_refs(context, memory, 0).value))};
	      });
}

/*
 * The limit is what the pin needs: a charge that a failure leaves would make
 * the repetition fail.
 */
TEST_CASE("fail-nth: charged pin")
{
	const Charged charged(middle_length / page_size);

	SECTION("to the user")
	{
		const PinWorld world(0, false);

		world.sweep({"pin charged to the user",
			     9,
			     [&] { return world.try_pin(); },
			     [&] { world.unpin(); },
			     {ENOMEM, EINVAL}});
	}
	SECTION("to the mm")
	{
		const PinWorld world(1, false);

		world.sweep({"pin charged to the mm",
			     9,
			     [&] { return world.try_pin(); },
			     [&] { world.unpin(); },
			     {ENOMEM, EINVAL}});
	}
}

TEST_CASE("fail-nth: unpin")
{
	const PinWorld world;

	world.sweep({"unpin",
		     0,
		     [&] { return world.access.try_unpin(world.item); },
		     [&] { world.pin(); },
		     {}});
}

TEST_CASE("fail-nth: rw of the caller's memory")
{
	PinWorld world(0, false);
	const Access &access = world.access;
	const Memory buffer(middle_length);
	const auto clear = [&] { std::memset(buffer.data(), 0, buffer.size()); };
	const auto refill = [&] { world.fill(); };

	std::memset(buffer.data(), 0, buffer.size());
	world.observe("buffer", [&] {
		return std::hash<std::string_view>{}(
			{reinterpret_cast<const char *>(buffer.data()), buffer.size()});
	});
	world.sweep(
		{"read",
		 0,
		 [&] { return access.try_read(middle, buffer.data(), middle_length); },
		 clear,
		 {ENOMEM},
		 false,
		 true});
	world.sweep(
		{"read slowly, in a page",
		 2,
		 [&] { return access.try_read(middle + 5, buffer.data(), 64, rw_slow); },
		 clear,
		 {ENOMEM, EINVAL},
		 false,
		 true});
	const SmallBatches batches(world.context);
	world.sweep({"read slowly",
		     3,
		     [&] {
			     return access.try_read(middle, buffer.data(), middle_length,
						    rw_slow);
		     },
		     clear,
		     {ENOMEM, EINVAL},
		     false,
		     true});
	world.sweep(
		{"write",
		 0,
		 [&] { return access.try_write(middle, buffer.data(), middle_length); },
		 refill,
		 {ENOMEM},
		 false,
		 true});
	world.sweep(
		{"write slowly, in a page",
		 2,
		 [&] { return access.try_write(middle + 5, buffer.data(), 64, rw_slow); },
		 refill,
		 {ENOMEM, EINVAL},
		 false,
		 true});
	world.sweep({"write slowly",
		     3,
		     [&] {
			     return access.try_write(middle, buffer.data(), middle_length,
						     rw_slow);
		     },
		     refill,
		     {ENOMEM, EINVAL},
		     false,
		     true});
}

/* One reference too many cannot be seen, but a thousand count as a pin. */
TEST_CASE("slow reads leave no reference on the pages, failed or not")
{
	const PinWorld world(0, false);
	std::vector<std::byte> buffer(mapped);
	constexpr unsigned int times = 1100;

	world.memory.unmap(2 * piece + page_size, page_size);
	for (unsigned int i = 0; i < times; i++) {
		REQUIRE(world.access.try_read(iova, buffer.data(), 2 * piece, rw_slow) ==
			ok);
		/* The third area has only its first page. */
		REQUIRE(world.access.try_read(iova + 2 * piece, buffer.data(), piece,
					      rw_slow) == Errno{EFAULT});
	}
	CHECK(check_refs(world.context, world.memory.va(), 2 * piece + page_size, 0) ==
	      ok);
}

TEST_CASE("fail-nth: rw in a kernel thread")
{
	const PinWorld world;
	std::array<char, 64> buffer{};

	world.sweep({"read in a kernel thread",
		     0,
		     [&] {
			     return world.access.rw_raw(iova, buffer.data(),
							buffer.size(), rw_kthread,
							From::kthread);
		     },
		     {},
		     {ENOMEM}});
}

/* ---- other owners ---- */

TEST_CASE("fail-nth: memory of another process")
{
	Shared<std::uint32_t> ioas;
	const NothingLeft nothing_left;
	const Context context;
	const Memory memory(piece);
	Child child([&](const Child::Steps &step) {
		if (context.try_ioas(&*ioas) != ok ||
		    context.try_map(*ioas, memory.va(), piece, iova) != ok)
			return 1;
		step.meet();
		return 0;
	});

	memory.fill(1);
	child.await();
	const Access access(context, *ioas);
	const SmallBatches batches(context);
	std::vector<std::byte> buffer(piece);
	std::uint32_t item = no_item;
	const auto look = [&] {
		return Snapshot{
			observation("VmPin", static_cast<std::uint64_t>(
						     status_pages(child.pid(), "VmPin"))),
			observation("pinned",
				    static_cast<std::uint64_t>(
					    check_refs(context, memory, 0).value)),
		};
	};

	sweep({"pin of another's memory",
	       5,
	       [&] { return access.try_pin(iova, piece, pin_write, 0, &item); },
	       [&] { REQUIRE(access.try_unpin(item) == ok); },
	       {ENOMEM, EINVAL}},
	      look);
	sweep({"read of another's memory",
	       1,
	       [&] { return access.try_read(iova, buffer.data(), piece); },
	       {},
	       {ENOMEM}},
	      look);
	sweep({"read of another's page",
	       2,
	       [&] { return access.try_read(iova + 9, buffer.data(), 9); },
	       {},
	       {ENOMEM, EINVAL}},
	      look);
	child.resume();
	CHECK(child.join() == 0);
}

namespace {

/* Pins and reads @length bytes of a file. */
void sweep_file(int file, std::uint64_t length, unsigned int least, const char *kind)
{
	const NothingLeft nothing_left;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas);
	const SmallBatches batches(context);
	std::vector<std::byte> buffer(4 * page_size);
	std::uint32_t item = no_item;
	const auto look = [&] {
		return Snapshot{observation(
			"VmPin",
			static_cast<std::uint64_t>(status_pages(getpid(), "VmPin")))};
	};

	REQUIRE(ftruncate(file, static_cast<off_t>(length)) == 0);
	REQUIRE(context.try_map_file(ioas, file, 0, length, iova) == ok);
	sweep({std::string("pin of ") + kind,
	       least,
	       [&] { return access.try_pin(iova, length, pin_write, 0, &item); },
	       [&] { REQUIRE(access.try_unpin(item) == ok); },
	       {ENOMEM, EINVAL, EFAULT}},
	      look);
	sweep({std::string("read of ") + kind,
	       1,
	       [&] { return access.try_read(iova, buffer.data(), buffer.size()); },
	       {},
	       {ENOMEM, EFAULT}},
	      look);
}

} // namespace

TEST_CASE("fail-nth: pages of a memfd")
{
	const Fd file(memfd_create("fail-nth", MFD_CLOEXEC));

	sweep_file(file.get(), 40 * page_size, 5, "a memfd");
}

TEST_CASE("fail-nth: pages of hugetlbfs")
{
	const Fd file(memfd_create("fail-nth", MFD_CLOEXEC | MFD_HUGETLB));

	if (!file)
		skip("no hugetlbfs");
	sweep_file(file.get(), huge_size, 6, "hugetlbfs");
}
