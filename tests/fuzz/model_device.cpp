// SPDX-License-Identifier: GPL-2.0-only
// The part of the model with devices: what they are attached to, what they reserve
// meanwhile, and the HWPTs, which pin all that is mapped.
#include "model.h"

#include <linux/iommukit.h>

#include <algorithm>
#include <cerrno>

#include "../../kmod/test/iommukit_test_abi.h"

namespace fuzz {

namespace {

constexpr std::uint64_t device_flags = IOMMUKIT_TEST_DEVICE_NO_DIRTY |
				       IOMMUKIT_TEST_DEVICE_HUGE_IOVA |
				       IOMMUKIT_TEST_DEVICE_PASID;
constexpr std::uint64_t hwpt_flags =
	IOMMUKIT_HWPT_ALLOC_NEST_PARENT | IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING;

bool is_free(Ioas &ioas, const Range &range)
{
	return !ioas.mapped(range) && !hits(ioas.allowed, range);
}

// What a HWPT cannot map.
std::vector<Range> outside(const Hwpt &hwpt)
{
	return holes({hwpt.reach.aperture}, {0, all_ones});
}

void forget_region(Ioas &ioas, const Device *device)
{
	std::erase_if(ioas.regions,
		      [&](const auto &entry) { return entry.first == device; });
	ioas.collect_reserved();
}

void take_region(Ioas &ioas, const Device *device)
{
	if (!device->region)
		return;
	ioas.regions.emplace_back(device, *device->region);
	ioas.collect_reserved();
}

bool region_is_free(Ioas &ioas, const Device *device)
{
	return !device->region || is_free(ioas, *device->region);
}

// Can the hardware do it?
bool suits(const Hwpt &hwpt, const Device *device)
{
	return device->tracks || !hwpt.tracks;
}

} // namespace

bool Device::attached() const
{
	return std::find(group->attached.begin(), group->attached.end(), this) !=
	       group->attached.end();
}

void Ioas::collect_reserved()
{
	reserved = added;
	for (const auto &[device, region] : regions)
		reserved.push_back(region);
	for (const Hwpt *hwpt : hwpts)
		for (const Range &range : outside(*hwpt))
			reserved.push_back(range);
}

std::shared_ptr<Hwpt> Context::hwpt(std::uint64_t id) const
{
	const auto found = hwpts.find(id);

	return found == hwpts.end() ? nullptr : found->second;
}

Part whole(std::uint64_t first, const Area &area)
{
	return {&area, area.backing, area.offset, area.offset + (area.last - first)};
}

// All of them, or none.
void Model::hold_all(const std::map<std::uint64_t, Area> &areas)
{
	Item held;

	try {
		for (const auto &[first, area] : areas) {
			hold(whole(first, area));
			held.parts.push_back(whole(first, area));
		}
	} catch (const Refused &) {
		release(held);
		throw;
	}
}

Model::Target Model::find_target(const Context &c, std::uint64_t id)
{
	Target target{c.ioas(id), c.hwpt(id)};

	demand(c.objects.count(id), ENOENT);
	demand(target.ioas || target.hwpt, EINVAL);
	return target;
}

Device &Model::find_device(const Context &c, std::uint64_t id)
{
	const auto device = c.devices.find(id);

	demand(device != c.devices.end(), ENOENT);
	return *device->second;
}

Hwpt &Model::make_hwpt(Context &c, const std::shared_ptr<Ioas> &ioas, bool automatic,
		       bool tracks)
{
	const Reach mock{{IOMMUKIT_TEST_APERTURE_FIRST, IOMMUKIT_TEST_APERTURE_LAST},
			 mock_page};
	const auto made =
		std::make_shared<Hwpt>(Hwpt{c.free_id(), ioas, automatic, tracks, mock});

	// Its devices cannot wait for pages. Which is told first is open.
	const int unfit = ioas->ondemand() ? EOPNOTSUPP : 0;
	demand(ioas->conforms(made->reach.page), EADDRINUSE, unfit);
	for (const Range &range : outside(*made))
		demand(is_free(*ioas, range), EADDRINUSE, unfit);
	demand(!unfit, unfit);
	if (ioas->hwpts.empty())
		hold_all(ioas->areas);
	c.objects[made->id] = nullptr;
	c.hwpts[made->id] = made;
	ioas->hwpts.push_back(made.get());
	ioas->collect_reserved();
	return *made;
}

void Model::end(Context &c, Hwpt &hwpt)
{
	const auto ioas = hwpt.ioas;

	std::erase(ioas->hwpts, &hwpt);
	if (ioas->hwpts.empty())
		for (const auto &[first, area] : ioas->areas)
			release(whole(first, area));
	ioas->collect_reserved();
	c.objects.erase(hwpt.id);
	c.hwpts.erase(hwpt.id);
}

// What a device that leaves a HWPT means for it.
void Model::drop(Context &c, const std::shared_ptr<Hwpt> &hwpt, std::size_t users)
{
	hwpt->users -= users;
	if (hwpt->automatic && !hwpt->users)
		end(c, *hwpt);
}

// Attaches a device of a group that is nowhere, or there.
void Model::enter(const std::shared_ptr<Hwpt> &hwpt, Device &device)
{
	Group &group = *device.group;

	demand(!group.hwpt || group.hwpt == hwpt, EINVAL);
	// Does hardware that has the group there already say no to another device?
	demand(!group.hwpt || suits(*hwpt, &device), unmodelled);
	demand(region_is_free(*hwpt->ioas, &device), EADDRINUSE,
	       suits(*hwpt, &device) ? 0 : EINVAL);
	demand(suits(*hwpt, &device), EINVAL);
	take_region(*hwpt->ioas, &device);
	group.hwpt = hwpt;
	group.attached.push_back(&device);
	hwpt->users++;
}

// Moves all of a device's group.
void Model::move(const std::shared_ptr<Hwpt> &hwpt, Device &device)
{
	Group &group = *device.group;
	Ioas &from = *group.hwpt->ioas, &to = *hwpt->ioas;
	const bool suited =
		std::all_of(group.attached.begin(), group.attached.end(),
			    [&](const Device *each) { return suits(*hwpt, each); });

	// Of two reasons, either may be told.
	if (&from != &to)
		for (const Device *each : group.attached)
			demand(region_is_free(to, each), EADDRINUSE, suited ? 0 : EINVAL);
	demand(suited, EINVAL);
	for (const Device *each : group.attached) {
		forget_region(from, each);
		take_region(to, each);
	}
	hwpt->users += group.attached.size();
	group.hwpt = hwpt;
}

std::uint64_t Model::join(Context &c, Device &device, const Target &target)
{
	const Group &group = *device.group;

	if (target.hwpt) {
		enter(target.hwpt, device);
		return target.hwpt->id;
	}
	demand(!group.hwpt || (group.hwpt->automatic && group.hwpt->ioas == target.ioas),
	       EINVAL);
	for (const Hwpt *hwpt : target.ioas->hwpts) {
		if (!hwpt->automatic)
			continue;
		try {
			enter(c.hwpts.at(hwpt->id), device);
			return hwpt->id;
		} catch (const Refused &refused) {
			if (refused.error != EINVAL)
				throw;
		}
	}
	// It is attached before anything is mapped.
	demand(region_is_free(*target.ioas, &device), EADDRINUSE,
	       target.ioas->ondemand() ? EOPNOTSUPP : 0);
	const Hwpt &made = make_hwpt(c, target.ioas, true, false);
	enter(c.hwpts.at(made.id), device);
	return made.id;
}

std::uint64_t Model::move(Context &c, Device &device, const Target &target)
{
	const auto from = device.group->hwpt;
	const std::size_t users = device.group->attached.size();
	std::shared_ptr<Hwpt> to = target.hwpt;

	demand(device.attached(), EINVAL);
	if (target.ioas && from->automatic && from->ioas == target.ioas)
		to = from;
	for (const Hwpt *hwpt : target.ioas ? target.ioas->hwpts : std::vector<Hwpt *>{})
		if (!to && hwpt->automatic && suits(*hwpt, &device))
			to = c.hwpts.at(hwpt->id);
	if (to == from)
		return to->id;
	if (to) {
		move(to, device);
	} else {
		to = c.hwpts.at(make_hwpt(c, target.ioas, true, false).id);
		try {
			move(to, device);
		} catch (const Refused &) {
			end(c, *to);
			throw;
		}
	}
	drop(c, from, users);
	return to->id;
}

void Model::leave(Context &c, Device &device)
{
	Group &group = *device.group;
	const auto hwpt = group.hwpt;

	std::erase(group.attached, &device);
	if (group.attached.empty())
		group.hwpt.reset();
	forget_region(*hwpt->ioas, &device);
	drop(c, hwpt, 1);
}

Expect Model::create_mock(const Op &op)
{
	const bool extended = op.kind == Kind::mock_new;
	const std::uint64_t flags = op[F::flags];
	Context &c = *context[op.ctx];
	auto device = std::make_shared<Device>();

	// The test module's own command takes what no other has a use for.
	demand(!extended || op[F::first1] <= op[F::last1], unmodelled);
	demand(!(flags & ~(device_flags | (extended ? IOMMUKIT_TEST_DEVICE_REGION : 0))),
	       extended ? unmodelled : EINVAL);
	if (extended && op[F::source]) {
		const auto sibling = c.mocks.find(op[F::source]);

		demand(sibling != c.mocks.end(), ENOENT);
		device->group = sibling->second->group;
	}
	device->tracks = !(flags & IOMMUKIT_TEST_DEVICE_NO_DIRTY);
	if (flags & IOMMUKIT_TEST_DEVICE_REGION)
		device->region = {op[F::first1], op[F::last1]};

	const std::uint64_t mock = c.free_id();
	c.objects[mock] = nullptr;
	device->id = c.free_id();
	c.objects[device->id] = nullptr;
	try {
		// The device can be found by then, though it suits nobody.
		demand(op[F::id] != mock, ENOENT);
		const std::uint64_t hwpt = join(c, *device, find_target(c, op[F::id]));

		if (op.pass == Pass::read_only) {
			leave(c, *device);
			throw Refused{EFAULT};
		}
		c.devices[device->id] = c.mocks[mock] = device;
		return {.out = mock, .more = hwpt, .ranges = {{device->id, 0}}};
	} catch (const Refused &) {
		c.objects.erase(mock);
		c.objects.erase(device->id);
		throw;
	}
}

Expect Model::replace_mock(const Op &op)
{
	Context &c = *context[op.ctx];
	const auto mock = c.mocks.find(op[F::source]);

	demand(mock != c.mocks.end(), ENOENT);
	return {.out = move(c, *mock->second, find_target(c, op[F::id]))};
}

Expect Model::alloc_hwpt(const Op &op)
{
	Context &c = *context[op.ctx];

	demand(!op[F::reserved], EOPNOTSUPP);
	demand(!op[F::length], EINVAL);
	const Device &device = find_device(c, op[F::source]);
	const auto parent = c.hwpt(op[F::id]);
	const auto ioas = c.ioas(op[F::id]);
	const std::uint64_t flags = op[F::flags];
	const bool tracks = flags & IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING;
	demand(ioas || parent, EINVAL);
	// Without data, nothing can be nested.
	demand(ioas && !(flags & ~hwpt_flags), EOPNOTSUPP);
	demand(!tracks || device.tracks, EOPNOTSUPP);
	Hwpt &made = make_hwpt(c, ioas, false, tracks);
	const std::uint64_t id = made.id;
	if (op.pass == Pass::read_only) {
		end(c, made);
		throw Refused{EFAULT};
	}
	return {.out = id};
}

// Destroys a mock device or a HWPT, if it is one.
bool Model::end_device(const Op &op)
{
	Context &c = *context[op.ctx];

	if (const auto hwpt = c.hwpt(op[F::id])) {
		demand(!hwpt->users, EBUSY);
		end(c, *hwpt);
		return true;
	}
	const auto mock = c.mocks.find(op[F::id]);
	if (mock == c.mocks.end())
		return false;
	const auto device = mock->second;
	leave(c, *device);
	c.objects.erase(mock->first);
	c.objects.erase(device->id);
	c.devices.erase(device->id);
	c.mocks.erase(mock);
	return true;
}

// With the last who has a context open, what its HWPTs have pinned goes.
void Model::close(std::shared_ptr<Context> c)
{
	if (c.use_count() > 1 || !c)
		return;
	for (const auto &[id, ioas] : c->objects)
		if (ioas && !ioas->hwpts.empty())
			for (const auto &[first, area] : ioas->areas)
				release(whole(first, area));
}

} // namespace fuzz
