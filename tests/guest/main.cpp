// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry point of every guest test program. Catch2's own TAP reporter numbers
 * assertions; ours prints one line per test case, with the reason if the case
 * was skipped. The plan comes first, so that a program that dies half way is
 * seen to be incomplete.
 *
 * Exit status: 0 if every case passed or was skipped, otherwise 1.
 */
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "kit.h"

namespace {

std::string pending_skip_reason;
unsigned int cases_run;

/* TAP gives '#' a meaning inside a description. */
std::string tap_description(std::string text)
{
	for (char &c : text)
		if (c == '#' || c == '\n')
			c = ' ';
	return text;
}

class TapReporter : public Catch::StreamingReporterBase<TapReporter> {
    public:
	using StreamingReporterBase::StreamingReporterBase;

	static std::string getDescription() { return "one TAP line per test case"; }

	void testRunStarting(Catch::TestRunInfo const &info) override
	{
		StreamingReporterBase::testRunStarting(info);
		const auto planned =
			Catch::filterTests(Catch::getAllTestCasesSorted(*m_config),
					   m_config->testSpec(), *m_config)
				.size();

		stream << "TAP version 13\n# " << info.name << ", seed "
		       << m_config->rngSeed() << "\n1.." << planned << std::endl;
	}

	void testCaseStarting(Catch::TestCaseInfo const &info) override
	{
		StreamingReporterBase::testCaseStarting(info);
		pending_skip_reason.clear();
	}

	void assertionStarting(Catch::AssertionInfo const &) override {}

	bool assertionEnded(Catch::AssertionStats const &stats) override
	{
		const auto &result = stats.assertionResult;

		if (result.isOk())
			return true;
		stream << "# " << result.getSourceInfo() << ':';
		/* The first of the stack is the test case itself. */
		for (std::size_t i = 1; i < m_sectionStack.size(); i++)
			stream << " [" << m_sectionStack[i].name << ']';
		stream << '\n';
		if (result.hasExpression())
			print_lines(result.getExpressionInMacro() + " is " +
				    result.getExpandedExpression());
		if (result.hasMessage())
			print_lines(result.getMessage());
		for (const auto &message : stats.infoMessages)
			print_lines("with " + message.message);
		stream.flush();
		return true;
	}

	void sectionEnded(Catch::SectionStats const &stats) override
	{
		if (stats.missingAssertions)
			stream << "# no assertion in '" << stats.sectionInfo.name
			       << "'\n";
		StreamingReporterBase::sectionEnded(stats);
	}

	void testCaseEnded(Catch::TestCaseStats const &stats) override
	{
		const bool failed = stats.totals.assertions.failed != 0;

		number = ++cases_run;
		stream << (failed ? "not ok " : "ok ") << number << " - "
		       << tap_description(stats.testInfo.name);
		if (!failed && !pending_skip_reason.empty()) {
			stream << " # SKIP " << tap_description(pending_skip_reason);
			skipped++;
		} else if (failed) {
			failures++;
		}
		stream << std::endl;
		StreamingReporterBase::testCaseEnded(stats);
	}

	void testRunEnded(Catch::TestRunStats const &stats) override
	{
		stream << "# passed " << number - failures - skipped << ", failed "
		       << failures << ", skipped " << skipped << std::endl;
		StreamingReporterBase::testRunEnded(stats);
	}

    private:
	void print_lines(const std::string &text)
	{
		std::istringstream lines(text);
		std::string line;

		while (std::getline(lines, line))
			stream << "#   " << line << '\n';
	}

	unsigned int number = 0;
	unsigned int failures = 0;
	unsigned int skipped = 0;
};

CATCH_REGISTER_REPORTER("tap-cases", TapReporter)

bool listing(const Catch::ConfigData &config)
{
	return config.listTests || config.listTags || config.listReporters ||
	       config.listTestNamesOnly || config.showHelp || config.libIdentify;
}

unsigned int random_seed()
{
	unsigned int seed = 0;

	/* Catch2 takes 0 for "no seed". */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || seed == 0)
		return 1;
	return seed;
}

} // namespace

void guest::skip(const std::string &reason)
{
	pending_skip_reason = reason;
	/* Catch2 takes a case without any assertion for a mistake. */
	SUCCEED(reason);
	throw Catch::TestFailureException();
}

unsigned int guest::seed()
{
	return Catch::rngSeed();
}

unsigned int guest::slowness()
{
	const char *factor = std::getenv("IOMMUKIT_SLOW");

	return factor ? std::max(1, std::atoi(factor)) : 1;
}

int main(int argc, char **argv)
{
	Catch::Session session;

	session.configData().reporterName = "tap-cases";
	session.configData().runOrder = Catch::RunTests::InRandomOrder;
	session.configData().rngSeed = random_seed();
	session.configData().warnings = Catch::WarnAbout::NoAssertions;
	if (session.applyCommandLine(argc, argv) != 0)
		return 1;
	const int result = session.run();

	/* A list is no run; a run of nothing is no success. */
	if (listing(session.configData()))
		return 0;
	return result == 0 && cases_run > 0 ? 0 : 1;
}
