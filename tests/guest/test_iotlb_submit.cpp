// SPDX-License-Identifier: GPL-2.0-only
/* Changes of an IOTLB by its owner, and the structures of all commands. */
#include "iotlb.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint16_t pinned = IOMMUKIT_IOTLB_MSG_PINNED;
constexpr std::uint32_t write_status = IOMMUKIT_IOTLB_SUBMIT_WRITE_STATUS;
constexpr std::uint32_t go_on = IOMMUKIT_IOTLB_SUBMIT_CONTINUE;

/* An IOTLB whose server understands everything. */
struct World {
	World() : ioas(context.ioas()), iotlb(context, iotlb_alloc(ioas))
	{
		iotlb.channel.configure(IOMMUKIT_IOTLB_CHAN_EPOCH |
					IOMMUKIT_IOTLB_CHAN_NEGATIVE);
	}

	Context context;
	std::uint32_t ioas;
	Iotlb iotlb;
};

/* A valid SUBMIT of one UPDATE at 0, which @element is room for. */
iommukit_iotlb_submit submit_of(const Iotlb &iotlb, IotlbMessage &element)
{
	auto cmd = command<iommukit_iotlb_submit>();

	element = update_of(0, page_size, 0);
	cmd.iotlb_id = iotlb.id();
	cmd.count = 1;
	cmd.array = reinterpret_cast<std::uint64_t>(&element);
	cmd.entry_size = sizeof(element);
	return cmd;
}

Errno submit(const World &world, iommukit_iotlb_submit &cmd)
{
	return call(world.context.fd(), IOMMUKIT_IOTLB_SUBMIT, &cmd);
}

} // namespace

/* ---- the structure of each command ---- */

namespace {

struct Row {
	const char *name;
	unsigned long request;
	std::size_t size, min_size;
	std::function<void(const World &, void *)> fill;
	bool channel;
};

template <class Command>
Row row(const char *name, unsigned long request, std::size_t min_size,
	std::function<void(const World &, Command &)> fill, bool channel = false)
{
	return {name,
		request,
		sizeof(Command),
		min_size,
		[fill](const World &world, void *to) {
			auto cmd = command<Command>();

			fill(world, cmd);
			std::memcpy(to, &cmd, sizeof(cmd));
		},
		channel};
}

std::vector<Row> rows()
{
	static IotlbMessage element;
	static iommukit_iotlb_entry entry;

	return {
		row<iommukit_iotlb_alloc>(
			"ALLOC", IOMMUKIT_IOTLB_ALLOC, 72,
			[](const World &w, auto &cmd) {
				cmd = iotlb_alloc(w.ioas, IOMMUKIT_IOTLB_NO_CHANNEL);
			}),
		row<iommukit_iotlb_submit>("SUBMIT", IOMMUKIT_IOTLB_SUBMIT, 40,
					   [](const World &w, auto &cmd) {
						   cmd = submit_of(w.iotlb, element);
					   }),
		row<iommukit_iotlb_query>(
			"QUERY", IOMMUKIT_IOTLB_QUERY, 56,
			[](const World &w, auto &cmd) {
				w.iotlb.update(0, 1, 0);
				cmd.iotlb_id = w.iotlb.id();
				cmd.array = reinterpret_cast<std::uint64_t>(&entry);
				cmd.count = 1;
				cmd.entry_size = sizeof(entry);
			}),
		row<iommukit_iotlb_stats>(
			"STATS", IOMMUKIT_IOTLB_STATS, 24,
			[](const World &w, auto &cmd) { cmd.iotlb_id = w.iotlb.id(); }),
		row<iommukit_iotlb_set>("SET", IOMMUKIT_IOTLB_SET, 24,
					[](const World &w, auto &cmd) {
						cmd.iotlb_id = w.iotlb.id();
						cmd.param = IOMMUKIT_IOTLB_PARAM_SPIN_US;
					}),
		row<iommukit_iotlb_channel_open>(
			"CHANNEL_OPEN", IOMMUKIT_IOTLB_CHANNEL_OPEN, 16,
			[](const World &w, auto &cmd) {
				auto how = iotlb_alloc(w.ioas, IOMMUKIT_IOTLB_NO_CHANNEL);

				REQUIRE(try_iotlb(w.context, how) == ok);
				cmd.iotlb_id = how.out_iotlb_id;
			}),
		row<iommukit_iotlb_get_caps>("GET_CAPS", IOMMUKIT_IOTLB_GET_CAPS, 48,
					     [](const World &, auto &) {}),
		row<iommukit_iotlb_chan_config>(
			"CHAN_CONFIG", IOMMUKIT_IOTLB_CHAN_CONFIG, 48,
			[](const World &, auto &cmd) {
				cmd = chan_config();
				cmd.features = IOMMUKIT_IOTLB_CHAN_EPOCH |
					       IOMMUKIT_IOTLB_CHAN_NEGATIVE;
			},
			true),
		row<iommukit_iotlb_chan_kick>(
			"CHAN_KICK", IOMMUKIT_IOTLB_CHAN_KICK, 8,
			[](const World &w, auto &) { w.iotlb.channel.configure(0, 16); },
			true),
		row<iommukit_iotlb_chan_info>(
			"CHAN_INFO", IOMMUKIT_IOTLB_CHAN_INFO, 80,
			[](const World &, auto &) {}, true),
	};
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
	const Errno error =
		call(row.channel ? world.iotlb.channel.fd() : world.context.fd(),
		     row.request, buffer.data());

	if (error == ok && row.request == IOMMUKIT_IOTLB_CHANNEL_OPEN)
		::close(reinterpret_cast<iommukit_iotlb_channel_open *>(buffer.data())
				->out_fd);
	return error;
}

} // namespace

TEST_CASE("IOTLB commands: size negotiation")
{
	for (const Row &row : rows()) {
		DYNAMIC_SECTION(row.name)
		{
			CHECK(issue(row, row.size) == ok);
			CHECK(issue(row, row.min_size) == ok);
			for (const std::size_t size :
			     {std::size_t(0), std::size_t(4), row.min_size - 1})
				CHECK(issue(row, size) == Errno{EINVAL});
			for (const std::size_t more : {1, 8, 4096})
				CHECK(issue(row, row.size + more) == ok);
			for (const std::size_t more : {1, 9, 5000})
				CHECK(issue(row, row.size + more, [&](std::byte *cmd) {
					      cmd[row.size + more - 1] = std::byte(1);
				      }) == Errno{E2BIG});
		}
	}
}

TEST_CASE("IOTLB commands: unknown flags win over everything else")
{
	for (const Row &row : rows()) {
		DYNAMIC_SECTION(row.name)
		{
			const auto garble = [&](std::size_t from) {
				return [&row, from](std::byte *cmd) {
					const std::uint32_t flags = 1U << 31;

					std::memset(cmd + from, 0x5a, row.size - from);
					std::memcpy(cmd + 4, &flags, sizeof(flags));
				};
			};

			/* Alone, and with an id and all else that cannot be. */
			CHECK(issue(row, row.size, garble(row.size)) ==
			      Errno{EOPNOTSUPP});
			CHECK(issue(row, row.size, garble(8)) == Errno{EOPNOTSUPP});
		}
	}
}

TEST_CASE("numbers on a channel without a command")
{
	const World world;
	std::uint32_t cmd[32] = {sizeof(cmd)};

	for (unsigned int nr = 0x80; nr <= 0xdf; nr++) {
		if (nr >= 0xd8 && nr <= 0xda)
			continue;
		INFO("number 0x" << std::hex << nr);
		CHECK(call(world.iotlb.channel.fd(), _IO(';', nr), cmd) == Errno{ENOTTY});
	}
	/* And those of a channel on a context. */
	for (unsigned int nr = 0xd7; nr <= 0xda; nr++)
		CHECK(call(world.context.fd(), _IO(';', nr), cmd) == Errno{ENOTTY});
}

/* ---- SUBMIT ---- */

TEST_CASE("IOTLB_SUBMIT: errors of the command")
{
	using Cmd = iommukit_iotlb_submit;
	const World world;
	IotlbMessage element;
	const auto valid = submit_of(world.iotlb, element);

	check_ordered<Cmd>(
		{
			{"an unknown flag", "flags", [](Cmd &c) { c.flags = 1 << 2; },
			 EOPNOTSUPP},
			{"__reserved", "__reserved", [](Cmd &c) { c.__reserved = 1; },
			 EOPNOTSUPP},
			{"no object", "iotlb_id", [](Cmd &c) { c.iotlb_id = 0; }, ENOENT},
			{"an IOAS", "iotlb_id", [&](Cmd &c) { c.iotlb_id = world.ioas; },
			 ENOENT},
		},
		valid, [&](Cmd &c) { return submit(world, c); });
	const Fault<Cmd> others[] = {
		{"no element", "count", [](Cmd &c) { c.count = 0; }, EINVAL},
		{"too many", "count", [](Cmd &c) { c.count = 65537; }, E2BIG},
		{"a small element", "entry_size", [](Cmd &c) { c.entry_size = 63; },
		 EINVAL},
		{"no memory", "array", [](Cmd &c) { c.array = 16; }, EFAULT},
	};

	for (const auto &other : others) {
		Cmd cmd = valid;

		INFO(other.name);
		other.inject(cmd);
		CHECK(submit(world, cmd) == Errno{other.error});
	}
	CHECK(world.iotlb.dump().empty());
}

TEST_CASE("IOTLB_SUBMIT: errors of an element")
{
	const World world;
	auto bounded_how = iotlb_alloc(world.ioas);
	bounded_how.iova_first = page_size;
	bounded_how.iova_last = 3 * page_size - 1;
	const Iotlb bounded(world.context, bounded_how);
	const Iotlb user(world.context, iotlb_alloc(0, IOMMUKIT_IOTLB_TARGET_UVA));
	const auto plain = update_of(page_size, page_size, 0);
	const struct {
		const char *name;
		const Iotlb &iotlb;
		std::function<void(IotlbMessage &)> change;
		int error;
	} table[] = {
		{"no such address space", world.iotlb, [](auto &m) { m.asid = 1; },
		 EINVAL},
		{"no length", world.iotlb, [](auto &m) { m.length = 0; }, EINVAL},
		{"no permission", world.iotlb, [](auto &m) { m.perm = 0; }, EINVAL},
		{"permission 4", world.iotlb, [](auto &m) { m.perm = 4; }, EINVAL},
		{"permission 255", world.iotlb, [](auto &m) { m.perm = 255; }, EINVAL},
		{"op 0", world.iotlb, [](auto &m) { m.op = 0; }, EINVAL},
		{"MISS", world.iotlb, [](auto &m) { m.op = IOMMUKIT_IOTLB_OP_MISS; },
		 EINVAL},
		{"ACCESS_FAIL", world.iotlb,
		 [](auto &m) { m.op = IOMMUKIT_IOTLB_OP_ACCESS_FAIL; }, EINVAL},
		{"BATCH_BEGIN", world.iotlb,
		 [](auto &m) { m.op = IOMMUKIT_IOTLB_OP_BATCH_BEGIN; }, EINVAL},
		{"BATCH_END", world.iotlb,
		 [](auto &m) { m.op = IOMMUKIT_IOTLB_OP_BATCH_END; }, EINVAL},
		{"op 8", world.iotlb, [](auto &m) { m.op = 8; }, EINVAL},
		{"op 9", world.iotlb, [](auto &m) { m.op = 9; }, EINVAL},
		{"op 255", world.iotlb, [](auto &m) { m.op = 255; }, EINVAL},
		{"an unknown flag", world.iotlb, [](auto &m) { m.flags = 1 << 6; },
		 EOPNOTSUPP},
		{"UPGRADE", world.iotlb,
		 [](auto &m) { m.flags = IOMMUKIT_IOTLB_MSG_UPGRADE; }, EOPNOTSUPP},
		{"REQUEUED", world.iotlb,
		 [](auto &m) { m.flags = IOMMUKIT_IOTLB_MSG_REQUEUED; }, EOPNOTSUPP},
		{"aux", world.iotlb, [](auto &m) { m.aux = 1; }, EOPNOTSUPP},
		{"an epoch to come", world.iotlb, [](auto &m) { m.epoch = 1000; },
		 EINVAL},
		{"NEGATIVE with a permission", world.iotlb,
		 [](auto &m) { m.flags = IOMMUKIT_IOTLB_MSG_NEGATIVE; }, EINVAL},
		{"NEGATIVE with a target", world.iotlb,
		 [](auto &m) {
			 m.flags = IOMMUKIT_IOTLB_MSG_NEGATIVE;
			 m.perm = 0;
			 m.target = 1;
		 },
		 EINVAL},
		{"the range wraps", world.iotlb,
		 [](auto &m) {
			 m.iova = all_ones;
			 m.length = 2;
		 },
		 EOVERFLOW},
		{"the target wraps", world.iotlb,
		 [](auto &m) { m.target = all_ones - page_size + 2; }, EOVERFLOW},
		{"begins outside of the aperture", bounded, [](auto &m) { m.iova -= 1; },
		 ERANGE},
		{"ends outside of the aperture", bounded,
		 [](auto &m) { m.length += page_size + 1; }, ERANGE},
		{"the address wraps", user,
		 [](auto &m) { m.target = all_ones - page_size + 2; }, EFAULT},
		{"the address is the kernel's", user,
		 [](auto &m) { m.target = 1UL << 63; }, EFAULT},
		{"the range leaves user space", user,
		 [](auto &m) {
			 m.target = page_size;
			 m.length = 1UL << 62;
		 },
		 EFAULT},
		{"INVALIDATE without a length", world.iotlb,
		 [](auto &m) { m = invalidate_of(page_size, 0); }, EINVAL},
		{"INVALIDATE that wraps", world.iotlb,
		 [](auto &m) { m = invalidate_of(all_ones, 2); }, EOVERFLOW},
		{"INVALIDATE elsewhere", world.iotlb,
		 [](auto &m) {
			 m = invalidate_of(0, 1);
			 m.asid = 1;
		 },
		 EINVAL},
		{"INVALIDATE with PREFETCH", world.iotlb,
		 [](auto &m) { m = invalidate_of(0, 1, IOMMUKIT_IOTLB_MSG_PREFETCH); },
		 EOPNOTSUPP},
		{"INVALIDATE with NO_REPLACE", world.iotlb,
		 [](auto &m) { m = invalidate_of(0, 1, IOMMUKIT_IOTLB_MSG_NO_REPLACE); },
		 EOPNOTSUPP},
		{"FLUSH with NEGATIVE", world.iotlb,
		 [](auto &m) {
			 m = message_of(IOMMUKIT_IOTLB_OP_FLUSH, 0, 0,
					IOMMUKIT_IOTLB_MSG_NEGATIVE);
		 },
		 EOPNOTSUPP},
	};

	for (const auto &row : table) {
		INFO(row.name);
		std::vector<IotlbMessage> messages{plain};

		row.change(messages[0]);
		const Submitted result = row.iotlb.submit(messages, write_status);

		CHECK(result.error == Errno{row.error});
		CHECK(result.done == 0);
		CHECK(messages[0].status == row.error);
		CHECK(row.iotlb.dump().empty());
	}
	/* What all of them were made of. */
	CHECK(world.iotlb.try_submit(plain) == ok);
	CHECK(bounded.try_submit(plain) == ok);
	CHECK(user.try_submit(plain) == ok);
}

TEST_CASE("IOTLB_SUBMIT ignores what an element has no use for")
{
	const World world;
	auto invalidate = invalidate_of(page_size, page_size);
	auto update = update_of(page_size, page_size, 0);
	auto flush = message_of(IOMMUKIT_IOTLB_OP_FLUSH, 5, 0);

	for (IotlbMessage *message : {&invalidate, &update, &flush}) {
		message->type = 0x7777;
		message->status = -7;
	}
	invalidate.perm = flush.perm = 255;
	invalidate.target = flush.target = all_ones;
	CHECK(world.iotlb.try_submit(update) == ok);
	CHECK(world.iotlb.holds(page_size));
	CHECK(world.iotlb.try_submit(invalidate) == ok);
	CHECK_FALSE(world.iotlb.holds(page_size));
	world.iotlb.update(7 * page_size, 1, 0);
	CHECK(world.iotlb.try_submit(flush) == ok);
	CHECK(world.iotlb.dump().empty());
	/* A cookie that nobody has given. */
	update.cookie = 0x1234;
	CHECK(world.iotlb.try_submit(update) == ok);
}

TEST_CASE("IOTLB_SUBMIT stops at the first element that fails")
{
	const World world;
	std::vector<IotlbMessage> messages;

	for (std::uint64_t n = 0; n < 6; n++)
		messages.push_back(update_of(n * page_size, page_size, 0));
	messages[3].perm = 9;
	for (const std::uint32_t flags : {0U, write_status, go_on}) {
		INFO("flags " << flags);
		for (auto &message : messages)
			message.status = 99;
		const Submitted result = world.iotlb.submit(messages, flags);

		CHECK(result.error == Errno{EINVAL});
		CHECK(result.done == 3);
		for (std::uint64_t n = 0; n < 6; n++) {
			CHECK(world.iotlb.holds(n * page_size) == (n < 3));
			const int told = n < 3 ? 0 : n == 3 ? EINVAL : 99;

			CHECK(messages[n].status == (flags == write_status ? told : 99));
		}
		world.iotlb.flush();
	}
}

TEST_CASE("IOTLB_SUBMIT goes on where it may")
{
	const World world;
	std::vector<IotlbMessage> begin{message_of(IOMMUKIT_IOTLB_OP_FLUSH)};
	const std::uint64_t stale = world.iotlb.submit(begin).epoch;

	world.iotlb.update(2 * page_size, page_size, 0);
	world.iotlb.invalidate(4 * page_size, page_size);
	std::vector<IotlbMessage> messages;
	for (std::uint64_t n = 1; n < 6; n++)
		messages.push_back(update_of(n * page_size, page_size, 7 * page_size));
	messages[1].flags = IOMMUKIT_IOTLB_MSG_NO_REPLACE;
	messages[3].epoch = stale;
	const Submitted result = world.iotlb.submit(messages, go_on | write_status);

	CHECK(result.error == Errno{EEXIST});
	CHECK(messages[0].status == 0);
	CHECK(messages[1].status == EEXIST);
	CHECK(messages[2].status == 0);
	CHECK(messages[3].status == ESTALE);
	CHECK(messages[4].status == 0);
	CHECK(world.iotlb.dump() ==
	      std::vector<IotlbEntry>{
		      {page_size, 2 * page_size - 1, 7 * page_size},
		      {2 * page_size, 3 * page_size - 1, 0},
		      {3 * page_size, 4 * page_size - 1, 7 * page_size},
		      {5 * page_size, 6 * page_size - 1, 7 * page_size},
	      });
	/* Nothing was invalidated where it goes, so it is as good as ever. */
	messages = {update_of(9 * page_size, page_size, 0)};
	messages[0].epoch = stale;
	CHECK(world.iotlb.submit(messages).error == ok);
}

TEST_CASE("IOTLB_SUBMIT goes on after ENOSPC as well")
{
	const World world;
	auto how = iotlb_alloc(world.ioas);

	how.max_entries = 16;
	how.evict_policy = IOMMUKIT_IOTLB_EVICT_NONE;
	const Iotlb iotlb(world.context, how);
	std::vector<IotlbMessage> messages;

	for (std::uint64_t n = 0; n < 18; n++)
		messages.push_back(update_of(n * page_size, page_size, 0));
	messages.push_back(invalidate_of(0, page_size));
	messages.push_back(update_of(99 * page_size, page_size, 0));
	const Submitted result = iotlb.submit(messages, go_on | write_status);

	CHECK(result.error == Errno{ENOSPC});
	CHECK(messages[15].status == 0);
	CHECK(messages[16].status == ENOSPC);
	CHECK(messages[17].status == ENOSPC);
	CHECK(messages[18].status == 0);
	CHECK(messages[19].status == 0);
	CHECK(iotlb.holds(99 * page_size));
}

TEST_CASE("IOTLB_SUBMIT: elements larger than the kernel knows")
{
	const World world;
	struct {
		IotlbMessage message;
		std::uint64_t more;
	} elements[2] = {{update_of(0, 1, 0), 0}, {update_of(2, 1, 0), 0}};
	auto cmd = submit_of(world.iotlb, elements[0].message);

	elements[0].message = update_of(0, 1, 0);
	cmd.count = 2;
	cmd.entry_size = sizeof(elements[0]);
	CHECK(submit(world, cmd) == ok);
	CHECK(world.iotlb.holds(0));
	CHECK(world.iotlb.holds(2));
	world.iotlb.flush();
	elements[1].more = 1;
	CHECK(submit(world, cmd) == Errno{E2BIG});
	CHECK(cmd.out_done <= 1);
	CHECK_FALSE(world.iotlb.holds(2));
}

TEST_CASE("IOTLB_SUBMIT: memory that ends half way")
{
	const World world;
	const PageAndHole memory;
	auto *elements =
		static_cast<IotlbMessage *>(memory.tail(2 * sizeof(IotlbMessage)));
	IotlbMessage unused;
	auto cmd = submit_of(world.iotlb, unused);

	elements[0] = update_of(0, 1, 0);
	elements[1] = update_of(2, 1, 0);
	cmd.array = reinterpret_cast<std::uint64_t>(elements);
	cmd.count = 2;
	CHECK(submit(world, cmd) == ok);
	cmd.count = 3;
	CHECK(submit(world, cmd) == Errno{EFAULT});
	CHECK(cmd.out_done <= 2);
	/* Statuses are written where they can be. */
	cmd.count = 2;
	cmd.flags = write_status;
	memory.write_protect();
	CHECK(submit(world, cmd) == Errno{EFAULT});
}

TEST_CASE("IOTLB_SUBMIT: as many elements as there may be")
{
	const World world;
	std::vector<IotlbMessage> messages(65536, invalidate_of(page_size, 1));

	messages.front() = update_of(0, page_size, 0);
	const Submitted result = world.iotlb.submit(messages);

	CHECK(result.error == ok);
	CHECK(result.done == 65536);
	CHECK(world.iotlb.holds(0));
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_INVALIDATIONS) == 65535);
}

/* ---- what is in the way ---- */

TEST_CASE("an UPDATE that is not to replace anything")
{
	const World world;
	const Iotlb &iotlb = world.iotlb;
	constexpr std::uint16_t flag = IOMMUKIT_IOTLB_MSG_NO_REPLACE;
	constexpr std::uint64_t there = 4 * page_size;

	iotlb.update(there, page_size, 0);
	const auto before = iotlb.dump();
	for (const std::uint64_t iova :
	     {there - page_size + 1, there + page_size - 1, there + 1})
		CHECK(iotlb.try_submit(update_of(iova, page_size, 9 * page_size, perm_rw,
						 flag)) == Errno{EEXIST});
	CHECK(iotlb.try_submit(update_of(0, all_ones, 0, perm_read, flag)) ==
	      Errno{EEXIST});
	CHECK(iotlb.dump() == before);
	/* The same again is no other. */
	CHECK(iotlb.try_submit(update_of(there, page_size, 0, perm_rw, flag)) == ok);
	CHECK(iotlb.try_submit(
		      update_of(there - page_size, page_size, 0, perm_rw, flag)) == ok);
	CHECK(iotlb.try_submit(
		      update_of(there + page_size, page_size, 0, perm_rw, flag)) == ok);
}

TEST_CASE("what is pinned is the owner's alone")
{
	const World world;
	const Iotlb &iotlb = world.iotlb;
	const Channel &channel = iotlb.channel;
	const std::vector<IotlbEntry> kept{
		{page_size, 3 * page_size - 1, 0, perm_rw, IOMMUKIT_IOTLB_ENTRY_PINNED}};

	iotlb.update(page_size, 2 * page_size, 0, perm_rw, pinned);
	CHECK(iotlb.stat(IOMMUKIT_IOTLB_STAT_PINNED) == 1);
	SECTION("invalidations of the server pass over it")
	{
		iotlb.update(0, page_size, 0);
		iotlb.update(3 * page_size, page_size, 0);
		CHECK(channel.try_send(invalidate_of(0, 4 * page_size)) == ok);
		CHECK(iotlb.dump() == kept);
		CHECK(channel.try_send(message_of(IOMMUKIT_IOTLB_OP_FLUSH)) == ok);
		CHECK(channel.try_send(invalidate_of(0, 0)) == ok);
		CHECK(channel.try_send(invalidate_of(page_size + 5, 1)) == ok);
		CHECK(iotlb.dump() == kept);
	}
	SECTION("updates of the server do not go over it")
	{
		CHECK(channel.try_send(update_of(2 * page_size, page_size, 0x777)) ==
		      Errno{EEXIST});
		CHECK(channel.try_send(update_of(0, 4 * page_size, 0x777)) ==
		      Errno{EEXIST});
		/* It is what they say already. */
		CHECK(channel.try_send(update_of(2 * page_size, page_size, page_size)) ==
		      ok);
		CHECK(iotlb.dump() == kept);
	}
	SECTION("the server cannot pin")
	{
		CHECK(channel.try_send(update_of(8 * page_size, 1, 0, perm_rw, pinned)) ==
		      Errno{EPERM});
		CHECK(channel.try_send(invalidate_of(page_size, 1, pinned)) ==
		      Errno{EPERM});
		CHECK(channel.try_send(message_of(IOMMUKIT_IOTLB_OP_FLUSH, 0, 0,
						  pinned)) == Errno{EPERM});
		CHECK(iotlb.dump() == kept);
	}
	SECTION("the owner has to say so")
	{
		iotlb.invalidate(page_size, 1);
		iotlb.flush();
		CHECK(iotlb.dump() == kept);
		iotlb.invalidate(page_size, page_size, pinned);
		CHECK(iotlb.dump() ==
		      std::vector<IotlbEntry>{{2 * page_size, 3 * page_size - 1,
					       page_size, perm_rw,
					       IOMMUKIT_IOTLB_ENTRY_PINNED}});
		iotlb.flush(pinned);
		CHECK(iotlb.dump().empty());
		CHECK(iotlb.stat(IOMMUKIT_IOTLB_STAT_PINNED) == 0);
	}
	SECTION("the owner may replace it")
	{
		iotlb.update(2 * page_size, page_size, 0x5000);
		CHECK(iotlb.dump() == std::vector<IotlbEntry>{
					      {page_size, 2 * page_size - 1, 0, perm_rw,
					       IOMMUKIT_IOTLB_ENTRY_PINNED},
					      {2 * page_size, 3 * page_size - 1, 0x5000},
				      });
	}
}
