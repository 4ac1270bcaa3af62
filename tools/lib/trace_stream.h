// SPDX-License-Identifier: GPL-2.0-only
// Tracepoints of the module, as the kernel records them in an instance of its own, so
// that nobody else's tracing is disturbed. The instance goes with the stream; one that a
// killed process has left behind goes with the next stream.
#pragma once

#include "fd.h"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace iommukit {

// A line of the kernel's: "comm-pid [cpu] flags seconds: event: name=value ..."
struct TraceEvent {
	std::string name;
	// Empty if the kernel does not know it, or any more
	std::string process;
	std::uint32_t pid = 0;
	std::uint32_t cpu = 0;
	// Seconds of CLOCK_MONOTONIC, as the kernel writes them
	std::string time;
	std::vector<std::pair<std::string, std::string>> fields;
	// There was no room for so many events, and nothing else is set.
	std::uint64_t lost = 0;
	// What the stream found between events and does not know; nothing else is set.
	std::string unknown;

	// nullopt: it is no such line.
	static std::optional<TraceEvent> parse(std::string_view line);
};

class TraceStream {
    public:
	// The names of tracepoints; all of the module's if empty. Throws Error: command
	// "tracefs" with ENOENT if the kernel has no tracing, the module is not loaded,
	// or there is no such tracepoint; EACCES or EPERM.
	explicit TraceStream(const std::vector<std::string> &names);
	TraceStream(const TraceStream &) = delete;
	TraceStream &operator=(const TraceStream &) = delete;
	~TraceStream();

	// Becomes readable when there may be events.
	int fd() const noexcept { return pipe_.get(); }
	// The next event, if there is one: it does not wait.
	std::optional<TraceEvent> next();
	// How many events there was no room for.
	std::uint64_t lost() const noexcept { return lost_; }

    private:
	void enable(const std::vector<std::string> &names);
	bool read();
	void take(std::string_view line);
	void give_up_begun();

	std::filesystem::path instance_;
	Fd pipe_;
	std::string text_;
	// Lines that are no event, and may be the beginning of one
	std::string begun_;
	std::deque<TraceEvent> events_;
	std::uint64_t lost_ = 0;
};

} // namespace iommukit
