// SPDX-License-Identifier: GPL-2.0-only
#include "owner.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace bench {

using namespace iommukit;

// Where the kernel module's buffers do not get in the way; see bench_loop.c.
static constexpr std::uint64_t colour = 256 << 10;

static Memory touched(Bytes length)
{
	Memory memory = Memory::anonymous(length + Bytes(colour));

	std::memset(memory.data(), 0x5a, memory.size().value);
	return memory;
}

static Iova map_aligned(const Ioas &ioas, const Memory &memory, Bytes length)
{
	const auto address = reinterpret_cast<std::uintptr_t>(memory.data());

	return ioas.map(memory.data() + (-address & (colour - 1)), length);
}

Owner::Owner(const Ioas &ioas, Bytes length, Who who)
{
	if (who == Who::child) {
		spawn(ioas, length);
		return;
	}
	memory_ = touched(length);
	iova_ = map_aligned(ioas, memory_, length);
}

Owner::~Owner()
{
	if (child_ > 0) {
		::kill(child_, SIGKILL);
		::waitpid(child_, nullptr, 0);
	}
}

// The child has the context's descriptor too, and never returns from here: its
// copies of our objects must not be destroyed.
[[noreturn]] static void child(const Ioas &ioas, Bytes length, int answer)
{
	std::uint64_t iova = 0;

	::prctl(PR_SET_PDEATHSIG, SIGKILL);
	try {
		const Memory memory = touched(length);

		iova = map_aligned(ioas, memory, length).value;
		if (::write(answer, &iova, sizeof(iova)) == sizeof(iova))
			for (;;)
				::pause();
	} catch (const std::exception &) {
		// The parent sees the pipe close without an answer.
	}
	::_exit(1);
}

void Owner::spawn(const Ioas &ioas, Bytes length)
{
	std::uint64_t iova = 0;
	int ends[2];

	if (::pipe(ends))
		throw Error(last_error(), "pipe");
	const Fd in(ends[0]);
	Fd out(ends[1]);

	child_ = ::fork();
	if (child_ < 0)
		throw Error(last_error(), "fork");
	if (child_ == 0)
		child(ioas, length, out.get());
	out.reset();
	if (::read(in.get(), &iova, sizeof(iova)) != sizeof(iova)) {
		::waitpid(child_, nullptr, 0);
		throw Error(make_errno(ECHILD), "map in a child", {.length = length});
	}
	iova_ = Iova(iova);
}

} // namespace bench
