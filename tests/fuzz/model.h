// SPDX-License-Identifier: GPL-2.0-only
// What the specification says the module does, as plainly as possible: maps of
// areas, pins, charges. Knows nothing of how the module does it.
#pragma once

#include "device.h"
#include "iotlb.h"
#include "ondemand.h"

#include <functional>

namespace fuzz {

// A flag of the test module's command: another process copies, or so it says.
constexpr std::uint64_t rw_slow = 4;
// Of a mapping whose writes are noted, the size that there is surely memory for.
constexpr std::uint64_t most_noted = 1UL << 30;

enum class Mode { none, user, mm };

// The memory of one MAP, shared by its copies: pages from 0 on.
struct Backing {
	struct Held {
		PageRef page;
		unsigned users;
	};

	std::shared_ptr<Process> owner;
	bool of_file, writable;
	std::shared_ptr<Inode> inode;
	std::uint64_t base;
	Mode mode;
	// Pages that are pinned, by index.
	std::map<std::uint64_t, Held> held;
	// It stands for addresses: nothing but pins holds its pages.
	std::shared_ptr<Ondemand> ondemand = {};
	std::uint64_t length = 0;

	int page_at(std::uint64_t index, bool write, PageRef &page) const;
};

struct Area {
	std::uint64_t last = 0;
	std::shared_ptr<Backing> backing;
	// Of the first byte in the backing.
	std::uint64_t offset = 0;
	bool readable = false, writable = false;
	// An UNMAP has given up on it.
	bool closed = false;
	// Pages of IOVA that were written, while the IOAS notes that.
	std::map<std::uint64_t, Mark> written = {};
};

struct Access;

struct Ioas {
	std::map<std::uint64_t, Area> areas;
	// All that is reserved; of that, what the test module's command has added, and
	// the regions of devices.
	std::vector<Range> reserved, added, allowed;
	std::vector<std::pair<const Device *, Range>> regions;
	std::vector<Access *> users;
	// With one of them, everything is pinned.
	std::vector<Hwpt *> hwpts;
	// How many have their targets in it.
	std::size_t iotlbs = 0;
	bool huge = true;
	bool notes_writes = false;

	std::uint64_t alignment() const;
	bool conforms(std::uint64_t to = page_size) const;
	void collect_reserved();
	bool ondemand() const;
	// The first area that ends at or behind an IOVA.
	std::map<std::uint64_t, Area>::iterator at(std::uint64_t iova);
	bool mapped(const Range &range);
};

// Ids of everything else are taken, but lead to no IOAS.
struct Context {
	std::map<std::uint64_t, std::shared_ptr<Ioas>> objects;
	std::map<std::uint64_t, std::shared_ptr<Hwpt>> hwpts;
	std::map<std::uint64_t, std::shared_ptr<Iotlb>> iotlbs;
	std::map<std::uint64_t, std::shared_ptr<Device>> devices;
	// By the id of what the test module has made around them.
	std::map<std::uint64_t, std::shared_ptr<Device>> mocks;
	bool mm_mode = false;

	std::uint64_t free_id() const;
	std::shared_ptr<Ioas> ioas(std::uint64_t id) const;
	std::shared_ptr<Hwpt> hwpt(std::uint64_t id) const;
	std::shared_ptr<Iotlb> iotlb(std::uint64_t id) const;
};

// Part of an area that is pinned or copied.
struct Part {
	const Area *area;
	std::shared_ptr<Backing> backing;
	std::uint64_t first, last; // bytes of the backing
};

// All of an area that begins there.
Part whole(std::uint64_t first, const Area &area);

struct Item {
	Range range;
	// Where that is in the IOAS; the same without an IOTLB.
	std::vector<Range> targets;
	std::vector<Part> parts;
	bool write = false;

	bool inside(const Range &of_ioas) const { return hits(targets, of_ioas); }
};

// What an access can be attached to: an IOAS, perhaps by way of an IOTLB.
struct Anchor {
	std::shared_ptr<Ioas> ioas = {};
	std::shared_ptr<Iotlb> iotlb = {};

	bool operator==(const Anchor &) const = default;
};

struct Access {
	std::shared_ptr<Context> context;
	std::uint64_t id;
	bool pins;
	std::shared_ptr<Ioas> ioas = {};
	// With one, it has an access of its own on the IOAS.
	std::shared_ptr<Iotlb> iotlb = {};
	std::uint64_t inner = 0;
	std::map<std::uint64_t, Item> items = {};
	std::uint64_t next_item = 0;
	bool stubborn = false;
	// What its unmap callback has seen; not known once it was stubborn.
	std::uint64_t calls = 0, last_iova = 0, last_length = 0;
	bool calls_known = true;
};

class Model {
    public:
	explicit Model(const Environment &environment);
	// The effect of an operation, and what it must answer.
	Expect apply(const Op &op);

	World world;
	std::array<std::shared_ptr<Context>, contexts> context;
	std::array<std::unique_ptr<Access>, accesses> access;

    private:
	using Handler = Expect (Model::*)(const Op &);
	static const Handler handlers[];

	std::shared_ptr<Ioas> find(const Op &op, F id = F::id);
	Access &find_access(const Op &op);

	Expect reopen(const Op &op);
	Expect alloc(const Op &op);
	Expect destroy(const Op &op);
	Expect map(const Op &op);
	Expect copy(const Op &op);
	Expect unmap(const Op &op);
	Expect allow(const Op &op);
	Expect ranges(const Op &op);
	Expect option(const Op &op);
	Expect reserve(const Op &op);
	Expect create(const Op &op);
	Expect close_access(const Op &op);
	Expect replace(const Op &op);
	Expect attach(const Op &op);
	Expect detach(const Op &op);
	Expect pin(const Op &op);
	Expect unpin(const Op &op);
	static void pass_on(Access &a, Item &gone);
	Expect rw(const Op &op);
	Expect stats(const Op &op);
	Expect stubborn(const Op &op);
	Expect raw(const Op &op);
	Expect create_mock(const Op &op);
	Expect replace_mock(const Op &op);
	Expect alloc_hwpt(const Op &op);
	Expect check_map(const Op &op);
	Expect track_hwpt(const Op &op);
	Expect get_hwpt_dirty(const Op &op);
	Expect mark_hwpt(const Op &op);
	Expect track_ioas(const Op &op);
	Expect get_ioas_dirty(const Op &op);
	Expect alloc_iotlb(const Op &op);
	Expect keep_element(const Op &op);
	Expect submit(const Op &op);
	Expect query(const Op &op);
	Expect set_iotlb(const Op &op);
	Expect map_ondemand(const Op &op);
	Expect prefetch(const Op &op);
	Expect query_ondemand(const Op &op);

	using Visit = std::function<void(Backing &, Ondemand &)>;
	void each_ondemand(const Process &owner, const Visit &visit);
	void disturb(const Process &owner, std::uint64_t va);
	void notice_change(const Op &op);
	void notice(const Op &op);
	int get_ondemand_pieces(const Op &op, const Part &part,
				std::vector<Piece> &pieces);
	void settle(bool write, bool done);
	// How far a PREFETCH comes: behind what surely is there, and what may be.
	struct Prefetched {
		std::uint64_t first, sure, most;
		bool open = false;
		int error = 0;

		void pass(std::uint64_t to)
		{
			most = to;
			if (!open)
				sure = to;
		}
		std::uint64_t pages(std::uint64_t end) const;
	};
	void settle_prefetch(const Op &op);
	int prefetch_page(const Op &op, Backing &backing, std::uint64_t index);
	void prefetch(const Op &op, std::uint64_t begin, const Area &area,
		      std::uint64_t last, Prefetched &pages);
	void count(const Backing &backing, OndemandAnswer &answer) const;
	static Refused unfit_for_ondemand(const Ioas &to, const Op &op,
					  const std::vector<Part> &parts);

	std::shared_ptr<Backing> make_backing(const Op &op);
	std::uint64_t place(Ioas &ioas, const Op &op, std::uint64_t hint) const;
	static std::vector<Part> walk(Ioas &ioas, std::uint64_t first, std::uint64_t last,
				      int &error);
	std::map<std::uint64_t, Area> lay_out(Ioas &to, const Op &op,
					      const std::vector<Part> &parts) const;
	bool notify(Ioas &ioas, const Range &area);
	static Anchor find_anchor(const Context &context, std::uint64_t id);
	static std::uint64_t admit(const Access &access, const Anchor &to);
	static void join(Access &access, const Anchor &to, std::uint64_t inner);
	void leave(Access &access);
	void hold(const Part &part);
	void hold(const Access &access, const Range &target, Item &item);
	void release(const Part &part);
	void release(const Item &item);
	int charge(Backing &backing, std::uint64_t pages);
	void hold_all(const std::map<std::uint64_t, Area> &areas);

	// What a device can be attached to.
	struct Target {
		std::shared_ptr<Ioas> ioas = {};
		std::shared_ptr<Hwpt> hwpt = {};
	};
	static Target find_target(const Context &context, std::uint64_t id);
	static Device &find_device(const Context &context, std::uint64_t id);
	Hwpt &make_hwpt(Context &context, const std::shared_ptr<Ioas> &ioas,
			bool automatic, bool tracks);
	void end(Context &context, Hwpt &hwpt);
	static void enter(const std::shared_ptr<Hwpt> &hwpt, Device &device);
	static void move(const std::shared_ptr<Hwpt> &hwpt, Device &device);
	std::uint64_t join(Context &context, Device &device, const Target &target);
	std::uint64_t move(Context &context, Device &device, const Target &target);
	void drop(Context &context, const std::shared_ptr<Hwpt> &hwpt, std::size_t users);
	void leave(Context &context, Device &device);
	bool end_device(const Op &op);
	static void note(Ioas &ioas, const Range &range, Mark mark);
	static void note(Ioas &ioas, const Item &item, Mark mark);
	static void forget_marks(Ioas &ioas, const Range &range);
	void close(std::shared_ptr<Context> context);

	// What is known of the way of an access, up to where it ends.
	struct Reached {
		std::vector<Range> targets = {};
		int error = 0;
		// Some of it may be forgotten.
		bool may_miss = false;

		int unaligned() const;
	};
	static Reached translate(const Access &access, const Range &range, bool write);
	bool end_iotlb(const Op &op);
	Iotlb &find_iotlb(const Op &op, int otherwise = 0);
	void submit(const Op &op, Iotlb &iotlb, std::uint32_t count, IotlbAnswer &answer,
		    Expect &expect);
	void revoke(const Iotlb &iotlb, const std::vector<Range> &gone);
	using About = std::function<bool(const Item &)>;
	static std::vector<Range> told(const Access &access, const About &about);
	static void check_order(const Access &access, const About &about);
	void call_back(Access &access, const About &about);

	void compare_pages(const Op &op, const Item &item);
	int get_pieces(const Op &op, Access &access, const Range &target,
		       std::vector<Piece> &pieces, std::size_t &certain);
	int get_pieces(const Op &op, const Part &part, std::vector<Piece> &pieces);

	const std::uint64_t cap;
	// Of the next SUBMIT.
	std::vector<Op> elements;
	std::map<unsigned, std::uint64_t> charged;
	// All there are, and pages of those that an operation looks for.
	std::vector<std::weak_ptr<Backing>> ondemands;
	struct Touch {
		Backing *backing;
		std::uint64_t index;
		// Before, and as it turns out.
		bool absent, there;
	};
	std::vector<Touch> touches;
	// Operations that on-demand mappings may notice.
	std::uint64_t now = 1;
};

} // namespace fuzz
