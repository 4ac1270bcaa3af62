// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_world.h"

namespace guest {

namespace {

std::uint32_t mapped_ioas(const Context &context, const Memory &memory)
{
	const std::uint32_t ioas = context.ioas();

	memory.fill(1);
	context.map(ioas, memory, IotlbWorld::target);
	return ioas;
}

iommukit_iotlb_alloc changed(iommukit_iotlb_alloc how,
			     const std::function<void(iommukit_iotlb_alloc &)> &change)
{
	change(how);
	return how;
}

} // namespace

IotlbWorld::IotlbWorld(std::uint64_t features,
		       const std::function<void(iommukit_iotlb_alloc &)> &change)
	: ioas(mapped_ioas(context, memory)),
	  iotlb(context, changed(iotlb_alloc(ioas), change)), channel(iotlb.channel),
	  client(context, iotlb.id()), reader(client)
{
	if (channel.fd() >= 0)
		channel.configure(features);
}

PlainWorld::PlainWorld(std::uint32_t num_asids)
	: ioas(context.ioas()),
	  iotlb(context, changed(iotlb_alloc(ioas),
				 [&](auto &how) { how.num_asids = num_asids; })),
	  channel(iotlb.channel), client(context, iotlb.id())
{
	channel.set_nonblocking();
}

void PlainWorld::miss(std::uint64_t iova, std::uint32_t prot)
{
	readers.push_back(std::make_unique<Reader>(client));
	REQUIRE(readers.back()->nowait(iova, 1, prot).error == Errno{EAGAIN});
}

} // namespace guest
