// SPDX-License-Identifier: GPL-2.0-only
#include "worker.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>

namespace bench {

using namespace iommukit;

Worker::Worker(const std::function<Slice()> &measure)
{
	int orders[2], answers[2];

	if (::pipe(orders))
		throw Error(last_error(), "pipe");
	Fd orders_in(orders[0]);
	orders_ = Fd(orders[1]);
	if (::pipe(answers))
		throw Error(last_error(), "pipe");
	answers_ = Fd(answers[0]);
	Fd answers_out(answers[1]);
	child_ = ::fork();
	if (child_ < 0)
		throw Error(last_error(), "fork");
	if (child_ == 0) {
		// Or it would never see the end of its orders.
		orders_.reset();
		work(measure, orders_in.get(), answers_out.get());
	}
}

Worker::~Worker()
{
	orders_.reset();
	if (child_ > 0) {
		::kill(child_, SIGKILL);
		::waitpid(child_, nullptr, 0);
	}
}

void Worker::work(const std::function<Slice()> &measure, int orders, int answers)
{
	char order = 0;

	::prctl(PR_SET_PDEATHSIG, SIGKILL);
	try {
		while (::read(orders, &order, 1) == 1) {
			const Slice slice = measure();

			if (::write(answers, &slice, sizeof(slice)) != sizeof(slice))
				break;
		}
	} catch (const std::exception &error) {
		// The parent sees the pipe close without an answer.
		std::fprintf(stderr, "iommukit-bench: %s\n", error.what());
	}
	::_exit(1);
}

Slice Worker::slice() const
{
	Slice slice{};

	if (::write(orders_.get(), "", 1) != 1 ||
	    ::read(answers_.get(), &slice, sizeof(slice)) != sizeof(slice))
		throw std::runtime_error("a process that measures has gone");
	return slice;
}

} // namespace bench
