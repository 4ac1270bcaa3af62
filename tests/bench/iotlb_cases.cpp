// SPDX-License-Identifier: GPL-2.0-only
// iotlb/: device IOTLBs, next to a table of vhost_iotlb that is called as vhost calls
// it. Lookups are loops inside the kernel; commands of the owner are sent from here, and
// the peer's module takes the same command with the same array, so both copy it.
#include "bench.h"
#include "iotlb_miss.h"
#include "iotlb_readers.h"
#include "iotlb_side.h"
#include "pinned.h"
#include "slab.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t k64 = 64 << 10;
constexpr std::uint32_t m1 = 1 << 20;

constexpr Bytes adjacent = 4_KiB;
constexpr Bytes gaps = 8_KiB;

// In a round, for what alternate() does not do.
constexpr unsigned slices = 5;
// Of what fills a million entries anew each time.
constexpr unsigned long_rounds = 3;

std::string number(double value)
{
	std::ostringstream out;

	out.precision(4);
	out << value;
	return out.str();
}

// Those of the case before, if they are the same: a million entries take a while.
const IotlbPair &pair_of(const IotlbPages &pages)
{
	static std::optional<IotlbPair> last;

	if (!last || last->pages() != pages)
		last.emplace(pages);
	return *last;
}

Figures measure_lookup(const IotlbPages &pages, std::uint32_t hot, std::uint32_t per_gate)
{
	const IotlbPair &pair = pair_of(pages);
	const IotlbLoop loop{.pages = pages, .hot = hot, .per_gate = per_gate};
	// Long enough for a big table to find its way back into the caches, where the
	// other one was.
	const double wanted = pages.count > 4096 ? round_ns : slice_ns;
	const auto slices_of = [&](const IotlbSide &side) {
		const auto n = side.calibrate(loop, wanted);

		return [&side, &loop, n] {
			const double ns = side.time(loop, n);
			return Slice{ns, ns / n};
		};
	};

	return alternate(slices_of(pair.ours()), slices_of(pair.vhost()));
}

// How long one reader takes, and two take, for the same work each.
struct Pace {
	double one = HUGE_VAL;
	double two = HUGE_VAL;

	void keep_fastest(const Pace &other)
	{
		one = std::min(one, other.one);
		two = std::min(two, other.two);
	}
	double speedup() const { return 2 * one / two; }
};

// With somebody who updates beside the two, not beside the one.
class Readers {
    public:
	Readers(const IotlbSide &side, const IotlbPages &pages, unsigned updates,
		Replace how)
		: side_(side), loop_{.pages = pages}, updates_(updates), how_(how),
		  n_(side.calibrate(loop_, 2 * round_ns))
	{
	}

	Pace pace()
	{
		Pace pace;

		loop_.threads = 1;
		pace.one = side_.time(loop_, n_);
		loop_.threads = 2;
		pace.two = updates_ ? disturbed() : side_.time(loop_, n_);
		return pace;
	}

	double least_rate() const noexcept { return least_rate_; }

    private:
	double disturbed()
	{
		Updater updater(side_, loop_.pages, how_, updates_);
		// With vhost an entry is not there while it is replaced.
		std::this_thread::sleep_for(20ms);
		const auto before = updater.updates();
		const auto ns = static_cast<double>(side_.run(loop_, n_).out_ns);
		const auto done = static_cast<double>(updater.updates() - before);

		updater.stop();
		// Whoever updated less has also disturbed less.
		const double rate = done / ns * 1e9;
		if (rate < 0.9 * updates_)
			return HUGE_VAL;
		least_rate_ = std::min(least_rate_, rate);
		return ns;
	}

	const IotlbSide &side_;
	IotlbLoop loop_;
	unsigned updates_;
	Replace how_;
	std::uint32_t n_;
	double least_rate_ = HUGE_VAL;
};

// Two threads that share nothing, and do not touch memory: only while these get twice as
// much done as one, the machine has two processors to give, and what is measured counts.
class Quiet {
    public:
	explicit Quiet(const IotlbPair &pair)
		: side_(pair.ours()), loop_{.op = IOTLB_BENCH_OP_IDLE,
					    .pages = pair.pages()},
		  n_(side_.calibrate(loop_, round_ns / 4))
	{
	}

	// Measures until it was quiet before and after; throws if that takes too long.
	Pace during(const std::function<Pace()> &measure)
	{
		for (;;) {
			const bool before = now();
			const Pace pace = before ? measure() : Pace{};

			if (before && now())
				return pace;
			if (Clock::now() > end_)
				throw std::runtime_error("no quiet processors: threads "
							 "that share nothing came to " +
							 number(best_) + " at best");
		}
	}

    private:
	using Clock = std::chrono::steady_clock;

	bool now()
	{
		constexpr double undisturbed = 1.93;

		Pace pace;

		loop_.threads = 1;
		pace.one = side_.time(loop_, n_);
		loop_.threads = 2;
		pace.two = side_.time(loop_, n_);
		best_ = std::max(best_, pace.speedup());
		return pace.speedup() >= undisturbed;
	}

	const IotlbSide &side_;
	IotlbLoop loop_;
	std::uint32_t n_;
	double best_ = 0;
	Clock::time_point end_ = Clock::now() + 3min;
};

Figures measure_readers(unsigned updates)
{
	need_two_processors();
	// As many as vhost has by default. They fit into the caches of one processor, so
	// two have no more of these to offer.
	const IotlbPair pair({.count = 2048, .stride = gaps});
	Readers ours(pair.ours(), pair.pages(), updates, Replace::update);
	Readers peer(pair.vhost(), pair.pages(), updates, Replace::invalidate_update);
	Quiet quiet(pair);
	Figures figures;

	for (unsigned round = 0; round < default_rounds; round++) {
		Pace a, b;

		for (unsigned slice = 0; slice < slices; slice++) {
			a.keep_fastest(quiet.during([&] { return ours.pace(); }));
			b.keep_fastest(quiet.during([&] { return peer.pace(); }));
		}
		figures.ours.push_back(a.speedup());
		figures.peer.push_back(b.speedup());
	}
	if (updates)
		figures.note = "at least " + number(ours.least_rate()) +
			       " updates a second, peer " + number(peer.least_rate());
	return figures;
}

// What a part of a full table costs to invalidate, and to enter again.
struct Churn {
	Figures invalidate, update;
};

class Churner {
    public:
	Churner(const IotlbSide &side, const IotlbPages &pages) : side_(side)
	{
		// Many enough for the memory that is freed later to be freed meanwhile.
		constexpr std::size_t some = 16 << 10;

		for (const auto page : pages.shuffled()) {
			if (updates_.size() == some)
				break;
			updates_.push_back(pages.update(page));
			invalidations_.push_back(pages.invalidation(page));
		}
	}

	void begin_round() { invalidate_ = update_ = HUGE_VAL; }
	void slice()
	{
		invalidate_ = std::min(invalidate_, time(invalidations_));
		update_ = std::min(update_, time(updates_));
	}
	double invalidate() const noexcept { return invalidate_; }
	double update() const noexcept { return update_; }

    private:
	double time(const std::vector<IotlbMessage> &messages) const
	{
		const double all = seconds([&] { side_.submit_pieces(messages); });

		return 1e9 * all / static_cast<double>(messages.size());
	}

	const IotlbSide &side_;
	std::vector<IotlbMessage> updates_, invalidations_;
	double invalidate_ = 0, update_ = 0;
};

Churn measure_churn()
{
	const IotlbPair pair({.count = m1, .stride = gaps});
	Churner ours(pair.ours(), pair.pages());
	Churner peer(pair.vhost(), pair.pages());
	Churn churn;

	for (unsigned round = 0; round < default_rounds; round++) {
		ours.begin_round();
		peer.begin_round();
		for (unsigned i = 0; i < slices; i++) {
			ours.slice();
			peer.slice();
		}
		churn.invalidate.ours.push_back(ours.invalidate());
		churn.invalidate.peer.push_back(peer.invalidate());
		churn.update.ours.push_back(ours.update());
		churn.update.peer.push_back(peer.update());
	}
	return churn;
}

// Both figures come out of one measurement.
const Churn &churn()
{
	static const Churn once = measure_churn();

	return once;
}

Figures measure_flush()
{
	const IotlbPages pages{.count = m1, .stride = gaps};
	const IotlbPair pair(pages);
	Figures figures;

	for (unsigned round = 0; round < long_rounds; round++) {
		if (round) {
			pair.ours().fill(pages);
			pair.vhost().fill(pages);
		}
		figures.ours.push_back(1e6 * seconds([&] { pair.ours().flush(); }));
		figures.peer.push_back(1e6 * seconds([&] { pair.vhost().flush(); }));
	}
	return figures;
}

// What happens to a table while a reader looks up in it, step by step.
class Life {
    public:
	explicit Life(const IotlbSide &side) : side_(side) {}

	// Longest lookup of each step, in microseconds.
	std::vector<double> live() const
	{
		const IotlbPages first{.count = m1, .stride = gaps};
		const IotlbPages all{.count = m1 + m1 / 4, .stride = gaps};
		const auto more = beyond(all, m1);

		return {
			watch(all, [&] { side_.fill(first); }),
			watch(all, [] { busy(1s); }),
			watch(all, [&] { side_.submit_pieces(more); }),
			watch(all, [&] { side_.flush(); }),
		};
	}
	static constexpr const char *steps[] = {"created", "looked up", "evicted",
						"flushed"};

    private:
	template <class Work> double watch(const IotlbPages &pages, Work work) const
	{
		// The reader is on the first one.
		const Pinned pinned(1);
		Watch reader(side_, pages);

		work();
		return reader.worst() / 1e3;
	}

	// What the machine itself does to a reader while both processors have work.
	static void busy(std::chrono::steady_clock::duration time)
	{
		const auto end = std::chrono::steady_clock::now() + time;

		while (std::chrono::steady_clock::now() < end)
			;
	}

	static std::vector<IotlbMessage> beyond(const IotlbPages &pages,
						std::uint32_t from)
	{
		std::vector<IotlbMessage> messages;

		for (std::uint32_t page = from; page < pages.count; page++)
			messages.push_back(pages.update(page));
		return messages;
	}

	const IotlbSide &side_;
};

// The longest lookup of each step, over some lives. What the table does to a reader it
// does each time; the rest is the machine, which needs the processor for others.
class Lives {
    public:
	void add(std::vector<double> life) { lives_.push_back(std::move(life)); }

	double stall() const
	{
		double longest = 0;

		for (std::size_t i = 0; i < std::size(Life::steps); i++)
			longest = std::max(longest, std::ranges::min(step(i)));
		return longest;
	}
	std::string describe() const
	{
		std::string out;

		for (std::size_t i = 0; i < std::size(Life::steps); i++)
			out += (i ? ", " : "") + std::string(Life::steps[i]) + ' ' +
			       number(std::ranges::min(step(i))) + " to " +
			       number(std::ranges::max(step(i)));
		return out;
	}

    private:
	std::vector<double> step(std::size_t i) const
	{
		std::vector<double> values;

		for (const auto &life : lives_)
			values.push_back(life[i]);
		return values;
	}

	std::vector<std::vector<double>> lives_;
};

Figures measure_stall()
{
	Lives ours, peer;

	need_two_processors();
	// Once: two that want one spinlock take their time, the more so if the machine
	// has other work, and there is nothing to be found out about it.
	{
		const VhostIotlb theirs(m1, true);

		peer.add(Life(theirs.side()).live());
	}
	for (unsigned round = 0; round < long_rounds; round++) {
		const OurIotlb mine({.max_entries = m1});

		ours.add(Life(mine.side()).live());
	}
	return {.ours = {ours.stall()},
		.peer = {peer.stall()},
		.note = ours.describe() + "; peer: " + peer.describe()};
}

Figures measure_miss(MissWorld::Way way)
{
	MissWorld read(MissWorld::Way::read);

	if (way == MissWorld::Way::read)
		return alternate([&] { return read.slice(); }, slice_of_pipes);
	MissWorld ring(way);

	return alternate([&] { return ring.slice(); }, [&] { return read.slice(); });
}

// Bytes of an entry, the tree included.
struct Weight {
	double bytes;
	std::string note;
};

template <class Table> Weight weigh(const Table &table, const IotlbPages &pages)
{
	const SlabGrowth growth;

	table.side().fill(pages);
	// What is freed behind a grace period is no part of an entry.
	std::this_thread::sleep_for(500ms);
	return {growth.total() / pages.count, growth.describe(pages.count)};
}

Figures measure_memory()
{
	const IotlbPages pages{.count = m1, .stride = gaps};
	const VhostIotlb theirs(m1);
	const OurIotlb mine({.max_entries = m1, .evict = IOMMUKIT_IOTLB_EVICT_NONE});
	const Weight ours = weigh(mine, pages);
	const Weight peer = weigh(theirs, pages);

	return {.ours = {ours.bytes},
		.peer = {peer.bytes},
		.note = ours.note + "; peer: " + peer.note};
}

constexpr Bound ratio_at_most(double value)
{
	return {Bound::Of::ratio, Bound::Sense::at_most, value};
}

constexpr Bound at_least(double value)
{
	return {Bound::Of::ours, Bound::Sense::at_least, value};
}

constexpr Bound at_most(double value)
{
	return {Bound::Of::ours, Bound::Sense::at_most, value};
}

void add(std::vector<Case> &cases, const std::string &name, const std::string &unit,
	 const std::string &peer, std::function<Figures()> measure,
	 std::optional<Bound> bound = {})
{
	cases.push_back({.name = "iotlb/" + name,
			 .unit = unit,
			 .peer_name = peer,
			 .measure = std::move(measure),
			 .bound = bound});
}

struct Lookup {
	const char *name;
	IotlbPages pages;
	std::uint32_t hot;
	double bound; // 0: none
};

constexpr Lookup lookups[] = {
	{"64", {64, gaps}, 0, 1.0},   {"64k", {k64, gaps}, 0, 0.6},
	{"1m", {m1, gaps}, 0, 0.4},   {"1m-adjacent", {m1, adjacent}, 0, 0},
	{"hot", {m1, gaps}, 64, 0.2},
};

// What is promised is promised for a gate around each lookup.
void add_lookups(std::vector<Case> &cases)
{
	for (const auto &it : lookups) {
		add(
			cases, std::string("lookup-") + it.name, "ns", "vhost_iotlb",
			[it] { return measure_lookup(it.pages, it.hot, 1); },
			it.bound > 0 ? std::optional(ratio_at_most(it.bound))
				     : std::nullopt);
		add(cases, std::string("lookup-") + it.name + "-gate64", "ns",
		    "vhost_iotlb", [it] { return measure_lookup(it.pages, it.hot, 64); });
	}
}

} // namespace

void add_iotlb_cases(std::vector<Case> &cases)
{
	add_lookups(cases);
	add(
		cases, "readers-2", "x", "vhost_iotlb, 2 to 1",
		[] { return measure_readers(0); }, at_least(1.8));
	add(
		cases, "readers-2-updates", "x", "vhost_iotlb, 2 to 1",
		[] { return measure_readers(10'000); }, at_least(1.5));
	add(
		cases, "update-1m", "ns", "vhost_iotlb", [] { return churn().update; },
		ratio_at_most(2));
	add(
		cases, "invalidate-1m", "ns", "vhost_iotlb",
		[] { return churn().invalidate; }, ratio_at_most(2));
	add(cases, "flush-1m", "us", "vhost_iotlb", measure_flush);
	add(cases, "stall-1m", "us", "vhost_iotlb", measure_stall, at_most(10'000));
	add(cases, "miss-channel", "ns", "there and back by pipes",
	    [] { return measure_miss(MissWorld::Way::read); });
	add(
		cases, "miss-ring", "ns", "miss-channel",
		[] { return measure_miss(MissWorld::Way::ring); }, ratio_at_most(0.6));
	// More than is promised, which is 128 bytes and the tree.
	add(cases, "memory", "bytes", "vhost_iotlb", measure_memory, at_most(128));
}

} // namespace bench
