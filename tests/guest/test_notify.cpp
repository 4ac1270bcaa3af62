// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses as objects: how they come and go, change their IOAS, and are asked
 * to release pages. Drivers that do not answer are in test_stubborn.cpp.
 */
#include "access.h"
#include "process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t piece = 4 * page_size;

/* Three adjacent areas of four pages. */
struct World {
	World() : ioas(context.ioas())
	{
		for (std::uint64_t n = 0; n < 3; n++)
			REQUIRE(context.try_map(ioas, memory.va() + n * piece, piece,
						area_iova + n * piece) == ok);
	}

	Context context;
	Memory memory{3 * piece};
	std::uint32_t ioas;
};

/* How often, and for what, the callback ran. */
void check_calls(const Access &access, std::uint32_t calls, std::uint64_t iova = 0,
		 std::uint64_t length = 0)
{
	const Callbacks seen = access.callbacks();

	CHECK(seen.calls == calls);
	CHECK(seen.running == 0);
	if (calls > 0) {
		CHECK(seen.iova == iova);
		CHECK(seen.length == length);
	}
}

} // namespace

TEST_CASE("CREATE_ACCESS rejections in order")
{
	using Test = iommukit_test_cmd;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);
	auto valid = test_command(IOMMUKIT_TEST_OP_CREATE_ACCESS, ioas);
	const auto issue = [&](Test &cmd) { return test_call(context, cmd); };

	valid.create_access.flags = access_pins;
	check_ordered<Test>(
		{{"unknown flag", "flags", [](Test &cmd) { cmd.create_access.flags = 2; },
		  EOPNOTSUPP},
		 {"no such IOAS", "id", [](Test &cmd) { cmd.id = 99; }, ENOENT},
		 {"no IOAS", "id", [](Test &cmd) { cmd.id = 0; }, ENOENT}},
		valid, issue);
	SECTION("mappings that are not aligned to pages")
	{
		const struct {
			const char *name;
			std::uint64_t va, length, iova;
		} table[] = {
			{"IOVA", 0, page_size, area_iova + 2048},
			{"length", 0, 2048, area_iova},
			{"address", 2048, page_size, area_iova},
		};

		for (const auto &row : table) {
			auto cmd = valid;

			INFO(row.name);
			REQUIRE(context.try_map(ioas, memory.va() + row.va, row.length,
						row.iova) == ok);
			CHECK(issue(cmd) == Errno{EADDRINUSE});
			cmd.create_access.flags = 0;
			REQUIRE(issue(cmd) == ok);
			close(static_cast<int>(cmd.create_access.out_access_fd));
			REQUIRE(context.unmap_all(ioas) == row.length);
		}
	}
	SECTION("a response that cannot be written")
	{
		const PageAndHole page;
		void *cmd = page.tail(sizeof(valid));

		std::memcpy(cmd, &valid, sizeof(valid));
		page.write_protect();
		CHECK(call(context.fd(), IOMMUKIT_TEST_CMD, cmd) == Errno{EFAULT});
	}
	/* Nothing is left of any of them: no id, no use of the IOAS. */
	CHECK(context.ioas() == ioas + 1);
	CHECK(context.try_destroy(ioas) == ok);
}

TEST_CASE("unknown operations of the test command")
{
	const Context context;

	for (std::uint32_t op : {0U, 0xffU, 0xfffU, ~0U}) {
		auto cmd = test_command(op);

		INFO("op " << op);
		CHECK(test_call(context, cmd) == Errno{EOPNOTSUPP});
	}
}

TEST_CASE("members of the test command that nobody looks at")
{
	const Context context;
	auto cmd = test_command(IOMMUKIT_TEST_OP_SET_TEMP_MEMORY_LIMIT);

	cmd.memory_limit.limit = IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT;
	cmd.__reserved = ~0U;
	cmd.last = ~0U;
	CHECK(test_call(context, cmd) == ok);
}

TEST_CASE("the page check of the test command")
{
	const Context context;
	const Memory memory(2 * page_size);

	memory.fill(1);
	CHECK(check_refs(context, memory.va() + 1, page_size, 0) == Errno{EINVAL});
	CHECK(check_refs(context, memory.va(), page_size + 1, 0) == Errno{EINVAL});
	CHECK(check_refs(context, -page_size, 2 * page_size, 0) == Errno{EINVAL});
	CHECK(check_refs(context, memory, 0) == ok);
	/* It can fail: the other tests rely on it. */
	CHECK(check_refs(context, memory, 1) == Errno{EIO});
	memory.unmap(page_size, page_size);
	CHECK(check_refs(context, memory, 0) == Errno{EFAULT});
}

TEST_CASE("contexts from a descriptor")
{
	const Context context;
	const Fd other(open("/dev/null", O_RDWR));
	const auto from_fd = [&](int fd) {
		auto cmd = test_command(IOMMUKIT_TEST_OP_CTX_FROM_FD,
					static_cast<std::uint32_t>(fd));

		return test_call(context, cmd);
	};

	CHECK(from_fd(12345) == Errno{EBADF});
	CHECK(from_fd(-1) == Errno{EBADF});
	CHECK(from_fd(other.get()) == Errno{EBADFD});
	CHECK(from_fd(context.fd()) == ok);
}

TEST_CASE("create of an access")
{
	const World world;
	std::uint32_t id = 0;
	Fd none;

	SECTION("with a callback, and its id")
	{
		const Access access =
			Access::extended(world.context, 0, access_pins, &id);

		CHECK(id == world.ioas + 1);
		CHECK(world.context.try_destroy(id) == Errno{EBUSY});
		CHECK(world.context.try_destroy(world.ioas) == ok);
	}
	SECTION("that pins needs one")
	{
		CHECK(Access::attempt_extended(
			      world.context, world.ioas,
			      access_pins | IOMMUKIT_TEST_ACCESS_CREATE_NO_UNMAP,
			      &none) == Errno{EINVAL});
	}
	SECTION("attached in one step")
	{
		constexpr auto flags = access_pins | IOMMUKIT_TEST_ACCESS_CREATE_ATTACHED;

		CHECK(Access::attempt_extended(world.context, 99, flags, &none) ==
		      Errno{ENOENT});
		REQUIRE(world.context.try_map(world.ioas, world.memory.va(), 1, 0) == ok);
		CHECK(Access::attempt_extended(world.context, world.ioas, flags, &none) ==
		      Errno{EADDRINUSE});
		REQUIRE(world.context.unmap(world.ioas, 0, 1) == 1);
		const Access access =
			Access::extended(world.context, world.ioas, flags, &id);
		/* The failed ones left no object. */
		CHECK(id == world.ioas + 1);
		CHECK(access.try_pin(area_iova, piece) == ok);
	}
	CHECK(world.context.ioas() > 0);
}

TEST_CASE("attach of an access")
{
	const World world;
	const Access access = Access::extended(world.context, 0, access_pins);
	std::uint32_t other_id = 0;
	const Access other = Access::extended(world.context, 0, 0, &other_id);

	SECTION("to what is no IOAS")
	{
		for (std::uint32_t id : {0U, 99U, other_id})
			CHECK(access.try_attach(id) == Errno{ENOENT});
		CHECK(access.try_attach(world.ioas) == ok);
	}
	SECTION("to an IOAS with odd mappings")
	{
		REQUIRE(world.context.try_map(world.ioas, world.memory.va(), 2048, 0) ==
			ok);
		CHECK(access.try_attach(world.ioas) == Errno{EADDRINUSE});
		CHECK(world.context.alignment(world.ioas) == 1);
		CHECK(other.try_attach(world.ioas) == ok);
		CHECK(world.context.try_destroy(world.ioas) == Errno{EBUSY});
	}
	SECTION("and detach, again and again")
	{
		for (unsigned int i = 0; i < 5; i++) {
			REQUIRE(access.try_attach(world.ioas) == ok);
			access.pin(area_iova, piece);
			CHECK(world.context.try_destroy(world.ioas) == Errno{EBUSY});
			access.detach();
			check_calls(access, i + 1, 0, all_ones);
			CHECK(check_refs(world.context, world.memory, 0) == ok);
		}
		CHECK(world.context.try_destroy(world.ioas) == ok);
	}
	SECTION("of a second context's IOAS")
	{
		const Context stranger;

		while (stranger.ioas() < 50)
			;
		CHECK(access.try_attach(50) == Errno{ENOENT});
	}
}

TEST_CASE("accesses that pin align the IOAS to pages")
{
	const World world;
	const Context &context = world.context;
	std::uint64_t iova = 0;
	Access plain(context, world.ioas, 0);

	CHECK(context.alignment(world.ioas) == 1);
	Access pins(context, world.ioas);
	Access pins_too(context, world.ioas);
	CHECK(context.alignment(world.ioas) == page_size);
	CHECK(context.try_map(world.ioas, world.memory.va(), page_size, 2048) ==
	      Errno{EINVAL});
	CHECK(context.try_map(world.ioas, world.memory.va(), 2048, 0) == Errno{EINVAL});
	CHECK(context.try_map(world.ioas, world.memory.va() + 512, page_size, 0) ==
	      Errno{EINVAL});
	CHECK(context.try_map_auto(world.ioas, world.memory.va() + 512, page_size,
				   &iova) == Errno{EINVAL});
	pins.close();
	CHECK(context.alignment(world.ioas) == page_size);
	pins_too.close();
	CHECK(context.alignment(world.ioas) == 1);
	CHECK(context.try_map(world.ioas, world.memory.va() + 512, 2048, 1) == ok);

	SECTION("an access that leaves for another IOAS takes it along")
	{
		const std::uint32_t a = context.ioas(), b = context.ioas();
		const Access access(context, a);

		CHECK(access.try_replace(b) == ok);
		CHECK(context.alignment(a) == 1);
		CHECK(context.alignment(b) == page_size);
	}
	SECTION("together with large pages switched off")
	{
		const std::uint32_t a = context.ioas();
		Access access(context, a);

		REQUIRE(context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, a, 0) == ok);
		access.close();
		CHECK(context.alignment(a) == page_size);
	}
}

TEST_CASE("unmap calls back who has pins there, with the whole area")
{
	const World world;
	const Context &context = world.context;
	const Access access(context, world.ioas), other(context, world.ioas);
	const Access copier(context, world.ioas, 0);
	const auto check_others_unasked = [&] {
		check_calls(other, 0);
		check_calls(copier, 0);
	};

	SECTION("one page of the area")
	{
		const std::uint32_t item =
			access.pin(area_iova + piece + page_size, page_size);

		CHECK(context.unmap(world.ioas, area_iova + piece, piece) == piece);
		check_calls(access, 1, area_iova + piece, piece);
		CHECK(access.callbacks().items == 0);
		CHECK(access.try_unpin(item) == Errno{ENOENT});
		check_others_unasked();
	}
	SECTION("nobody, if nothing is pinned")
	{
		CHECK(context.unmap(world.ioas, area_iova, piece) == piece);
		access.try_unpin(access.pin(area_iova + piece, page_size));
		CHECK(context.unmap(world.ioas, area_iova + piece, piece) == piece);
		check_calls(access, 0);
		check_others_unasked();
	}
	SECTION("nobody, if what is pinned lies in other areas")
	{
		access.pin(area_iova, piece);
		access.pin(area_iova + 2 * piece, piece);
		CHECK(context.unmap(world.ioas, area_iova + piece, piece) == piece);
		check_calls(access, 0);
		CHECK(access.callbacks().items == 2);
		check_others_unasked();
	}
	SECTION("once for several pins in one area")
	{
		for (std::uint64_t n = 0; n < 4; n++)
			access.pin(area_iova + n * page_size, page_size);
		CHECK(context.unmap(world.ioas, area_iova, piece) == piece);
		check_calls(access, 1, area_iova, piece);
		check_others_unasked();
	}
	SECTION("a pin of all areas goes as a whole with one of them")
	{
		access.pin(area_iova, 3 * piece);
		CHECK(context.unmap(world.ioas, area_iova + piece, piece) == piece);
		check_calls(access, 1, area_iova + piece, piece);
		CHECK(check_refs(context, world.memory, 0) == ok);
		CHECK(context.unmap_all(world.ioas) == 2 * piece);
		check_calls(access, 1, area_iova + piece, piece);
	}
	SECTION("every one of those who have")
	{
		access.pin(area_iova, piece);
		other.pin(area_iova + page_size, page_size);
		CHECK(context.unmap_all(world.ioas) == 3 * piece);
		check_calls(access, 1, area_iova, piece);
		check_calls(other, 1, area_iova, piece);
		check_calls(copier, 0);
	}
	if (access.callbacks().items == 0)
		CHECK(check_refs(context, world.memory, 0) == ok);
}

TEST_CASE("replace")
{
	const World world;
	const Context &context = world.context;
	const Access access(context, world.ioas);
	const std::uint32_t next = context.ioas();

	context.map(next, world.memory, area_iova);
	const std::uint32_t item = access.pin(area_iova, piece);
	const auto check_untouched = [&] {
		check_calls(access, 0);
		CHECK(check_refs(context, world.memory.va(), piece, 1) == ok);
		CHECK(context.try_destroy(world.ioas) == Errno{EBUSY});
		CHECK(access.try_unpin(item) == ok);
		CHECK(context.try_destroy(next) == ok);
	};

	SECTION("by what is no IOAS")
	{
		for (std::uint32_t id : {0U, 99U, next - 1})
			CHECK(access.try_replace(id) == Errno{ENOENT});
		check_untouched();
	}
	SECTION("by the same IOAS")
	{
		CHECK(access.try_replace(world.ioas) == ok);
		check_untouched();
	}
	SECTION("by an IOAS with odd mappings")
	{
		REQUIRE(context.try_map(next, world.memory.va(), 2048, 0) == ok);
		CHECK(access.try_replace(next) == Errno{EADDRINUSE});
		CHECK(context.alignment(next) == 1);
		check_untouched();
	}
	SECTION("by another one releases the pins and the old IOAS")
	{
		CHECK(access.try_replace(next) == ok);
		check_calls(access, 1, 0, all_ones);
		CHECK(access.try_unpin(item) == Errno{ENOENT});
		CHECK(check_refs(context, world.memory, 0) == ok);
		CHECK(context.try_destroy(world.ioas) == ok);
		CHECK(context.try_destroy(next) == Errno{EBUSY});
		CHECK(access.try_pin(area_iova, piece, 0, world.memory.va()) == ok);
	}
	SECTION("of an access that is not attached")
	{
		const Access free = Access::extended(context, 0, access_pins);

		CHECK(free.try_replace(next) == Errno{ENOENT});
		CHECK(free.try_replace(99) == Errno{ENOENT});
		check_untouched();
	}
	SECTION("of what is no access")
	{
		auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_REPLACE_IOAS,
					static_cast<std::uint32_t>(context.fd()));

		cmd.access_replace_ioas.ioas_id = next;
		CHECK(test_call(context, cmd) == Errno{EBADFD});
		check_untouched();
	}
}

TEST_CASE("an access without a callback, next to pins of another")
{
	const World world;
	const Context &context = world.context;
	const Access pins(context, world.ioas);
	const Access copier = Access::extended(context, world.ioas,
					       IOMMUKIT_TEST_ACCESS_CREATE_NO_UNMAP);
	const std::uint32_t next = context.ioas();

	pins.pin(area_iova, piece);
	CHECK(context.unmap_all(world.ioas) == 3 * piece);
	check_calls(pins, 1, area_iova, piece);
	CHECK(copier.try_replace(next) == ok);
	copier.detach();
	check_calls(copier, 0);
	CHECK(context.try_destroy(next) == ok);
}

TEST_CASE("closing an access releases its pins")
{
	const World world;
	Access access(world.context, world.ioas);

	for (std::uint64_t n = 0; n < 12; n++)
		access.pin(area_iova + n * page_size, page_size, 0,
			   world.memory.va() + n * page_size);
	access.close();
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(world.context.unmap_all(world.ioas) == 3 * piece);
	CHECK(world.context.try_destroy(world.ioas) == ok);
}

TEST_CASE("an access outlives the descriptor of its context")
{
	const Context other;
	World world;
	Access access(world.context, world.ioas);
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, access.id());

	world.memory.fill(1);
	access.pin(area_iova, piece);
	/* Also behind the back of the access object, which has a duplicate. */
	world.context.close();
	CHECK(check_refs(other, world.memory.va(), piece, 1) == ok);
	cmd.access_pages.iova = area_iova + piece;
	cmd.access_pages.length = piece;
	/* Any context will do to name the access by its descriptor. */
	CHECK(test_call(other, cmd) == ok);
	CHECK(check_refs(other, world.memory.va(), 2 * piece, 1) == ok);
	CHECK(access.read(area_iova, 10) == pattern_of(1, 0, 10));
	access.close();
	CHECK(check_refs(other, world.memory, 0) == ok);
}

TEST_CASE("an access that outlives all descriptors of its context")
{
	const Context other;
	const Memory memory(page_size);
	Fd access;

	{
		const Context context;
		const std::uint32_t ioas = context.ioas();

		context.map(ioas, memory, area_iova);
		REQUIRE(Access::attempt(context, ioas, access_pins, &access) == ok);
	}
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES,
				static_cast<std::uint32_t>(access.get()));
	cmd.access_pages.iova = area_iova;
	cmd.access_pages.length = page_size;
	cmd.access_pages.uptr = memory.va();
	CHECK(test_call(other, cmd) == ok);
	CHECK(check_refs(other, memory, 1) == ok);
	access.reset();
	CHECK(check_refs(other, memory, 0) == ok);
}

TEST_CASE("the access descriptor")
{
	const World world;
	const Access access(world.context, world.ioas);
	const int fd = static_cast<int>(access.id());

	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
}

TEST_CASE("300 adjacent pinned areas in one unmap")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas);
	const Memory memory(300 * page_size);

	for (std::uint64_t n = 0; n < 300; n++)
		REQUIRE(context.try_map(ioas, memory.va() + n * page_size, page_size,
					area_iova + n * page_size) == ok);
	SECTION("a pin each")
	{
		for (std::uint64_t n = 0; n < 300; n++)
			access.pin(area_iova + n * page_size, page_size);
		CHECK(context.unmap(ioas, area_iova, memory.size()) == memory.size());
		CHECK(access.callbacks().calls == 300);
	}
	SECTION("one pin of all")
	{
		access.pin(area_iova, memory.size());
		CHECK(context.unmap(ioas, area_iova, memory.size()) == memory.size());
		check_calls(access, 1, area_iova, page_size);
	}
	CHECK(access.callbacks().items == 0);
	CHECK(check_refs(context, memory, 0) == ok);
}

TEST_CASE("unmap of two areas at once, in slow callbacks")
{
	const World world;
	const Access access(world.context, world.ioas);
	Errno errors[2];

	access.set_delay(100);
	access.pin(area_iova, piece);
	access.pin(area_iova + piece, piece);
	{
		std::jthread other([&] {
			errors[0] = world.context.try_unmap(world.ioas, area_iova, piece);
		});

		errors[1] = world.context.try_unmap(world.ioas, area_iova + piece, piece);
		other.join();
	}
	CHECK(errors[0] == ok);
	CHECK(errors[1] == ok);
	CHECK(access.callbacks().calls >= 2);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

TEST_CASE("two threads unmap the same pinned area")
{
	const World world;
	const Access access(world.context, world.ioas);
	Errno errors[2];

	access.set_delay(100);
	access.pin(area_iova, piece);
	{
		std::jthread other([&] {
			errors[0] = world.context.try_unmap(world.ioas, area_iova, piece);
		});

		errors[1] = world.context.try_unmap(world.ioas, area_iova, piece);
		other.join();
	}
	/* One has removed it; the other came too late, or while it went. */
	const bool first_won = errors[0] == ok;
	const Errno loser = errors[first_won ? 1 : 0];

	INFO(errors[0] << " and " << errors[1]);
	CHECK((first_won || errors[1] == ok));
	CHECK((loser == Errno{ENOENT} || loser == Errno{EBUSY}));
	CHECK(world.context.unmap_all(world.ioas) == 2 * piece);
}

TEST_CASE("an access goes while another thread waits for it in unmap")
{
	const World world;
	Access access(world.context, world.ioas);
	const std::uint32_t next = world.context.ioas();
	Errno unmapped;

	access.set_delay(200);
	access.pin(area_iova, piece);
	std::jthread other([&] {
		unmapped = world.context.try_unmap(world.ioas, area_iova, piece);
	});
	/* Either may be first; each must wait for the other's callback. */
	const bool met = wait_until([&] { return access.callbacks().running > 0; });

	CHECK(met);
	SECTION("by closing it")
	{
		access.close();
		CHECK(world.context.try_destroy(next) == ok);
	}
	SECTION("by detaching it")
	{
		access.detach();
		CHECK(access.try_pin(area_iova, piece) == Errno{ENOENT});
	}
	SECTION("by moving it to another IOAS")
	{
		CHECK(access.try_replace(next) == ok);
	}
	other.join();
	CHECK(unmapped == ok);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

TEST_CASE("unmap while another thread closes the access")
{
	const World world;
	Access access(world.context, world.ioas);

	access.set_delay(200);
	access.pin(area_iova, piece);
	std::jthread other([&] { access.close(); });
	/* It finds the pins or not, but never an unresponsive driver. */
	CHECK(world.context.unmap(world.ioas, area_iova, piece) == piece);
	other.join();
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

TEST_CASE("nobody may pin or copy while the access changes its IOAS")
{
	const World world;
	const Access access(world.context, world.ioas);
	const std::uint32_t next = world.context.ioas();
	Errno replaced;

	world.context.map(next, world.memory, area_iova);
	/* The callback of replace blocks until this thread has looked. */
	access.set_delay(1500);
	access.pin(area_iova, piece);
	std::jthread other([&] { replaced = access.try_replace(next); });
	const bool met = wait_until([&] { return access.callbacks().running > 0; });
	const Errno pin = access.try_pin(area_iova, piece);
	const Errno attach = access.try_attach(next);
	const Errno replace = access.try_replace(next);
	/* If the callback is over by now, the machine was too slow to tell. */
	const bool meanwhile = access.callbacks().running > 0;

	other.join();
	CHECK(met);
	CHECK(replaced == ok);
	if (!meanwhile)
		skip("the callback was over too soon");
	CHECK(pin == Errno{ENOENT});
	CHECK(attach == Errno{EBUSY});
	CHECK(replace == Errno{ENOENT});
}
