// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints of the module, as an administrator gets them from tracefs: what each
 * says of what the test did, and the stream that the tools read them from.
 */
#include "access.h"
#include "dirty_world.h"
#include "error.h"
#include "iotlb_world.h"
#include "netlink.h"
#include "ondemand.h"
#include "process.h"
#include "trace_stream.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace guest;
using iommukit::TraceEvent;
using iommukit::TraceStream;

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t iova = 0x100000;
const fs::path tracing = "/sys/kernel/tracing";
const fs::path tracepoints = tracing / "events/iommukit";

std::string content(const fs::path &path)
{
	std::ifstream file(path);
	std::stringstream text;

	text << file.rdbuf();
	return text.str();
}

void write(const fs::path &path, const std::string &text)
{
	std::ofstream file(path);

	file << text << std::flush;
	REQUIRE(file);
}

std::string name_of_this()
{
	std::array<char, 16> name = {};

	REQUIRE(prctl(PR_GET_NAME, name.data()) == 0);
	return name.data();
}

void call_this(const std::string &name)
{
	REQUIRE(prctl(PR_SET_NAME, name.c_str()) == 0);
}

/* Whoever has instances of ours */
std::vector<std::string> instances()
{
	std::vector<std::string> names;

	for (const auto &entry : fs::directory_iterator(tracing / "instances"))
		names.push_back(entry.path().filename());
	return names;
}

/* Tracepoints that the kernel has recorded since it was made. */
class Recorder {
    public:
	explicit Recorder(const std::vector<std::string> &names) : stream(names) {}

	/* All of this process by now, as "name field=value ...", but for the context. */
	std::vector<std::string> all()
	{
		std::vector<std::string> seen;

		while (const std::optional<TraceEvent> event = stream.next()) {
			REQUIRE(event->lost == 0);
			CHECK(event->unknown.empty());
			if (event->pid != static_cast<std::uint32_t>(getpid()))
				continue;
			CHECK(!event->process.empty());
			seen.push_back(text_of(*event));
		}
		return seen;
	}

	TraceStream stream;
	std::uint32_t context = 0;

    private:
	std::string text_of(const TraceEvent &event)
	{
		std::string text = event.name;

		for (const auto &[name, value] : event.fields) {
			if (name == "ctx") {
				/* All of one test have the same. */
				CHECK(value != "0");
				context = std::stoul(value);
			} else {
				text += " " + name + "=" + value;
			}
		}
		return text;
	}
};

using Seen = std::vector<std::string>;

std::string hex(std::uint64_t value)
{
	std::stringstream text;

	text << "0x" << std::hex << value;
	return text.str();
}

/* Of the class that most are of. */
std::string range(const std::string &name, std::uint32_t id, std::uint64_t first,
		  std::uint64_t length, int result = 0)
{
	return name + " id=" + std::to_string(id) + " iova=" + hex(first) +
	       " length=" + hex(length) + " result=" + std::to_string(result);
}

std::string device(const std::string &name, std::uint32_t id, std::uint32_t pt,
		   int result = 0)
{
	return name + " id=" + std::to_string(id) + " pt_id=" + std::to_string(pt) +
	       " result=" + std::to_string(result);
}

std::string iotlb(const std::string &name, std::uint32_t id, std::uint64_t first,
		  std::uint64_t length, unsigned int perm, std::uint64_t cookie,
		  int result = 0)
{
	return name + " id=" + std::to_string(id) + " asid=0 iova=" + hex(first) +
	       " length=" + hex(length) + " perm=" + std::to_string(perm) +
	       " cookie=" + hex(cookie) + " result=" + std::to_string(result);
}

} // namespace

/* ---- what there is ---- */

TEST_CASE(
	"tracepoints say what they are documented to say, and where nothing of the kernel "
	"is")
{
	const struct {
		const char *name;
		std::vector<const char *> fields;
	} table[] = {
		{"ioas_map", {"ctx", "id", "iova", "length", "result"}},
		{"ioas_unmap", {"ctx", "id", "iova", "length", "result"}},
		{"access_pin", {"ctx", "id", "iova", "length", "result"}},
		{"access_unpin", {"ctx", "id", "iova", "length", "result"}},
		{"hwpt_map", {"ctx", "id", "iova", "length", "result"}},
		{"hwpt_unmap", {"ctx", "id", "iova", "length", "result"}},
		{"ondemand_fault", {"ctx", "id", "iova", "length", "result"}},
		{"ondemand_invalidate", {"ctx", "id", "iova", "length", "result"}},
		{"dirty_read", {"ctx", "id", "iova", "length", "result"}},
		{"device_attach", {"ctx", "id", "pt_id", "result"}},
		{"device_replace", {"ctx", "id", "pt_id", "result"}},
		{"device_detach", {"ctx", "id", "pt_id", "result"}},
		{"iotlb_miss",
		 {"ctx", "id", "asid", "iova", "length", "perm", "cookie", "result"}},
		{"iotlb_answer",
		 {"ctx", "id", "asid", "iova", "length", "perm", "cookie", "result"}},
		{"iotlb_invalidate",
		 {"ctx", "id", "asid", "iova", "length", "perm", "cookie", "result"}},
	};
	unsigned int there = 0;

	for (const auto &entry : fs::directory_iterator(tracepoints))
		there += entry.is_directory();
	CHECK(there == std::size(table));
	for (const auto &row : table) {
		const std::string format = content(tracepoints / row.name / "format");

		INFO(row.name);
		REQUIRE(!format.empty());
		for (const char *field : row.fields)
			CHECK(format.find(std::string(" ") + field + ";") != format.npos);
		CHECK(format.find('*') == format.npos);
		CHECK(format.find("%p") == format.npos);
	}
}

/* ---- ranges ---- */

TEST_CASE("mapping and unmapping")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(2 * page_size);
	Recorder recorder({"ioas_map", "ioas_unmap"});

	context.map(ioas, memory, iova);
	CHECK(context.try_map(ioas, memory.va(), page_size, iova) == Errno{EEXIST});
	CHECK(context.try_unmap(ioas, iova, page_size) == Errno{ENOENT});
	context.unmap_all(ioas);
	CHECK(recorder.all() == Seen{range("ioas_map", ioas, iova, 2 * page_size),
				     range("ioas_map", ioas, iova, page_size, -EEXIST),
				     range("ioas_unmap", ioas, iova, page_size, -ENOENT),
				     range("ioas_unmap", ioas, iova, 2 * page_size)});
	CHECK(recorder.context == last_context(Netlink()));
}

TEST_CASE("pins of drivers")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(2 * page_size);
	std::uint32_t id = 0;
	const Access access = Access::extended(context, ioas, access_pins, &id);
	Recorder recorder({"access_pin", "access_unpin"});

	context.map(ioas, memory, iova);
	const std::uint32_t item = access.pin(iova, page_size);
	CHECK(access.try_pin(2 * iova, page_size) == Errno{ENOENT});
	CHECK(access.try_unpin(item) == ok);
	CHECK(recorder.all() ==
	      Seen{range("access_pin", id, iova, page_size),
		   range("access_pin", id, 2 * iova, page_size, -ENOENT),
		   range("access_unpin", id, iova, page_size)});
}

TEST_CASE("what goes into page tables and out of them")
{
	constexpr std::uint64_t at = aperture_first;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Mock mock = make_mock(context, ioas);
	const Memory memory(2 * page_size);
	Recorder recorder({"hwpt_map", "hwpt_unmap"});
	std::uint64_t next = at;

	memory.fill(1);
	context.map(ioas, memory, at);
	/* In as many pieces as its memory is in. */
	for (const std::string &one : recorder.all()) {
		const std::uint64_t length = page_size;

		if (one == range("hwpt_map", mock.hwpt, next, 2 * length))
			next += 2 * length;
		else if (one == range("hwpt_map", mock.hwpt, next, length))
			next += length;
		else
			FAIL(one);
	}
	CHECK(next == at + memory.size());
	context.unmap_all(ioas);
	CHECK(recorder.all() == Seen{range("hwpt_unmap", mock.hwpt, at, memory.size())});
}

TEST_CASE("pages of on-demand memory")
{
	const OndemandWorld world;
	const Memory memory(4 * page_size, Memory::Kind::private_anonymous);
	const std::uint64_t at = OndemandWorld::iova;

	memory.fill(1);
	world.map(memory.va(), memory.size(), map_rw_fixed, at, 0);
	Recorder recorder({"ondemand_fault", "ondemand_invalidate"});
	CHECK(world.touch(page_size) == ok);
	CHECK(recorder.all() ==
	      Seen{range("ondemand_fault", world.ioas, at + page_size, page_size)});
	memory.discard(page_size, page_size);
	CHECK(recorder.all() ==
	      Seen{range("ondemand_invalidate", world.ioas, at + page_size, page_size)});
	memory.unmap(2 * page_size, page_size);
	recorder.all();
	CHECK(world.touch(2 * page_size) == Errno{EFAULT});
	CHECK(recorder.all() == Seen{range("ondemand_fault", world.ioas,
					   at + 2 * page_size, page_size, -EFAULT)});
}

TEST_CASE("pages of on-demand memory in page tables")
{
	constexpr std::uint64_t at = OndemandWorld::iova;
	const OndemandWorld world;
	const Memory memory(4 * page_size, Memory::Kind::private_anonymous);

	memory.fill(1);
	world.map(memory.va(), memory.size(), map_rw_fixed, at, 0);
	const Mock mock = mock_create(world.context, world.ioas, {.flags = mock_faults});
	Recorder recorder({"hwpt_map", "hwpt_unmap"});
	REQUIRE(try_mock_fault(world.context, mock, at, page_size, true) == ok);
	CHECK(recorder.all() == Seen{range("hwpt_map", mock.hwpt, at, page_size)});
	memory.discard(0, page_size);
	CHECK(recorder.all() == Seen{range("hwpt_unmap", mock.hwpt, at, page_size)});
	/* One that lets go of what is beside it as well */
	for (std::uint64_t n = 0; n < 4; n++)
		REQUIRE(try_mock_fault(world.context, mock, at + n * page_size, page_size,
				       true) == ok);
	recorder.all();
	{
		const UnmapHow more(world.context, IOMMUKIT_TEST_UNMAP_MORE);

		memory.discard(0, page_size);
	}
	CHECK(recorder.all() ==
	      Seen{range("hwpt_unmap", mock.hwpt, at, page_size, -EIO)});
}

TEST_CASE("reading what was written")
{
	const DirtyWorld world;
	const std::uint64_t size = world.memory.size();
	Recorder recorder({"dirty_read"});

	world.read();
	CHECK(recorder.all() ==
	      Seen{range("dirty_read", world.hwpt, DirtyWorld::where, size)});
	auto cmd = command<iommukit_hwpt_get_dirty_bitmap>();
	cmd.hwpt_id = world.hwpt;
	cmd.iova = DirtyWorld::where;
	cmd.length = size;
	cmd.page_size = 3;
	CHECK(call(world.context.fd(), IOMMUKIT_HWPT_GET_DIRTY_BITMAP, &cmd) ==
	      Errno{EINVAL});
	CHECK(recorder.all() ==
	      Seen{range("dirty_read", world.hwpt, DirtyWorld::where, size, -EINVAL)});
	/* The log of an IOAS, which is off */
	std::uint64_t bits[1] = {};
	auto log = command<iommukit_ioas_get_dirty_bitmap>();
	log.ioas_id = world.ioas;
	log.iova = DirtyWorld::where;
	log.length = size;
	log.page_size = page_size;
	log.data = reinterpret_cast<std::uint64_t>(bits);
	CHECK(call(world.context.fd(), IOMMUKIT_IOAS_GET_DIRTY_BITMAP, &log) ==
	      Errno{EINVAL});
	CHECK(recorder.all() ==
	      Seen{range("dirty_read", world.ioas, DirtyWorld::where, size, -EINVAL)});
}

/* ---- devices ---- */

TEST_CASE("what devices are attached to")
{
	const Context context;
	const std::uint32_t ioas = context.ioas(), other = context.ioas();
	Recorder recorder({"device_attach", "device_replace", "device_detach"});
	const Mock mock = make_mock(context, ioas);
	std::uint32_t pt = other;

	CHECK(recorder.all() == Seen{device("device_attach", mock.device, mock.hwpt)});
	REQUIRE(try_mock_replace(context, mock, &pt) == ok);
	std::uint32_t missing = 12345;
	CHECK(try_mock_replace(context, mock, &missing) == Errno{ENOENT});
	context.destroy(mock.stdev);
	CHECK(recorder.all() ==
	      Seen{device("device_replace", mock.device, pt),
		   device("device_replace", mock.device, missing, -ENOENT),
		   device("device_detach", mock.device, pt)});
}

/* ---- IOTLBs ---- */

TEST_CASE("misses and their answers")
{
	constexpr std::uint64_t target = IotlbWorld::target;
	const IotlbWorld world;
	const std::uint32_t id = world.iotlb.id();
	Recorder recorder({"iotlb_miss", "iotlb_answer", "iotlb_invalidate"});
	std::uint64_t cookie = 0;

	auto miss = [&](std::uint64_t at) {
		CHECK(world.reader.nowait(at, 1).error == Errno{EAGAIN});
		const IotlbMessage message = world.channel.next();

		cookie = message.cookie;
		const Seen seen = recorder.all();
		REQUIRE(seen.size() == 1);
		/* How much is missing is told if the server wants to know. */
		CHECK(seen[0].find("iotlb_miss id=" + std::to_string(id) +
				   " asid=0 iova=" + hex(at) + " length=") == 0);
		CHECK(seen[0].find(" perm=1 cookie=" + hex(cookie) + " result=0") !=
		      std::string::npos);
		return message;
	};
	world.channel.send(answer_to(miss(page_size), page_size, page_size, target));
	CHECK(recorder.all() ==
	      Seen{iotlb("iotlb_answer", id, page_size, page_size, 3, cookie)});
	world.channel.send(denial_of(miss(4 * page_size), EPERM));
	CHECK(recorder.all() ==
	      Seen{iotlb("iotlb_answer", id, 4 * page_size, 1, 1, cookie, -EPERM)});
	/* What is there is found without a word. */
	CHECK(world.reader.nowait(page_size, 1).error == ok);
	CHECK(recorder.all().empty());

	world.iotlb.invalidate(page_size, page_size);
	world.iotlb.flush();
	CHECK(recorder.all() ==
	      Seen{iotlb("iotlb_invalidate", id, page_size, page_size, 0, 0),
		   iotlb("iotlb_invalidate", id, 0, all_ones, 0, 0)});
}

TEST_CASE("what the server has not answered when it ends")
{
	IotlbWorld world;
	Recorder recorder({"iotlb_answer"});

	CHECK(world.reader.nowait(page_size, 1).error == Errno{EAGAIN});
	const std::uint64_t cookie = world.channel.next().cookie;
	world.iotlb.channel.close();
	CHECK(recorder.all() == Seen{iotlb("iotlb_answer", world.iotlb.id(), page_size, 1,
					   1, cookie, -EPIPE)});
}

/* ---- the stream ---- */

TEST_CASE("lines of the kernel's")
{
	const auto fields = [](const TraceEvent &event) {
		std::string text;

		for (const auto &[name, value] : event.fields)
			text += name + ":" + value + " ";
		return text;
	};
	const auto event = TraceEvent::parse(
		"          qemu-1234    [012] .....   56.789012: ioas_map: ctx=1 id=2 "
		"iova=0x1000 result=-17");

	REQUIRE(event);
	CHECK(event->process == "qemu");
	CHECK(event->pid == 1234);
	CHECK(event->cpu == 12);
	CHECK(event->time == "56.789012");
	CHECK(event->name == "ioas_map");
	CHECK(fields(*event) == "ctx:1 id:2 iova:0x1000 result:-17 ");
	CHECK(event->lost == 0);
	/* A process may be called what it likes. */
	const auto odd = TraceEvent::parse(
		"  a-1 [3] x: y=z-5678    [001] d..1.     1.000001: dirty_read: id=1");
	REQUIRE(odd);
	CHECK(odd->process == "a-1 [3] x: y=z");
	CHECK(odd->pid == 5678);
	CHECK(odd->cpu == 1);
	CHECK(odd->name == "dirty_read");
	CHECK(fields(*odd) == "id:1 ");
	/* The kernel does not know each of them. */
	const auto nameless = TraceEvent::parse(
		"           <...>-77      [000] .....     1.000001: ioas_map: id=1");
	REQUIRE(nameless);
	CHECK(nameless->process.empty());
	CHECK(nameless->pid == 77);

	/* That of its process as well, if anybody has asked for it */
	for (const char *line :
	     {"          qemu-1234    (   1200) [012] ..... 1.000001: ioas_map: id=1",
	      "          qemu-1234    (-------) [012] ..... 1.000001: ioas_map: id=1"}) {
		const auto grouped = TraceEvent::parse(line);

		REQUIRE(grouped);
		CHECK(grouped->process == "qemu");
		CHECK(grouped->pid == 1234);
		CHECK(grouped->cpu == 12);
	}

	const auto lost = TraceEvent::parse("CPU:1 [LOST 1234 EVENTS]");
	REQUIRE(lost);
	CHECK(lost->lost == 1234);
	CHECK(lost->name.empty());
	const auto unknown = TraceEvent::parse("CPU:1 [LOST EVENTS]");
	REQUIRE(unknown);
	CHECK(unknown->lost == 1);
	for (const char *line :
	     {"", "# tracer: nop", ": ", "a: b: c", "x [001] ..... 1.000001: name: id=1",
	      "x-1 [] ..... 1.000001: name: id=1", "x-y [1] . 1.000001: n: id=1",
	      "x-1 [1] . 1.0: n: id=1", "x-1 [1] . 1: n: ", "x) [1] . 1.000001: n: id=1",
	      "CPU:1 [LOST 9", "CPU:1 [LOST EVENTS]-1", "CPU:1 [LOST 9 EVENTS] ",
	      "CPU:x [LOST 9 EVENTS]", "CPU:1 [LOST x EVENTS]", " CPU:1 [LOST EVENTS]"}) {
		INFO(line);
		CHECK(!TraceEvent::parse(line));
	}
}

TEST_CASE("no name of a process is taken for anything else")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);
	TraceStream stream({"ioas_map"});
	const std::string before = name_of_this();

	for (const char *name :
	     {"one\ntwo", "\nb", "\n\n\n", "a\n", "x\nCPU:1 [LOST 9", "CPU:1 [LOST 9",
	      "a-1 [0] 1: b: \n", "b-7 (8)", "a: b: c-1 [2]", "\033[31m"}) {
		call_this(name);
		context.map(ioas, memory, iova);
		/* The kernel notes the name when another thread runs. */
		usleep(1000);
		const std::optional<TraceEvent> event = stream.next();
		call_this(before);
		context.unmap_all(ioas);
		INFO(name);
		REQUIRE(event);
		CHECK(event->unknown.empty());
		CHECK(event->lost == 0);
		CHECK(event->name == "ioas_map");
		CHECK(event->pid == static_cast<std::uint32_t>(getpid()));
		CHECK(event->process == name);
		CHECK(!stream.next());
	}
}

TEST_CASE("how others want their events written does not matter")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);

	for (const char *option :
	     {"record-tgid", "nocontext-info", "raw", "hex", "bin", "latency-format"}) {
		const std::string name = option;

		INFO(name);
		write(tracing / "trace_options", name);
		Recorder recorder({"ioas_map"});
		write(tracing / "trace_options",
		      name.starts_with("no") ? name.substr(2) : "no" + name);
		context.map(ioas, memory, iova);
		context.unmap_all(ioas);
		CHECK(recorder.all() == Seen{range("ioas_map", ioas, iova, page_size)});
	}
}

TEST_CASE("what cannot be made out is told")
{
	const std::vector<std::string> before = instances();
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);
	TraceStream stream({"ioas_map"});
	fs::path own;

	for (const std::string &name : instances())
		if (std::ranges::find(before, name) == before.end())
			own = tracing / "instances" / name;
	write(own / "trace_options", "nocontext-info");
	context.map(ioas, memory, iova);
	const std::optional<TraceEvent> event = stream.next();
	REQUIRE(event);
	CHECK(event->unknown.find("iova=0x100000") != std::string::npos);
	CHECK(event->name.empty());
	CHECK(!stream.next());
}

TEST_CASE("a stream has an instance of its own, and leaves nothing behind")
{
	const std::vector<std::string> before = instances();
	const std::string enabled = content(tracepoints / "enable");
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);

	{
		Recorder all({}), some({"ioas_unmap"});

		CHECK(instances().size() == before.size() + 2);
		CHECK(content(tracepoints / "enable") == enabled);
		context.map(ioas, memory, iova);
		context.unmap_all(ioas);
		CHECK(all.all().size() == 2);
		CHECK(some.all() == Seen{range("ioas_unmap", ioas, iova, page_size)});
	}
	CHECK(instances() == before);
}

TEST_CASE("what a killed process has left behind goes with the next stream")
{
	const std::vector<std::string> before = instances();
	const Shared<bool> done;

	CHECK(in_child([&]() -> int {
		      const TraceStream stream({});

		      *done = true;
		      _exit(0);
	      }) == 0);
	CHECK(*done);
	CHECK(instances().size() == before.size() + 1);
	{
		/* Whoever else has such a name keeps it. */
		const fs::path other = tracing / "instances/iommuctl-own";

		REQUIRE(mkdir(other.c_str(), 0700) == 0);
		const TraceStream stream({"ioas_map"});
		CHECK(instances().size() == before.size() + 2);
		CHECK(fs::exists(other));
		REQUIRE(rmdir(other.c_str()) == 0);
	}
	CHECK(instances() == before);
}

/* Where the process of a stream is not seen it looks like one that was killed. */
TEST_CASE("a stream of another namespace of processes is left alone")
{
	const std::vector<std::string> before = instances();
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);

	{
		Recorder recorder({"ioas_map"});

		CHECK(in_child([] {
			      if (unshare(CLONE_NEWPID))
				      return errno;
			      /* Its next child is the first there. */
			      const pid_t first = fork();
			      int status = -1;

			      if (first == 0) {
				      const TraceStream stream({"ioas_map"});

				      return 0;
			      }
			      waitpid(first, &status, 0);
			      return status;
		      }) == 0);
		context.map(ioas, memory, iova);
		CHECK(recorder.all() == Seen{range("ioas_map", ioas, iova, page_size)});
	}
	CHECK(instances() == before);
}

TEST_CASE("streams that are refused")
{
	const std::vector<std::string> before = instances();
	const auto error_of = [](const std::vector<std::string> &names) {
		try {
			const TraceStream stream(names);
		} catch (const iommukit::Error &error) {
			return error.command() == "tracefs" ? error.number() : -1;
		}
		return 0;
	};

	for (const char *name : {"nothing", "", "..", "../sched", "ioas_map/../../.."}) {
		INFO(name);
		CHECK(error_of({"ioas_map", name}) == ENOENT);
	}
	CHECK(instances() == before);
	CHECK(in_child([&] {
		      if (become_user(1000, 0))
			      return 1000;
		      return error_of({});
	      }) == EACCES);
}

TEST_CASE("what there was no room for is told")
{
	constexpr std::uint64_t events = 100'000;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);
	TraceStream stream({"ioas_map", "ioas_unmap"});
	std::uint64_t received = 0;

	for (std::uint64_t n = 0; n < events; n += 2) {
		REQUIRE(context.try_map(ioas, memory.va(), page_size, iova) == ok);
		REQUIRE(context.try_unmap(ioas, iova, page_size) == ok);
	}
	while (const std::optional<TraceEvent> event = stream.next())
		received += event->lost == 0;
	CHECK(received > 0);
	CHECK(stream.lost() > 0);
	CHECK(received + stream.lost() == events);
	/* It goes on. */
	REQUIRE(context.try_map(ioas, memory.va(), page_size, iova) == ok);
	const std::optional<TraceEvent> last = stream.next();
	REQUIRE(last);
	CHECK(last->name == "ioas_map");
}
