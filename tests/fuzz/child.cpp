// SPDX-License-Identifier: GPL-2.0-only
#include "child.h"
#include "world.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

namespace fuzz {

namespace {

constexpr int patience_ms = 60000;

[[noreturn]] void fail(const char *what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

int map_at(void *at, std::uint64_t length, int protection, int flags, int fd = -1,
	   std::uint64_t offset = 0)
{
	return mmap(at, length, protection, flags | MAP_FIXED, fd,
		    static_cast<off_t>(offset)) == at
		       ? 0
		       : -1;
}

constexpr int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

void *slot_address(std::uint64_t slot)
{
	return reinterpret_cast<void *>(arena_base + slot * page_size);
}

int move_slot(void *from, void *to)
{
	if (mremap(from, page_size, page_size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return -1;
	return map_at(from, page_size, PROT_NONE, anonymous);
}

// An unmapped slot is one of no permission, or something else would be put there.
int change_memory(const Call &call)
{
	const Op &op = call.op;
	void *at = slot_address(op[F::first]);
	const std::uint64_t length = op[F::number] * page_size;
	int result = 0;

	switch (static_cast<Change>(op[F::value])) {
	case Change::unmap:
		result = map_at(at, length, PROT_NONE, anonymous);
		break;
	case Change::fresh:
		result = map_at(at, length, PROT_READ | PROT_WRITE, anonymous);
		break;
	case Change::shared:
		result = map_at(at, length, PROT_READ | PROT_WRITE, MAP_SHARED,
				call.shared_file, op[F::page] * page_size);
		break;
	case Change::cut:
		result = map_at(at, length, PROT_READ | PROT_WRITE, MAP_SHARED,
				call.cut_file, op[F::page] * page_size);
		break;
	case Change::discard:
		result = madvise(at, length, MADV_DONTNEED);
		break;
	case Change::free:
		result = madvise(at, length, MADV_FREE);
		break;
	case Change::move:
		result = move_slot(at, slot_address(op[F::page]));
		break;
	case Change::none:
		result = mprotect(at, length, PROT_NONE);
		break;
	case Change::readable:
		result = mprotect(at, length, PROT_READ);
		break;
	default:
		result = mprotect(at, length, PROT_READ | PROT_WRITE);
	}
	return result < 0 ? errno : 0;
}

int set_limit(std::uint64_t pages, std::uint64_t most)
{
	const rlimit limit{pages * page_size, most * page_size};

	return setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ? errno : 0;
}

int become_user(std::uint64_t user)
{
	const unsigned uid = first_uid + static_cast<unsigned>(user);

	if (const int error = set_limit(user_limit, user_hard_limit))
		return error;
	if (setgroups(0, nullptr) < 0 || syscall(SYS_setresgid, uid, uid, uid) < 0 ||
	    syscall(SYS_setresuid, uid, uid, uid) < 0)
		return errno;
	return 0;
}

template <class T> bool receive(int fd, T &to)
{
	pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};

	return poll(&wait, 1, patience_ms) == 1 &&
	       read(fd, &to, sizeof(to)) == sizeof(to);
}

template <class T> bool send(int fd, const T &what)
{
	return write(fd, &what, sizeof(what)) == sizeof(what);
}

[[noreturn]] void serve(std::uint64_t user, int orders, int answers)
{
	int answer = user ? become_user(user) : 0;
	Call call;

	// A change of the user forgets it, so it comes after that.
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (send(answers, answer) && read(orders, &call, sizeof(call)) == sizeof(call))
		answer = perform(call);
	_exit(0);
}

void make_pipe(iommukit::Fd &reader, iommukit::Fd &writer)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		fail("pipe");
	reader.reset(ends[0]);
	writer.reset(ends[1]);
}

} // namespace

int perform(const Call &call)
{
	const Op &op = call.op;

	if (call.request)
		return ioctl(call.fd, call.request, call.argument) < 0 ? errno : 0;
	if (op.kind == Kind::memory)
		return change_memory(call);
	if (op.kind == Kind::limit)
		return set_limit(op[F::value], user_hard_limit);
	fill_pattern(op[F::value], reinterpret_cast<unsigned char *>(op[F::va]),
		     op[F::length]);
	return 0;
}

Child::Child(std::uint64_t user)
{
	int answer;

	make_pipe(orders, to_child);
	make_pipe(from_child, answers);
	// Descriptors are shared: those opened later are the child's as well.
	process =
		static_cast<pid_t>(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	if (process < 0)
		fail("clone");
	if (process == 0)
		serve(user, orders.get(), answers.get());
	if (!receive(from_child.get(), answer) || answer)
		throw std::system_error(answer, std::generic_category(), "child");
}

Child::~Child()
{
	kill(process, SIGKILL);
	waitpid(process, nullptr, 0);
}

int Child::call(const Call &call) const
{
	int answer;

	if (!send(to_child.get(), call) || !receive(from_child.get(), answer))
		throw std::runtime_error("a child does not answer any more");
	return answer;
}

} // namespace fuzz
