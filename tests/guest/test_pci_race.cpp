// SPDX-License-Identifier: GPL-2.0-only
/* Commands on PCI devices by several threads, also while the devices are lost. */
#include "edu_world.h"
#include "fault.h"
#include "mock.h"
#include "threads.h"

#include <cerrno>

using namespace guest;

namespace {

const unsigned int rounds = 200 / slowness();
constexpr std::uint64_t target = EduWorld::target_iova;

/* A command of any kind. @refused: what attach may say besides; @lost: all of them. */
void step(Verdict &verdict, const PciDevice &device, std::uint32_t pt,
	  std::uint64_t random, int refused = 0, int lost = 0)
{
	Errno error;

	switch (random % 3) {
	case 0:
		error = device.try_attach(pt);
		verdict.expect("attach", error, {0, EBUSY, refused, lost});
		break;
	case 1:
		error = device.try_replace(pt);
		verdict.expect("replace", error, {0, EINVAL, lost});
		break;
	case 2:
		error = device.try_detach();
		verdict.expect("detach", error, {0, EINVAL, lost});
		break;
	}
	if (error == ok)
		verdict.hit();
}

/* Whatever threads have left: it can be undone, and the device works. */
void check_sane(const EduWorld &world)
{
	const Errno detached = world.device.try_detach();

	CHECK((detached == ok || detached == Errno{EINVAL}));
	CHECK(world.context.ranges(world.ioas).size() == 1);
	CHECK(check_refs(world.context, world.target, 0) == ok);
	world.load();
	world.edu.write(target);
	CHECK(landed(world.target));
}

} // namespace

TEST_CASE("one device by several threads")
{
	const EduWorld world;
	const std::uint32_t other = world.context.ioas();
	const std::uint32_t hwpt = make_hwpt(world.context, world.device.id(), other);
	const std::uint32_t places[] = {world.ioas, other, hwpt};
	Verdict verdict;
	Threads threads;

	threads.start(3, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; i < rounds; i++)
			step(verdict, world.device, places[random() % 3], random());
	});
	threads.join();
	verdict.check(1);
	check_sane(world);
}

TEST_CASE("a group by several threads")
{
	const auto functions = edu_group();
	const EduWorld world(functions[0]);
	const Loan loan(functions[1]);
	const PciDevice device(world.context, functions[1]);
	const PciDevice *devices[] = {&world.device, &device};
	const std::uint32_t other = world.context.ioas();
	Verdict verdict;
	Threads threads;

	/* Each moves the other one, or finds it somewhere else. */
	threads.start(4, [&](std::size_t number, auto &random) {
		for (unsigned int i = 0; i < rounds; i++)
			step(verdict, *devices[number % 2],
			     random() % 2 ? world.ioas : other, random(), EINVAL);
	});
	threads.join();
	verdict.check(1);
	device.try_detach();
	check_sane(world);
	world.context.destroy(device.id());
}

TEST_CASE("a device is lost while it is used")
{
	const unsigned int losses = 4 + 20 / slowness();
	const EduWorld world;
	const NothingLeft nothing_left;
	const std::uint32_t other = world.context.ioas();
	std::atomic<std::uint32_t> id = world.device.id();
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	/* Ids are used again: that of a lost device may be a HWPT's. */
	threads.start(2, [&](std::size_t, auto &random) {
		while (!done)
			step(verdict, {world.context, id},
			     random() % 2 ? world.ioas : other, random(), EINVAL, ENOENT);
	});
	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; i < losses; i++) {
			std::uint32_t next = 0;

			for (auto n = random() % 3; n > 0; n--)
				std::this_thread::yield();
			if (random() % 2) {
				take_from_driver(world.function);
				world.function.give_to(iommukit::pci_offer_driver);
			} else {
				verdict.expect("destroy", world.context.try_destroy(id),
					       {0});
			}
			verdict.expect("bind",
				       PciDevice::attempt(world.context,
							  world.function.address(),
							  &next),
				       {0});
			id = next;
		}
		done = true;
	});
	threads.join();
	verdict.check(1);
	world.context.destroy(id);
}

/* What others unmap is flushed from the cache of the same IOMMU. */
TEST_CASE("a device copies while its neighbourhood is mapped and unmapped")
{
	const EduWorld world;
	const Memory memory(64 * page_size);
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	world.load();
	threads.start(2, [&](std::size_t number, auto &random) {
		const std::uint64_t base = 2 * target + number * memory.size();

		while (!done) {
			const std::uint64_t length = (1 + random() % 64) * page_size;

			verdict.expect("map",
				       world.context.try_map(world.ioas, memory.va(),
							     length, base),
				       {0});
			verdict.expect("unmap",
				       world.context.try_unmap(world.ioas, base, length),
				       {0});
			verdict.hit();
		}
	});
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; i < 10; i++) {
			const std::uint64_t offset = i % 4 * page_size;

			world.edu.write(target + offset);
			verdict.expect("landed", landed(world.target, offset));
			world.target.fill(clean_salt);
		}
		done = true;
	});
	threads.join();
	verdict.check(1);
	CHECK(check_refs(world.context, memory, 0) == ok);
}
