// SPDX-License-Identifier: GPL-2.0-only
#include "edu_world.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace guest {

namespace {

std::vector<PciFunction> edus(const char *what,
			      const std::function<bool(const PciFunction &)> &suits)
{
	std::vector<PciFunction> found;

	if (access("/sys/class/iommu/dmar0", F_OK))
		skip("the guest has no VT-d");
	for (const PciFunction &function : PciFunction::all())
		if (is_edu(function) && function.group() && suits(function))
			found.push_back(function);
	if (found.empty())
		skip(std::string("the guest has no edu ") + what);
	return found;
}

} // namespace

std::vector<PciFunction> lone_edus(std::size_t least)
{
	auto found = edus("alone in its IOMMU group", [](const PciFunction &function) {
		return function.siblings().empty();
	});

	if (found.size() < least)
		skip("the guest has too few edus alone in their IOMMU groups");
	return found;
}

PciFunction lone_edu()
{
	return lone_edus(1).front();
}

std::vector<PciFunction> edu_group()
{
	const auto with_another = [](const PciFunction &function) {
		const auto siblings = function.siblings();

		return siblings.size() == 1 && is_edu(siblings.front());
	};
	const PciFunction first =
		edus("in a group with another one", with_another).front();

	return {first, first.siblings().front()};
}

std::vector<PciFunction> crowded_edu()
{
	const auto has_driver = [](const PciFunction &sibling) {
		return !is_edu(sibling) && sibling.driver();
	};
	const auto crowded = [&](const PciFunction &function) {
		const auto siblings = function.siblings();

		return std::any_of(siblings.begin(), siblings.end(), has_driver);
	};
	const PciFunction edu = edus("in a group with another driver", crowded).front();
	const auto siblings = edu.siblings();

	return {edu, *std::find_if(siblings.begin(), siblings.end(), has_driver)};
}

bool landed(const Memory &memory, std::uint64_t offset, unsigned int salt)
{
	const auto data = pattern_of(salt, 0, Edu::most);

	return std::memcmp(memory.data() + offset, data.data(), data.size()) == 0 &&
	       untouched(memory, 0, offset) &&
	       untouched(memory, offset + data.size(),
			 memory.size() - offset - data.size());
}

bool untouched(const Memory &memory, std::uint64_t offset, std::uint64_t length)
{
	const auto clean = pattern_of(clean_salt, offset, length);

	return std::memcmp(memory.data() + offset, clean.data(), length) == 0;
}

bool untouched(const Memory &memory)
{
	return untouched(memory, 0, memory.size());
}

bool nothing_of(unsigned int salt, const Memory &memory)
{
	constexpr std::size_t word = sizeof(std::uint64_t);
	const auto data = pattern_of(salt, 0, page_size);

	for (std::size_t at = 0; at < page_size; at += word)
		if (!std::memcmp(memory.data() + at, &data[at], word))
			return false;
	return true;
}

EduWorld::EduWorld(const PciFunction &of)
	: function(of), loan(function), device(context, function), edu(function),
	  ioas(context.ioas())
{
	source.fill(data_salt);
	target.fill(clean_salt);
	context.map(ioas, source, source_iova);
	context.map(ioas, target, target_iova);
}

std::uint32_t EduWorld::load() const
{
	const std::uint32_t hwpt = device.attach(ioas);

	edu.read(source_iova);
	return hwpt;
}

/* The device has not written yet if it still runs afterwards. */
bool EduWorld::overtake(std::uint64_t iova, const std::function<void()> &something) const
{
	edu.start_write(iova);
	something();
	const bool running = edu.running();
	edu.wait();
	return running;
}

} // namespace guest
