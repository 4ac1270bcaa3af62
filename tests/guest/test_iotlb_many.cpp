// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOTLB with very many entries, against a model of it: the tree that holds them gets
 * as deep as it ever does, and is changed all over.
 */
#include "iotlb_world.h"
#include "threads.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t target = 1ULL << 40;

/* What is translated, as long as it goes: where it begins, its end, its target. */
class Ranges {
    public:
	struct Range {
		std::uint64_t last, target;
		bool operator==(const Range &) const = default;
	};
	using Map = std::map<std::uint64_t, Range>;

	void remove(std::uint64_t first, std::uint64_t last)
	{
		auto it = map.lower_bound(first);

		if (it != map.begin() && std::prev(it)->second.last >= first)
			--it;
		while (it != map.end() && it->first <= last) {
			const auto [begin, old] = *it;

			it = map.erase(it);
			if (begin < first)
				map[begin] = {first - 1, old.target};
			if (old.last > last)
				map[last + 1] = {old.last, old.target + last + 1 - begin};
		}
	}
	void put(std::uint64_t first, std::uint64_t last, std::uint64_t to)
	{
		remove(first, last);
		map[first] = {last, to};
	}
	const Map &all() const { return map; }

	/* That an entry is cut in two does not matter. */
	Map joined() const
	{
		Map out;

		for (const auto &[first, range] : map) {
			if (!out.empty()) {
				auto &[begin, before] = *out.rbegin();

				if (before.last + 1 == first &&
				    before.target - begin == range.target - first) {
					before.last = range.last;
					continue;
				}
			}
			out.emplace_hint(out.end(), first, range);
		}
		return out;
	}

    private:
	Map map;
};

class Many {
    public:
	Many(const IotlbWorld &of, std::uint64_t many)
		: world(of), count(many), random(seed())
	{
	}

	/* In no order. */
	void fill()
	{
		std::vector<std::uint64_t> numbers(count);

		for (std::uint64_t n = 0; n < count; n++)
			numbers[n] = n;
		std::shuffle(numbers.begin(), numbers.end(), random);
		for (const std::uint64_t n : numbers)
			put(n * stride, 1 + random() % stride);
		send();
	}
	/* Many small changes, and now and then one of a large part. */
	void change()
	{
		for (unsigned int n = 0; n < 20000 / slowness(); n++) {
			const bool large = random() % 4096 == 0;
			const std::uint64_t length =
				1 + random() % (large ? count * stride / 8 : 3 * stride);
			const std::uint64_t first = random() % (count * stride);

			if (random() % 2) {
				put(first, length);
				continue;
			}
			model.remove(first, first + length - 1);
			messages.push_back(invalidate_of(first, length));
			if (messages.size() == 4096)
				send();
		}
		send();
	}
	/* Nothing stays of one half, so that nodes become empty. */
	void empty_half()
	{
		const std::uint64_t half = count * stride / 2;

		for (std::uint64_t first = 0; first < half; first += stride) {
			model.remove(first, first + stride - 1);
			messages.push_back(invalidate_of(first, stride));
			if (messages.size() == 4096)
				send();
		}
		send();
	}
	void compare() const
	{
		Ranges found;

		for (const IotlbEntry &entry : world.iotlb.dump())
			found.put(entry.first, entry.last, entry.target);
		REQUIRE(found.joined() == model.joined());
		for (unsigned int n = 0; n < 500; n++)
			look(random() % (count * stride));
	}

    private:
	/* More than a page, so that the pages of one entry are kept apart. */
	static constexpr std::uint64_t stride = 6000;

	void look(std::uint64_t iova) const
	{
		const Lookup found = world.reader.probe(iova, 1);
		auto it = model.all().upper_bound(iova);
		const bool there =
			it != model.all().begin() && std::prev(it)->second.last >= iova;

		INFO("at " << std::hex << iova);
		REQUIRE(found.error == (there ? ok : Errno{EAGAIN}));
		if (there)
			REQUIRE(found.segs.at(0).target == std::prev(it)->second.target +
								   iova -
								   std::prev(it)->first);
	}
	void put(std::uint64_t first, std::uint64_t length)
	{
		const std::uint64_t to = target + random() % target;

		model.put(first, first + length - 1, to);
		messages.push_back(update_of(first, length, to));
		if (messages.size() == 4096)
			send();
	}
	void send()
	{
		if (!messages.empty())
			REQUIRE(world.iotlb.submit(messages).error == ok);
		messages.clear();
	}

	const IotlbWorld &world;
	std::uint64_t count;
	mutable std::mt19937_64 random;
	std::vector<IotlbMessage> messages;
	Ranges model;
};

} // namespace

TEST_CASE("very many entries, and their model")
{
	const std::uint64_t count = 300000 / slowness() + 1000;
	const IotlbWorld world(0, [&](auto &how) {
		how.max_entries = static_cast<std::uint32_t>(2 * count);
		how.evict_policy = IOMMUKIT_IOTLB_EVICT_NONE;
	});
	Many many(world, count);

	many.fill();
	many.compare();
	for (unsigned int round = 0; round < 3; round++) {
		many.change();
		many.compare();
	}
	many.empty_half();
	many.compare();
	many.change();
	many.compare();
}

/* The entry is cut on both sides all the time, but there is always one for that page. */
TEST_CASE("what stays is found while the entry is cut around it")
{
	const IotlbWorld world;
	constexpr std::uint64_t pages = 64, stays = 40;
	const unsigned int steps = 20000 / slowness() + 100;
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	world.iotlb.update(0, pages * page_size, target);
	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			const std::uint64_t left = random() % stays * page_size;
			const std::uint64_t right =
				(stays + 1 + random() % (pages - stays - 1)) * page_size;

			verdict.expect("change",
				       world.iotlb.try_submit(std::vector{
					       update_of(right, page_size, 2 * target),
					       invalidate_of(left, page_size),
					       update_of(left, page_size, 3 * target),
					       invalidate_of(right, page_size),
					       update_of(0, pages * page_size, target)}),
				       {0});
		}
		done = true;
	});
	threads.start(1, [&](std::size_t, auto &) {
		const Reader reader(world.client);

		while (!done) {
			const Lookup found = reader.probe(stays * page_size, 1);

			verdict.expect("probe", found.error, {0});
			verdict.expect("target",
				       found.error != ok ||
					       found.segs.at(0).target ==
						       target + stays * page_size);
			verdict.hit();
		}
	});
	threads.join();
	verdict.check(1);
}
