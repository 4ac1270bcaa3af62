// SPDX-License-Identifier: GPL-2.0
//
// Linked into upstream's programs in place of alarm(): their harness gives each
// case 30 s, which is plenty on hardware, but an emulated machine that runs a
// debug kernel beside other work may need more.

extern "C" unsigned int __real_alarm(unsigned int seconds);

extern "C" unsigned int __wrap_alarm(unsigned int seconds)
{
	constexpr unsigned int slowness = 10;

	return __real_alarm(seconds * slowness);
}
