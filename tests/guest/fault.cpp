// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include "modules.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <string_view>

namespace guest {

namespace {

constexpr unsigned int most_points = 10'000;
constexpr char core_knob[] = "/sys/kernel/debug/iommukit_test/fail_nth";
constexpr char kernel_knob[] = "/proc/thread-self/fail-nth";

/* Of all sweeps of this program; told at its end. */
struct Total {
	unsigned int core = 0, kernel = 0;
	std::set<std::string> operations, points;

	~Total()
	{
		if (operations.empty())
			return;
		std::cout << "# all " << operations.size() << " operations: " << core
			  << " points of the core failed, at " << points.size()
			  << " places, and " << kernel << " of the kernel\n";
		for (const std::string &point : points)
			std::cout << "#   " << point << '\n';
		std::cout << std::flush;
	}
};

Total total;

/* Everything fails, in silence: only the n-th is made to. */
void configure(const std::filesystem::path &directory, const std::string &knob,
	       const std::string &value)
{
	const auto path = directory / knob;

	if (std::filesystem::exists(path))
		REQUIRE(std::ofstream(path) << value << std::flush);
}

void configure_kernel()
{
	for (const auto &entry :
	     std::filesystem::directory_iterator("/sys/kernel/debug")) {
		if (!entry.path().filename().string().starts_with("fail"))
			continue;
		configure(entry.path(), "verbose", "0");
		configure(entry.path(), "ignore-gfp-wait", "N");
		configure(entry.path(), "ignore-gfp-highmem", "N");
		configure(entry.path(), "cache-filter", "N");
		configure(entry.path(), "min-order", "0");
	}
}

} // namespace

std::string observation(const std::string &what, std::uint64_t value)
{
	return what + ": " + std::to_string(value);
}

Injector::Injector(Source source)
	: knob(open(source == Source::core ? core_knob : kernel_knob, O_RDWR | O_CLOEXEC))
{
	if (source == Source::kernel && knob)
		configure_kernel();
}

bool Injector::arm(unsigned int n) const
{
	char text[16];
	const auto end = std::to_chars(text, text + sizeof(text), n).ptr;

	return pwrite(knob.get(), text, static_cast<std::size_t>(end - text), 0) > 0;
}

/*
 * The kernel's points lie on the way of reading and writing the knob, too. What
 * fails there has not failed before.
 */
Injector::Outcome Injector::disarm() const
{
	char text[160] = {};
	const ssize_t length = pread(knob.get(), text, sizeof(text) - 1, 0);
	Outcome outcome;
	int error = 0;

	if (length < 0) {
		REQUIRE(errno == EFAULT);
		return outcome;
	}
	while (!arm(0))
		REQUIRE(errno == EFAULT);
	std::istringstream words(text);
	REQUIRE(words >> outcome.left);
	outcome.fired = outcome.left == 0;
	if (words >> error >> outcome.where && outcome.fired)
		outcome.error = Errno{error};
	return outcome;
}

void need_kernel_faults()
{
	if (!Injector(Source::kernel))
		skip("the kernel cannot inject faults (FAULT_INJECTION, failslab)");
}

namespace {

/* One operation under one source. */
class Sweep {
    public:
	Sweep(Source from, const Operation &swept, const std::function<Snapshot()> &looks)
		: source(from), injector(from), operation(swept), look(looks),
		  before(look())
	{
		REQUIRE(injector);
		REQUIRE(operation.run() == ok);
		after = look();
		restore();
	}

	/* Returns how many points have failed. */
	unsigned int run()
	{
		return operation.entered ? run_backwards() : run_forwards();
	}

    private:
	unsigned int run_forwards()
	{
		unsigned int failed = 0;

		for (unsigned int n = 1 + first; n <= most_points; n += stride) {
			if (!fail(n))
				return failed;
			failed++;
		}
		FAIL(operation.name << ": no end after " << most_points << " points");
		return 0;
	}

	unsigned int run_backwards()
	{
		REQUIRE(injector.arm(most_points));
		REQUIRE(operation.run() == ok);
		const Injector::Outcome outcome = injector.disarm();
		REQUIRE_FALSE(outcome.fired);
		restore();

		unsigned int n = most_points - outcome.left, failed = 0;

		for (n -= std::min(n, first); n > 0 && !outside; n -= std::min(n, stride))
			failed += fail(n);
		return failed;
	}

	/* Returns false if the operation has no n-th point. */
	bool fail(unsigned int n)
	{
		REQUIRE(injector.arm(n));
		const Errno error = operation.run();
		const Injector::Outcome outcome = injector.disarm();

		INFO(operation.name
		     << ", point " << n << " of "
		     << (source == Source::core ? "the core" : "the kernel") << ' '
		     << outcome.where << ": " << error);
		if (!outcome.fired)
			REQUIRE(error == ok);
		else
			count(outcome);
		if (error == ok) {
			/* Only memory may be had from elsewhere, not by the core. */
			if (outcome.fired)
				REQUIRE(source == Source::kernel);
			compare(after, "the operation has succeeded");
			restore();
		} else {
			check_failure(error, outcome);
		}
		return outcome.fired;
	}

	void check_failure(Errno error, const Injector::Outcome &outcome)
	{
		if (outcome.error && !operation.translates)
			REQUIRE(error == *outcome.error);
		outside = operation.entered && !operation.entered();
		if (error != Errno{EFAULT})
			REQUIRE_THAT(operation.errors,
				     Catch::Matchers::VectorContains(error.value));
		if (operation.partial)
			operation.undo();
		if (operation.lasting && error == Errno{EFAULT} && look() == after) {
			restore();
			return;
		}
		compare(before, "the operation has failed");
		REQUIRE(operation.run() == ok);
		restore();
	}

	void restore()
	{
		if (operation.undo)
			operation.undo();
		compare(before, "the operation was undone");
	}

	void compare(const Snapshot &expected, const char *when) const
	{
		const Snapshot seen = look();

		if (seen == expected)
			return;
		INFO("as it is seen after " << when);
		for (std::size_t i = 0; i < std::max(seen.size(), expected.size()); i++) {
			const std::string is = i < seen.size() ? seen[i] : "";
			const std::string should = i < expected.size() ? expected[i] : "";

			REQUIRE(is == should);
		}
	}

	void count(const Injector::Outcome &outcome) const
	{
		if (source == Source::kernel) {
			total.kernel++;
			return;
		}
		total.core++;
		total.points.insert(outcome.where);
	}

	Source source;
	/*
	 * One in some of the kernel's points where all would take too long, others
	 * each time.
	 */
	const unsigned int stride = source == Source::kernel ? slowness() : 1;
	const unsigned int first = seed() % stride;
	Injector injector;
	const Operation &operation;
	const std::function<Snapshot()> &look;
	Snapshot before, after;
	bool outside = false;
};

} // namespace

void sweep(Source source, const Operation &operation,
	   const std::function<Snapshot()> &look)
{
	const unsigned int points = Sweep(source, operation, look).run();

	std::cout << "# " << operation.name << ": " << points << " points"
		  << (source == Source::kernel ? " of the kernel" : "") << std::endl;
	if (source == Source::core)
		REQUIRE(points >= operation.least);
	else
		REQUIRE((points > 0 || operation.least == 0 || slowness() > 1));
	total.operations.insert(operation.name);
}

void sweep(const Operation &operation, const std::function<Snapshot()> &look)
{
	sweep(Source::core, operation, look);
	if (Injector(Source::kernel))
		sweep(Source::kernel, operation, look);
}

NothingLeft::NothingLeft()
{
	for (const std::string &cache : slab_caches())
		objects[cache] = slab_objects(cache).value_or(0);
}

/* What is freed after a grace period is still there for a moment. */
NothingLeft::~NothingLeft()
{
	if (std::uncaught_exceptions() > 0)
		return;
	for (const auto &[cache, before] : objects) {
		INFO(cache);
		CHECK(wait_until(
			[&] { return slab_objects(cache).value_or(0) <= before; }));
	}
}

Snapshot no_state()
{
	return {"nothing"};
}

} // namespace guest
