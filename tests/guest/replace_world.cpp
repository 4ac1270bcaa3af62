// SPDX-License-Identifier: GPL-2.0-only
#include "replace_world.h"

#include <algorithm>

namespace guest {

namespace {

/* Salts of data, one for each device; clean_salt is none of them. */
unsigned int salt_of(std::size_t n)
{
	return 100 + static_cast<unsigned int>(n);
}

} // namespace

ReplaceWorld::ReplaceWorld(const std::vector<PciFunction> &functions)
	: first(context.ioas()), second(context.ioas())
{
	const Memory source(page_size);

	in_first.fill(clean_salt);
	in_second.fill(clean_salt);
	context.map(first, in_first, area_iova);
	context.map(second, in_second, area_iova);
	context.map(first, source, source_iova);
	for (std::size_t n = 0; n < functions.size(); n++) {
		loans.push_back(std::make_unique<Loan>(functions[n]));
		lanes.push_back(std::make_unique<Lane>(context, functions[n]));
		source.fill(salt_of(n));
		device(n).attach(first);
		edu(n).read(source_iova);
		device(n).detach();
	}
	context.unmap(first, source_iova, page_size);
}

bool ReplaceWorld::is_target(std::uint64_t page) const
{
	for (std::size_t n = 0; n < size(); n++)
		if (page == target(n))
			return true;
	return false;
}

void ReplaceWorld::check_canaries(const Memory &memory) const
{
	for (std::uint64_t page = 0; page < pages; page++) {
		if (is_target(page))
			continue;
		INFO("page " << page);
		REQUIRE(untouched(memory, page * page_size, page_size));
	}
}

/* How much of the write has come here? What is there already cannot be told. */
std::size_t ReplaceWorld::take(const Memory &memory, std::size_t n) const
{
	const std::uint64_t offset = target(n) * page_size;
	const auto data = pattern_of(salt_of(n), 0, Edu::most);
	const auto clean = pattern_of(clean_salt, offset, page_size);
	std::byte *page = memory.data() + offset;
	std::size_t come = 0, wrong = page_size;

	for (std::size_t at = 0; at < page_size; at++) {
		if (page[at] == clean[at])
			continue;
		if (at < Edu::most && page[at] == data[at])
			come++;
		else
			wrong = std::min(wrong, at);
	}
	INFO("the first byte in the page of device " << n << " that nobody has sent");
	REQUIRE(wrong == page_size);
	std::copy(clean.begin(), clean.end(), page);
	return come;
}

ReplaceWorld::Fate ReplaceWorld::judge(std::size_t n) const
{
	const auto data = pattern_of(salt_of(n), 0, Edu::most);
	const auto clean = pattern_of(clean_salt, target(n) * page_size, Edu::most);
	std::size_t whole = 0;

	for (std::size_t at = 0; at < Edu::most; at++)
		whole += data[at] != clean[at];
	check_canaries(in_first);
	check_canaries(in_second);
	const std::size_t to_first = take(in_first, n), to_second = take(in_second, n);

	INFO("device " << n);
	REQUIRE(to_first + to_second <= whole);
	if (to_first == whole)
		return Fate::first;
	if (to_second == whole)
		return Fate::second;
	return to_first + to_second ? Fate::torn : Fate::lost;
}

} // namespace guest
