// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_client.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace guest {

/* ---- clients ---- */

Errno IotlbClient::attempt(const Context &context, std::uint32_t iotlb,
			   std::uint32_t flags, std::uint32_t asid, Fd *client)
{
	auto cmd = iommukit::command<iommukit_test_cmd>();

	cmd.op = IOMMUKIT_TEST_OP_IOTLB_CLIENT_CREATE;
	cmd.id = iotlb;
	cmd.iotlb_client_create.asid = asid;
	cmd.iotlb_client_create.flags = flags;
	const Errno error = call(context.fd(), IOMMUKIT_TEST_CMD, &cmd);

	if (error == ok)
		client->reset(static_cast<int>(cmd.iotlb_client_create.out_fd));
	return error;
}

/* Commands go through a descriptor of their own, which outlives the context's. */
IotlbClient::IotlbClient(const Context &context, Fd created)
	: device(fcntl(context.fd(), F_DUPFD_CLOEXEC, 0)), client(std::move(created))
{
	REQUIRE(device);
}

IotlbClient::IotlbClient(const Context &context, std::uint32_t iotlb, std::uint32_t flags,
			 std::uint32_t asid)
	: IotlbClient(context, Fd())
{
	REQUIRE(attempt(context, iotlb, flags, asid, &client) == ok);
}

iommukit_test_cmd IotlbClient::command(std::uint32_t op) const
{
	auto cmd = iommukit::command<iommukit_test_cmd>();

	cmd.op = op;
	cmd.id = static_cast<std::uint32_t>(client.get());
	return cmd;
}

void IotlbClient::cancel(bool on) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_IOTLB_CANCEL);

	cmd.iotlb_cancel.on = on;
	REQUIRE(call(device.get(), IOMMUKIT_TEST_CMD, &cmd) == ok);
}

void IotlbClient::behave(std::uint32_t flags, std::uint32_t delay_ms) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_IOTLB_BEHAVIOUR);

	cmd.iotlb_behaviour.flags = flags;
	cmd.iotlb_behaviour.delay_ms = delay_ms;
	REQUIRE(call(device.get(), IOMMUKIT_TEST_CMD, &cmd) == ok);
}

ClientStats IotlbClient::stats(std::uint32_t reader) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_IOTLB_STATS);
	ClientStats stats{};

	stats.reader = reader;
	cmd.iotlb_stats.uptr = reinterpret_cast<std::uint64_t>(&stats);
	REQUIRE(call(device.get(), IOMMUKIT_TEST_CMD, &cmd) == ok);
	return stats;
}

Errno IotlbClient::try_prefetch(
	const std::vector<std::pair<std::uint64_t, std::uint64_t>> &ranges,
	std::uint32_t prot, int *result, std::uint32_t how) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_IOTLB_PREFETCH);
	std::vector<std::uint64_t> words;

	for (const auto &[iova, length] : ranges) {
		words.push_back(iova);
		words.push_back(length);
	}
	cmd.iotlb_prefetch.uptr = reinterpret_cast<std::uint64_t>(words.data());
	cmd.iotlb_prefetch.count = static_cast<std::uint32_t>(ranges.size());
	cmd.iotlb_prefetch.prot = prot;
	cmd.iotlb_prefetch.how = how;
	const Errno error = call(device.get(), IOMMUKIT_TEST_CMD, &cmd);

	*result = cmd.iotlb_prefetch.out_result;
	return error;
}

Errno IotlbClient::try_reader(std::uint32_t flags, std::uint32_t *index) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_IOTLB_READER_CREATE);

	cmd.iotlb_reader_create.flags = flags;
	const Errno error = call(device.get(), IOMMUKIT_TEST_CMD, &cmd);

	if (error == ok)
		*index = cmd.iotlb_reader_create.out_reader;
	return error;
}

Errno IotlbClient::try_destroy_reader(std::uint32_t index) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_IOTLB_READER_DESTROY);

	cmd.iotlb_reader.reader = index;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno IotlbClient::try_stop_reader(std::uint32_t index) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_IOTLB_READER_STOP);

	cmd.iotlb_reader.reader = index;
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

Errno IotlbClient::try_run(iommukit_test_iotlb &run) const
{
	auto cmd = command(IOMMUKIT_TEST_OP_IOTLB_RUN);

	cmd.iotlb_run.uptr = reinterpret_cast<std::uint64_t>(&run);
	return call(device.get(), IOMMUKIT_TEST_CMD, &cmd);
}

/* ---- readers ---- */

Reader::Reader(const IotlbClient &of, std::uint32_t flags) : client(of)
{
	REQUIRE(client.try_reader(flags, &number) == ok);
}

iommukit_test_iotlb Reader::action(std::uint32_t what) const
{
	iommukit_test_iotlb cmd{};

	cmd.reader = number;
	cmd.what = what;
	return cmd;
}

/* A result above 0 is no errno. */
Errno Reader::run(iommukit_test_iotlb &cmd) const
{
	const Errno error = client.try_run(cmd);

	if (error != ok || cmd.out_result >= 0)
		return error;
	return Errno{-cmd.out_result};
}

Errno Reader::simple(std::uint32_t what) const
{
	auto cmd = action(what);

	return run(cmd);
}

Lookup Reader::lookup(std::uint32_t what, std::uint64_t iova, std::uint64_t length,
		      std::uint32_t prot, const Look &look) const
{
	auto cmd = action(what);
	Lookup found;

	if (look.how & IOMMUKIT_TEST_IOTLB_AND_COPY)
		found.data.resize(length);
	found.segs.resize(look.max);
	cmd.how = look.how;
	cmd.flags = look.flags;
	cmd.copy_flags = look.copy_flags;
	cmd.prot = prot;
	cmd.max = look.max;
	cmd.timeout_ms = look.timeout_ms;
	cmd.iova = iova;
	cmd.length = length;
	cmd.uptr = reinterpret_cast<std::uint64_t>(found.data.data());
	cmd.segs = reinterpret_cast<std::uint64_t>(found.segs.data());
	found.error = run(cmd);
	found.done = cmd.out_done;
	found.segs.resize(std::min(cmd.out_nsegs, look.max));
	return found;
}

Lookup Reader::translate(std::uint64_t iova, std::uint64_t length, std::uint32_t prot,
			 const Look &look) const
{
	return lookup(IOMMUKIT_TEST_IOTLB_TRANSLATE, iova, length, prot, look);
}

Lookup Reader::nowait(std::uint64_t iova, std::uint64_t length, std::uint32_t prot,
		      const Look &look) const
{
	return lookup(IOMMUKIT_TEST_IOTLB_NOWAIT, iova, length, prot, look);
}

Lookup Reader::probe(std::uint64_t iova, std::uint64_t length, std::uint32_t prot,
		     const Look &look) const
{
	return lookup(IOMMUKIT_TEST_IOTLB_PROBE, iova, length, prot, look);
}

Errno Reader::try_read(std::uint64_t iova, void *to, std::uint64_t length,
		       std::uint32_t flags, std::uint32_t how) const
{
	auto cmd = action(IOMMUKIT_TEST_IOTLB_RW);

	cmd.how = how;
	cmd.flags = flags;
	cmd.iova = iova;
	cmd.length = length;
	cmd.uptr = reinterpret_cast<std::uint64_t>(to);
	return run(cmd);
}

Errno Reader::try_write(std::uint64_t iova, const void *from, std::uint64_t length,
			std::uint32_t flags) const
{
	return try_read(iova, const_cast<void *>(from), length, flags | copy_write);
}

Errno Reader::try_loop(Loop &loop) const
{
	auto cmd = action(IOMMUKIT_TEST_IOTLB_LOOP);

	cmd.how = loop.how;
	cmd.copy_flags = loop.write ? copy_write : 0;
	cmd.prot = loop.write ? perm_write : perm_read;
	cmd.max = loop.words;
	cmd.timeout_ms = loop.timeout_ms;
	cmd.iova = loop.iova;
	cmd.length = loop.stride;
	cmd.count = loop.count;
	cmd.value = loop.value;
	const Errno error = run(cmd);

	loop.copied = cmd.out_copied;
	loop.equal = cmd.out_equal;
	loop.missed = cmd.out_missed;
	return error;
}

bool Reader::relax() const
{
	auto cmd = action(IOMMUKIT_TEST_IOTLB_RELAX);

	REQUIRE(run(cmd) == ok);
	return cmd.out_result == 1;
}

Errno Reader::copy(std::uint64_t offset, void *data, std::uint64_t length,
		   std::uint32_t flags) const
{
	auto cmd = action(IOMMUKIT_TEST_IOTLB_COPY);

	cmd.copy_flags = flags;
	cmd.offset = offset;
	cmd.length = length;
	cmd.uptr = reinterpret_cast<std::uint64_t>(data);
	return run(cmd);
}

Errno Reader::pin(std::uint64_t segment, std::uint32_t flags) const
{
	auto cmd = action(IOMMUKIT_TEST_IOTLB_PIN);

	cmd.flags = flags;
	cmd.offset = segment;
	return run(cmd);
}

Errno Reader::unpin(std::uint64_t iova) const
{
	auto cmd = action(IOMMUKIT_TEST_IOTLB_UNPIN);

	cmd.iova = iova;
	return run(cmd);
}

Errno Reader::begin(std::uint64_t iova, std::uint64_t length, std::uint32_t prot,
		    const Look &look) const
{
	Look async = look;

	async.how |= IOMMUKIT_TEST_IOTLB_ASYNC;
	return translate(iova, length, prot, async).error;
}

Errno Reader::begin_read(std::uint64_t iova, std::uint64_t length) const
{
	return try_read(iova, nullptr, length, copy_kthread, IOMMUKIT_TEST_IOTLB_ASYNC);
}

Lookup Reader::finish(std::uint64_t length) const
{
	auto cmd = action(IOMMUKIT_TEST_IOTLB_WAIT);
	Lookup found;

	found.data.resize(length);
	found.segs.resize(IOMMUKIT_TEST_IOTLB_SEGS);
	cmd.uptr = reinterpret_cast<std::uint64_t>(found.data.data());
	cmd.segs = reinterpret_cast<std::uint64_t>(found.segs.data());
	found.error = run(cmd);
	found.done = cmd.out_done;
	found.segs.resize(std::min(cmd.out_nsegs, IOMMUKIT_TEST_IOTLB_SEGS));
	return found;
}

void Reader::stop() const
{
	REQUIRE(client.try_stop_reader(number) == ok);
}

bool leads(const Lookup &lookup, std::uint64_t iova, std::uint64_t length,
	   std::uint64_t target)
{
	std::uint64_t done = 0;

	for (const auto &seg : lookup.segs) {
		if (seg.iova != iova + done || seg.target != target + done ||
		    seg.length == 0 || seg.length > length - done)
			return false;
		done += seg.length;
	}
	return done == length && lookup.done == length;
}

char thread_state(int tid)
{
	std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/stat");
	std::string line;

	/* The name in parentheses may contain anything. */
	std::getline(file, line);
	const std::size_t name_end = line.rfind(") ");
	return name_end == std::string::npos ? '?' : line[name_end + 2];
}

Fd descriptor_of(pid_t process, int fd)
{
	const Fd handle(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));

	REQUIRE(handle);
	Fd taken(static_cast<int>(syscall(SYS_pidfd_getfd, handle.get(), fd, 0)));
	REQUIRE(taken);
	return taken;
}

} // namespace guest
