// SPDX-License-Identifier: GPL-2.0-only
#include "process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>

namespace guest {

namespace {

constexpr int limit_ms = 60000;

bool readable(int fd)
{
	pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
	int ready;

	do
		ready = poll(&wait, 1, limit_ms);
	while (ready < 0 && errno == EINTR);
	return ready == 1;
}

void make_pipe(Fd &reader, Fd &writer)
{
	int ends[2];

	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	reader.reset(ends[0]);
	writer.reset(ends[1]);
}

/* A crashing child must not report a test case on behalf of the parent. */
void forget_signal_handlers()
{
	for (int number : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTERM, SIGINT})
		signal(number, SIG_DFL);
}

/* A failed REQUIRE in a helper has been printed and ends just the child. */
int run(const std::function<int(const Child::Steps &)> &body, const Child::Steps &steps)
{
	try {
		return body(steps);
	} catch (...) {
		return 254;
	}
}

} // namespace

void Child::Steps::meet() const
{
	char token = 0;

	/* A parent that is gone leaves nothing to do. */
	if (write(announce, &token, 1) != 1 || !readable(proceed) ||
	    read(proceed, &token, 1) != 1)
		_exit(255);
}

Child::Child(const std::function<int(const Steps &)> &body)
{
	Fd announce, go_on;

	make_pipe(announced, announce);
	make_pipe(go_on, proceed);
	process = fork();
	REQUIRE(process >= 0);
	if (process == 0) {
		forget_signal_handlers();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Otherwise the child would keep its own pipes open. */
		announced.reset();
		proceed.reset();
		_exit(run(body, Steps{announce.get(), go_on.get()}));
	}
}

Child::~Child()
{
	if (process > 0) {
		::kill(process, SIGKILL);
		waitpid(process, nullptr, 0);
	}
}

void Child::await() const
{
	char token;

	REQUIRE(readable(announced.get()));
	REQUIRE(read(announced.get(), &token, 1) == 1);
}

void Child::resume() const
{
	const char token = 0;

	REQUIRE(write(proceed.get(), &token, 1) == 1);
}

void Child::kill()
{
	REQUIRE(::kill(process, SIGKILL) == 0);
}

/* The announcing end closes then, however it happens. */
void Child::await_departure() const
{
	char token;

	REQUIRE(readable(announced.get()));
	REQUIRE(read(announced.get(), &token, 1) == 0);
}

int Child::join()
{
	int status = 0;

	await_departure();
	REQUIRE(waitpid(process, &status, 0) == process);
	process = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : deadly_signal + WTERMSIG(status);
}

int in_child(const std::function<int()> &body)
{
	Child child([&](const Child::Steps &) { return body(); });

	return child.join();
}

int set_memlock(std::uint64_t bytes)
{
	const rlimit limit{bytes, bytes};

	return setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ? errno : 0;
}

int become_user(unsigned int uid, std::uint64_t memlock)
{
	if (const int error = set_memlock(memlock))
		return error;
	if (setgroups(0, nullptr) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return errno;
	/* The change of user forbids others to look into /proc/PID. */
	return prctl(PR_SET_DUMPABLE, 1) < 0 ? errno : 0;
}

int drop_capability(int capability)
{
	__user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
	__user_cap_data_struct data[2] = {};
	const auto word = static_cast<unsigned int>(CAP_TO_INDEX(capability));

	if (syscall(SYS_capget, &header, data) < 0)
		return errno;
	data[word].effective &= ~CAP_TO_MASK(capability);
	data[word].permitted &= ~CAP_TO_MASK(capability);
	data[word].inheritable &= ~CAP_TO_MASK(capability);
	return syscall(SYS_capset, &header, data) < 0 ? errno : 0;
}

long status_pages(pid_t pid, const std::string &field)
{
	std::ifstream status("/proc/" + std::to_string(pid) + "/status");
	std::string line;

	while (std::getline(status, line)) {
		std::istringstream words(line);
		std::string name;
		long kilobytes = 0;

		if (words >> name >> kilobytes && name == field + ":")
			return kilobytes * 1024 / static_cast<long>(page_size);
	}
	return -1;
}

} // namespace guest
