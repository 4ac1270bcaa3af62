// SPDX-License-Identifier: GPL-2.0-only
// iommuctl dma: the software DMA engine of iommukit_dma, its two ports and its
// job. A session has one engine. What the session knows of a port (which IOAS it
// looks at) is there for convenience only: it finds the length of a mapping. The
// kernel decides what a port may do.
#include "devices.h"
#include "dma_io.h"
#include "end_signal.h"
#include "failure.h"
#include "objects.h"
#include "records.h"
#include "session.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array port_fields = {
	Field{"port", Show::number, "0 or 1"},
	Field{"access_id", Show::number, "id of the access object in the context"},
	Field{"context", Show::number, "number of the context"},
	Field{"pin", Show::boolean, "the port may pin pages"},
};
constexpr FieldTable port_table = {"port", port_fields};

constexpr std::array transfer_fields = {
	Field{"op", Show::text, "what was done"},
	Field{"iova", Show::address, "first byte"},
	Field{"to", Show::address, "first byte of the destination of a copy"},
	Field{"length", Show::size, "bytes"},
	Field{"mode", Show::text, "copy, pin, kthread or pin-kthread"},
};
constexpr FieldTable transfer_table = {"transfer", transfer_fields};

constexpr std::array digest_fields = {
	Field{"op", Show::text, "crc32c or sha256"},
	Field{"digest", Show::text, "the checksum, hexadecimal"},
	Field{"iova", Show::address, "first byte"},
	Field{"length", Show::size, "bytes"},
};
constexpr FieldTable digest_table = {"digest", digest_fields};

constexpr std::array status_fields = {
	Field{"state", Show::text, "idle, running, revoked or failed"},
	Field{"error", Show::text, "why a pass failed"},
	Field{"passes", Show::number, "completed passes of the job"},
	Field{"bytes", Show::number, "bytes moved or read since the engine was opened"},
	Field{"unmap_calls", Show::number, "calls of the driver's unmap callback"},
	Field{"unmap_iova", Show::address, "first IOVA of the latest call"},
	Field{"unmap_length", Show::size, "length of the latest call"},
	Field{"pinned_pages", Show::number, "pages the engine holds pinned now"},
	Field{"digest", Show::text, "digest of the latest completed pass"},
};
constexpr FieldTable status_table = {"status", status_fields};

std::uint32_t port_number(const Arguments &args, std::string_view name = "port")
{
	return static_cast<std::uint32_t>(args.number(name).value_or(0));
}

Mode transfer_mode(const Arguments &args)
{
	std::string mode = args.text("mode").value_or("copy");

	if (mode == "pin")
		return Mode::pinning;
	if (mode == "kthread")
		return Mode::kthread;
	return mode == "pin-kthread" ? Mode::pinning_kthread : Mode::copying;
}

// The length given, or what the mapping at the IOVA holds from there on.
Bytes transfer_length(Session &session, const Arguments &args, const PortIova &place)
{
	// Before anything else, or the question about the length misleads.
	(void)session.engine();
	if (auto length = args.size("length"))
		return *length;
	const IoasRecord *ioas = session.attached(place.port);
	const MappingRecord *mapping = ioas ? ioas->find(place.iova) : nullptr;
	if (!mapping && session.port(place.port).iotlb)
		throw usage_failure("how much at " + hex(place.iova.value) + "?",
				    "give length: an IOTLB has no mappings to tell it");
	if (!mapping)
		throw usage_failure(
			"how much at " + hex(place.iova.value) + "?",
			ioas ? "give length, or an IOVA of ioas show"
			     : "give length; or attach the port, which tells: dma "
			       "attach");
	std::uint64_t skipped = (place.iova - mapping->iova).value;
	if (skipped >= mapping->content.value)
		throw usage_failure(hex(place.iova.value) +
					    " is in the padding of its mapping",
				    "give length to work on it all the same");
	return Bytes(mapping->content.value - skipped);
}

Report transfer_report(const Arguments &args, std::string_view op, Iova iova,
		       std::optional<Iova> to, Bytes length)
{
	return Report(transfer_table, Report::Style::line,
		      {{op, iova.value, to ? Json(to->value) : Json(), length.value,
			args.text("mode").value_or("copy")}})
		.primary("length");
}

Report run_bind(Session &session, const Arguments &args)
{
	std::uint32_t number = port_number(args);
	bool pin = args.has("pin");
	ObjectId access =
		bind_port(session, number, pin ? PortUse::pinning : PortUse::copying);

	return Report(port_table, Report::Style::line,
		      {{number, access.value, session.context().number, pin}})
		.primary("access_id");
}

Report run_unbind(Session &session, const Arguments &args)
{
	unbind_port(session, port_number(args));
	return {};
}

Report run_attach(Session &session, const Arguments &args)
{
	attach_port(session, port_number(args), find_port_target(session, args));
	return {};
}

Report run_replace(Session &session, const Arguments &args)
{
	replace_port(session, port_number(args), find_port_target(session, args));
	return {};
}

Report run_detach(Session &session, const Arguments &args)
{
	detach_port(session, port_number(args));
	return {};
}

Report run_read(Session &session, const Arguments &args)
{
	PortIova from{port_number(args), *args.iova("iova")};
	Bytes length = transfer_length(session, args, from);
	std::string to = args.text("to").value_or("");

	if (to.empty())
		return dump_memory(session, from, length, transfer_mode(args));
	read_to_file(session, from, length, transfer_mode(args), to);
	// The data is on stdout then, and nothing else may be.
	if (to == "-")
		return {};
	return transfer_report(args, "read", from.iova, std::nullopt, length);
}

Report run_write(Session &session, const Arguments &args)
{
	PortIova to{port_number(args), *args.iova("iova")};
	Bytes length;

	if (args.has("file") == args.has("text"))
		throw usage_failure("dma write needs either file or text", "help dma");
	if (auto text = args.text("text"))
		length = write_text(session, to, *text, transfer_mode(args));
	else
		length = write_file(session, to, args.need_text("file"),
				    transfer_mode(args));
	return transfer_report(args, "write", to.iova, std::nullopt, length);
}

Report run_copy(Session &session, const Arguments &args)
{
	PortIova from{port_number(args, "from-port"), *args.iova("source")};
	PortIova to{port_number(args, "to-port"), *args.iova("destination")};
	Bytes length = transfer_length(session, args, from);

	watch_engine(session, "copy", length, [&] {
		session.engine().copy(from, to, length, transfer_mode(args));
	});
	return transfer_report(args, "copy", from.iova, to.iova, length);
}

Report run_fill(Session &session, const Arguments &args)
{
	PortIova to{port_number(args), *args.iova("iova")};
	Bytes length = transfer_length(session, args, to);

	watch_engine(session, "fill", length, [&] {
		session.engine().fill(to, length, args.number("pattern").value_or(0),
				      transfer_mode(args));
	});
	return transfer_report(args, "fill", to.iova, std::nullopt, length);
}

Report digest_report(std::string_view op, std::string digest, Iova iova, Bytes length)
{
	return Report(digest_table, Report::Style::line,
		      {{op, std::move(digest), iova.value, length.value}})
		.primary("digest");
}

Report run_crc32c(Session &session, const Arguments &args)
{
	PortIova from{port_number(args), *args.iova("iova")};
	Bytes length = transfer_length(session, args, from);
	std::uint32_t crc = 0;
	watch_engine(session, "crc32c", length, [&] {
		crc = session.engine().crc32c(from, length, transfer_mode(args));
	});
	std::array<std::uint8_t, 4> bytes;

	// Most significant digit first, as every tool prints a CRC.
	for (std::size_t i = 0; i < bytes.size(); i++)
		bytes[i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
	return digest_report("crc32c", hex_digits(bytes), from.iova, length);
}

Report run_sha256(Session &session, const Arguments &args)
{
	PortIova from{port_number(args), *args.iova("iova")};
	Bytes length = transfer_length(session, args, from);
	Sha256 digest;

	watch_engine(session, "sha256", length, [&] {
		digest = session.engine().sha256(from, length, transfer_mode(args));
	});
	return digest_report("sha256", hex_digits(digest), from.iova, length);
}

iommukit_dma_op job_op(std::string_view name)
{
	if (name == "fill")
		return IOMMUKIT_DMA_OP_FILL;
	if (name == "copy")
		return IOMMUKIT_DMA_OP_COPY;
	return name == "crc32c" ? IOMMUKIT_DMA_OP_CRC32C : IOMMUKIT_DMA_OP_SHA256;
}

Report run_start(Session &session, const Arguments &args)
{
	JobSpec job;
	PortIova place{port_number(args), *args.iova("iova")};

	job.op = job_op(args.need_text("op"));
	job.length = transfer_length(session, args, place);
	job.pattern = args.number("pattern").value_or(0);
	job.pin = args.has("pin");
	if (job.op == IOMMUKIT_DMA_OP_FILL)
		job.destination = place;
	else
		job.source = place;
	if (job.op == IOMMUKIT_DMA_OP_COPY) {
		if (!args.has("to"))
			throw usage_failure("dma start copy needs to", "help dma");
		job.destination = {port_number(args, "to-port"), *args.iova("to")};
	}
	session.engine().start(job);
	return {};
}

Report run_stop(Session &session, const Arguments &)
{
	session.engine().stop();
	return {};
}

std::string state_text(iommukit_dma_state state)
{
	switch (state) {
	case IOMMUKIT_DMA_IDLE:
		return "idle";
	case IOMMUKIT_DMA_RUNNING:
		return "running";
	case IOMMUKIT_DMA_REVOKED:
		return "revoked";
	case IOMMUKIT_DMA_FAILED:
		return "failed";
	}
	return "?";
}

Report status_report(const DmaStatus &status)
{
	bool digest = std::ranges::any_of(status.digest, [](auto byte) { return byte; });
	bool called = status.unmap_calls != 0;

	return Report(status_table, Report::Style::block,
		      {{state_text(status.state),
			status.error ? Json(errno_name(status.error)) : Json(),
			status.passes, status.bytes.value, status.unmap_calls,
			called ? Json(status.unmap_iova.value) : Json(),
			called ? Json(status.unmap_length.value) : Json(),
			status.pinned_pages,
			digest ? Json(hex_digits(status.digest)) : Json()}})
		.primary("state");
}

Report run_status(Session &session, const Arguments &args)
{
	return selected(status_report(session.engine().status()), args);
}

Report run_wait(Session &session, const Arguments &args)
{
	using namespace std::chrono;
	constexpr auto poll = milliseconds(10);
	std::uint64_t passes = args.number("passes").value_or(1);
	auto limit = seconds(args.number("timeout").value_or(10));
	auto deadline = steady_clock::now() + limit;

	for (;;) {
		DmaStatus status = session.engine().status();
		// A dry run has no engine that could make progress.
		if (status.state != IOMMUKIT_DMA_RUNNING || status.passes >= passes ||
		    session.dry_run() || end_signal())
			return status_report(status);
		if (steady_clock::now() >= deadline)
			throw Failure(Exit::refused,
				      "the job made " + std::to_string(status.passes) +
					      " of " + std::to_string(passes) +
					      " passes in " +
					      std::to_string(limit.count()) + " s",
				      "dma status shows how far it is; raise timeout");
		std::this_thread::sleep_for(poll);
	}
}

constexpr std::array<std::string_view, 4> modes = {"copy", "pin", "kthread",
						   "pin-kthread"};
constexpr std::array<std::string_view, 4> job_ops = {"fill", "copy", "crc32c", "sha256"};

constexpr Param port_param = {"port", Kind::number, Place::key, "0 or 1; 0 if left out"};
constexpr Param iova_param = {"iova", Kind::address, Place::operand, "first byte"};
constexpr Param length_param = {"length", Kind::size, Place::key,
				"bytes; what the mapping holds if left out"};
constexpr Param mode_param = {
	"mode", Kind::choice, Place::key,
	"copy through the core (the default), pin the pages, or let "
	"the engine's kernel thread do it",
	modes};
constexpr Param pattern_param = {"pattern", Kind::number, Place::key,
				 "eight bytes, low one first; 0 if left out"};

constexpr std::array port_params = {port_param};
constexpr std::array bind_params = {
	port_param,
	Param{"pin", Kind::text, Place::flag,
	      "the port may pin; all mappings must be page aligned then"},
};
constexpr std::array attach_params = {port_param, target_ioas_param, target_hwpt_param,
				      target_iotlb_param};
constexpr std::array read_params = {
	iova_param,
	length_param,
	port_param,
	mode_param,
	Param{"to", Kind::path, Place::key,
	      "write the bytes to a file, or raw to stdout with -; a hex dump if left out"},
};
constexpr std::array write_params = {
	iova_param,
	Param{"file", Kind::path, Place::key, "take the bytes from a file"},
	Param{"text", Kind::text, Place::key, "take the bytes of a word"},
	port_param,
	mode_param,
};
constexpr std::array copy_params = {
	Param{"source", Kind::address, Place::operand, "first byte of the source"},
	Param{"destination", Kind::address, Place::operand, "first byte to write"},
	length_param,
	Param{"from-port", Kind::number, Place::key, "port of the source; 0 if left out"},
	Param{"to-port", Kind::number, Place::key,
	      "port of the destination; 0 if left out"},
	mode_param,
};
constexpr std::array fill_params = {iova_param, length_param, pattern_param, port_param,
				    mode_param};
constexpr std::array digest_params = {iova_param, length_param, port_param, mode_param};
constexpr std::array start_params = {
	Param{"op", Kind::choice, Place::operand, "what to repeat", job_ops},
	iova_param,
	length_param,
	port_param,
	Param{"to", Kind::address, Place::key, "destination of a copy"},
	Param{"to-port", Kind::number, Place::key,
	      "port of the destination; 0 if left out"},
	pattern_param,
	Param{"pin", Kind::text, Place::flag,
	      "pin the pages once and keep them until the job ends"},
};
constexpr std::array status_params = {
	Param{"field", Kind::text, Place::optional_operand,
	      "print only this field, bare"},
};
constexpr std::array wait_params = {
	Param{"passes", Kind::number, Place::key,
	      "until so many are done; 1 if left out"},
	Param{"timeout", Kind::number, Place::key, "seconds; 10 if left out"},
};

constexpr std::array verbs = {
	Verb{"status", "show the job, the callback's calls and the pins", status_params,
	     run_status},
	Verb{"bind",
	     "bind a port to the current context; device add soft binds one as a device",
	     bind_params, run_bind},
	Verb{"unbind", "unbind a port; stops a job that uses it", port_params,
	     run_unbind},
	Verb{"attach",
	     "let a port work in an IOAS or through an IOTLB, or a device by a HWPT",
	     attach_params, run_attach},
	Verb{"replace", "move a port to another IOAS, IOTLB or HWPT", attach_params,
	     run_replace},
	Verb{"detach", "take a port out of its IOAS or IOTLB", port_params, run_detach},
	Verb{"read", "read bytes by IOVA", read_params, run_read},
	Verb{"write", "write bytes by IOVA", write_params, run_write},
	Verb{"copy", "copy from IOVA to IOVA", copy_params, run_copy},
	Verb{"fill", "fill with a pattern", fill_params, run_fill},
	Verb{"crc32c", "compute the CRC32C", digest_params, run_crc32c},
	Verb{"sha256", "compute the SHA-256", digest_params, run_sha256},
	Verb{"start", "repeat a transfer in the engine's thread", start_params,
	     run_start},
	Verb{"wait", "wait for passes of the job, or for its end", wait_params, run_wait},
	Verb{"stop", "stop the job", {}, run_stop},
};
constexpr std::array<const FieldTable *, 5> tables = {
	&status_table, &port_table, &transfer_table, &digest_table, &data_table};

} // namespace

const Object dma_object = {"dma", "the software DMA engine", verbs, "status", tables};

} // namespace ctl
