// SPDX-License-Identifier: GPL-2.0-only
// One table of command, errno and hint, searched first for the command and then for
// the errno alone. A hint is written from what the uAPI header says that the errno
// means for the command.
#include "hints.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

namespace ctl {

namespace {

constexpr std::array hints = {
	Hint{"open", ENOENT, "is the module loaded? iommuctl module status"},
	Hint{"netlink", ENOENT,
	     "is the module loaded, and is this the network namespace of the host? "
	     "iommuctl module status"},
	Hint{"netlink", ENODEV,
	     "the module was unloaded meanwhile: iommuctl module load, and begin again"},
	Hint{"CONTEXT_GET", ENOENT, "was the module unloaded? iommuctl module status"},
	Hint{"OBJECT_GET", ENOENT, "was the module unloaded? iommuctl module status"},
	Hint{"netlink", EPERM,
	     "to listen to events needs CAP_NET_ADMIN, to mappings CAP_SYS_ADMIN: run as "
	     "root"},
	Hint{"AREA_GET", EPERM, "what is mapped needs CAP_SYS_ADMIN: run as root"},
	Hint{"tracefs", EACCES, "tracepoints are for root: run as root"},
	Hint{"tracefs", EPERM, "tracepoints are for root: run as root"},
	Hint{"tracefs", ENOENT,
	     "is there such a tracepoint, and is tracefs mounted? ls "
	     "/sys/kernel/tracing/events/iommukit"},
	Hint{"open", ENODEV, "is the module loaded? iommuctl module status"},
	Hint{"open", ENXIO, "is the module loaded? iommuctl module status"},
	Hint{"open", EACCES,
	     "run as root, or join the group that owns the node: iommuctl module status"},
	Hint{"open", EPERM, "run as root: iommuctl module status"},
	Hint{"INFO", ENOTTY,
	     "this is no iommukit device, or a module older than this tool: iommuctl "
	     "module status"},
	Hint{"DESTROY", EBUSY,
	     "a driver, a device or another object uses it: dma detach, device show, "
	     "hwpt show, iotlb show"},
	Hint{"DESTROY", ENOENT, "list the objects of this session: ioas show"},
	Hint{"IOAS_MAP", EEXIST,
	     "something is mapped there already: ioas show; or leave out iova"},
	Hint{"IOAS_MAP_FILE", EEXIST,
	     "something is mapped there already: ioas show; or leave out iova"},
	Hint{"IOAS_MAP_ONDEMAND", EEXIST,
	     "something is mapped there already: ioas show; or leave out iova"},
	Hint{"IOAS_COPY", EEXIST,
	     "something is mapped at the destination already: ioas show; or leave out "
	     "iova"},
	Hint{"IOAS_MAP", EINVAL,
	     "iova, size and memory must be multiples of the alignment and outside "
	     "reserved ranges: ioas ranges"},
	Hint{"IOAS_MAP_FILE", EINVAL,
	     "iova, offset and length must be multiples of the alignment and outside "
	     "reserved ranges: ioas ranges"},
	Hint{"IOAS_MAP_ONDEMAND", EINVAL,
	     "iova must be a multiple of the page size and of the alignment, and outside "
	     "reserved ranges: ioas ranges"},
	Hint{"IOAS_COPY", EINVAL,
	     "iova and length must be multiples of the destination's alignment: ioas "
	     "ranges"},
	Hint{"IOAS_MAP", ENOSPC,
	     "no room in the allowed ranges: ioas show, then ioas allow or unmap"},
	Hint{"IOAS_MAP_FILE", ENOSPC,
	     "no room in the allowed ranges: ioas show, then ioas allow or unmap"},
	Hint{"IOAS_MAP_ONDEMAND", ENOSPC,
	     "no room in the allowed ranges: ioas show, then ioas allow or unmap"},
	Hint{"IOAS_MAP_ONDEMAND", EOPNOTSUPP,
	     "a HWPT of the IOAS has a device that cannot wait for pages, or the kernel "
	     "cannot tell of changes of memory: hwpt show, device show"},
	Hint{"IOAS_PREFETCH", EFAULT,
	     "nothing is at that address of the process, or not with that permission, or "
	     "its process is gone; with no-fault, it was not touched yet: ondemand show"},
	Hint{"IOAS_PREFETCH", EPERM,
	     "the mapping does not allow writing: prefetch without write"},
	Hint{"IOAS_PREFETCH", ENOENT, "nothing is mapped there: ioas show"},
	Hint{"ONDEMAND_QUERY", ENOENT,
	     "nothing is mapped on demand there: ioas show; map ... ondemand"},
	Hint{"IOAS_COPY", EOPNOTSUPP,
	     "the source is mapped on demand, and a device of the destination cannot wait "
	     "for pages: device show"},
	Hint{"IOAS_COPY", ENOSPC,
	     "no room in the allowed ranges: ioas show, then ioas allow or unmap"},
	Hint{"IOAS_MAP_FILE", EPERM,
	     "the file is not open for writing or sealed: map it with perm r"},
	Hint{"IOAS_MAP_FILE", EBADF, "the file was closed: map it again with map file"},
	Hint{"IOAS_COPY", EPERM, "the memory was mapped without write: copy with perm r"},
	Hint{"IOAS_COPY", ENOENT,
	     "the source range has a hole, or there is no such IOAS: ioas show"},
	Hint{"IOAS_UNMAP", ENOENT,
	     "nothing is mapped there, or a mapping sticks out of the range (mappings "
	     "go as a whole): ioas show"},
	Hint{"IOAS_UNMAP", EDEADLK,
	     "a driver does not release the pages: dma stop or dma detach, then unmap "
	     "again"},
	Hint{"IOAS_UNMAP", EIO,
	     "all is unmapped, but an IOMMU has kept memory, which stays pinned until the "
	     "module is unloaded: dmesg | tail"},
	Hint{"IOAS_UNMAP", EBUSY,
	     "another thread is changing the mapping: try again in a moment"},
	Hint{"IOAS_ALLOW_IOVAS", EADDRINUSE,
	     "a range touches reserved IOVA: ioas ranges shows what may be used"},
	Hint{"IOAS_ALLOW_IOVAS", EINVAL,
	     "ranges must not overlap and must be longer than one byte"},
	Hint{"OPTION", EPERM, "setting it needs CAP_SYS_RESOURCE: run as root"},
	Hint{"OPTION", EBUSY,
	     "set it before the first object is made: context add, then context option"},
	Hint{"OPTION", EADDRINUSE,
	     "a mapping is not page aligned: unmap it first, ioas show lists them"},
	Hint{"DMA_BIND", EBUSY, "the port is bound: dma unbind first"},
	Hint{"DMA_BIND", EBADFD,
	     "the descriptor is no context of this module: the "
	     "modules are of different builds; module unload, load"},
	Hint{"DMA_ATTACH", EINVAL,
	     "the port is attached (use dma replace, or dma detach), or the HWPT suits "
	     "other devices only: hwpt show"},
	Hint{"DMA_REPLACE", EINVAL,
	     "the HWPT suits other devices only: hwpt show, hwpt add device ID"},
	Hint{"DMA_ATTACH", ENODEV, "bind the port first: dma bind"},
	Hint{"DMA_REPLACE", ENODEV, "bind the port first: dma bind"},
	Hint{"DMA_REPLACE", ENOENT,
	     "attach the port first (dma attach), and name an IOAS of ioas show or an "
	     "IOTLB of iotlb show"},
	Hint{"DMA_ATTACH", ENOENT,
	     "there is no such IOAS or IOTLB: ioas show, iotlb show"},
	Hint{"DMA_ATTACH", EADDRINUSE,
	     "a pinning port needs page aligned mappings: ioas show, or bind without "
	     "pin"},
	Hint{"DMA_REPLACE", EADDRINUSE,
	     "a pinning port needs page aligned mappings: ioas show, or bind without "
	     "pin"},
	Hint{"DMA_DETACH", ENOENT, "the port is not attached: dma attach"},
	Hint{"DMA_DETACH", ENODEV, "the port is not bound: dma bind"},
	Hint{"DMA_UNBIND", ENODEV, "the port is not bound: dma bind"},
	Hint{"DMA_TRANSFER", ENODEV, "bind the port first: dma bind, dma attach"},
	Hint{"DMA_START", ENODEV, "bind the port first: dma bind, dma attach"},
	Hint{"DMA_START", EBUSY, "a job is running: dma stop"},
	Hint{"DMA_TRANSFER", ENOENT,
	     "the range has a hole, or the port is not attached: ioas show, dma attach"},
	Hint{"DMA_START", ENOENT,
	     "the range has a hole, or the port is not attached: ioas show, dma attach"},
	Hint{"DMA_TRANSFER", EPERM,
	     "the mapping, or the translation of the IOTLB, does not allow it: ioas show, "
	     "iotlb dump"},
	Hint{"DMA_START", EPERM,
	     "the mapping, or the translation of the IOTLB, does not allow it: ioas show, "
	     "iotlb dump"},
	Hint{"DMA_TRANSFER", EBUSY,
	     "the IOTLB forgets sooner than it is filled: iotlb set entries"},
	Hint{"DMA_TRANSFER", EFAULT,
	     "the memory behind the range is gone, or shrank, or the IOTLB has no "
	     "translation for it: ioas show, ondemand show, iotlb dump"},
	Hint{"DMA_START", EFAULT,
	     "the memory behind the range is gone, or shrank, or the IOTLB has no "
	     "translation for it: ioas show, ondemand show, iotlb dump"},
	Hint{"DMA_TRANSFER", EINVAL,
	     "pinning needs a port bound with pin, reading and writing cannot run in "
	     "the kernel thread, and a file must not have shrunk: help dma"},
	Hint{"DMA_START", EINVAL,
	     "pinning needs a port bound with pin and at most 1G: help dma"},
	Hint{"DMA_TRANSFER", ECANCELED,
	     "the pages were unmapped meanwhile; map them again: ioas show"},
	Hint{"HWPT_ALLOC", EOPNOTSUPP,
	     "the device cannot do that: device info tells what it can; or it cannot wait "
	     "for pages of on-demand mappings: ioas show"},
	Hint{"HWPT_ALLOC", EADDRINUSE,
	     "mappings or allowed ranges of the IOAS lie where the device cannot reach, "
	     "or are not aligned for it: ioas show"},
	Hint{"HWPT_SET_DIRTY_TRACKING", EOPNOTSUPP,
	     "make the HWPT with dirty: hwpt add dirty"},
	Hint{"HWPT_GET_DIRTY_BITMAP", EINVAL,
	     "the range must be mapped without a hole, and its pages fit the alignment "
	     "of the IOAS: ioas show"},
	Hint{"IOAS_GET_DIRTY_BITMAP", EINVAL,
	     "the range must be mapped without a hole, and its pages fit the alignment "
	     "of the IOAS: ioas show"},
	Hint{"IOTLB_ALLOC", EINVAL,
	     "entries are 16 or more, asids at most 4096, pending at most 65536, a timeout "
	     "at most an hour, a spin at most 1ms, a granule at most 1G: help iotlb"},
	Hint{"IOTLB_ALLOC", ENOSPC,
	     "there are as many as the module parameter iotlb_max_objects says: iotlb del"},
	Hint{"IOTLB_ALLOC", ENOENT, "there is no such IOAS: ioas show"},
	Hint{"IOTLB_CHANNEL_OPEN", EBUSY, "its channel is open already: iotlb show"},
	Hint{"IOTLB_SUBMIT", EINVAL, "there is no such asid: iotlb show"},
	Hint{"IOTLB_SUBMIT", EOVERFLOW, "the range ends beyond the last IOVA or target"},
	Hint{"IOTLB_SUBMIT", ERANGE,
	     "not all of it is in the aperture: iotlb show shows first and last"},
	Hint{"IOTLB_SUBMIT", ESTALE,
	     "the range was invalidated meanwhile: look the translation up once more"},
	Hint{"IOTLB_SUBMIT", EEXIST,
	     "another entry is in the way: iotlb dump; or update without no-replace"},
	Hint{"IOTLB_SUBMIT", ENOSPC,
	     "it is full, and nothing may be forgotten: iotlb invalidate, or iotlb set "
	     "entries"},
	Hint{"IOTLB_SUBMIT", EFAULT, "the target is no address of a process"},
	Hint{"IOTLB_QUERY", EINVAL, "there is no such asid: iotlb show"},
	Hint{"IOTLB_SET", EBUSY,
	     "more entries than that may not be forgotten: iotlb dump shows the pinned "
	     "ones"},
	Hint{"IOTLB_SET", EINVAL,
	     "entries are 16 or more, a timeout is at most an hour, a spin at most 1ms"},
	Hint{"IOTLB_CHAN_CONFIG", ENOMEM, "out of memory: serve it with a smaller ring"},
	Hint{"find PCI function", ENODEV, "device list shows those of this machine"},
	Hint{"write", EACCES, "run as root"},
	Hint{"drivers_probe", ENODEV, "the driver has refused it: dmesg | tail"},
	Hint{"DEVICE_BIND", ENODEV, "it was unplugged, or taken from iommukit_pci"},
	Hint{"DEVICE_BIND", EINVAL,
	     "the firmware wants it to reach certain memory, or its IOMMU does not keep "
	     "caches coherent: device show PCI-ADDRESS reserved"},
	Hint{"DEVICE_ATTACH", ENOENT,
	     "there is no such IOAS or HWPT, or the device was unplugged: ioas show, "
	     "device list"},
	Hint{"DEVICE_ATTACH", EBUSY, "it is attached, or is being reset: device replace"},
	Hint{"DEVICE_ATTACH", EINVAL,
	     "the HWPT suits other devices only, or another device of the group uses "
	     "another one, or there is nothing to replace: device show, hwpt show"},
	Hint{"DEVICE_ATTACH", EADDRINUSE,
	     "mappings or allowed ranges of the IOAS lie where the device does not "
	     "translate, or are not aligned for it: device show PCI-ADDRESS, ioas show"},
	Hint{"DEVICE_ATTACH", EIO,
	     "its IOMMU took neither the new HWPT nor the old one, and the device is kept "
	     "from all memory: device detach, with all of its group; or the context is "
	     "dead: ondemand show"},
	Hint{"DEVICE_ATTACH", EOPNOTSUPP,
	     "the IOAS has on-demand mappings, for whose pages the device cannot wait: "
	     "ioas show; map them without ondemand"},
	Hint{"DEVICE_DETACH", EINVAL, "it is not attached: device show"},
	Hint{"TEST_CMD", EINVAL, "the HWPT suits other devices only: hwpt show"},
	Hint{"TEST_CMD", EOPNOTSUPP,
	     "the IOAS has on-demand mappings, for whose pages the mock device cannot "
	     "wait: ioas show; map them without ondemand"},
	Hint{"TEST_CMD", EADDRINUSE,
	     "mappings or allowed ranges of the IOAS lie where the mock device cannot "
	     "reach (16M to 2G-1), or are not aligned for it: ioas show"},
	Hint{"memfd_create", ENOENT, "no huge pages of that size on this kernel"},
	Hint{"mmap", EINVAL,
	     "no huge pages of that size on this kernel, or a size that is no multiple"},
	Hint{"mmap", ENOMEM,
	     "out of memory, or of huge pages: echo 64 > /proc/sys/vm/nr_hugepages"},
	Hint{"", ETIMEDOUT,
	     "the server of the IOTLB did not answer in time: iotlb show tells who serves "
	     "it; iotlb serve, iotlb set timeout"},
	Hint{"", EPIPE, "the server of the IOTLB has gone: iotlb serve begins another"},
	Hint{"", ENOTCONN, "nobody has served the IOTLB yet: iotlb serve"},
	Hint{"", ENOTTY,
	     "the module does not know this command: iommuctl module status compares "
	     "the versions"},
	Hint{"", EOPNOTSUPP,
	     "the module does not know this flag or option: iommuctl module status "
	     "compares the versions"},
	Hint{"", EIO,
	     "the context is dead, for an IOMMU did not let go of on-demand memory: dmesg | "
	     "tail; ondemand show and unmap still work, for all else begin another session"},
	Hint{"", ENOENT, "there is no such object or range: ioas show"},
	Hint{"", ENOMEM,
	     "out of memory, or RLIMIT_MEMLOCK is reached: context list, then explain "
	     "CONTEXT"},
	Hint{"", EOVERFLOW, "the range ends beyond the last IOVA: ioas ranges"},
	Hint{"", EINVAL, "a value does not fit the others: help shows what is expected"},
	Hint{"", EFAULT, "the memory behind the range is gone, or shrank: ioas show"},
	Hint{"", EPROTO,
	     "tool and module do not fit together: iommuctl module status compares the "
	     "versions"},
};

} // namespace

std::string find_hint(std::string_view command, int number)
{
	for (std::string_view wanted : {command, std::string_view()}) {
		auto it = std::ranges::find_if(hints, [&](const Hint &hint) {
			return hint.command == wanted && hint.number == number;
		});
		if (it != hints.end())
			return std::string(it->text);
	}
	return "the kernel log may say more: dmesg | tail";
}

std::vector<Hint> hints_for(int number)
{
	std::vector<Hint> found;

	std::ranges::copy_if(hints, std::back_inserter(found),
			     [&](const Hint &hint) { return hint.number == number; });
	std::ranges::stable_partition(
		found, [](const Hint &hint) { return hint.command.empty(); });
	return found;
}

} // namespace ctl
