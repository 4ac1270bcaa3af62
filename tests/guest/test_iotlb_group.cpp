// SPDX-License-Identifier: GPL-2.0-only
/* IOTLBs of processes whose group has little memory, or is frozen. */
#include "iotlb_world.h"
#include "mm_tools.h"
#include "modules.h"
#include "process.h"

#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>

using namespace guest;

namespace {

constexpr auto pending = IOMMUKIT_IOTLB_STAT_PENDING;

/* ---- memory ---- */

/* Little enough to be used up by kernels with checkers, too. */
const std::uint64_t limit = slowness() > 1 ? 512UL << 10 : 4UL << 20;
/* Far more than the limit has room for. */
constexpr std::uint64_t flood_entries = 1UL << 19;
/* Behind a refusal there may be room once more, for a while. */
constexpr unsigned int refusals = 8;

/* What a server has seen that floods its IOTLB with entries. */
struct Flood {
	std::uint64_t entries;
	/* 1 as long as it is at its limit, for others to look. */
	std::atomic<int> at_limit;
	/* How it ended, and what could still be done then. */
	unsigned int refused, lost;
	int other_error, split, split_is_gone, forgotten, rest_is_gone, after;
};

/* The kernel tells of each time that a group has nobody left to kill. */
void announce(const char *what)
{
	std::ofstream("/dev/kmsg")
		<< "<6>iommukit-box: forced failures " << what << std::flush;
}

/* No neighbours, or they would be one. */
IotlbMessage flood_entry(std::uint64_t n)
{
	return update_of(2 * n * page_size, page_size, n * page_size);
}

iommukit_iotlb_alloc flood_alloc(const Context &context)
{
	auto how = iotlb_alloc(context.ioas());

	how.max_entries = flood_entries;
	how.evict_policy = IOMMUKIT_IOTLB_EVICT_NONE;
	return how;
}

/* Not by a pipe, which needs memory. */
void stay_at_limit(Flood &seen)
{
	seen.at_limit = 1;
	while (seen.at_limit)
		usleep(1000);
}

void flood_with(const Iotlb &iotlb, std::uint64_t most, Flood &seen)
{
	const Channel &channel = iotlb.channel;
	iommukit_iotlb_entry entry;
	std::uint64_t last = 0;

	seen.entries = seen.refused = seen.lost = 0;
	for (std::uint64_t n = 0; n < most && seen.refused < refusals; n++) {
		const Errno error = channel.try_send(flood_entry(n));

		if (error == ok) {
			seen.entries++;
			last = 2 * n * page_size;
			continue;
		}
		seen.refused++;
		if (error != Errno{ENOMEM})
			seen.other_error = error.value;
		/* Nothing of it is there. */
		seen.lost += iotlb.try_query(2 * n * page_size, &entry) == ok;
	}
	/* What was there still is, the first of them and the last. */
	seen.lost += (iotlb.try_query(0, &entry) != ok) +
		     (iotlb.try_query(last, &entry) != ok);
	if (most == flood_entries)
		stay_at_limit(seen);
	/* In the middle of an entry, the rest of which would need memory. */
	seen.split = channel.try_send(invalidate_of(page_size / 2, 16)).value;
	seen.split_is_gone = iotlb.try_query(page_size / 2, &entry).value;
	seen.forgotten = channel.try_send(invalidate_of(0, last + page_size)).value;
	seen.rest_is_gone = iotlb.try_query(0, &entry).value;
}

/*
 * A server that floods, and lets itself be seen at the limit. Who can be killed gets no
 * ENOMEM, but is killed.
 */
int flood(const MemoryGroup &group, bool protect, Flood &seen)
{
	if (protect && !write_text("/proc/self/oom_score_adj", "-1000"))
		return 1;
	const Context context;
	const Iotlb iotlb(context, flood_alloc(context));
	iotlb.channel.configure();
	/* At the limit there is no page for what was not touched before. */
	flood_with(iotlb, 100, seen);
	iotlb.flush();
	if (!group.enter(getpid()))
		return 2;
	flood_with(iotlb, flood_entries, seen);
	/* Memory comes back when nobody can be reading any more. */
	seen.after =
		wait_until([&] { return iotlb.channel.try_send(flood_entry(0)) == ok; })
			? 0
			: ENOMEM;
	return 0;
}

/* An IOTLB of somebody else works as ever. */
bool others_work(const IotlbWorld &world)
{
	bool work = true;

	for (std::uint64_t n = 0; n < 64; n++) {
		work = work &&
		       world.channel.try_send(update_of(n * page_size, page_size,
							IotlbWorld::target)) == ok &&
		       world.reader.translate(n * page_size, page_size).error == ok;
	}
	return work && world.channel.try_send(invalidate_of(0, 0)) == ok;
}

void need_memory_groups()
{
	if (const auto reason = lacks_memory_groups(); !reason.empty())
		skip(reason);
}

/* ---- the freezer ---- */

/* Something that stops processes wherever they are, and tells when it has. */
class Freezer {
    public:
	virtual ~Freezer() = default;
	/* True if the process was frozen. */
	virtual bool freeze(pid_t process) = 0;
	virtual void thaw(pid_t process) = 0;
};

std::string text_of(const std::string &path)
{
	std::ifstream file(path);

	return {std::istreambuf_iterator<char>(file), {}};
}

/* A group of version 1, which stops as suspending does: where a process sleeps. */
class OldGroup : public Freezer {
    public:
	OldGroup()
	{
		mkdir(root.c_str(), 0700);
		if (mount("none", root.c_str(), "cgroup", 0, "freezer") != 0)
			skip("this kernel has no freezer of old groups");
		REQUIRE((mkdir(group.c_str(), 0700) == 0 || errno == EEXIST));
	}
	~OldGroup() override
	{
		write_text(group + "/freezer.state", "THAWED");
		CHECK(wait_until([&] { return rmdir(group.c_str()) == 0; }));
		umount(root.c_str());
	}
	bool freeze(pid_t process) override
	{
		return write_text(group + "/cgroup.procs", std::to_string(process)) &&
		       write_text(group + "/freezer.state", "FROZEN") && wait_until([&] {
			       return text_of(group + "/freezer.state") == "FROZEN\n";
		       });
	}
	void thaw(pid_t) override
	{
		CHECK(write_text(group + "/freezer.state", "THAWED"));
	}

    private:
	const std::string root = "/tmp/iommukit-freezer", group = root + "/group";
};

/* A group of version 2, which stops a process on its way out of the kernel. */
class NewGroup : public Freezer {
    public:
	NewGroup()
	{
		if (!exists(root + "/cgroup.procs"))
			mount("none", root.c_str(), "cgroup2", 0, nullptr);
		if (!exists(root + "/cgroup.procs"))
			skip("this kernel has no groups of version 2");
		REQUIRE(mkdir(group.c_str(), 0700) == 0);
		REQUIRE(exists(group + "/cgroup.freeze"));
	}
	~NewGroup() override
	{
		write_text(group + "/cgroup.freeze", "0");
		CHECK(wait_until([&] { return rmdir(group.c_str()) == 0; }));
	}
	bool freeze(pid_t process) override
	{
		return write_text(group + "/cgroup.procs", std::to_string(process)) &&
		       write_text(group + "/cgroup.freeze", "1") && wait_until([&] {
			       return text_of(group + "/cgroup.events")
					      .find("frozen 1") != std::string::npos;
		       });
	}
	void thaw(pid_t) override { CHECK(write_text(group + "/cgroup.freeze", "0")); }

    private:
	const std::string root = "/sys/fs/cgroup",
			  group = root + "/iommukit-freezer-" + std::to_string(getpid());
};

/* All processes but this one, as before hibernation. */
class WholeSystem : public Freezer {
    public:
	WholeSystem()
	{
		/* In no file system of devices unless there is somewhere to write to. */
		snapshot.reset(open("/dev/snapshot", O_RDONLY | O_CLOEXEC));
		if (!snapshot)
			skip("this kernel cannot hibernate");
	}
	bool freeze(pid_t) override
	{
		return ioctl(snapshot.get(), SNAPSHOT_FREEZE) == 0;
	}
	void thaw(pid_t) override
	{
		CHECK(ioctl(snapshot.get(), SNAPSHOT_UNFREEZE) == 0);
	}

    private:
	Fd snapshot;
};

/* A process that waits for a translation; what it is told, it asks for once more. */
int wait_for_translation(const Reader &reader)
{
	Errno error;

	do
		error = reader.translate(0, 1).error;
	while (error == restarted);
	return error.value;
}

/* One that keeps its miss meanwhile: it sleeps on, and the answer does not wait for it.
 */
void freeze_where_it_sleeps(Freezer &freezer, std::uint32_t flags)
{
	const IotlbWorld world;
	const Reader reader(world.client, flags);
	Child process([&](const Child::Steps &) { return wait_for_translation(reader); });

	REQUIRE(world.iotlb.await(pending, 1));
	const IotlbMessage miss = world.channel.next();
	REQUIRE(freezer.freeze(process.pid()));
	CHECK(world.iotlb.stat(pending) == 1);
	CHECK(world.channel.try_send(answer_to(miss, 0, page_size, IotlbWorld::target)) ==
	      ok);
	CHECK(world.iotlb.stat(pending) == 0);
	CHECK(world.channel.try_send(invalidate_of(page_size, page_size)) == ok);
	freezer.thaw(process.pid());
	CHECK(process.join() == 0);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_INTERRUPTED) == 0);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED) == 1);
}

} // namespace

TEST_CASE("a flood of updates by who has little memory")
{
	need_memory_groups();
	const IotlbWorld world;
	const MemoryGroup group(limit);
	const Shared<Flood> seen;

	announce("begin");
	Child server([&](const Child::Steps &) { return flood(group, true, *seen); });
	REQUIRE(wait_until([&] { return seen->at_limit == 1; }));
	CHECK(others_work(world));
	seen->at_limit = 0;
	CHECK(server.join() == 0);
	announce("end");
	INFO(seen->entries << " entries");
	CHECK(seen->entries > 100);
	CHECK(seen->entries < flood_entries);
	CHECK(seen->refused == refusals);
	CHECK(Errno{seen->other_error} == ok);
	CHECK(seen->lost == 0);
	CHECK(Errno{seen->split} == ok);
	CHECK(Errno{seen->split_is_gone} == Errno{ENOENT});
	CHECK(Errno{seen->forgotten} == ok);
	CHECK(Errno{seen->rest_is_gone} == Errno{ENOENT});
	CHECK(Errno{seen->after} == ok);
	CHECK(others_work(world));
	/* All that was charged is given back. */
	CHECK(wait_until([&] { return group.usage() < limit / 2; }));
}

TEST_CASE("a flood of updates by who is killed for it")
{
	need_memory_groups();
	const IotlbWorld world;
	const MemoryGroup group(limit);
	const Shared<Flood> seen;

	announce("begin");
	Child server([&](const Child::Steps &) { return flood(group, false, *seen); });
	CHECK(server.join() == deadly_signal + SIGKILL);
	announce("end");
	CHECK(group.oom_kills() >= 1);
	CHECK(others_work(world));
	CHECK(wait_until([&] { return group.usage() < limit / 2; }));
}

TEST_CASE("a group is frozen of which a process waits for a server")
{
	OldGroup freezer;

	freeze_where_it_sleeps(freezer, 0);
	freeze_where_it_sleeps(freezer, reader_interruptible);
}

TEST_CASE("the system is frozen while a process waits for a server")
{
	WholeSystem freezer;

	freeze_where_it_sleeps(freezer, 0);
}

TEST_CASE("a group of version 2 is frozen of which a process waits for a server")
{
	NewGroup freezer;
	const IotlbWorld world;
	const Reader reader(world.client, reader_interruptible);
	Child process([&](const Child::Steps &) { return wait_for_translation(reader); });

	REQUIRE(world.iotlb.await(pending, 1));
	REQUIRE(freezer.freeze(process.pid()));
	/* It has left; its miss went with it. */
	CHECK(world.iotlb.stat(pending) == 0);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_INTERRUPTED) == 1);
	CHECK(world.channel.quiet());
	freezer.thaw(process.pid());
	const IotlbMessage miss = world.channel.next();
	world.channel.send(answer_to(miss, 0, page_size, IotlbWorld::target));
	CHECK(process.join() == 0);
}
