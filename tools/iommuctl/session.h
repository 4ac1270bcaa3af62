// SPDX-License-Identifier: GPL-2.0-only
// What lives from the first command to the last: open contexts, their IOASes
// and mappings, the servers of its IOTLBs, the DMA engine, and the variables. The kernel
// cannot list the mappings of a context, so the session writes down what it made.
#pragma once

#include "backing.h"
#include "bound_device.h"
#include "dma_engine.h"
#include "hwpt.h"
#include "ioas.h"
#include "iotlb.h"
#include "iotlb_service.h"
#include "mock_device.h"
#include "output.h"
#include "pci_loan.h"

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ctl {

struct Options {
	Format format = Format::text;
	bool dry_run = false;
	bool force = false;
	bool echo = false;
};

// A mapping, and the memory that must stay as long as it does.
struct MappingRecord {
	iommukit::Iova iova;
	iommukit::Bytes length;
	iommukit::Bytes content; // without the padding of the last page
	iommukit::Permission permission;
	BackingPtr backing;
	// An unmap stopped half way: the kernel may have removed it or not.
	bool uncertain = false;
	// Of the backing, in front of the first byte that is mapped.
	iommukit::Bytes skipped = {};

	iommukit::Iova last() const { return iova + length - iommukit::Bytes(1); }
};

// Dirty tracking of an IOAS or a HWPT.
struct Tracking {
	bool on = false;
	// What will be read next was written after that.
	std::chrono::steady_clock::time_point since = {};
};

struct IoasRecord {
	explicit IoasRecord(const iommukit::Context &context) : ioas(context) {}

	// Declared first, destroyed last: the memory outlives the address space.
	std::map<iommukit::Iova, MappingRecord> mappings;
	std::vector<iommukit::IovaRange> allowed;
	iommukit::Ioas ioas;
	Tracking tracking;

	const MappingRecord *find(iommukit::Iova iova) const;
	const MappingRecord &add(MappingRecord record);
	iommukit::Bytes mapped() const;
	// Of that, what drivers can pin: all but what is mapped on demand.
	iommukit::Bytes pinnable() const;
};

// A HWPT that was made by command. Those that the kernel makes for a device on an
// IOAS, and destroys with it, have no record.
struct HwptRecord {
	HwptRecord(const iommukit::Ioas &ioas, iommukit::ObjectId device,
		   iommukit::HwptUse use)
		: hwpt(ioas, device, use), ioas(ioas.id()), device(device), use(use)
	{
	}

	iommukit::Hwpt hwpt;
	iommukit::ObjectId ioas;
	iommukit::ObjectId device;
	iommukit::HwptUse use;
	Tracking tracking;
};

// An IOTLB. What it was made with is written down, for the kernel does not tell; so is
// the latest look at its counters.
struct IotlbRecord {
	IotlbRecord(iommukit::Iotlb iotlb, std::optional<iommukit::ObjectId> ioas,
		    const iommukit::IotlbUse &use)
		: iotlb(std::move(iotlb)), ioas(ioas), use(use)
	{
	}

	iommukit::Iotlb iotlb;
	std::optional<iommukit::ObjectId> ioas; // none: addresses of this process
	iommukit::IotlbUse use;
	iommukit::IotlbStats seen = {};
	std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
	// The channel is here until somebody serves it, and then with who does. Both go
	// before the IOTLB.
	std::optional<iommukit::IotlbChannel> channel = {};
	std::unique_ptr<IotlbService> service = {};
};

struct MockRecord {
	MockDevice mock;
	MockUse use;
	iommukit::ObjectId ioas;
};

// A PCI function that is bound.
struct PciRecord {
	PciRecord(const iommukit::Context &context, const iommukit::PciFunction &function)
		: function(function), group(function.group()),
		  device(context, function.address())
	{
	}

	iommukit::PciFunction function;
	std::optional<unsigned int> group;
	iommukit::BoundDevice device;
	std::optional<iommukit::ObjectId> ioas = {};
	std::optional<iommukit::ObjectId> hwpt = {};
};

struct ContextRecord {
	ContextRecord(std::uint64_t number, const iommukit::Context &context)
		: number(number), context(context), info(context.info())
	{
	}
	ContextRecord(const ContextRecord &) = delete;
	ContextRecord &operator=(const ContextRecord &) = delete;
	~ContextRecord();

	// Given back when the context is closed: until then their groups are not free.
	std::vector<std::unique_ptr<PciLoan>> loans;
	std::uint64_t number;
	iommukit::Context context;
	iommukit::ModuleInfo info;
	std::vector<std::unique_ptr<IoasRecord>> ioases;
	std::vector<std::unique_ptr<IotlbRecord>> iotlbs;
	std::vector<std::unique_ptr<HwptRecord>> hwpts;
	std::vector<std::unique_ptr<MockRecord>> mocks;
	std::vector<std::unique_ptr<PciRecord>> functions;
};

// What the session knows of a port of the engine.
struct PortRecord {
	std::uint64_t context = 0; // number of the context, 0: not bound
	iommukit::PortUse use = iommukit::PortUse::copying;
	iommukit::ObjectId id; // of the access or device
	std::optional<iommukit::ObjectId> ioas;
	// Of a device that is attached.
	std::optional<iommukit::ObjectId> hwpt = {};
	// In place of an IOAS.
	std::optional<iommukit::ObjectId> iotlb = {};

	bool is_device() const { return context && use == iommukit::PortUse::device; }
};

class Session {
    public:
	Session(const Options &options, const Output &output)
		: options_(options), output_(output)
	{
	}
	Session(const Session &) = delete;
	Session &operator=(const Session &) = delete;
	~Session();

	const Output &output() const noexcept { return output_; }
	const Options &options() const noexcept { return options_; }
	bool dry_run() const noexcept { return options_.dry_run; }

	// The current context; the first one is opened when it is needed.
	ContextRecord &context();
	ContextRecord &add_context();
	ContextRecord &find_context(std::uint64_t number);
	void use_context(std::uint64_t number);
	void remove_context(std::uint64_t number);
	const std::vector<std::unique_ptr<ContextRecord>> &contexts() const
	{
		return contexts_;
	}
	std::uint64_t current() const noexcept { return current_; }

	// Without an id: the only IOAS there is.
	IoasRecord &ioas(std::optional<iommukit::ObjectId> id);
	HwptRecord &hwpt(std::optional<iommukit::ObjectId> id);
	IotlbRecord &iotlb(std::optional<iommukit::ObjectId> id);
	// Null if it is none, or not of this session.
	IotlbRecord *find_iotlb(iommukit::ObjectId id);
	// A channel that the kernel has opened; a dry run shows what is done with it.
	iommukit::IotlbChannel iotlb_channel(iommukit::Fd fd) const;
	BackingOptions
	backing_options(iommukit::Permission permission,
			std::optional<iommukit::FaultAround> ondemand = {});

	// The engine; opened when it is first bound.
	iommukit::DmaEngine &open_engine();
	iommukit::DmaEngine &engine();
	bool has_engine() const noexcept { return engine_.has_value(); }
	PortRecord &port(std::uint32_t number);
	// The address space a port looks at, if the session knows it.
	const IoasRecord *attached(std::uint32_t number);

	void set_variable(const std::string &name, const Report &report);
	std::string variable(std::string_view name) const;

    private:
	std::shared_ptr<iommukit::Channel> open(const std::string &device) const;
	void check_version(const iommukit::ModuleInfo &info) const;

	const Options &options_;
	const Output &output_;
	std::vector<std::unique_ptr<ContextRecord>> contexts_;
	std::uint64_t current_ = 0;
	std::uint64_t last_number_ = 0;
	// Closed before the contexts, so that no port holds an IOAS.
	std::optional<iommukit::DmaEngine> engine_;
	std::array<PortRecord, IOMMUKIT_DMA_NR_PORTS> ports_;
	std::map<std::string, Report, std::less<>> variables_;
};

// "r", "w", "rw"
std::string permission_text(iommukit::Permission permission);
iommukit::Permission parse_permission(const std::optional<std::string> &text,
				      iommukit::Permission otherwise);

} // namespace ctl
