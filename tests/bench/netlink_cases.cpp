// SPDX-License-Identifier: GPL-2.0-only
// netlink/: what is mapped where, as an administrator asks for it.
#include "bench.h"
#include "crowd.h"
#include "pinned.h"

#include <administration.h>
#include <error.h>

#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

void require(bool good, const char *what)
{
	if (!good)
		throw std::runtime_error(what);
}

// The context that this process has opened last
std::uint32_t last_context()
{
	std::uint32_t last = 0;

	for (const ContextFacts &context : Administration().contexts())
		if (context.pid == static_cast<std::uint32_t>(::getpid()))
			last = std::max(last, context.id);
	return last;
}

// Another thread that takes one area after the other away, here and there, and puts it
// back.
class Changer {
    public:
	Changer(const Ioas &ioas, unsigned areas)
		: thread_([this, &ioas, areas] { change(ioas, areas); })
	{
	}
	Changer(const Changer &) = delete;
	Changer &operator=(const Changer &) = delete;
	~Changer()
	{
		over_ = true;
		thread_.join();
	}

	// So many areas a dump may not have seen.
	unsigned changes() const { return changes_; }

    private:
	void change(const Ioas &ioas, unsigned areas)
	{
		// A prime number: all have their turn.
		constexpr unsigned step = 99'991;
		const Reservation memory(4_KiB);

		for (unsigned i = 0; !over_; i = (i + step) % areas) {
			changes_++;
			ioas.unmap(Crowd::dense_place(i), 4_KiB);
			ioas.map(memory.data(), 4_KiB, Permission::read_write,
				 Crowd::dense_place(i));
		}
	}

	std::atomic<bool> over_ = false;
	std::atomic<unsigned> changes_ = 0;
	std::thread thread_;
};

// Areas are counted and not looked at: what is measured is what the kernel does.
class AreaReader {
    public:
	AreaReader(unsigned areas, Crowd::Layout layout)
		: areas_(areas), crowd_(areas, layout), context_(last_context()),
		  sock_(nl_socket_alloc()), room_(part)
	{
		require(sock_ && genl_connect(sock_.get()) == 0, "no netlink socket");
		family_ = genl_ctrl_resolve(sock_.get(), IOMMUKIT_FAMILY_NAME);
		require(family_ > 0, "no netlink family");
	}

	// Some dumps, in ns for an area
	Slice dump(unsigned times) const
	{
		const double ns =
			1e9 * seconds([&] {
				for (unsigned i = 0; i < times; i++) {
					const Count count = read();

					require(!count.interrupted, "interrupted");
					require(count.areas == areas_,
						"areas are missing");
				}
			});

		return {ns, ns / times / areas_};
	}
	Slice dump_under_changes() const
	{
		Changer changer(crowd_.ioas(), areas_);
		const double ns =
			1e9 * seconds([&] {
				const Count count = read();

				require(count.interrupted, "nothing changed");
				require(count.areas <= areas_ &&
						count.areas + changer.changes() >= areas_,
					"areas are missing");
			});

		return {ns, ns / areas_};
	}

    private:
	struct Free {
		void operator()(nl_sock *sock) const noexcept { nl_socket_free(sock); }
		void operator()(nl_msg *msg) const noexcept { nlmsg_free(msg); }
	};

	// No part of a dump is longer.
	static constexpr std::size_t part = 32768;

	struct Count {
		unsigned areas = 0;
		// Something changed meanwhile.
		bool interrupted = false;
	};

	Count read() const
	{
		send();
		return count();
	}

	void send() const
	{
		const std::unique_ptr<nl_msg, Free> msg(nlmsg_alloc());

		require(msg && genlmsg_put(msg.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family_,
					   0, NLM_F_DUMP, IOMMUKIT_NL_CMD_AREA_GET,
					   IOMMUKIT_FAMILY_VERSION),
			"no request");
		require(nla_put_u32(msg.get(), IOMMUKIT_NL_A_AREA_CONTEXT_ID, context_) ==
					0 &&
				nla_put_u32(msg.get(), IOMMUKIT_NL_A_AREA_IOAS_ID,
					    crowd_.ioas().id().value) == 0 &&
				nl_send_auto(sock_.get(), msg.get()) >= 0,
			"the request cannot be sent");
	}

	Count count() const
	{
		for (Count found;;) {
			const ssize_t got = ::recv(nl_socket_get_fd(sock_.get()),
						   room_.data(), room_.size(), 0);
			auto *head = reinterpret_cast<nlmsghdr *>(room_.data());

			require(got > 0, "no answer");
			for (int left = static_cast<int>(got); nlmsg_ok(head, left);
			     head = nlmsg_next(head, &left)) {
				require(head->nlmsg_type != NLMSG_ERROR, "refused");
				if (head->nlmsg_flags & NLM_F_DUMP_INTR)
					found.interrupted = true;
				if (head->nlmsg_type == NLMSG_DONE)
					return found;
				found.areas++;
			}
		}
	}

	unsigned areas_;
	Crowd crowd_;
	std::uint32_t context_;
	std::unique_ptr<nl_sock, Free> sock_;
	mutable std::vector<char> room_;
	int family_ = 0;
};

Figures measure_areas(unsigned areas, unsigned peer_areas)
{
	const AreaReader many(areas, Crowd::Layout::dense);
	const AreaReader few(peer_areas, Crowd::Layout::dense);

	return alternate([&] { return many.dump(1); },
			 [&] { return few.dump(areas / peer_areas); });
}

Figures measure_changing_areas(unsigned areas)
{
	need_two_processors();
	const AreaReader reader(areas, Crowd::Layout::dense);

	return alternate([&] { return reader.dump_under_changes(); },
			 [&] { return reader.dump(1); });
}

// A million in less than three seconds
constexpr Bound three_microseconds = {Bound::Of::ours, Bound::Sense::at_most, 3000};

} // namespace

void add_netlink_cases(std::vector<Case> &cases)
{
	cases.push_back({.name = "netlink/areas-1m",
			 .unit = "ns",
			 .peer_name = "1000 areas",
			 .measure = [] { return measure_areas(1'000'000, 1'000); },
			 .bound = three_microseconds});
	cases.push_back({.name = "netlink/areas-1m-changing",
			 .unit = "ns",
			 .peer_name = "nothing changes",
			 .measure = [] { return measure_changing_areas(1'000'000); },
			 .bound = three_microseconds});
}

} // namespace bench
