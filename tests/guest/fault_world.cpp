// SPDX-License-Identifier: GPL-2.0-only
#include "fault_world.h"

#include "process.h"

#include <unistd.h>

#include <sstream>
#include <string_view>

namespace guest {

FaultWorld::FaultWorld(std::uint64_t rlimit_mode)
{
	REQUIRE(context.try_set_option(IOMMUKIT_OPTION_RLIMIT_MODE, 0, rlimit_mode) ==
		ok);
	first = context.ioas();
	second = context.ioas();
	map_all();
	fill();
}

void FaultWorld::map_piece(std::uint64_t n) const
{
	REQUIRE(context.try_map(first, memory.va() + n * piece, piece,
				iova + n * piece) == ok);
}

void FaultWorld::map_all() const
{
	for (std::uint64_t n = 0; n < mapped / piece; n++)
		map_piece(n);
}

/* Ids are the lowest that are free, so new ones show which are taken. */
void FaultWorld::look_at_ids(Snapshot &seen) const
{
	std::uint32_t ids[3] = {};

	for (std::uint32_t &id : ids) {
		REQUIRE(context.try_ioas(&id) == ok);
		seen.push_back(observation("free id", id));
	}
	for (const std::uint32_t id : ids)
		context.destroy(id);
}

void FaultWorld::look_at_space(Snapshot &seen, std::uint32_t ioas) const
{
	const std::string name = "IOAS " + std::to_string(ioas);
	std::uint64_t huge = 0;
	const Errno exists = context.try_option(IOMMUKIT_OPTION_HUGE_PAGES,
						IOMMUKIT_OPTION_OP_GET, ioas, &huge);

	if (exists != ok) {
		seen.push_back(name + " does not exist");
		return;
	}
	seen.push_back(observation(name + " huge pages", huge));
	std::uint64_t alignment = 0;
	for (const auto &range : context.ranges(ioas, &alignment))
		seen.push_back(name + " usable: " + std::to_string(range.start) + ".." +
			       std::to_string(range.last));
	seen.push_back(observation(name + " alignment", alignment));

	const Access spy(context, ioas, 0);
	for (std::uint64_t at = iova; at < iova + mapped + piece; at += piece / 2) {
		std::uint64_t content = 0;
		const Errno error = spy.try_read(at, &content, sizeof(content));
		std::ostringstream text;

		text << name << " at " << at << ": " << error << ", " << content;
		seen.push_back(text.str());
	}
}

void FaultWorld::look_at_memory(Snapshot &seen) const
{
	const std::string_view content(reinterpret_cast<const char *>(memory.data()),
				       memory.size());

	seen.push_back(observation("content", std::hash<std::string_view>{}(content)));
	if (check_refs(context, memory, 0) == ok)
		return;
	for (std::uint64_t at = 0; at < memory.size(); at += page_size) {
		std::uint32_t pins = 0;

		while (pins < 9 &&
		       check_refs(context, memory.va() + at, page_size, pins) != ok)
			pins++;
		seen.push_back(observation(
			"pins of page " + std::to_string(at / page_size), pins));
	}
}

Snapshot FaultWorld::look() const
{
	const pid_t self = getpid();
	Snapshot seen;

	for (const char *field : {"VmPin", "VmLck"})
		seen.push_back(observation(
			field, static_cast<std::uint64_t>(status_pages(self, field))));
	look_at_ids(seen);
	look_at_space(seen, first);
	look_at_space(seen, second);
	look_at_memory(seen);
	for (const Observer &observer : observers)
		seen.push_back(observation(observer.what, observer.value()));
	return seen;
}

void FaultWorld::observe(const std::string &what, std::function<std::uint64_t()> value)
{
	observers.push_back({what, std::move(value)});
}

void FaultWorld::sweep(const Operation &operation) const
{
	guest::sweep(operation, [this] { return look(); });
}

PinWorld::PinWorld(std::uint64_t rlimit_mode, bool pinned)
	: FaultWorld(rlimit_mode), access(context, first)
{
	if (pinned)
		pin();
	observe("items", [this] { return access.callbacks().items; });
}

Errno PinWorld::try_pin() const
{
	return access.try_pin(middle, middle_length, pin_write, 0, &item);
}

SmallBatches::SmallBatches(const Context &of) : context(of)
{
	REQUIRE(set_temp_memory_limit(context, 32) == ok);
}

SmallBatches::~SmallBatches()
{
	CHECK(set_temp_memory_limit(context, IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT) == ok);
}

} // namespace guest
