// SPDX-License-Identifier: GPL-2.0-only
/*
 * What iommuctl shows on a terminal, and nowhere else: colours, unless NO_COLOR or the
 * terminal is against it, and pictures that are drawn over the one before.
 */
#include "kit.h"
#include "process.h"

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

using namespace guest;

namespace {

struct Environment {
	const char *term = "xterm";
	const char *no_color = nullptr;
};

void set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

[[noreturn]] void run_tool(const std::vector<std::string> &words,
			   const Environment &environment)
{
	std::vector<char *> argv;

	set("TERM", environment.term);
	set("NO_COLOR", environment.no_color);
	for (const std::string &word : words)
		argv.push_back(const_cast<char *>(word.c_str()));
	argv.push_back(nullptr);
	execvp(argv[0], argv.data());
	_exit(127);
}

/* All that comes until the other end is closed, which a terminal tells as an error. */
std::string read_all(int fd)
{
	std::string out;
	char buffer[4096];

	for (;;) {
		ssize_t got = read(fd, buffer, sizeof(buffer));

		if (got <= 0 && !(got < 0 && errno == EINTR))
			return out;
		if (got > 0)
			out.append(buffer, static_cast<std::size_t>(got));
	}
}

void check_success(pid_t child)
{
	int status = 0;

	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 0);
}

/* What the tool prints on a terminal of 100 columns. */
std::string on_terminal(const std::vector<std::string> &words,
			const Environment &environment = {})
{
	winsize size{.ws_row = 30, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
	int terminal = -1;
	pid_t child = forkpty(&terminal, nullptr, nullptr, &size);

	REQUIRE(child >= 0);
	if (!child)
		run_tool(words, environment);
	const Fd fd(terminal);
	const std::string out = read_all(fd.get());
	check_success(child);
	return out;
}

std::string in_pipe(const std::vector<std::string> &words)
{
	int ends[2];

	REQUIRE(pipe(ends) == 0);
	pid_t child = fork();
	REQUIRE(child >= 0);
	if (!child) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		run_tool(words, {});
	}
	close(ends[1]);
	const Fd fd(ends[0]);
	const std::string out = read_all(fd.get());
	check_success(child);
	return out;
}

bool has(const std::string &text, const std::string &what)
{
	return text.find(what) != std::string::npos;
}

const std::vector<std::string> layout = {
	"iommuctl", "-c",	"ioas add", "-c", "map anonymous 64K iova 1M",
	"-c",	    "ioas show"};
const std::vector<std::string> top = {"iommuctl", "top", "interval", "0", "count", "3"};
const std::string green = "\033[32m", over = "\033[J";

} // namespace

TEST_CASE("colours are for terminals that want them")
{
	CHECK(has(on_terminal(layout), green));
	CHECK(has(on_terminal(layout, {.no_color = ""}), green));
	CHECK(!has(on_terminal(layout, {.no_color = "1"}), "\033"));
	CHECK(!has(on_terminal(layout, {.term = "dumb"}), "\033"));
	CHECK(!has(on_terminal(layout, {.term = nullptr}), "\033"));
	const std::string piped = in_pipe(layout);
	CHECK(has(piped, "rw anonymous"));
	CHECK(!has(piped, "\033"));
}

TEST_CASE("a live view is drawn over the one before")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const std::string seen = on_terminal(top);

	CHECK(ioas);
	CHECK(has(seen, "context  process"));
	CHECK(has(seen, "test-terminal"));
	/* The first is drawn, the two others over it. */
	const auto first = seen.find(over);
	REQUIRE(first != std::string::npos);
	CHECK(seen.find("3 readings, 1 context, ") != std::string::npos);
	CHECK(seen.find(over, first + 1) != std::string::npos);
	/* NO_COLOR is about colours only. */
	CHECK(has(on_terminal(top, {.no_color = "1"}), over));
	CHECK(!has(in_pipe(top), "\033"));
	CHECK(has(in_pipe(top), "tick 3 interval_ms "));
}
