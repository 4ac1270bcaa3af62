// SPDX-License-Identifier: GPL-2.0-only
// Transfers to and from files go in pieces, so that memory stays small whatever
// the length; a piece that fails leaves those before it done, as the engine does.
#include "dma_io.h"

#include "command.h"
#include "failure.h"
#include "raw.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::uint64_t chunk = 4 << 20;
// A dump longer than this was meant to go to a file.
constexpr std::uint64_t most_dumped = 1 << 20;

constexpr std::array data_fields = {
	Field{"iova", Show::address, "first byte"},
	Field{"length", Show::size, "bytes"},
	Field{"data", Show::text, "the bytes, hexadecimal"},
};
PortIova advance(PortIova place, std::uint64_t by)
{
	place.iova = place.iova + Bytes(by);
	return place;
}

std::string dump_line(std::uint64_t iova, std::span<const std::uint8_t> bytes)
{
	constexpr std::size_t width = 16;
	std::string digits;
	std::string text;

	for (std::size_t i = 0; i < width; i++) {
		if (i % 8 == 0)
			digits += ' ';
		if (i >= bytes.size()) {
			digits += "   ";
			continue;
		}
		digits += " " + hex_digits(bytes.subspan(i, 1));
		text += std::isprint(bytes[i]) ? static_cast<char>(bytes[i]) : '.';
	}
	std::string address = hex(iova).substr(2);
	address.insert(0, address.size() < 12 ? 12 - address.size() : 0, '0');
	return address + digits + "  |" + text + "|\n";
}

// Writes all of it; the path is for the message.
void write_all(int fd, std::span<const std::byte> data, const std::string &path)
{
	while (!data.empty()) {
		ssize_t n = ::write(fd, data.data(), data.size());
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			throw file_failure(path, "write", errno);
		data = data.subspan(static_cast<std::size_t>(n));
	}
}

} // namespace

constinit const FieldTable data_table = {"data", data_fields};

std::string hex_digits(std::span<const std::uint8_t> bytes)
{
	constexpr std::string_view digits = "0123456789abcdef";
	std::string out;

	for (auto byte : bytes) {
		out += digits[byte >> 4];
		out += digits[byte & 15];
	}
	return out;
}

Report dump_memory(Session &session, PortIova from, Bytes length, Mode mode)
{
	if (length.value > most_dumped)
		throw usage_failure("a dump of " + hex(length.value) +
					    " bytes is too long",
				    "give length, or to FILE");
	std::vector<std::uint8_t> data(length.value);
	session.engine().read(from, std::as_writable_bytes(std::span(data)), mode);
	std::string text;
	for (std::size_t at = 0; at < data.size(); at += 16) {
		std::size_t rest = std::min<std::size_t>(16, data.size() - at);
		text += dump_line(from.iova.value + at,
				  std::span(data).subspan(at, rest));
	}
	Row row{from.iova.value, length.value, hex_digits(data)};
	// The kernel filled nothing in.
	if (session.dry_run())
		return {};
	return Report::drawn(data_table, {row}, text).primary("data");
}

void read_to_file(Session &session, PortIova from, Bytes length, Mode mode,
		  const std::string &path)
{
	std::vector<std::byte> buffer(std::min(chunk, length.value));
	Progress progress(session.output(), "reading", length.value);
	Fd file;

	if (path != "-" && !session.dry_run()) {
		file = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				 0666));
		if (!file)
			throw file_failure(path, "create", errno);
	}
	for (std::uint64_t done = 0; done < length.value;) {
		std::span piece(buffer.data(), std::min(chunk, length.value - done));
		session.engine().read(advance(from, done), piece, mode);
		if (!session.dry_run())
			write_all(path == "-" ? STDOUT_FILENO : file.get(), piece, path);
		done += piece.size();
		progress.update(done);
	}
}

// STATUS may be asked for while a transfer runs, so a second thread can look.
void watch_engine(Session &session, const std::string &what, Bytes length,
		  const std::function<void()> &transfer)
{
	using namespace std::chrono_literals;
	Progress progress(session.output(), what, length.value);

	if (!progress.enabled() || session.dry_run())
		return transfer();
	std::uint64_t before = session.engine().status().bytes.value;
	std::jthread watcher([&](std::stop_token stop) {
		iommukit_dma_status status;
		while (!stop.stop_requested()) {
			status = command<iommukit_dma_status>();
			// A bar that cannot be drawn must not end the transfer.
			if (!try_status(session.engine(), status))
				progress.update(std::min<std::uint64_t>(
					status.out_bytes - before, length.value));
			std::this_thread::sleep_for(50ms);
		}
	});
	transfer();
}

Bytes write_text(Session &session, PortIova to, const std::string &text, Mode mode)
{
	session.engine().write(to, std::as_bytes(std::span(text)), mode);
	return Bytes(text.size());
}

Bytes write_file(Session &session, PortIova to, const std::string &path, Mode mode)
{
	Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	std::vector<std::byte> buffer(chunk);
	struct stat stat;

	if (!file || ::fstat(file.get(), &stat) < 0)
		throw file_failure(path, "open", errno);
	if (S_ISDIR(stat.st_mode))
		throw file_failure(path, "read", EISDIR);
	Progress progress(session.output(), "writing",
			  static_cast<std::uint64_t>(stat.st_size));
	for (std::uint64_t done = 0;;) {
		ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			throw file_failure(path, "read", errno);
		if (n == 0 && !done)
			throw Failure(Exit::usage, path + " is empty",
				      "there is nothing to write; see ls -l " + path);
		if (n == 0)
			return Bytes(done);
		std::span piece(buffer.data(), static_cast<std::size_t>(n));
		session.engine().write(advance(to, done), piece, mode);
		done += piece.size();
		progress.update(done);
	}
}

} // namespace ctl
