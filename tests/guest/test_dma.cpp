// SPDX-License-Identifier: GPL-2.0-only
/* The software DMA engine: its commands one by one. Jobs: test_dma_job.cpp. */
#include "access.h"
#include "engine.h"
#include "process.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t piece = 4 * page_size;
constexpr std::uint64_t total = 4 * piece;

/* Four adjacent areas, and an engine whose port 0 is attached to them. */
struct World {
	World() : ioas(context.ioas()), engine(context, ioas)
	{
		for (std::uint64_t n = 0; n < 4; n++)
			REQUIRE(context.try_map(ioas, memory.va() + n * piece, piece,
						area_iova + n * piece) == ok);
		memory.fill(1);
	}

	Context context;
	Memory memory{total};
	std::uint32_t ioas;
	Engine engine;
};

std::vector<std::byte> content(const Memory &memory, std::uint64_t offset,
			       std::uint64_t length)
{
	return {memory.data() + offset, memory.data() + offset + length};
}

struct Mode {
	const char *name;
	std::uint32_t flags;
};

const Mode modes[] = {
	{"copying", 0},
	{"pinning", dma_pin},
	{"copying in the engine's thread", dma_kthread},
	{"pinning in the engine's thread", dma_pin | dma_kthread},
};

struct Range {
	const char *name;
	std::uint64_t offset, length;
};

const Range ranges[] = {
	{"one byte", 5, 1},
	{"a page", page_size, page_size},
	{"across a page", page_size - 3, 6},
	{"across a mapping", piece - 1, 2},
	{"much", 77, 2 * piece + 1234},
};

template <class Command>
Errno issue(const Engine &engine, unsigned long request, Command &cmd)
{
	return call(engine.fd(), request, &cmd);
}

/* The common faults of size and port of the commands. */
template <class Command>
void check_size(const Engine &engine, unsigned long request, const Command &valid)
{
	struct {
		Command cmd;
		std::uint64_t tail;
	} larger{valid, 1};
	auto cmd = valid;

	cmd.size = sizeof(cmd) - 1;
	CHECK(issue(engine, request, cmd) == Errno{EINVAL});
	cmd.size = 0;
	CHECK(issue(engine, request, cmd) == Errno{EINVAL});
	larger.cmd.size = sizeof(larger);
	CHECK(call(engine.fd(), request, &larger) == Errno{E2BIG});
	CHECK(call(engine.fd(), request, nullptr) == Errno{EFAULT});
	CHECK(call(engine.fd(), request, bad_pointer()) == Errno{EFAULT});
}

} // namespace

TEST_CASE("DMA: numbers, sizes and pointers")
{
	const World world;
	const Engine &engine = world.engine;

	CHECK(IOMMUKIT_DMA_BIND == 0x3be0);
	CHECK(IOMMUKIT_DMA_STATUS == 0x3be8);
	check_size(engine, IOMMUKIT_DMA_BIND, command<iommukit_dma_bind>());
	check_size(engine, IOMMUKIT_DMA_UNBIND, command<iommukit_dma_port>());
	check_size(engine, IOMMUKIT_DMA_ATTACH, command<iommukit_dma_attach>());
	check_size(engine, IOMMUKIT_DMA_REPLACE, command<iommukit_dma_attach>());
	check_size(engine, IOMMUKIT_DMA_DETACH, command<iommukit_dma_port>());
	check_size(engine, IOMMUKIT_DMA_TRANSFER, command<iommukit_dma_transfer>());
	check_size(engine, IOMMUKIT_DMA_START, command<iommukit_dma_start>());
	check_size(engine, IOMMUKIT_DMA_STOP, command<iommukit_dma_stop>());
	check_size(engine, IOMMUKIT_DMA_STATUS, command<iommukit_dma_status>());
	for (unsigned int nr : {0x80U, 0xdfU, 0xe9U, 0xffU})
		CHECK(call(engine.fd(), _IO(';', nr), nullptr) == Errno{ENOTTY});
	/* The commands of one device are not those of the other. */
	CHECK(call(world.context.fd(), IOMMUKIT_DMA_STOP, nullptr) == Errno{ENOTTY});
}

TEST_CASE("DMA BIND rejections")
{
	using Bind = iommukit_dma_bind;
	const World world;
	const Fd other(open("/dev/null", O_RDWR));
	auto valid = command<Bind>();
	const std::vector<Fault<Bind>> faults{
		{"unknown flag", "flags", [](Bind &cmd) { cmd.flags |= 4; }, EOPNOTSUPP},
		{"reserved", "__reserved", [](Bind &cmd) { cmd.__reserved = 1; },
		 EOPNOTSUPP},
		{"port 2", "port", [](Bind &cmd) { cmd.port = 2; }, EINVAL},
		{"port -1", "port", [](Bind &cmd) { cmd.port = ~0U; }, EINVAL},
		{"no file", "fd", [](Bind &cmd) { cmd.fd = -1; }, EBADF},
		{"no context", "fd", [&](Bind &cmd) { cmd.fd = other.get(); }, EBADFD},
		{"an engine", "fd", [&](Bind &cmd) { cmd.fd = world.engine.fd(); },
		 EBADFD},
	};

	valid.port = 1;
	valid.fd = world.context.fd();
	for (const auto &fault : faults) {
		auto cmd = valid;

		INFO(fault.name);
		fault.inject(cmd);
		CHECK(issue(world.engine, IOMMUKIT_DMA_BIND, cmd) == Errno{fault.error});
	}
	SECTION("bound already")
	{
		auto cmd = valid;

		cmd.port = 0;
		CHECK(issue(world.engine, IOMMUKIT_DMA_BIND, cmd) == Errno{EBUSY});
	}
	SECTION("the valid one")
	{
		auto cmd = valid;

		CHECK(issue(world.engine, IOMMUKIT_DMA_BIND, cmd) == ok);
		CHECK(cmd.out_access_id != 0);
		CHECK(world.context.try_destroy(cmd.out_access_id) == Errno{EBUSY});
		CHECK(world.engine.try_unbind(1) == ok);
		CHECK(world.context.try_destroy(cmd.out_access_id) == Errno{ENOENT});
	}
}

TEST_CASE("DMA ports come and go")
{
	const World world;
	const Context &context = world.context;
	const Engine &engine = world.engine;
	const std::uint32_t other = context.ioas();

	SECTION("ports that are none")
	{
		CHECK(engine.try_unbind(2) == Errno{EINVAL});
		CHECK(engine.try_detach(2) == Errno{EINVAL});
		CHECK(engine.try_attach(2, world.ioas) == Errno{EINVAL});
		CHECK(engine.try_replace(2, world.ioas) == Errno{EINVAL});
	}
	SECTION("ports that are not bound")
	{
		CHECK(engine.try_unbind(1) == Errno{ENODEV});
		CHECK(engine.try_detach(1) == Errno{ENODEV});
		CHECK(engine.try_attach(1, world.ioas) == Errno{ENODEV});
		CHECK(engine.try_replace(1, world.ioas) == Errno{ENODEV});
	}
	SECTION("a port that is not attached")
	{
		REQUIRE(engine.try_bind(1, context.fd()) == ok);
		CHECK(engine.try_detach(1) == Errno{ENOENT});
		CHECK(engine.try_replace(1, other) == Errno{ENOENT});
		CHECK(engine.try_attach(1, 99) == Errno{ENOENT});
		CHECK(engine.try_attach(1, other) == ok);
		CHECK(context.try_destroy(other) == Errno{EBUSY});
		CHECK(engine.try_detach(1) == ok);
		CHECK(context.try_destroy(other) == ok);
	}
	SECTION("a port that is attached")
	{
		CHECK(engine.try_attach(0, other) == Errno{EINVAL});
		CHECK(engine.try_replace(0, 99) == Errno{ENOENT});
		CHECK(context.try_destroy(other) == ok);
		CHECK(context.try_destroy(world.ioas) == Errno{EBUSY});
	}
	SECTION("replace moves to the other IOAS")
	{
		CHECK(engine.try_replace(0, other) == ok);
		CHECK(context.try_destroy(world.ioas) == ok);
		CHECK(context.try_destroy(other) == Errno{EBUSY});
		CHECK(engine.try_unbind(0) == ok);
		CHECK(context.try_destroy(other) == ok);
	}
	SECTION("odd mappings are not for a port that pins")
	{
		REQUIRE(context.try_map(other, world.memory.va(), 2048, 2048) == ok);
		CHECK(engine.try_replace(0, other) == Errno{EADDRINUSE});
		REQUIRE(engine.try_bind(1, context.fd()) == ok);
		CHECK(engine.try_attach(1, other) == Errno{EADDRINUSE});
		CHECK(engine.try_unbind(1) == ok);
		engine.join(1, context, other, 0);
		CHECK(context.alignment(other) == 1);
		CHECK(context.alignment(world.ioas) == page_size);
	}
	SECTION("reserved members")
	{
		auto cmd = command<iommukit_dma_attach>();

		cmd.ioas_id = other;
		cmd.__reserved = 1;
		CHECK(issue(engine, IOMMUKIT_DMA_REPLACE, cmd) == Errno{EOPNOTSUPP});
		cmd.port = 1;
		REQUIRE(engine.try_bind(1, context.fd()) == ok);
		CHECK(issue(engine, IOMMUKIT_DMA_ATTACH, cmd) == Errno{EOPNOTSUPP});
	}
}

TEST_CASE("DMA TRANSFER rejections")
{
	using Transfer = iommukit_dma_transfer;
	const World world;
	const Memory buffer(page_size);
	auto valid =
		dma_transfer(IOMMUKIT_DMA_OP_COPY, area_iova, area_iova + piece, 100);

	valid.user_va = buffer.va();
	const std::vector<Fault<Transfer>> faults{
		{"unknown flag", "", [](auto &cmd) { cmd.flags = 4; }, EOPNOTSUPP},
		{"unknown op", "", [](auto &cmd) { cmd.op = 6; }, EOPNOTSUPP},
		{"reserved", "", [](auto &cmd) { cmd.__reserved = 1; }, EOPNOTSUPP},
		{"source port 2", "", [](auto &cmd) { cmd.src_port = 2; }, EINVAL},
		{"target port 2", "", [](auto &cmd) { cmd.dst_port = 2; }, EINVAL},
		{"no length", "", [](auto &cmd) { cmd.length = 0; }, EINVAL},
		{"source port not bound", "", [](auto &cmd) { cmd.src_port = 1; },
		 ENODEV},
		{"target port not bound", "", [](auto &cmd) { cmd.dst_port = 1; },
		 ENODEV},
		{"no source", "", [](auto &cmd) { cmd.src_iova = 0; }, ENOENT},
		{"no target", "", [](auto &cmd) { cmd.dst_iova = 0; }, ENOENT},
		{"source ends in a hole", "",
		 [](auto &cmd) { cmd.src_iova = area_iova + total - 99; }, ENOENT},
		{"target ends in a hole", "",
		 [](auto &cmd) { cmd.dst_iova = area_iova + total - 99; }, ENOENT},
		{"source wraps", "", [](auto &cmd) { cmd.src_iova = -99UL; }, EOVERFLOW},
		{"target wraps", "", [](auto &cmd) { cmd.dst_iova = -99UL; }, EOVERFLOW},
	};

	for (const auto &fault : faults)
		for (const Mode &mode : modes) {
			auto cmd = valid;

			INFO(fault.name << ", " << mode.name);
			cmd.flags = mode.flags;
			fault.inject(cmd);
			CHECK(world.engine.try_transfer(cmd) == Errno{fault.error});
		}
	auto cmd = valid;
	CHECK(world.engine.try_transfer(cmd) == ok);
}

TEST_CASE("DMA READ and WRITE with the caller's buffer")
{
	const World world;
	const Memory buffer(total);

	SECTION("faults")
	{
		for (std::uint32_t flags : {0U, dma_pin})
			for (std::uint32_t op :
			     {IOMMUKIT_DMA_OP_READ, IOMMUKIT_DMA_OP_WRITE}) {
				auto cmd = dma_transfer(op, area_iova, area_iova, 100,
							flags);

				cmd.user_va = 16;
				CHECK(world.engine.try_transfer(cmd) == Errno{EFAULT});
			}
	}
	SECTION("are not for the engine's thread")
	{
		for (std::uint32_t flags : {dma_kthread, dma_kthread | dma_pin})
			for (std::uint32_t op :
			     {IOMMUKIT_DMA_OP_READ, IOMMUKIT_DMA_OP_WRITE}) {
				auto cmd = dma_transfer(op, area_iova, area_iova, 100,
							flags);

				cmd.user_va = buffer.va();
				CHECK(world.engine.try_transfer(cmd) == Errno{EINVAL});
			}
	}
	SECTION("move the bytes of the range and no other")
	{
		for (std::uint32_t flags : {0U, dma_pin})
			for (const Range &range : ranges) {
				INFO(range.name << ", flags " << flags);
				auto cmd = dma_transfer(IOMMUKIT_DMA_OP_READ,
							area_iova + range.offset, 0,
							range.length, flags);

				world.memory.fill(1);
				buffer.fill(2);
				cmd.user_va = buffer.va() + 3;
				CHECK(world.engine.try_transfer(cmd) == ok);
				CHECK(content(buffer, 3, range.length) ==
				      pattern_of(1, range.offset, range.length));
				CHECK(buffer.data()[2] == pattern(2, 2));
				CHECK(buffer.data()[3 + range.length] ==
				      pattern(2, 3 + range.length));

				buffer.fill(2);
				cmd = dma_transfer(IOMMUKIT_DMA_OP_WRITE, 0,
						   area_iova + range.offset, range.length,
						   flags);
				cmd.user_va = buffer.va() + 3;
				CHECK(world.engine.try_transfer(cmd) == ok);
				auto expected = pattern_of(1, 0, total);
				const auto written = pattern_of(2, 3, range.length);
				std::copy(written.begin(), written.end(),
					  expected.begin() +
						  static_cast<long>(range.offset));
				CHECK(content(world.memory, 0, total) == expected);
			}
	}
	SECTION("are used by whoever calls")
	{
		CHECK(in_child([&] {
			      const Memory own(page_size,
					       Memory::Kind::private_anonymous);
			      auto cmd = dma_transfer(IOMMUKIT_DMA_OP_READ, area_iova + 9,
						      0, 500);

			      cmd.user_va = own.va();
			      if (world.engine.try_transfer(cmd) != ok)
				      return 1;
			      return content(own, 0, 500) == pattern_of(1, 9, 500) ? 0
										   : 2;
		      }) == 0);
	}
}

TEST_CASE("DMA COPY")
{
	const World world;

	for (const Mode &mode : modes) {
		DYNAMIC_SECTION(mode.name)
		{
			const auto copy = [&](std::uint64_t from, std::uint64_t to,
					      std::uint64_t length) {
				auto expected = pattern_of(1, 0, total);
				const auto moved = pattern_of(1, from, length);
				auto cmd = dma_transfer(IOMMUKIT_DMA_OP_COPY,
							area_iova + from, area_iova + to,
							length, mode.flags);

				INFO(length << " bytes from " << from << " to " << to);
				std::copy(moved.begin(), moved.end(),
					  expected.begin() + static_cast<long>(to));
				world.memory.fill(1);
				CHECK(world.engine.try_transfer(cmd) == ok);
				CHECK(content(world.memory, 0, total) == expected);
			};

			copy(0, 2 * piece, piece);
			copy(100, 2 * piece + 7, piece + 1000);
			copy(piece - 1, total - 2, 2);
			/* As memmove(), in both directions. */
			copy(0, 1, 3 * piece);
			copy(1, 0, 3 * piece);
			copy(0, page_size + 5, 2 * piece);
			copy(page_size + 5, 0, 2 * piece);
			copy(5000, 5000, 5000);
		}
	}
}

TEST_CASE("DMA COPY between address spaces")
{
	const World world;
	const Context stranger;
	const bool other_context = GENERATE(false, true);
	const Context &context = other_context ? stranger : world.context;
	const std::uint32_t to = context.ioas();
	const Memory target(total);

	context.map(to, target, 3 * page_size);
	world.engine.join(1, context, to);
	for (const Mode &mode : modes) {
		INFO(mode.name << (other_context ? ", two contexts" : ""));
		auto cmd = dma_transfer(IOMMUKIT_DMA_OP_COPY, area_iova + 10,
					3 * page_size + 77, 2 * piece, mode.flags);

		cmd.dst_port = 1;
		target.fill(9);
		CHECK(world.engine.try_transfer(cmd) == ok);
		CHECK(content(target, 77, 2 * piece) == pattern_of(1, 10, 2 * piece));
		CHECK(target.data()[76] == pattern(9, 76));
		CHECK(target.data()[77 + 2 * piece] == pattern(9, 77 + 2 * piece));
	}
}

TEST_CASE("DMA FILL")
{
	const World world;
	const std::array<std::uint8_t, 8> bytes{1, 2, 3, 4, 5, 6, 7, 8};

	for (const Mode &mode : modes)
		for (const Range &range : ranges) {
			auto cmd = dma_transfer(IOMMUKIT_DMA_OP_FILL, 0,
						area_iova + range.offset, range.length,
						mode.flags);
			auto expected = pattern_of(1, 0, total);

			INFO(mode.name << ", " << range.name);
			cmd.pattern = 0x0807060504030201;
			for (std::uint64_t i = 0; i < range.length; i++)
				expected[range.offset + i] = std::byte(bytes[i % 8]);
			world.memory.fill(1);
			CHECK(world.engine.try_transfer(cmd) == ok);
			CHECK(content(world.memory, 0, total) == expected);
		}
}

namespace {

std::string digest(const iommukit_dma_transfer &cmd)
{
	static const char digits[] = "0123456789abcdef";
	std::string text;

	for (std::uint8_t byte : cmd.out_digest) {
		text += digits[byte >> 4];
		text += digits[byte & 15];
	}
	return text;
}

struct Vector {
	std::uint32_t op;
	std::string data;
	std::string digest;
};

std::string ascending(std::size_t length)
{
	std::string text;

	for (std::size_t i = 0; i < length; i++)
		text += static_cast<char>(i);
	return text;
}

/* Published test vectors; CRC32C is little endian here. */
std::vector<Vector> vectors()
{
	const std::string zeros(56, '0');
	constexpr auto crc = IOMMUKIT_DMA_OP_CRC32C;
	constexpr auto sha = IOMMUKIT_DMA_OP_SHA256;

	return {
		{crc, "123456789", "839206e3" + zeros},
		{crc, std::string(32, '\0'), "aa36918a" + zeros},
		{crc, std::string(32, '\xff'), "43aba862" + zeros},
		{crc, ascending(32), "4e79dd46" + zeros},
		{sha, "abc",
		 "ba7816bf8f01cfea414140de5dae2223"
		 "b00361a396177a9cb410ff61f20015ad"},
		{sha, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039"
		 "a33ce45964ff2167f6ecedd419db06c1"},
		{sha, std::string(1000000, 'a'),
		 "cdc76e5c9914fb9281a1c7e284d73e67"
		 "f1809a48a497200e046d39ccc7112cd0"},
	};
}

} // namespace

TEST_CASE("DMA CRC32C and SHA256")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Engine engine(context, ioas);
	const Memory memory(1 << 20);

	context.map(ioas, memory, area_iova);
	for (const Mode &mode : modes) {
		DYNAMIC_SECTION(mode.name)
		{
			for (const Vector &vector : vectors()) {
				const std::uint64_t offset = page_size - 2;
				auto cmd = dma_transfer(vector.op, area_iova + offset, 0,
							vector.data.size(), mode.flags);

				INFO(vector.data.size() << " bytes");
				std::memcpy(memory.data() + offset, vector.data.data(),
					    vector.data.size());
				std::memset(cmd.out_digest, 0xee, sizeof(cmd.out_digest));
				CHECK(engine.try_transfer(cmd) == ok);
				CHECK(digest(cmd) == vector.digest);
			}
		}
	}
}

TEST_CASE("DMA whose answer cannot be written has been done")
{
	const World world;
	const PageAndHole page;
	auto cmd = dma_transfer(IOMMUKIT_DMA_OP_FILL, 0, area_iova, piece);
	void *at = page.tail(sizeof(cmd));

	std::memcpy(at, &cmd, sizeof(cmd));
	page.write_protect();
	CHECK(call(world.engine.fd(), IOMMUKIT_DMA_TRANSFER, at) == Errno{EFAULT});
	CHECK(content(world.memory, 0, piece) == std::vector<std::byte>(piece));
	CHECK(content(world.memory, piece, piece) == pattern_of(1, piece, piece));
}

TEST_CASE("DMA respects permissions")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Engine engine(context, ioas);
	const Memory readable(page_size), writable(page_size);
	const std::uint64_t source = area_iova, target = 2 * area_iova;

	context.map(ioas, readable, source, map_read);
	context.map(ioas, writable, target, map_write);
	for (const Mode &mode : modes) {
		const auto transfer = [&](std::uint32_t op, std::uint64_t from,
					  std::uint64_t to) {
			auto cmd = dma_transfer(op, from, to, page_size, mode.flags);

			return engine.try_transfer(cmd);
		};

		INFO(mode.name);
		readable.fill(1);
		writable.fill(2);
		CHECK(transfer(IOMMUKIT_DMA_OP_COPY, target, source) == Errno{EPERM});
		CHECK(transfer(IOMMUKIT_DMA_OP_COPY, target, target) == Errno{EPERM});
		CHECK(transfer(IOMMUKIT_DMA_OP_FILL, 0, source) == Errno{EPERM});
		CHECK(transfer(IOMMUKIT_DMA_OP_CRC32C, target, 0) == Errno{EPERM});
		CHECK(content(readable, 0, page_size) == pattern_of(1, 0, page_size));
		CHECK(transfer(IOMMUKIT_DMA_OP_COPY, source, target) == ok);
		CHECK(content(writable, 0, page_size) == pattern_of(1, 0, page_size));
	}
}

TEST_CASE("DMA through a port that does not pin")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Engine engine;
	const Memory memory(2 * page_size);

	engine.join(0, context, ioas, 0);
	memory.fill(1);
	/* Nothing is aligned to anything. */
	REQUIRE(context.try_map(ioas, memory.va() + 100, 5000, 33) == ok);
	for (const Mode &mode : modes) {
		auto cmd = dma_transfer(IOMMUKIT_DMA_OP_COPY, 33, 33 + 2500, 2500,
					mode.flags);

		INFO(mode.name);
		CHECK(engine.try_transfer(cmd) ==
		      Errno{mode.flags & dma_pin ? EINVAL : 0});
	}
	CHECK(content(memory, 2600, 2500) == pattern_of(1, 100, 2500));
	CHECK(engine.try_start(dma_job(IOMMUKIT_DMA_OP_FILL, 0, 33, 8, dma_pin)) ==
	      Errno{EINVAL});
}

TEST_CASE("DMA of memory that is not there")
{
	const World world;

	world.memory.unmap(piece, page_size);
	for (const Mode &mode : modes) {
		auto cmd = dma_transfer(IOMMUKIT_DMA_OP_FILL, 0, area_iova + piece - 8,
					16, mode.flags);

		INFO(mode.name);
		CHECK(world.engine.try_transfer(cmd) == Errno{EFAULT});
		cmd = dma_transfer(IOMMUKIT_DMA_OP_SHA256, area_iova, 0, total,
				   mode.flags);
		CHECK(world.engine.try_transfer(cmd) == Errno{EFAULT});
	}
	CHECK(check_refs(world.context, world.memory.va(), piece, 0) == ok);
}

TEST_CASE("DMA leaves nothing pinned after a transfer")
{
	const World world;

	for (const Mode &mode : modes) {
		auto cmd = dma_transfer(IOMMUKIT_DMA_OP_COPY, area_iova,
					area_iova + 2 * piece, 2 * piece, mode.flags);

		INFO(mode.name);
		CHECK(world.engine.try_transfer(cmd) == ok);
		CHECK(check_refs(world.context, world.memory, 0) == ok);
		CHECK(world.engine.status().out_pinned_pages == 0);
	}
	CHECK(world.engine.status().out_unmap_calls == 0);
}

TEST_CASE("DMA for a port that is not attached")
{
	const Context context;
	const Engine engine;

	REQUIRE(engine.try_bind(0, context.fd()) == ok);
	for (const Mode &mode : modes) {
		auto cmd =
			dma_transfer(IOMMUKIT_DMA_OP_FILL, 0, area_iova, 8, mode.flags);

		CHECK(engine.try_transfer(cmd) == Errno{ENOENT});
	}
}
