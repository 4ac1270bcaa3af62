// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel of an IOTLB as a 32-bit process uses it. A system call by the old way of
 * such processes is one of theirs, whoever makes it; its pointers have 32 bits.
 */
#include "iotlb.h"
#include "process.h"

#include <sys/mman.h>

#include <cstring>
#include <fstream>

using namespace guest;

namespace {

constexpr std::size_t vhost_size = 72;

enum { write_32 = 4, getpid_32 = 20, ioctl_32 = 54 };

long call_32(long number, long a = 0, long b = 0, long c = 0)
{
	long result = -ENOSYS;

#ifdef __x86_64__
	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(number), "b"(a), "c"(b), "d"(c)
		     : "memory", "r8", "r9", "r10", "r11");
	result = static_cast<int>(result);
#endif
	return result;
}

/* In a kernel without them it is a fault, and in one of User Mode Linux the host's. */
void need_calls_32()
{
	std::ifstream file("/proc/cpuinfo");
	const std::string cpu((std::istreambuf_iterator<char>(file)), {});

	if (cpu.find("User Mode Linux") != cpu.npos ||
	    in_child([] { return call_32(getpid_32) == getpid() ? 0 : 1; }) != 0)
		skip("no system calls of 32-bit processes");
}

/* A page that they can point to. */
class LowPage {
    public:
	LowPage()
		: page(mmap(nullptr, page_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0))
	{
		REQUIRE(page != MAP_FAILED);
	}
	LowPage(const LowPage &) = delete;
	LowPage &operator=(const LowPage &) = delete;
	~LowPage() { munmap(page, page_size); }

	long address() const { return reinterpret_cast<long>(page); }
	void *data() const { return page; }

    private:
	void *page;
};

} // namespace

TEST_CASE("a 32-bit process cannot write the first format of vhost")
{
	need_calls_32();
	const Context context;
	const Iotlb iotlb(context, context.ioas());
	const LowPage page;
	const auto write = [&](std::uint32_t type) {
		/* The first 34 bytes are the same in all formats. */
		auto message = update_of(page_size, page_size, 0);

		message.type = type;
		std::memset(page.data(), 0, vhost_size);
		std::memcpy(page.data(), &message, sizeof(message));
		return call_32(write_32, iotlb.channel.fd(), page.address(), vhost_size);
	};

	CHECK(write(IOMMUKIT_IOTLB_MSG_V1) == -EINVAL);
	CHECK(iotlb.dump().empty());
	CHECK(write(IOMMUKIT_IOTLB_MSG_V2) == long(vhost_size));
	CHECK(iotlb.dump().size() == 1);
}

TEST_CASE("commands of a channel by a 32-bit process")
{
	need_calls_32();
	const Context context;
	const Iotlb iotlb(context, context.ioas());
	const LowPage page;
	const auto issue = [&](unsigned long request) {
		return call_32(ioctl_32, iotlb.channel.fd(), static_cast<long>(request),
			       page.address());
	};
	const std::uint64_t features = IOMMUKIT_IOTLB_BACKEND_MSG_V2;
	auto config = chan_config();
	auto info = command<iommukit_iotlb_chan_info>();

	std::memcpy(page.data(), &features, sizeof(features));
	CHECK(issue(IOMMUKIT_IOTLB_SET_BACKEND_FEATURES) == 0);
	config.format = IOMMUKIT_IOTLB_MSG_NATIVE;
	std::memcpy(page.data(), &config, sizeof(config));
	CHECK(issue(IOMMUKIT_IOTLB_CHAN_CONFIG) == 0);
	std::memcpy(page.data(), &info, sizeof(info));
	CHECK(issue(IOMMUKIT_IOTLB_CHAN_INFO) == 0);
	std::memcpy(&info, page.data(), sizeof(info));
	CHECK(info.out_iotlb_id == iotlb.id());
	CHECK(info.out_format == IOMMUKIT_IOTLB_MSG_NATIVE);
	CHECK(issue(_IO(';', 0xdf)) == -ENOTTY);
}
