// SPDX-License-Identifier: GPL-2.0-only
// EINTR is repeated in call() only. The kernel reports it for a fatal signal while
// waiting, so the loop ends: the process is about to die.
#include "channel.h"

#include "command.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace iommukit {

std::error_code DeviceChannel::issue(unsigned long request, void *arg) noexcept
{
	if (::ioctl(fd_.get(), request, arg) < 0)
		return last_error();
	return {};
}

std::error_code try_open_channel(const std::string &path,
				 std::shared_ptr<Channel> &out) noexcept
{
	Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));

	if (!fd)
		return last_error();
	try {
		out = std::make_shared<DeviceChannel>(std::move(fd));
	} catch (const std::bad_alloc &) {
		return make_errno(ENOMEM);
	}
	return {};
}

std::shared_ptr<Channel> open_channel(const std::string &path)
{
	std::shared_ptr<Channel> channel;

	if (auto error = try_open_channel(path, channel))
		throw Error(error, "open", {.path = path});
	return channel;
}

void call(Channel &channel, unsigned long request, void *arg, const Subject &subject)
{
	std::error_code error;

	do
		error = channel.issue(request, arg);
	while (error == std::errc::interrupted);
	if (error)
		throw Error(error, std::string(command_name(request)), subject);
}

void bad_answer(unsigned long request, const Subject &subject)
{
	throw Error(make_errno(EPROTO), std::string(command_name(request)), subject);
}

} // namespace iommukit
