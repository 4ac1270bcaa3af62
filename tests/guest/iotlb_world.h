// SPDX-License-Identifier: GPL-2.0-only
/* IOTLBs with all that tests need around them. */
#pragma once

#include "iotlb_client.h"

#include <memory>

namespace guest {

/*
 * Memory that is mapped in an IOAS at World::target, an IOTLB on it whose server is
 * the test itself, with native messages, and a client with a reader.
 */
struct IotlbWorld {
	static constexpr std::uint64_t target = 0x100000;
	static constexpr std::uint64_t pages = 16;

	explicit IotlbWorld(
		std::uint64_t features = 0,
		const std::function<void(iommukit_iotlb_alloc &)> &change = [](auto &) {
		});

	std::byte *at(std::uint64_t offset) const { return memory.data() + offset; }

	Context context;
	Memory memory{pages * page_size};
	std::uint32_t ioas;
	Iotlb iotlb;
	const Channel &channel;
	IotlbClient client;
	Reader reader;
};

/* An IOTLB whose channel is as it was opened, but does not block, and a client. */
struct PlainWorld {
	explicit PlainWorld(std::uint32_t num_asids = 1);

	/* Asks for a translation, with another reader each time. */
	void miss(std::uint64_t iova, std::uint32_t prot = perm_read);

	Context context;
	std::uint32_t ioas;
	Iotlb iotlb;
	const Channel &channel;
	IotlbClient client;
	std::vector<std::unique_ptr<Reader>> readers;
};

} // namespace guest
