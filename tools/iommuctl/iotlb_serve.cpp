// SPDX-License-Identifier: GPL-2.0-only
// The server runs in a thread of its own in any case; in the foreground the command
// waits for it. Ctrl-C ends the server, not the session.
#include "iotlb_serve.h"

#include "failure.h"
#include "interruption.h"
#include "session.h"
#include "translation_map.h"

#include <bit>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array service_fields = {
	Field{"source", Show::text, "identity, or the map file"},
	Field{"iotlb", Show::number, "id of the IOTLB"},
	Field{"state", Show::text,
	      "running, stopped, counted (it has answered its count), or gone (with the "
	      "IOTLB)"},
	Field{"misses", Show::number, "misses that it got"},
	Field{"updates", Show::number, "translations that it gave"},
	Field{"denied", Show::number, "misses that it has denied"},
	Field{"dropped", Show::number, "misses that it did not answer, on purpose"},
	Field{"wrong", Show::number, "wrong answers, on purpose"},
	Field{"stale", Show::number, "answers that came too late"},
	Field{"requeued", Show::number, "misses that were asked for once more"},
	Field{"refused", Show::number, "translations that the kernel did not want"},
};

std::string state_text(IotlbService::State state)
{
	switch (state) {
	case IotlbService::State::running:
		return "running";
	case IotlbService::State::stopped:
		return "stopped";
	case IotlbService::State::counted:
		return "counted";
	case IotlbService::State::gone:
		return "gone";
	case IotlbService::State::failed:
		break;
	}
	return "failed";
}

Report service_report(const IotlbRecord &record)
{
	const IotlbService &service = *record.service;
	IotlbServerCounts counts = service.counts();

	return Report(service_table, Report::Style::line,
		      {{service.name(), record.iotlb.id().value,
			state_text(service.state()), counts.misses, counts.updates,
			counts.denied, counts.dropped, counts.wrong, counts.stale,
			counts.requeued, counts.refused}})
		.primary("misses");
}

IotlbSource source_of(Session &session, const Arguments &args)
{
	auto path = args.text("map");
	auto page = args.size("page");

	if (path.has_value() == args.has("identity"))
		throw usage_failure("iotlb serve needs either map or identity",
				    "map FILE with lines IOVA LENGTH TARGET PERM, or "
				    "identity");
	if (page && !std::has_single_bit(page->value))
		throw usage_failure("page " + hex(page->value) + " is no power of two",
				    "4K or 2M, for instance");
	IotlbSource source = path ? map_source(TranslationMap::load(
					    *path,
					    [&](std::string_view name) {
						    return session.variable(name);
					    }))
				  : identity_source();
	return page ? paged_source(std::move(source), *page) : source;
}

std::uint32_t ring_entries(const Arguments &args)
{
	std::uint64_t entries = args.number("ring").value_or(0);

	if (entries && (entries < 16 || entries > 65536 || !std::has_single_bit(entries)))
		throw usage_failure("ring " + std::to_string(entries) +
					    " is no power of two from 16 to 65536",
				    "as many as misses at a time will do: 256");
	return static_cast<std::uint32_t>(entries);
}

IotlbServerOptions options_of(const Arguments &args)
{
	std::uint64_t ahead = args.number("ahead").value_or(0);

	if (args.has("count") && !args.need_number("count"))
		throw usage_failure("count is 0", "leave it out to serve until Ctrl-C");
	if (ahead > UINT32_MAX)
		throw usage_failure("ahead " + std::to_string(ahead) + " is too large",
				    "64, for instance");
	return {.ring_entries = ring_entries(args),
		.ahead = static_cast<std::uint32_t>(ahead),
		.count = args.number("count"),
		.latency = args.duration("latency").value_or(std::chrono::nanoseconds(0)),
		.faults = {.drop = args.rate("drop").value_or(IotlbFaultRate{}),
			   .wrong = args.rate("wrong").value_or(IotlbFaultRate{}),
			   .seed = args.number("seed").value_or(0)}};
}

// The channel that it was made with, or another one.
IotlbChannel take_channel(Session &session, IotlbRecord &record)
{
	if (!record.channel)
		return session.iotlb_channel(record.iotlb.open_channel());
	IotlbChannel channel = std::move(*record.channel);
	record.channel.reset();
	return channel;
}

void wait_for_end(const IotlbService &service)
{
	Interruption interruption;

	while (service.running() && !interruption.wait(std::chrono::milliseconds(20)))
		;
}

// Of a server that has ended, or is to.
Report end_report(IotlbRecord &record)
{
	record.service->stop();
	Report report = service_report(record);
	record.service->check();
	return report;
}

} // namespace

constinit const FieldTable service_table = {"server", service_fields};

Report run_serve(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));
	IotlbSource source = source_of(session, args);
	IotlbServerOptions options = options_of(args);
	std::string name = args.text("map").value_or("identity");

	if (record.service && record.service->running())
		throw usage_failure("iotlb " + std::to_string(record.iotlb.id().value) +
					    " is served already",
				    "end that server first: iotlb stop");
	IotlbChannel channel = take_channel(session, record);
	// A dry run has nobody to serve.
	if (session.dry_run()) {
		(void)channel.info();
		(void)channel.configure({.features = IotlbServer::features(options),
					 .ring_entries = options.ring_entries});
		return {};
	}
	record.service = std::make_unique<IotlbService>(name, std::move(channel),
							std::move(source), options);
	if (args.has("background"))
		return service_report(record);
	wait_for_end(*record.service);
	return end_report(record);
}

Report run_stop(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));

	if (session.dry_run())
		return {};
	if (!record.service)
		throw usage_failure("iotlb " + std::to_string(record.iotlb.id().value) +
					    " has no server in this session",
				    "begin one: iotlb serve");
	return end_report(record);
}

} // namespace ctl
