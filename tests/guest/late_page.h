// SPDX-License-Identifier: GPL-2.0-only
/* A page that blocks who touches it. */
#pragma once

#include "mm_tools.h"

#include <poll.h>

namespace guest {

/* A test that makes them in another process says so before. */
inline void need_late_pages()
{
	if (const auto reason = lacks_userfault(); !reason.empty())
		skip(reason);
}

/* Until release() or the end of the process; the pages behind it are there. */
class LatePage {
    public:
	explicit LatePage(std::uint64_t npages = 1)
		: memory(bytes(npages), Memory::Kind::private_anonymous)
	{
		memory.fill(1);
		memory.discard(0, page_size);
		faults.watch(memory.va(), page_size, UFFDIO_REGISTER_MODE_MISSING);
	}

	const Memory &page() const { return memory; }
	std::uint64_t va() const { return memory.va(); }
	/* Has somebody touched the page, and waits? */
	bool await_touch() const
	{
		pollfd wait{.fd = faults.fd(), .events = POLLIN, .revents = 0};

		return poll(&wait, 1, 60000) == 1;
	}
	/* Who waits looks again. */
	void wake() const { faults.wake(memory.va(), page_size); }
	void release() const { CHECK(faults.try_zero(memory.va(), page_size) == ok); }

    private:
	static std::uint64_t bytes(std::uint64_t npages)
	{
		need_late_pages();
		return npages * page_size;
	}

	Memory memory;
	Userfault faults;
};

} // namespace guest
