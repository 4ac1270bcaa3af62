// SPDX-License-Identifier: GPL-2.0-only
// The order of destruction is the point of this file. A bound port keeps an IOAS, a
// HWPT or an IOTLB busy, and may wait for a server; so do PCI functions and mock devices;
// a HWPT and an IOTLB keep their IOAS, an IOAS keeps mappings, mappings need their
// memory: so the engine goes first, then the functions and mock devices, the HWPTs, the
// servers and IOTLBs, each IOAS, newest first, and after it the memory that only it had,
// and the context. Only then drivers get their functions back.
#include "session.h"

#include "dry_run.h"
#include "version_check.h"

#include <algorithm>

namespace ctl {

using namespace iommukit;

const MappingRecord *IoasRecord::find(Iova iova) const
{
	auto it = mappings.upper_bound(iova);

	if (it == mappings.begin())
		return nullptr;
	--it;
	return iova <= it->second.last() ? &it->second : nullptr;
}

// What the books have in the same place is stale (an uncertain record): the
// kernel never has two mappings in one place.
const MappingRecord &IoasRecord::add(MappingRecord record)
{
	Iova iova = record.iova;
	Iova last = record.last();

	std::erase_if(mappings, [&](const auto &entry) {
		return entry.second.iova <= last && iova <= entry.second.last();
	});
	return mappings.emplace(iova, std::move(record)).first->second;
}

Bytes IoasRecord::mapped() const
{
	Bytes sum;

	for (const auto &[iova, mapping] : mappings)
		sum = sum + mapping.length;
	return sum;
}

Bytes IoasRecord::pinnable() const
{
	Bytes sum;

	for (const auto &[iova, mapping] : mappings)
		if (!mapping.backing->ondemand)
			sum = sum + mapping.length;
	return sum;
}

// A vector would destroy the oldest first.
ContextRecord::~ContextRecord()
{
	while (!functions.empty())
		functions.pop_back();
	while (!mocks.empty())
		mocks.pop_back();
	while (!hwpts.empty())
		hwpts.pop_back();
	while (!iotlbs.empty())
		iotlbs.pop_back();
	while (!ioases.empty())
		ioases.pop_back();
}

Session::~Session()
{
	engine_.reset();
	while (!contexts_.empty())
		contexts_.pop_back();
}

std::string permission_text(Permission permission)
{
	switch (permission) {
	case Permission::read:
		return "r";
	case Permission::write:
		return "w";
	case Permission::read_write:
		return "rw";
	}
	return "?";
}

Permission parse_permission(const std::optional<std::string> &text, Permission otherwise)
{
	if (!text)
		return otherwise;
	if (*text == "r")
		return Permission::read;
	return *text == "w" ? Permission::write : Permission::read_write;
}

std::shared_ptr<Channel> Session::open(const std::string &device) const
{
	if (dry_run())
		return std::make_shared<DryRunChannel>(output_, device);
	return open_channel(device);
}

// A difference is no error: commands that both know work as they always did.
void Session::check_version(const ModuleInfo &info) const
{
	std::string mismatch = version_mismatch(info.version);

	if (!mismatch.empty())
		output_.warning(mismatch, version_advice(info.version));
}

ContextRecord &Session::add_context()
{
	Context context(open(default_device()));
	auto record = std::make_unique<ContextRecord>(last_number_ + 1, context);

	if (contexts_.empty())
		check_version(record->info);
	current_ = ++last_number_;
	contexts_.push_back(std::move(record));
	return *contexts_.back();
}

ContextRecord &Session::context()
{
	if (contexts_.empty())
		return add_context();
	return find_context(current_);
}

ContextRecord &Session::find_context(std::uint64_t number)
{
	auto it = std::ranges::find_if(
		contexts_, [&](const auto &record) { return record->number == number; });

	if (it == contexts_.end())
		throw usage_failure("there is no context " + std::to_string(number),
				    "context show lists them, context add opens one");
	return **it;
}

void Session::use_context(std::uint64_t number)
{
	current_ = find_context(number).number;
}

void Session::remove_context(std::uint64_t number)
{
	find_context(number);
	// A bound port keeps the descriptor open in the kernel.
	for (std::size_t i = 0; i < ports_.size(); i++)
		if (ports_[i].context == number)
			throw usage_failure("context " + std::to_string(number) +
						    " is in use by port " +
						    std::to_string(i),
					    "dma unbind port " + std::to_string(i));
	std::erase_if(contexts_,
		      [&](const auto &record) { return record->number == number; });
	if (current_ == number)
		current_ = contexts_.empty() ? 0 : contexts_.back()->number;
}

IoasRecord &Session::ioas(std::optional<ObjectId> id)
{
	auto &list = context().ioases;

	if (!id && list.size() == 1)
		return *list[0];
	if (!id)
		throw usage_failure(
			list.empty() ? "there is no IOAS in this session"
				     : "there are several IOASes",
			list.empty() ? "make one in the same session: iommuctl -c "
				       "'ioas add' -c '...'"
				     : "name one with ioas ID; ioas show lists them");
	auto it = std::ranges::find_if(
		list, [&](const auto &record) { return record->ioas.id() == *id; });
	if (it == list.end())
		throw Failure(Exit::refused,
			      "there is no IOAS " + std::to_string(id->value) +
				      " in this session",
			      "ioas show lists them, ioas add makes one");
	return **it;
}

HwptRecord &Session::hwpt(std::optional<ObjectId> id)
{
	auto &list = context().hwpts;

	if (!id && list.size() == 1)
		return *list[0];
	if (!id)
		throw usage_failure(list.empty() ? "there is no HWPT in this session"
						 : "there are several HWPTs",
				    list.empty() ? "make one with hwpt add"
						 : "name one; hwpt show lists them");
	auto it = std::ranges::find_if(
		list, [&](const auto &record) { return record->hwpt.id() == *id; });
	if (it == list.end())
		throw Failure(Exit::refused,
			      "HWPT " + std::to_string(id->value) +
				      " was not made in this session",
			      "hwpt show lists them, hwpt add makes one");
	return **it;
}

IotlbRecord *Session::find_iotlb(ObjectId id)
{
	auto &list = context().iotlbs;
	auto it = std::ranges::find_if(
		list, [&](const auto &record) { return record->iotlb.id() == id; });

	return it == list.end() ? nullptr : it->get();
}

IotlbRecord &Session::iotlb(std::optional<ObjectId> id)
{
	auto &list = context().iotlbs;

	if (!id && list.size() == 1)
		return *list[0];
	if (!id)
		throw usage_failure(list.empty() ? "there is no IOTLB in this session"
						 : "there are several IOTLBs",
				    list.empty()
					    ? "make one in the same session: iommuctl "
					      "-c 'ioas add' -c 'iotlb add' -c '...'"
					    : "name one; iotlb show lists them");
	if (IotlbRecord *record = find_iotlb(*id))
		return *record;
	throw Failure(Exit::refused,
		      "IOTLB " + std::to_string(id->value) +
			      " was not made in this session",
		      "iotlb show lists them, iotlb add makes one");
}

IotlbChannel Session::iotlb_channel(Fd fd) const
{
	if (dry_run())
		return IotlbChannel(std::make_shared<DryRunChannel>(output_, "channel"));
	return IotlbChannel(std::move(fd));
}

BackingOptions Session::backing_options(Permission permission,
					std::optional<FaultAround> ondemand)
{
	Bytes mapped;

	for (const auto &record : contexts_)
		for (const auto &ioas : record->ioases)
			mapped = mapped + ioas->pinnable();
	return {.output = output_,
		.dry_run = dry_run(),
		.map_file = context().info.has(IOMMUKIT_FEATURE_MAP_FILE),
		.ondemand = ondemand,
		.permission = permission,
		.mapped = mapped};
}

DmaEngine &Session::open_engine()
{
	if (!engine_)
		engine_.emplace(open(default_dma_device()));
	return *engine_;
}

DmaEngine &Session::engine()
{
	if (!engine_)
		throw usage_failure("there is no DMA engine in this session",
				    "bind and attach it first: dma bind, dma attach");
	return *engine_;
}

PortRecord &Session::port(std::uint32_t number)
{
	if (number >= ports_.size())
		throw usage_failure("there is no port " + std::to_string(number),
				    "ports are 0 and 1");
	return ports_[number];
}

const IoasRecord *Session::attached(std::uint32_t number)
{
	const PortRecord &record = port(number);

	if (!record.context || !record.ioas)
		return nullptr;
	for (const auto &ioas : find_context(record.context).ioases)
		if (ioas->ioas.id() == *record.ioas)
			return ioas.get();
	return nullptr;
}

void Session::set_variable(const std::string &name, const Report &report)
{
	// Asks for the value now, so that a command without one fails here.
	(void)report.primary_value();
	variables_.insert_or_assign(name, report);
}

std::string Session::variable(std::string_view name) const
{
	auto dot = name.find('.');
	auto it = variables_.find(name.substr(0, dot));

	if (it == variables_.end())
		throw usage_failure("$" + std::string(name) + " is not set",
				    "set it first: $name = OBJECT VERB ...");
	if (dot == std::string_view::npos)
		return it->second.primary_value();
	auto value = it->second.field_value(name.substr(dot + 1));
	if (!value)
		throw usage_failure("$" + std::string(name) + ": there is no such field",
				    "help OBJECT lists the fields of its results");
	return *value;
}

} // namespace ctl
