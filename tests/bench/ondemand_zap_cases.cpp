// SPDX-License-Identifier: GPL-2.0-only
// ondemand/zap-: what it costs a process to change memory that is mapped on demand, next
// to one whose memory is not mapped.
#include "bench.h"
#include "ondemand_range.h"
#include "worker.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

constexpr Bytes length = 64_MiB;
constexpr std::uint64_t pages = length.value / page.value;
// Calls that take so long cannot be told from the clock if they are timed one by one.
constexpr unsigned repeats = 16;

// Who else knows of the memory.
enum class Known { nobody, table, device };

// Memory of a process, of which the table and the device of a mapping know all that is
// there.
class Memory64 {
    public:
	explicit Memory64(Known known) : memory_(length)
	{
		::madvise(memory_.data(), length.value, MADV_NOHUGEPAGE);
		if (known == Known::nobody)
			return;
		context_.emplace();
		ioas_.emplace(*context_);
		map_ondemand(*ioas_, memory_.data(), length, Permission::read_write,
			     first_iova, FaultAround{0});
		if (known == Known::device)
			device_.emplace(*ioas_, MockDevice::Kind::waits);
	}

	// Every so many pages, from the first one on; 0: none.
	void fill(std::uint64_t stride) const
	{
		for (std::uint64_t i = 0; stride && i < pages; i += stride)
			touch_pages(at(i), page);
		if (!ioas_)
			return;
		for (std::uint64_t i = 0; stride && i < pages;) {
			const Iova iova(first_iova.value + i * page.value);
			const Bytes some(stride == 1 ? (2_MiB).value : page.value);

			if (device_)
				device_->fault(iova, some, true);
			else
				prefetch(*ioas_, iova, some,
					 IOMMUKIT_IOAS_PREFETCH_WRITE);
			i += stride == 1 ? some.value / page.value : stride;
		}
	}
	void *data() const { return memory_.data(); }

    private:
	void *at(std::uint64_t nr) const
	{
		return static_cast<char *>(memory_.data()) + nr * page.value;
	}

	Reservation memory_;
	std::optional<Context> context_;
	std::optional<Ioas> ioas_;
	std::optional<MockDevice> device_;
};

struct Operation {
	const char *name;
	// What is timed, and what makes the memory what it was before.
	void (*change)(void *data);
	void (*restore)(void *data);
};

void nothing(void *) {}

void renew(void *data)
{
	::mmap(data, length.value, PROT_READ | PROT_WRITE,
	       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	::madvise(data, length.value, MADV_NOHUGEPAGE);
}

// The child waits to be killed: its end is not what is timed.
pid_t forked = -1;

constexpr Operation operations[] = {
	{"munmap", [](void *data) { ::munmap(data, length.value); }, renew},
	{"discard", [](void *data) { ::madvise(data, length.value, MADV_DONTNEED); },
	 nothing},
	{"mprotect", [](void *data) { ::mprotect(data, length.value, PROT_READ); },
	 [](void *data) { ::mprotect(data, length.value, PROT_READ | PROT_WRITE); }},
	{"fork",
	 [](void *) {
		 forked = ::fork();
		 if (forked == 0)
			 for (;;)
				 ::pause();
	 },
	 [](void *) {
		 ::kill(forked, SIGKILL);
		 ::waitpid(forked, nullptr, 0);
	 }},
};

struct Filling {
	const char *name;
	std::uint64_t stride;
	std::optional<Bound> bound = {};
};

const Filling fillings[] = {
	{"0", 0, Bound{Bound::Of::ratio, Bound::Sense::at_most, 1.05}},
	{"1pct", 100},
	{"100pct", 1},
};

Figures measure_zap(const Operation &operation, std::uint64_t stride, Known known)
{
	// Made by the process that uses it, when it is asked first.
	const auto slices_of = [&](Known who) {
		return [&operation, stride, who,
			memory = std::shared_ptr<Memory64>()]() mutable {
			Slice slice{0, 0};

			if (!memory)
				memory = std::make_shared<Memory64>(who);
			for (unsigned i = 0; i < (stride == 1 ? 1 : repeats); i++) {
				memory->fill(stride);
				const double ns =
					1e9 * seconds([&] {
						operation.change(memory->data());
					});

				operation.restore(memory->data());
				slice.taken += ns;
				// The quickest: the first of them finds nothing cached.
				if (!i || ns < slice.figure)
					slice.figure = ns;
			}
			return slice;
		};
	};
	const Worker ours(slices_of(known)), peer(slices_of(Known::nobody));

	return alternate([&] { return ours.slice(); }, [&] { return peer.slice(); });
}

} // namespace

void add_ondemand_zap_cases(std::vector<Case> &cases)
{
	for (const auto &operation : operations)
		for (const auto &filling : fillings)
			for (const Known known : {Known::table, Known::device})
				cases.push_back(
					{.name = std::string("ondemand/zap-") +
						 operation.name + '-' + filling.name +
						 (known == Known::device ? "-device"
									 : ""),
					 .unit = "ns",
					 .peer_name = "memory without a mapping",
					 .measure =
						 [&operation, &filling, known] {
							 return measure_zap(
								 operation,
								 filling.stride, known);
						 },
					 .bound = filling.bound});
}

} // namespace bench
