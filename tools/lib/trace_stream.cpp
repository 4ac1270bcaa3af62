// SPDX-License-Identifier: GPL-2.0-only
// What a killed process has left behind is more than a directory: all that happens goes
// on to be recorded there.
#include "trace_stream.h"

#include "error.h"
#include "sysfs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace iommukit {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view instance_prefix = "iommuctl-";
constexpr const char *system_dir = "events/iommukit";
// No process has a longer name.
constexpr std::size_t process_max = 15;
// An instance begins with what others have set for themselves.
constexpr std::array options = {
	"context-info", "nolatency-format", "noraw",	    "nohex",
	"nobin",	"nofields",	    "norecord-tgid"};

[[noreturn]] void fail(int number, const fs::path &path)
{
	throw Error(make_errno(number), "tracefs", {.path = path.string()});
}

// tracefs, where it is mounted; by older habit, inside debugfs.
fs::path tracing_dir()
{
	const fs::path usual = sysfs::path("kernel/tracing");

	for (const auto &dir : {usual, sysfs::path("kernel/debug/tracing")}) {
		if (::access((dir / "instances").c_str(), F_OK) == 0)
			return dir;
		if (errno == EACCES || errno == EPERM)
			fail(errno, dir);
	}
	fail(ENOENT, usual);
}

void write(const fs::path &path, std::string_view value)
{
	Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));

	if (!fd || ::write(fd.get(), value.data(), value.size()) < 0)
		fail(errno, path);
}

// What makes it nicer, but works without.
void try_write(const fs::path &path, std::string_view value) noexcept
{
	Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));

	if (fd)
		(void)!::write(fd.get(), value.data(), value.size());
}

// While somebody reads it, it cannot go, and is not to be changed: a process of another
// namespace is not seen from here.
void remove_instance(const fs::path &instance) noexcept
{
	(void)::rmdir(instance.c_str());
}

template <class T> bool number_of(std::string_view text, T &value)
{
	auto [end, error] =
		std::from_chars(text.data(), text.data() + text.size(), value);

	return error == std::errc() && end == text.data() + text.size();
}

void sweep(const fs::path &instances)
{
	for (const auto &name : sysfs::list(instances)) {
		std::string_view number = name;
		pid_t pid = 0;

		if (!number.starts_with(instance_prefix))
			continue;
		number = number.substr(0, number.find('.'));
		number.remove_prefix(instance_prefix.size());
		if (number_of(number, pid) && ::kill(pid, 0) < 0 && errno == ESRCH)
			remove_instance(instances / name);
	}
}

// "iommuctl-PID", or "iommuctl-PID.1" if the process has that already.
fs::path make_instance(const fs::path &instances)
{
	const fs::path first =
		instances / (std::string(instance_prefix) + std::to_string(::getpid()));
	fs::path instance = first;

	for (int i = 1; ::mkdir(instance.c_str(), 0700) < 0; i++) {
		if (errno != EEXIST)
			fail(errno, instance);
		instance = first.string() + "." + std::to_string(i);
	}
	return instance;
}

std::string_view trimmed(std::string_view text)
{
	const auto first = text.find_first_not_of(' ');

	if (first == text.npos)
		return {};
	return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// Cuts what is in front of a separator off, which must be there.
bool cut(std::string_view &text, std::string_view separator, std::string_view &head)
{
	const auto at = text.find(separator);

	if (at == text.npos)
		return false;
	head = text.substr(0, at);
	text.remove_prefix(at + separator.size());
	return true;
}

// "CPU:1 [LOST 123 EVENTS]" or, if the kernel has lost count, "CPU:1 [LOST EVENTS]". No
// process has a name as long as that.
std::optional<TraceEvent> loss(std::string_view line)
{
	std::string_view head, number;
	std::uint32_t cpu = 0;
	TraceEvent event;

	if (!cut(line, "CPU:", head) || !head.empty() || !cut(line, " [LOST ", head) ||
	    !number_of(head, cpu))
		return std::nullopt;
	event.lost = 1;
	if (line != "EVENTS]" && (!cut(line, " ", number) || line != "EVENTS]" ||
				  !number_of(number, event.lost)))
		return std::nullopt;
	event.lost = std::max<std::uint64_t>(event.lost, 1);
	return event;
}

// "56.789012"
bool is_time(std::string_view text)
{
	constexpr std::size_t decimals = 6;
	std::uint64_t seconds = 0;
	std::uint32_t fraction = 0;
	std::string_view head;

	return cut(text, ".", head) && text.size() == decimals &&
	       number_of(head, seconds) && number_of(text, fraction);
}

// "comm-pid", and behind it in brackets that of its process, if somebody wants that.
bool take_task(std::string_view text, TraceEvent &event)
{
	std::string_view task = trimmed(text);

	if (task.ends_with(')'))
		task = trimmed(task.substr(0, std::min(task.rfind(" ("), task.size())));
	const auto dash = task.rfind('-');
	if (dash == task.npos || !number_of(task.substr(dash + 1), event.pid))
		return false;
	if (task.substr(0, dash) != "<...>")
		event.process = task.substr(0, dash);
	return true;
}

// The kernel writes a name down when it next switches from the process, which may be
// after its event is read. The number is that of the initial PID namespace.
std::string name_of(std::uint32_t pid)
{
	// PROC_PID_INIT_INO, include/linux/proc_ns.h
	constexpr ino_t initial = 0xeffffffc;
	const std::string path = "/proc/" + std::to_string(pid) + "/comm";
	// With the line feed that ends it
	std::array<char, process_max + 1> name;
	struct stat own = {};

	if (::stat("/proc/self/ns/pid", &own) < 0 || own.st_ino != initial)
		return {};
	const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	const ssize_t got = fd ? ::read(fd.get(), name.data(), name.size()) : 0;
	return got > 0 ? std::string(name.data(), static_cast<std::size_t>(got) - 1)
		       : std::string();
}

void add_fields(std::string_view text, TraceEvent &event)
{
	while (!text.empty()) {
		const auto end = std::min(text.find(' '), text.size());
		const auto field = text.substr(0, end);
		const auto equals = field.find('=');

		if (equals != field.npos)
			event.fields.emplace_back(field.substr(0, equals),
						  field.substr(equals + 1));
		text.remove_prefix(std::min(end + 1, text.size()));
	}
}

} // namespace

// A process may be called anything, "a-1 [2]" as well: the last of what looks like a
// number and a processor counts. Fields of ours have neither blanks nor colons.
std::optional<TraceEvent> TraceEvent::parse(std::string_view line)
{
	TraceEvent event;

	if (auto lost = loss(line))
		return lost;
	const auto fields = line.rfind(": ");
	if (fields == line.npos)
		return std::nullopt;
	add_fields(line.substr(fields + 2), event);
	line = line.substr(0, fields);
	const auto name = line.rfind(": ");
	if (name == line.npos)
		return std::nullopt;
	event.name = line.substr(name + 2);
	line = line.substr(0, name);
	const auto time = line.rfind(' ');
	const auto cpu = line.rfind(" [");
	if (time == line.npos || cpu == line.npos || cpu > time)
		return std::nullopt;
	event.time = line.substr(time + 1);
	if (!is_time(event.time) || !take_task(line.substr(0, cpu), event))
		return std::nullopt;
	line = line.substr(cpu + 2, time - cpu - 2);
	if (!number_of(line.substr(0, std::min(line.find(']'), line.size())), event.cpu))
		return std::nullopt;
	return event;
}

TraceStream::TraceStream(const std::vector<std::string> &names)
{
	const fs::path tracing = tracing_dir(), instances = tracing / "instances";

	if (::access((tracing / system_dir).c_str(), F_OK) < 0)
		fail(errno, tracing / system_dir);
	sweep(instances);
	instance_ = make_instance(instances);
	try {
		enable(names);
	} catch (...) {
		pipe_.reset();
		remove_instance(instance_);
		throw;
	}
}

void TraceStream::enable(const std::vector<std::string> &names)
{
	const fs::path events = instance_ / system_dir;

	try_write(instance_ / "trace_clock", "mono");
	// Or a reader is told of nothing before the buffer is half full.
	try_write(instance_ / "buffer_percent", "0");
	for (const char *option : options)
		try_write(instance_ / "trace_options", option);
	pipe_.reset(::open((instance_ / "trace_pipe").c_str(),
			   O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	if (!pipe_)
		fail(errno, instance_ / "trace_pipe");
	if (names.empty())
		write(events / "enable", "1");
	for (const auto &name : names) {
		if (name.empty() || name.find('/') != name.npos || name[0] == '.')
			fail(ENOENT, events / name);
		write(events / name / "enable", "1");
	}
}

TraceStream::~TraceStream()
{
	pipe_.reset();
	remove_instance(instance_);
}

std::optional<TraceEvent> TraceStream::next()
{
	while (events_.empty())
		if (!read())
			return std::nullopt;
	TraceEvent event = std::move(events_.front());
	events_.pop_front();
	lost_ += event.lost;
	return event;
}

// Returns whether there was anything.
bool TraceStream::read()
{
	std::array<char, 65536> buffer;
	const ssize_t got = ::read(pipe_.get(), buffer.data(), buffer.size());

	if (got < 0 && errno != EAGAIN && errno != EINTR)
		fail(errno, instance_ / "trace_pipe");
	if (got <= 0)
		return false;
	text_.append(buffer.data(), static_cast<std::size_t>(got));
	std::size_t begin = 0, end;
	while ((end = text_.find('\n', begin)) != text_.npos) {
		take(std::string_view(text_).substr(begin, end - begin));
		begin = end + 1;
	}
	text_.erase(0, begin);
	return true;
}

// A process may have line feeds in its name, so what is no event may begin one. What is
// longer than a name does not, and is told as it is.
void TraceStream::take(std::string_view line)
{
	const std::string whole =
		begun_.empty() ? std::string(line) : begun_ + "\n" + std::string(line);

	auto event = TraceEvent::parse(whole);
	if (event && event->process.size() <= process_max) {
		begun_.clear();
		if (event->process.empty() && !event->lost)
			event->process = name_of(event->pid);
		events_.push_back(std::move(*event));
		return;
	}
	if (!event && trimmed(whole).size() <= process_max) {
		begun_ = whole;
		return;
	}
	if (!begun_.empty()) {
		give_up_begun();
		return take(line);
	}
	begun_ = line;
	give_up_begun();
}

void TraceStream::give_up_begun()
{
	TraceEvent event;

	event.unknown = std::exchange(begun_, {});
	events_.push_back(std::move(event));
}

} // namespace iommukit
