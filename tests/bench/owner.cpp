// SPDX-License-Identifier: GPL-2.0-only
#include "owner.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace bench {

using namespace iommukit;

using Ioases = std::vector<const Ioas *>;

// Where the kernel module's buffers do not get in the way; see bench_loop.c.
static constexpr std::uint64_t colour = 256 << 10;

static Memory touched(Bytes length)
{
	Memory memory = Memory::anonymous(length + Bytes(colour));

	std::memset(memory.data(), 0x5a, memory.size().value);
	return memory;
}

static Iova map_aligned(const Ioases &ioases, const Memory &memory, Bytes length,
			const Ioas *ondemand)
{
	const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
	const auto *data = memory.data() + (-address & (colour - 1));
	const Iova iova = ioases.front()->map(data, length);

	for (std::size_t i = 1; i < ioases.size(); i++)
		ioases[i]->map(data, length, Permission::read_write, iova);
	if (ondemand)
		map_ondemand(*ondemand, data, length, Permission::read_write, iova);
	return iova;
}

Owner::Owner(const Ioases &ioases, Bytes length, Who who, const Ioas *ondemand)
{
	if (who == Who::child) {
		spawn(ioases, length, ondemand);
		return;
	}
	memory_ = touched(length);
	iova_ = map_aligned(ioases, memory_, length, ondemand);
}

Owner::~Owner()
{
	if (child_ > 0) {
		::kill(child_, SIGKILL);
		::waitpid(child_, nullptr, 0);
	}
}

// The child has the contexts' descriptors too, and never returns from here: its
// copies of our objects must not be destroyed.
[[noreturn]] static void child(const Ioases &ioases, Bytes length, const Ioas *ondemand,
			       int answer)
{
	std::uint64_t iova = 0;

	::prctl(PR_SET_PDEATHSIG, SIGKILL);
	try {
		const Memory memory = touched(length);

		iova = map_aligned(ioases, memory, length, ondemand).value;
		if (::write(answer, &iova, sizeof(iova)) == sizeof(iova))
			for (;;)
				::pause();
	} catch (const std::exception &) {
		// The parent sees the pipe close without an answer.
	}
	::_exit(1);
}

void Owner::spawn(const Ioases &ioases, Bytes length, const Ioas *ondemand)
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
		child(ioases, length, ondemand, out.get());
	out.reset();
	if (::read(in.get(), &iova, sizeof(iova)) != sizeof(iova)) {
		::waitpid(child_, nullptr, 0);
		throw Error(make_errno(ECHILD), "map in a child", {.length = length});
	}
	iova_ = Iova(iova);
}

} // namespace bench
