// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers of an IOTLB, a server with several threads that is killed every second, and an
 * owner that interferes, all at random. Whoever reads a page that he must not reach any
 * more finds a word there that tells; what he writes is found. From time to time the
 * server rests, and the table is compared with what it believes is there.
 *
 * IOMMUKIT_STRESS_SECONDS: how long, 5 if it is not set. The seed is printed, and set
 * by --rng-seed.
 */
#include "fault.h"
#include "iotlb_world.h"
#include "process.h"
#include "threads.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>
#include <shared_mutex>

using namespace guest;

namespace {

constexpr std::uint64_t target = 0x100000;
/* A page of IOVA that is translated to one of two of the memory in turn, or to none. */
constexpr std::uint64_t slots = 32;
constexpr unsigned int readers = 8, servers = 4;
/* Of the table, each second. */
constexpr unsigned int comparisons = 5;
constexpr std::uint64_t words = page_size / 8;

constexpr std::uint64_t sentinel = 0x5e5e5e5e5e5e5e5e;
constexpr std::uint64_t good = 0x600dUL << 48;
constexpr std::uint16_t negative = IOMMUKIT_IOTLB_MSG_NEGATIVE;
constexpr std::uint64_t some_features = IOMMUKIT_IOTLB_CHAN_EPOCH |
					IOMMUKIT_IOTLB_CHAN_NEGATIVE |
					IOMMUKIT_IOTLB_CHAN_PREFETCH;

unsigned int duration()
{
	const char *seconds = std::getenv("IOMMUKIT_STRESS_SECONDS");

	return seconds ? std::max(1, std::atoi(seconds)) : 5;
}

std::size_t descriptors()
{
	const std::filesystem::directory_iterator all("/proc/self/fd");

	return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/* What the server knows, and what comes after it when it is killed. */
struct State {
	struct Slot {
		/* Which of both pages, from 1 on; 0: none. */
		std::atomic<unsigned int> page;
		/* Has its thread told so, and nobody taken it back? */
		std::atomic<bool> installed;
		unsigned int next;
	};

	std::array<Slot, slots> slot;
	std::atomic<bool> rest;
	std::atomic<unsigned int> resting;
	std::atomic<std::uint64_t> answers, changes;
	Verdict verdict;
};

iommukit_iotlb_alloc soak_alloc(const Context &context, const Memory &memory)
{
	auto how = iotlb_alloc(context.ioas());

	context.map(how.ioas_id, memory, target);
	how.num_asids = 2;
	how.miss_timeout_ms = 20;
	/* Fewer than may be asked for at once. */
	how.max_pending = 4;
	how.evict_policy = IOMMUKIT_IOTLB_EVICT_NONE;
	return how;
}

/* ---- memory ---- */

/* The first word of a page is the server's, the next ones are the readers'. */
std::uint64_t &word_of(const Memory &memory, std::uint64_t slot, unsigned int page,
		       std::uint64_t n)
{
	auto *all = reinterpret_cast<std::uint64_t *>(memory.data());

	return all[(2 * slot + page - 1) * words + n];
}

void put(std::uint64_t &word, std::uint64_t value)
{
	__atomic_store_n(&word, value, __ATOMIC_RELAXED);
	std::atomic_thread_fence(std::memory_order_seq_cst);
}

std::uint64_t get(const std::uint64_t &word)
{
	std::atomic_thread_fence(std::memory_order_seq_cst);
	return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

/* Nobody can reach it from here on. */
void retire(const Memory &memory, std::uint64_t slot, unsigned int page)
{
	put(word_of(memory, slot, page, 0), sentinel);
	for (std::uint64_t n = 1; n <= readers; n++)
		put(word_of(memory, slot, page, n), 0);
}

/* ---- the server ---- */

class SoakServer {
    public:
	SoakServer(const Channel &served, const Memory &shared, State &known)
		: channel(served), memory(shared), state(known)
	{
	}

	void run(unsigned int number, std::mt19937_64 &random);

    private:
	void answer(const IotlbMessage &miss, std::mt19937_64 &random);
	void change(std::uint64_t slot, std::mt19937_64 &random);
	void open_slot(std::uint64_t slot);
	void close_slots(std::uint64_t slot, bool another);
	void install(std::uint64_t slot, std::uint8_t perm);
	void flush();
	void prefetch(std::uint64_t slot);
	std::uint64_t target_of(std::uint64_t slot, unsigned int page) const
	{
		return target + (2 * slot + page - 1) * page_size;
	}
	void send(const char *what, const std::vector<IotlbMessage> &messages,
		  std::initializer_list<int> allowed)
	{
		state.verdict.expect(what, channel.try_send(messages), allowed);
	}

	const Channel &channel;
	const Memory &memory;
	State &state;
	/* Nothing is installed while all of it is forgotten. */
	std::shared_mutex all;
};

void SoakServer::run(unsigned int number, std::mt19937_64 &random)
{
	IotlbMessage messages[4];

	for (;;) {
		pollfd wait{.fd = channel.fd(), .events = POLLIN, .revents = 0};
		std::size_t done = 0;

		if (state.rest) {
			state.resting++;
			while (state.rest)
				usleep(500);
			state.resting--;
		}
		poll(&wait, 1, static_cast<int>(random() % 3));
		const Errno error = channel.try_read(
			messages, sizeof(messages[0]) * (1 + random() % 4), &done);
		state.verdict.expect("read of messages", error, {0, EAGAIN});
		for (std::size_t n = 0; n < done / sizeof(messages[0]); n++)
			answer(messages[n], random);
		for (std::uint64_t left = random() % 6; left; left--)
			change(number + random() % (slots / servers) * servers, random);
	}
}

/* The epoch was taken before what is answered is looked up. */
void SoakServer::answer(const IotlbMessage &miss, std::mt19937_64 &random)
{
	const int denials[] = {EFAULT, ENOENT, EIO, EPERM};
	const std::uint64_t slot = miss.iova / page_size;
	const unsigned int what = random() % 32;

	state.verdict.expect("a miss", miss.op == IOMMUKIT_IOTLB_OP_MISS &&
					       slot < slots && miss.asid == 0);
	if (what == 0)
		return;
	const unsigned int page = state.slot[slot].page;
	if (!page || what == 1) {
		send("denial", {denial_of(miss, denials[random() % 4])}, {0});
		return;
	}
	/* All of the page, or a part of it that is asked for. */
	const std::uint64_t part = what < 6 ? 1024 : page_size;
	const std::uint64_t iova = miss.iova & ~(part - 1);
	IotlbMessage update =
		answer_to(miss, iova, part, target_of(slot, page) + iova % page_size,
			  what < 10 ? perm_read : perm_rw);
	if (what == 10 && update.epoch > 1)
		update.epoch--;
	if (what == 11)
		update.cookie += 1000;
	send("answer", {update}, {0, ESTALE});
	state.answers++;
}

void SoakServer::change(std::uint64_t slot, std::mt19937_64 &random)
{
	State::Slot &known = state.slot[slot];
	const unsigned int what = random() % 64;

	state.changes++;
	if (what == 0)
		flush();
	else if (what < 8)
		prefetch(random() % slots);
	else if (known.page && what < 32)
		close_slots(slot, random() % 2);
	else if (known.page)
		install(slot, what < 36 ? perm_read : perm_rw);
	else if (what < 16)
		send("no translation",
		     {update_of(slot * page_size, page_size, 0, 0, negative)}, {0});
	else
		open_slot(slot);
}

void SoakServer::open_slot(std::uint64_t slot)
{
	State::Slot &known = state.slot[slot];
	const unsigned int page = 1 + known.next++ % 2;

	for (std::uint64_t n = 1; n <= readers; n++)
		state.verdict.expect("nobody writes to what is gone",
				     get(word_of(memory, slot, page, n)) == 0);
	put(word_of(memory, slot, page, 0), good | slot);
	known.page = page;
	if (known.next % 4)
		install(slot, perm_rw);
}

void SoakServer::install(std::uint64_t slot, std::uint8_t perm)
{
	State::Slot &known = state.slot[slot];
	const std::shared_lock guard(all);

	/* Nobody else invalidates it: no epoch is needed. */
	send("update",
	     {update_of(slot * page_size, page_size, target_of(slot, known.page), perm)},
	     {0});
	known.installed = true;
}

/* A slot, or another one of the same thread with it in one message. */
void SoakServer::close_slots(std::uint64_t slot, bool another)
{
	const std::uint64_t both[] = {slot, (slot + servers) % slots};
	const std::size_t count = another ? 2 : 1;
	unsigned int pages[2];
	std::vector<IotlbMessage> messages;

	for (std::size_t n = 0; n < count; n++) {
		pages[n] = state.slot[both[n]].page;
		state.slot[both[n]].installed = false;
		state.slot[both[n]].page = 0;
		messages.push_back(invalidate_of(both[n] * page_size, page_size));
	}
	send("invalidate", messages, {0});
	for (std::size_t n = 0; n < count; n++)
		if (pages[n])
			retire(memory, both[n], pages[n]);
}

void SoakServer::flush()
{
	const std::unique_lock guard(all);

	for (State::Slot &slot : state.slot)
		slot.installed = false;
	send("flush", {message_of(IOMMUKIT_IOTLB_OP_FLUSH)}, {0});
}

/* What nobody has asked for, of any slot: of an epoch from before the look. */
void SoakServer::prefetch(std::uint64_t slot)
{
	auto info = command<iommukit_iotlb_chan_info>();

	state.verdict.expect("info", channel.try_info(info), {0});
	const unsigned int page = state.slot[slot].page;
	if (!page)
		return;
	IotlbMessage update =
		update_of(slot * page_size, page_size, target_of(slot, page), perm_rw,
			  IOMMUKIT_IOTLB_MSG_PREFETCH);
	update.epoch = info.out_inval_seq;
	/* 0 is no epoch; there was nothing to be late for. */
	if (update.epoch)
		send("prefetch", {update}, {0, ESTALE});
}

/* ---- the whole ---- */

class Soak {
    public:
	Soak()
		: iotlb(context, soak_alloc(context, memory)),
		  client(context, iotlb.id()), model_client(context, iotlb.id(), 0, 1),
		  model_reader(model_client)
	{
		for (unsigned int n = 0; n < readers; n++)
			all_readers.push_back(std::make_unique<Reader>(
				client, n == readers - 1 ? reader_thread : 0));
		iotlb.channel.close();
	}

	void read(unsigned int number);
	void round();

	std::atomic<bool> over = false;
	std::atomic<std::uint64_t> reads = 0, writes = 0;
	std::uint64_t rounds = 0, models = 0, entries = 0, installed = 0;
	Shared<State> state;
	Pause pause;

    private:
	void begin();
	void end();
	void interfere();
	void step_model();
	void compare_model();
	void compare();
	void check_records();
	void read_one(const Reader &reader, unsigned int number,
		      std::mt19937_64 &of_thread);
	void check_word(const char *what, Errno error, std::uint64_t slot,
			std::uint64_t value);

	Memory memory{2 * slots * page_size};
	Context context;
	Iotlb iotlb;
	IotlbClient client, model_client;
	Reader model_reader;
	std::vector<std::unique_ptr<Reader>> all_readers;
	std::optional<Child> server;
	std::mt19937_64 random{seed()};

	/* Of the second address space, which the owner alone changes. */
	struct Cell {
		std::uint64_t target;
		std::uint32_t perm;
		bool operator==(const Cell &) const = default;
	};
	static constexpr std::uint64_t cell_size = 0x100;
	std::array<Cell, 64> cells{};
};

/* ---- readers ---- */

constexpr std::initializer_list<int> any_end = {0,	ETIMEDOUT, EPIPE, ENOTCONN,
						EFAULT, EPERM,	   EIO,	  ENOENT,
						EAGAIN, ECANCELED, EBUSY};

void Soak::check_word(const char *what, Errno error, std::uint64_t slot,
		      std::uint64_t value)
{
	state->verdict.expect(what, error, any_end);
	if (error != ok)
		return;
	state->verdict.expect("what is read is the slot's", value == (good | slot));
	reads++;
}

void Soak::read_one(const Reader &reader, unsigned int number, std::mt19937_64 &of_thread)
{
	const std::uint64_t slot = of_thread() % slots, iova = slot * page_size;
	std::uint64_t value = 0;

	switch (of_thread() % 6) {
	case 0:
	case 1: {
		const Errno error = reader.try_read(iova, &value, sizeof(value));

		check_word("read", error, slot, value);
		break;
	}
	case 2: {
		value = of_thread() | 1;
		const Errno error =
			reader.try_write(iova + 8 * (number + 1), &value, sizeof(value));

		state->verdict.expect("write", error, any_end);
		writes += error == ok;
		break;
	}
	case 3: {
		Loop loop{.words = slots,
			  .count = 2 * slots,
			  .value = sentinel,
			  .how = static_cast<std::uint32_t>(of_thread() % 2) *
				 IOMMUKIT_TEST_IOTLB_LOOP_NOWAIT,
			  .timeout_ms = 5};

		state->verdict.expect("loop", reader.try_loop(loop), any_end);
		state->verdict.expect("nothing that is gone", loop.equal == 0);
		reads += loop.copied;
		break;
	}
	case 4: {
		/* Several slots in one gate, as far as it goes. */
		const std::uint64_t count = 1 + of_thread() % std::min(4UL, slots - slot);
		const Lookup found =
			reader.translate(iova, count * page_size, perm_read,
					 {.flags = translate_partial,
					  .how = IOMMUKIT_TEST_IOTLB_AND_COPY});

		state->verdict.expect("translate", found.error, any_end);
		for (std::uint64_t n = 0;
		     found.error == ok && (n + 1) * page_size <= found.done; n++) {
			std::copy_n(found.data.begin() + long(n * page_size), 8,
				    reinterpret_cast<std::byte *>(&value));
			check_word("translate", ok, slot + n, value);
		}
		break;
	}
	default: {
		const Lookup found = reader.nowait(iova, 8, perm_read,
						   {.how = IOMMUKIT_TEST_IOTLB_AND_COPY});

		if (found.error == ok)
			std::copy_n(found.data.begin(), 8,
				    reinterpret_cast<std::byte *>(&value));
		check_word("nowait", found.error, slot, value);
	}
	}
}

void Soak::read(unsigned int number)
{
	const Reader &reader = *all_readers[number];
	std::mt19937_64 of_thread(seed() + number * 7919);

	while (!over) {
		pause.rest_if_wanted();
		if (number == readers - 1) {
			/* This one's thread in the kernel does it. */
			const std::uint64_t slot = of_thread() % slots;
			std::uint64_t value = 0;
			Errno error = reader.begin_read(slot * page_size, 8);

			if (error == ok) {
				const Lookup found = reader.finish(8);

				error = found.error;
				std::copy_n(found.data.begin(), 8,
					    reinterpret_cast<std::byte *>(&value));
			}
			check_word("read by a thread", error, slot, value);
			continue;
		}
		read_one(reader, number, of_thread);
		if (of_thread() % 128 == 0) {
			std::uint32_t index = 0;
			const Errno error = client.try_reader(0, &index);

			state->verdict.expect("new reader", error, {0});
			if (error == ok)
				state->verdict.expect("end of a reader",
						      client.try_destroy_reader(index),
						      {0});
		}
	}
}

/* ---- rounds ---- */

/* The server that was there may have been killed in the middle of anything. */
void Soak::begin()
{
	iotlb.open();
	/* When this returns, nobody uses what its predecessor has told. */
	iotlb.flush();
	for (std::uint64_t slot = 0; slot < slots; slot++) {
		state->slot[slot].page = 0;
		state->slot[slot].installed = false;
		retire(memory, slot, 1);
		retire(memory, slot, 2);
	}
	state->rest = false;
	state->resting = 0;
	iotlb.channel.configure(some_features |
				(rounds % 2 ? IOMMUKIT_IOTLB_CHAN_UPGRADE : 0));
	iotlb.channel.set_nonblocking();
	server.emplace([&](const Child::Steps &) {
		SoakServer body(iotlb.channel, memory, *state);
		std::vector<std::jthread> threads;

		for (unsigned int n = 0; n < servers; n++)
			threads.emplace_back([&, n] {
				std::mt19937_64 of_thread(seed() + rounds * 104729 + n);

				body.run(n, of_thread);
			});
		return 0;
	});
	iotlb.channel.close();
}

void Soak::end()
{
	server->kill();
	CHECK(server->join() == deadly_signal + SIGKILL);
	server.reset();
	/* With it goes what was told, by the owner as well, if a moment later. */
	CHECK(wait_until([&] { return iotlb.stat(IOMMUKIT_IOTLB_STAT_ENTRIES) == 0; }));
	cells = {};
	compare_model();
}

void Soak::step_model()
{
	const std::uint64_t first = random() % cells.size();
	const std::uint64_t count = 1 + random() % (cells.size() - first);
	const std::uint64_t iova = first * cell_size, length = count * cell_size;
	const unsigned int what = random() % 16;
	IotlbMessage message = message_of(IOMMUKIT_IOTLB_OP_FLUSH);

	if (what == 0) {
		cells = {};
	} else if (what < 7) {
		message = invalidate_of(iova, length);
		std::fill_n(cells.begin() + long(first), count, Cell{});
	} else {
		const std::uint64_t to = 0x1000000 + random() % 4 * 0x100000 + iova;
		const auto perm = static_cast<std::uint8_t>(1 + random() % 3);

		message = update_of(iova, length, to, perm);
		for (std::uint64_t n = 0; n < count; n++)
			cells[first + n] = {to + n * cell_size, perm};
	}
	iotlb.submit(message, 1);
	models++;

	const std::uint64_t at = random() % cells.size();
	const Lookup found = model_reader.probe(at * cell_size, cell_size, perm_read);
	INFO("cell " << at);
	if (!cells[at].perm) {
		CHECK(found.error == Errno{EAGAIN});
	} else if (!(cells[at].perm & perm_read)) {
		CHECK((found.error == Errno{EPERM} || found.error == Errno{EAGAIN}));
	} else {
		CHECK(found.error == ok);
		CHECK(leads(found, at * cell_size, cell_size, cells[at].target));
	}
}

void Soak::compare_model()
{
	std::array<Cell, 64> shown{};

	for (const IotlbEntry &entry : iotlb.dump(1)) {
		REQUIRE(entry.first % cell_size == 0);
		REQUIRE(entry.last < cells.size() * cell_size);
		for (std::uint64_t at = entry.first; at < entry.last; at += cell_size)
			shown[at / cell_size] = {entry.target + at - entry.first,
						 entry.perm};
	}
	CHECK((shown == cells));
}

/* The table, while nobody changes it. */
void Soak::compare()
{
	std::array<std::uint64_t, slots> bytes{};

	state->rest = true;
	REQUIRE(wait_until([&] { return state->resting == servers; }));
	const auto dump = iotlb.dump(0);
	CHECK(iotlb.stat(IOMMUKIT_IOTLB_STAT_ENTRIES) ==
	      dump.size() + iotlb.dump(1).size());
	for (const IotlbEntry &entry : dump) {
		const std::uint64_t slot = entry.first / page_size;
		const unsigned int page =
			slot < slots ? state->slot[slot].page.load() : 0;

		INFO(entry << ", page " << page);
		REQUIRE(slot < slots);
		CHECK(entry.last / page_size == slot);
		entries++;
		if (entry.flags & IOMMUKIT_IOTLB_ENTRY_NEGATIVE)
			continue;
		CHECK(page != 0);
		CHECK(entry.target == target + (2 * slot + page - 1) * page_size +
					      entry.first % page_size);
		bytes[slot] += entry.last - entry.first + 1;
	}
	for (std::uint64_t slot = 0; slot < slots; slot++)
		if (state->slot[slot].installed) {
			INFO("slot " << slot);
			CHECK(bytes[slot] == page_size);
			installed++;
		}
	state->rest = false;
}

/* Without a server, and with readers that rest, nothing moves. */
void Soak::check_records()
{
	const auto stat = [&](iommukit_iotlb_stat counter) {
		return iotlb.stat(counter);
	};

	pause.begin(readers);
	CHECK(wait_until([&] { return stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0; }));
	CHECK(stat(IOMMUKIT_IOTLB_STAT_CREATED) ==
	      stat(IOMMUKIT_IOTLB_STAT_RESOLVED) + stat(IOMMUKIT_IOTLB_STAT_DENIED) +
		      stat(IOMMUKIT_IOTLB_STAT_LOST) +
		      stat(IOMMUKIT_IOTLB_STAT_WITHDRAWN));
	CHECK(stat(IOMMUKIT_IOTLB_STAT_ENTRIES) == 0);
	pause.end();
}

/* What owners and drivers do now and then. */
void Soak::interfere()
{
	int result = 0;

	switch (random() % 64) {
	case 0:
		client.cancel();
		client.cancel(false);
		break;
	case 1: {
		const IotlbClient other(context, iotlb.id());
		const Reader reader(other);

		(void)reader.nowait(random() % slots * page_size, 1);
		break;
	}
	case 2:
		state->verdict.expect(
			"prefetch by a driver",
			client.try_prefetch({{random() % slots * page_size, page_size}},
					    perm_read, &result),
			{0});
		break;
	default:
		step_model();
	}
}

void Soak::round()
{
	using clock = std::chrono::steady_clock;
	const auto start = clock::now();
	unsigned int compared = 0;

	begin();
	/* The end comes while all are busy. */
	for (unsigned int n = 0;
	     clock::now() < start + std::chrono::seconds(1) || compared < comparisons;
	     n++) {
		interfere();
		if (n % 32 == 0)
			compare_model();
		if (compared < comparisons &&
		    clock::now() >=
			    start + (compared + 1) * std::chrono::milliseconds(150)) {
			compare();
			compared++;
		}
	}
	end();
	check_records();
	rounds++;
}

/* However the rounds end, so do the readers. */
struct Ending {
	explicit Ending(Soak &all) : soak(all) {}
	~Ending()
	{
		soak.over = true;
		soak.pause.end();
	}

	Soak &soak;
};

} // namespace

TEST_CASE("an IOTLB that everything is done to, by everybody")
{
	const std::size_t before = descriptors();

	{
		const NothingLeft nothing_left;
		Soak soak;
		const auto end = std::chrono::steady_clock::now() +
				 std::chrono::seconds(duration());
		const auto seen_enough = [&] {
			return soak.reads && soak.writes && soak.installed &&
			       soak.entries && soak.state->answers;
		};

		{
			std::vector<std::jthread> threads;

			for (unsigned int n = 0; n < readers; n++)
				threads.emplace_back([&, n] { soak.read(n); });
			const Ending ending(soak);
			while (std::chrono::steady_clock::now() < end ||
			       (!seen_enough() && soak.rounds < 60))
				soak.round();
		}
		std::cout << "# " << duration() << " s: " << soak.rounds << " servers, "
			  << soak.state->answers << " answers, " << soak.state->changes
			  << " changes, " << soak.reads << " reads, " << soak.writes
			  << " writes; compared " << soak.entries << " entries, "
			  << soak.installed << " of which must be there; " << soak.models
			  << " steps of the owner" << std::endl;
		soak.state->verdict.check();
		CHECK(seen_enough());
		CHECK(soak.models > 0);
	}
	CHECK(descriptors() == before);
}
