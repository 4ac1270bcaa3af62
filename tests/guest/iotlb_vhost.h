// SPDX-License-Identifier: GPL-2.0-only
/*
 * A server that was written for vhost: it knows <linux/vhost.h> and nothing else, and
 * serves a vhost device or whatever behaves like one.
 */
#pragma once

/* The rest of that header is no C++. */
#define VIRTIO_RING_NO_LEGACY

#include "kit.h"

#include <linux/vhost.h>
#include <linux/vhost_types.h>

#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace guest {

constexpr std::uint64_t vhost_v2 = 1UL << VHOST_BACKEND_F_IOTLB_MSG_V2;

/* How a virtual machine maps addresses of its devices: page by page. */
struct VhostGuest {
	struct Page {
		std::uint64_t address;
		bool writeable;
	};
	std::map<std::uint64_t, Page> pages;
};

/* One round trip of vhost's protocol, in either format. */
class VhostServer {
    public:
	VhostServer(int channel, const VhostGuest &guest, bool second);
	VhostServer(const VhostServer &) = delete;
	VhostServer &operator=(const VhostServer &) = delete;
	~VhostServer() { stop(); }

	void stop();
	/* Tells of a page before it is asked for it. */
	bool update(std::uint64_t page) const;
	/* As a machine does whose guest has unmapped something. */
	bool invalidate(std::uint64_t iova, std::uint64_t size) const;
	/* What it was asked for, since it began or was told to forget. */
	std::vector<vhost_iotlb_msg> asked();
	void forget();

    private:
	void run();
	bool receive(vhost_iotlb_msg &message) const;
	bool send(const vhost_iotlb_msg &message) const;
	void answer(const vhost_iotlb_msg &miss);

	int fd;
	const VhostGuest &table;
	bool v2;
	Fd stopper;
	std::mutex lock;
	std::vector<vhost_iotlb_msg> misses;
	std::jthread thread;
};

/* Is it a miss with nothing in it but that? */
bool reads_as(const vhost_iotlb_msg &miss, std::uint64_t iova, std::uint8_t perm);

} // namespace guest
