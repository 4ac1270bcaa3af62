// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOTLB against a model of it that has one cell for each byte: whatever is done to
 * both, a reader finds the same.
 */
#include "iotlb_world.h"

#include <algorithm>
#include <array>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t window = 4096;
constexpr std::uint16_t negative = IOMMUKIT_IOTLB_MSG_NEGATIVE;

/* What is known of one byte: nothing, a translation, or that there is none. */
struct Cell {
	bool known = false;
	std::uint64_t target = 0;
	std::uint8_t perm = 0;

	bool operator==(const Cell &) const = default;
};

using Cells = std::array<Cell, window>;

/* A part of the window. */
struct Part {
	std::uint64_t first, length;
};

class Model {
    public:
	Model(const IotlbWorld &of, std::uint64_t begins)
		: world(of), base(begins), random(seed())
	{
	}

	/* Returns what was done, for who has to find an error in it. */
	std::string change()
	{
		std::vector<IotlbMessage> messages;
		std::ostringstream text;

		for (std::uint64_t n = 1 + random() % 4; n; n--) {
			messages.push_back(one());
			text << "op " << int(messages.back().op) << " at " << std::hex
			     << messages.back().iova << ", " << messages.back().length
			     << std::dec << "; ";
		}
		/* As the owner, or as the server. */
		REQUIRE((random() % 2 ? world.iotlb.try_submit(messages)
				      : world.channel.try_send(messages)) == ok);
		return text.str();
	}

	void look(const Reader &reader)
	{
		const Part part = any_part();
		const auto prot = static_cast<std::uint32_t>(1 + random() % 3);
		const Lookup found = reader.probe(base + part.first, part.length, prot);
		const Errno expected = error_of(part, prot);

		INFO("probe of " << std::hex << base + part.first << ", " << part.length
				 << " for " << prot);
		REQUIRE(found.error == expected);
		if (expected == ok)
			REQUIRE(same(found, part, prot));
	}

	void compare() const
	{
		Cells all{};

		for (const IotlbEntry &entry : world.iotlb.dump()) {
			REQUIRE(entry.first >= base);
			REQUIRE(entry.last >= entry.first);
			for (std::uint64_t at = entry.first - base;
			     at <= entry.last - base; at++) {
				REQUIRE_FALSE(all.at(at).known);
				all[at] = {true, entry.target + (at + base - entry.first),
					   static_cast<std::uint8_t>(entry.perm)};
				if (entry.flags & IOMMUKIT_IOTLB_ENTRY_NEGATIVE)
					all[at].target = 0;
			}
		}
		REQUIRE(all == cells);
	}

    private:
	/* Short ones, long ones, and those that touch the ends. */
	Part any_part()
	{
		const std::uint64_t most = random() % 4 ? 64 : window;
		const std::uint64_t first = random() % 8 ? random() % window : 0;
		std::uint64_t length = 1 + random() % most;

		if (random() % 16 == 0)
			length = window;
		return {first, std::min(length, window - first)};
	}

	void set(const Part &part, const Cell &cell)
	{
		for (std::uint64_t n = 0; n < part.length; n++) {
			cells[part.first + n] = cell;
			if (cell.perm)
				cells[part.first + n].target += n;
		}
	}

	/* Few targets, so that neighbours go together at times. */
	IotlbMessage one()
	{
		const unsigned int what = random() % 32;
		const Part part = any_part();
		const std::uint64_t iova = base + part.first;
		const auto perm = static_cast<std::uint8_t>(1 + random() % 3);
		const std::uint64_t target = random() % 3 * window * 4 + part.first;

		if (what == 0) {
			set({0, window}, {});
			return message_of(IOMMUKIT_IOTLB_OP_FLUSH);
		}
		if (what < 10) {
			set(part, {});
			return invalidate_of(iova, part.length);
		}
		if (what < 13) {
			set(part, {true, 0, 0});
			return update_of(iova, part.length, 0, 0, negative);
		}
		set(part, {true, target, perm});
		return update_of(iova, part.length, target, perm);
	}

	Errno error_of(const Part &part, std::uint32_t prot) const
	{
		for (std::uint64_t n = 0; n < part.length; n++) {
			const Cell &cell = cells[part.first + n];

			if (!cell.known)
				return Errno{EAGAIN};
			if (!cell.perm)
				return Errno{EFAULT};
			if ((cell.perm & prot) != prot)
				return Errno{EPERM};
		}
		return pieces(part) > IOMMUKIT_TEST_IOTLB_SEGS ? Errno{ENOBUFS} : ok;
	}

	/* At least that many segments it takes. */
	std::uint64_t pieces(const Part &part) const
	{
		std::uint64_t count = 1;

		for (std::uint64_t n = 1; n < part.length; n++)
			count += cells[part.first + n].target !=
				 cells[part.first + n - 1].target + 1;
		return count;
	}

	/* May segments tell less of the permission than there is? Not than was asked. */
	bool same(const Lookup &found, const Part &part, std::uint32_t prot) const
	{
		std::uint64_t at = part.first;

		for (const auto &seg : found.segs) {
			if (seg.iova != base + at)
				return false;
			for (std::uint64_t n = 0; n < seg.length; n++, at++) {
				const Cell &cell = cells.at(at);

				if (cell.target != seg.target + n ||
				    (seg.perm & prot) != prot ||
				    (cell.perm & seg.perm) != seg.perm)
					return false;
			}
		}
		return at == part.first + part.length && found.done == part.length;
	}

	const IotlbWorld &world;
	std::uint64_t base;
	std::mt19937_64 random;
	Cells cells{};
};

void run_model(std::uint64_t base)
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_NEGATIVE);
	const Reader other(world.client);
	const unsigned int steps = 60000 / slowness();
	Model model(world, base);

	for (unsigned int step = 0; step < steps; step++) {
		INFO("step " << step);
		const std::string done = model.change();

		INFO(done);
		for (unsigned int n = 0; n < 4; n++)
			model.look(n % 2 ? other : world.reader);
		if (step % 64 == 0)
			model.compare();
	}
	model.compare();
}

} // namespace

TEST_CASE("an IOTLB and its model, at the first addresses")
{
	run_model(0);
}

TEST_CASE("an IOTLB and its model, at the last addresses")
{
	run_model(all_ones - window + 1);
}
