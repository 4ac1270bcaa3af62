// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommukit-edu: shows a device of hardware at work, QEMU's edu: it copies a text by
 * IOVA, its page table is replaced while it does so, and what it may reach no longer
 * it does not reach. Fails if anything is not as it should be.
 */
#include "edu.h"

#include "bound_device.h"
#include "ioas.h"
#include "memory.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <iostream>
#include <stdexcept>

using namespace iommukit;

namespace {

constexpr char text[] = "carried by the device, by IOVA and nothing else";
constexpr Iova source_iova(0x100000), target_iova(0x200000);

void say(const std::string &line)
{
	std::cout << line << std::endl;
}

void expect(bool holds, const std::string &what)
{
	if (!holds)
		throw std::runtime_error("not so: " + what);
	say("  " + what);
}

PciFunction find_edu()
{
	const auto all = PciFunction::all();
	const auto found = std::ranges::find_if(all, [](const PciFunction &function) {
		return edu::is_edu(function) && function.siblings().empty();
	});

	if (found == all.end())
		throw std::runtime_error("there is no edu that is alone in its group");
	return *found;
}

/* Has the function while it lives. */
class Loan {
    public:
	explicit Loan(const PciFunction &of) : function(of)
	{
		function.give_to(pci_offer_driver);
	}
	~Loan()
	{
		try {
			function.give_back();
		} catch (const std::exception &error) {
			std::cerr << error.what() << std::endl;
		}
	}
	Loan(const Loan &) = delete;
	Loan &operator=(const Loan &) = delete;

    private:
	PciFunction function;
};

bool has_text(const Memory &memory)
{
	return std::memcmp(memory.data(), text, sizeof(text)) == 0;
}

void clear(const Memory &memory)
{
	std::ranges::fill(memory.bytes(), std::byte{});
}

void show(const PciFunction &function)
{
	const Loan loan(function);
	const Context context;
	BoundDevice device(context, function.address());
	const edu::Device engine(function);

	say(function.address() + " is bound as device " +
	    std::to_string(device.id().value) + "; none of its DMA is let through yet");

	Memory source = Memory::anonymous(page_size());
	Memory here = Memory::anonymous(page_size());
	Memory there = Memory::anonymous(page_size());
	Ioas old_space(context), new_space(context);

	std::memcpy(source.data(), text, sizeof(text));
	old_space.map(source.data(), source.size(), Permission::read, source_iova);
	old_space.map(here.data(), here.size(), Permission::read_write, target_iova);
	new_space.map(there.data(), there.size(), Permission::read_write, target_iova);

	ObjectId table = device.attach(old_space.id());
	say("It is attached to IOAS " + std::to_string(old_space.id().value) +
	    " by HWPT " + std::to_string(table.value) + ", and copies a text:");
	engine.read(source_iova.value, sizeof(text));
	engine.write(target_iova.value, sizeof(text));
	expect(has_text(here), "the text is where " + hex(target_iova.value) + " leads");

	clear(here);
	engine.start_write(target_iova.value, sizeof(text));
	table = device.replace(new_space.id());
	say("A copy is under way, and the device is moved to IOAS " +
	    std::to_string(new_space.id().value) + ", HWPT " +
	    std::to_string(table.value) + ":");
	engine.wait();
	expect(has_text(there) && !has_text(here),
	       "the text is where " + hex(target_iova.value) +
		       " leads now, and not where it led");

	say("It reads what was mapped only before:");
	clear(there);
	engine.read(source_iova.value, sizeof(text));
	engine.write(target_iova.value, sizeof(text));
	expect(!has_text(there), "it did not get the text: the IOMMU has refused");

	device.detach();
	say("It is detached, and writes once more:");
	std::ranges::fill(there.bytes(), std::byte{0x55});
	engine.write(target_iova.value, sizeof(text));
	expect(std::ranges::all_of(
		       there.bytes(),
		       [](std::byte byte) { return byte == std::byte{0x55}; }),
	       "not a byte of memory has changed");
}

} // namespace

int main()
{
	try {
		show(find_edu());
		return 0;
	} catch (const std::exception &error) {
		std::cerr << "iommukit-edu: " << error.what() << std::endl;
		return 1;
	}
}
