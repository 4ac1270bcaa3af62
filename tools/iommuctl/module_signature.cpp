// SPDX-License-Identifier: GPL-2.0-only
// The kernel answers EKEYREJECTED, or EPERM even to root if it is locked down, both to a
// module that has no signature and to one whose signer it does not know. What helps is
// not the same, and the file tells which it is.
#include "module_signature.h"

#include "module_control.h"
#include "sysfs.h"

namespace ctl {

namespace sysfs = iommukit::sysfs;

namespace {

// Where DKMS of Debian 12 keeps the certificate that it signs with.
constexpr const char *enroll =
	"mokutil --import /var/lib/dkms/mok.pub, reboot, and choose \"Enroll MOK\" there";

} // namespace

bool locked_down()
{
	// "none [integrity] confidentiality"
	auto modes = sysfs::read(sysfs::path("kernel/security/lockdown"));

	return modes && !modes->starts_with("[none]");
}

std::string signature_hint(const std::string &file)
{
	auto signer = module_info(file, "signer");

	if (!signer)
		return "the file is not signed (modinfo -F signer), and the kernel wants "
		       "that (mokutil --sb-state: is Secure Boot on?): let DKMS build it, "
		       "which signs (package iommukit-dkms, or make dkms-install), then " +
		       std::string(enroll);
	return "the kernel does not know the key of \"" + *signer +
	       "\", which signed the file (modinfo -F signer): if that is DKMS's, " +
	       enroll + "; mokutil --test-key /var/lib/dkms/mok.pub says if it is known";
}

} // namespace ctl
