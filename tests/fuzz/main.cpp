// SPDX-License-Identifier: GPL-2.0-only
// iommukit-fuzz: random operations against a model of what the specification says.
// Exit status: 0 no difference, 1 a difference, 2 wrong usage or no device.
#include "session.h"
#include "stress.h"

#include <CLI/CLI.hpp>

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>

namespace {

using fuzz::Sequence;

struct Options {
	std::uint64_t seed = 0;
	std::uint64_t seconds = 0, operations = 0;
	unsigned threads = 0;
	std::vector<std::string> replay;
	std::string corpus;
	bool stats = false;
};

constexpr std::uint64_t default_seconds = 10;
// Short ones fail with few operations, long ones have much to remember.
constexpr std::size_t session_length = 800, longest = 4;

class Clock {
    public:
	double seconds() const
	{
		const std::chrono::duration<double> passed =
			std::chrono::steady_clock::now() - began;

		return passed.count();
	}

    private:
	std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
};

// One line for a person who is waiting.
class Progress {
    public:
	void show(std::uint64_t operations, std::uint64_t seed)
	{
		if (!person || clock.seconds() < due)
			return;
		due = clock.seconds() + 0.5;
		std::cerr << "\r" << operations << " operations, seed " << seed
			  << std::flush;
	}
	void clear() const
	{
		if (person)
			std::cerr << "\r\033[K" << std::flush;
	}

    private:
	const bool person = isatty(STDERR_FILENO);
	const Clock clock;
	double due = 0;
};

void print_rate(std::uint64_t operations, double seconds, unsigned threads)
{
	const double rate = double(operations) / seconds;

	std::cout << "# " << operations << " operations, "
		  << static_cast<std::uint64_t>(rate / threads)
		  << " per second and thread\n";
}

std::uint64_t random_seed()
{
	std::uint32_t seed = 0;

	return getrandom(&seed, sizeof(seed), 0) == sizeof(seed) ? seed : 1;
}

Sequence read_sequence(const std::string &path)
{
	std::ifstream file(path);

	if (!file)
		throw std::runtime_error("cannot read " + path);
	return fuzz::parse(file, path);
}

// What failed, so that it can be done again in every way there is.
void report(const Sequence &sequence, const fuzz::Failure &failure)
{
	std::cout << "# after " << sequence.size() << " operations: " << failure.what
		  << "\n# for --replay:\n";
	for (const fuzz::Op &op : sequence)
		std::cout << fuzz::to_text(op) << '\n';
	std::cout << "# as a batch of iommuctl:\n" << fuzz::to_batch(sequence);
}

class Fuzzer {
    public:
	explicit Fuzzer(const Options &o) : options(o), session(machine, &statistics) {}

	bool replay(const std::string &path);
	bool run();
	void print_stats() const { std::cout << statistics.table(); }

    private:
	void show_shrunk(Sequence sequence);

	const Options &options;
	fuzz::Machine machine;
	fuzz::Statistics statistics;
	fuzz::Session session;
};

bool Fuzzer::replay(const std::string &path)
{
	const Sequence sequence = read_sequence(path);
	const auto failure = session.run(sequence);

	if (!failure)
		return true;
	std::cout << "# " << path << ":\n";
	report(sequence, *failure);
	return false;
}

void Fuzzer::show_shrunk(Sequence sequence)
{
	fuzz::Session quiet(machine);
	const auto run = [&](const Sequence &candidate) { return quiet.run(candidate); };
	// Once more from the start: is it the sequence alone?
	const auto failure = run(sequence);

	if (!failure) {
		std::cout << "# these operations alone do not fail again; the whole run:"
			  << " --seed " << options.seed << '\n';
		return;
	}
	sequence.resize(failure->operations);
	const Sequence shortest = fuzz::shrink(sequence, run, *failure);
	report(shortest, run(shortest).value_or(*failure));
}

bool Fuzzer::run()
{
	const Clock clock;
	Progress progress;
	const std::uint64_t before = session.operations();
	std::uint64_t seed = options.seed, operations = 0;
	Sequence sequence;

	const auto more = [&] {
		operations = session.operations() - before;
		progress.show(operations, seed);
		return options.operations ? operations < options.operations
					  : clock.seconds() < double(options.seconds);
	};
	double seconds = 0;
	bool good = true;

	for (; more(); seed++) {
		const auto failure = session.run_random(
			seed, session_length << seed % longest, sequence, more);

		seconds = clock.seconds();
		if (failure) {
			std::cout << "# seed " << seed << ", operation "
				  << failure->operations << ": " << failure->what << '\n';
			show_shrunk(sequence);
			good = false;
			break;
		}
	}
	progress.clear();
	print_rate(operations, seconds, 1);
	return good;
}

bool run_threads(const Options &options)
{
	Progress progress;
	const fuzz::StressResult result =
		fuzz::stress(options.threads, options.seed, options.seconds,
			     options.operations, [&](std::uint64_t operations) {
				     progress.show(operations, options.seed);
			     });

	progress.clear();
	print_rate(result.operations, result.seconds, options.threads);
	if (!result.failure.empty())
		std::cout << "# " << result.failure << '\n';
	return result.failure.empty();
}

std::vector<std::string> corpus_files(const std::string &directory)
{
	std::vector<std::string> paths;

	for (const auto &entry : std::filesystem::directory_iterator(directory))
		if (entry.path().extension() == ".txt")
			paths.push_back(entry.path());
	std::sort(paths.begin(), paths.end());
	return paths;
}

int run(const Options &options)
{
	std::vector<std::string> paths = options.replay;
	unsigned number = 0, failed = 0;

	if (!options.corpus.empty()) {
		const auto more = corpus_files(options.corpus);

		paths.insert(paths.end(), more.begin(), more.end());
	}
	const bool only_replay = !options.replay.empty();
	std::optional<Fuzzer> fuzzer;
	const auto point = [&](bool good, const std::string &name) {
		std::cout << (good ? "ok " : "not ok ") << ++number << " - " << name
			  << std::endl;
		failed += !good;
	};

	std::cout << "TAP version 13\n# seed " << options.seed << std::endl;
	if (!paths.empty() || !options.threads)
		fuzzer.emplace(options);
	for (const std::string &path : paths)
		point(fuzzer->replay(path), "replay " + path);
	if (!only_replay && !options.threads)
		point(fuzzer->run(), "random operations, no difference to the model");
	if (options.stats && fuzzer)
		fuzzer->print_stats();
	fuzzer.reset();
	if (!only_replay && options.threads)
		point(run_threads(options), "threads, no invariant is broken");
	std::cout << "1.." << number << std::endl;
	return failed ? 1 : 0;
}

} // namespace

int main(int argc, char **argv)
{
	Options options;
	CLI::App app("Compares iommukit with a model of its specification, at random.\n"
		     "Needs root, the core and the test module.");

	options.seed = random_seed();
	app.add_option("--seed", options.seed,
		       "The first session's; printed if left out");
	auto *time = app.add_option("--time", options.seconds, "Seconds; 10 if left out");
	app.add_option("--ops", options.operations, "So many operations instead")
		->excludes(time);
	app.add_option("--replay", options.replay, "Run only the sequences of files");
	app.add_option("--threads", options.threads,
		       "Run on that many threads, and check invariants only");
	app.add_option("--corpus", options.corpus, "Replay *.txt of a directory first");
	app.add_flag("--stats", options.stats, "Say how often what had which result");
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError &error) {
		return app.exit(error) == 0 ? 0 : 2;
	}
	if (!options.seconds)
		options.seconds = default_seconds;
	try {
		return run(options);
	} catch (const std::exception &error) {
		std::cout << std::flush;
		std::cerr << "iommukit-fuzz: " << error.what() << '\n';
		return 2;
	}
}
