// SPDX-License-Identifier: GPL-2.0-only
// Operations at random, weighted toward what exists: overlaps, the boundaries of
// areas and a byte beside them, what wraps around. Depends on nothing but the seed
// and the state of the model.
#pragma once

#include "model.h"

#include <deque>
#include <iterator>

namespace fuzz {

class Random {
    public:
	explicit Random(std::uint64_t seed) : state(seed) {}

	std::uint64_t next();
	std::uint64_t below(std::uint64_t bound) { return next() % bound; }
	// True once in that many times.
	bool one_in(std::uint64_t times) { return below(times) == 0; }
	template <class T, std::size_t n> const T &of(const T (&list)[n])
	{
		return list[below(n)];
	}

    private:
	std::uint64_t state;
};

class Generator {
    public:
	Generator(const Model &model, std::uint64_t seed);
	Op next();

    private:
	Kind pick_kind();
	bool pick_actor(Op &op);
	void pick_process(Op &op);
	void relieve(Op &op);
	void fill(Op &op);
	void fill_map(Op &op);
	void fill_copy(Op &op);
	void fill_unmap(Op &op);
	void fill_allow(Op &op);
	void fill_option(Op &op);
	void fill_create(Op &op);
	void fill_pin(Op &op);
	void fill_rw(Op &op);
	void fill_memory(Op &op);
	void fill_device(Op &op);
	void fill_region(Op &op);
	void fill_check(Op &op);
	void fill_dirty(Op &op);
	void fill_iotlb(Op &op);
	void fill_alloc(Op &op);
	void fill_submit(Op &op);
	void fill_element(const Iotlb *iotlb, Op &op, const Op &previous);
	void fill_near(Op &op, const Range &range);
	void fill_range(const Iotlb *iotlb, const Space &space, Op &op,
			const Op &previous);
	void fill_target(const Iotlb *iotlb, const Space &space, Op &op);
	void fill_query(Op &op);
	bool fill_through_iotlb(Op &op);
	bool fill_ondemand(Op &op);
	void fill_map_ondemand(Op &op);
	void fill_prefetch(Op &op);
	void fill_query_ondemand(Op &op);
	void spoil(Op &op);
	void relieve_iotlbs(Op &op);
	void relieve_devices(Op &op);
	void suit_devices(Op &op);
	void add_stubborn_driver(const Op &op);

	std::uint64_t pick_ioas(const Context &context);
	std::uint64_t pick_anchor(const Context &context);
	const Iotlb *iotlb_of(const Op &op) const;
	const Ioas *ioas_of(const Op &op, F id = F::id) const;
	const Area *pick_area(const Ioas *ioas, std::uint64_t &first);
	const Area *pick_ondemand(const Ioas *ioas, std::uint64_t &first);
	template <class Map> std::uint64_t pick_key(const Map &map);
	template <class Map> auto pick_entry(const Map &map);
	std::uint64_t pick_target(const Context &context);
	std::uint64_t pick_tracking(const Context &context);
	std::uint64_t pick_slot(bool used);
	std::uint64_t pick_able(Kind kind);
	std::uint64_t pick_iova(const Ioas *ioas);
	std::uint64_t pick_length(std::uint64_t first);
	std::uint64_t pick_va();
	std::uint64_t pick_flags();
	std::uint64_t slip();

	const Model &model;
	Random random;
	// Most mappings lie where mock devices reach.
	const bool devices;
	// Half of the operations are by way of IOTLBs.
	const bool translations;
	// Many mappings are on demand; else few.
	const bool ondemand;
	// Operations that belong together.
	std::deque<Op> pending;
};

template <class Map> auto Generator::pick_entry(const Map &map)
{
	auto entry = map.begin();

	std::advance(entry, random.below(map.size()));
	return entry;
}

// Any of them, or an id that may be nobody's.
template <class Map> std::uint64_t Generator::pick_key(const Map &map)
{
	if (map.empty() || random.one_in(60))
		return random.below(16);
	return pick_entry(map)->first;
}

} // namespace fuzz
