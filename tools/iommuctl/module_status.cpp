// SPDX-License-Identifier: GPL-2.0-only
// Each find_ function looks at one thing, sets its fields, and gives advice if
// something is to be done. None of them fails: a status that stops half way helps
// nobody.
#include "module_status.h"

#include "backing.h"
#include "context.h"
#include "info.h"
#include "module_control.h"
#include "obstacles.h"
#include "raw.h"
#include "session.h"
#include "version_check.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

namespace ctl {

using namespace iommukit;
namespace fs = std::filesystem;

namespace {

constexpr std::array advice_fields = {
	Field{"field", Show::text, "what the advice is about"},
	Field{"advice", Show::text, "what to do"},
};

constexpr std::array status_fields = {
	Field{"kernel", Show::text, "the running kernel"},
	Field{"module", Show::text, "loaded, or not loaded"},
	Field{"module_version", Show::text, "version of the loaded module"},
	Field{"tool_version", Show::text, "version of iommuctl"},
	Field{"versions_match", Show::boolean, "both are of one version"},
	Field{"module_file", Show::text, "the file modprobe would load"},
	Field{"references", Show::number, "users of the loaded module"},
	Field{"node", Show::text, "the device node with mode and owner"},
	Field{"access", Show::boolean, "this user may open the node"},
	Field{"memlock", Show::limit, "how much this user may keep pinned"},
	Field{"iommufd", Show::text,
	      "the kernel's own iommufd: active, available, absent"},
	Field{"dma_module", Show::text, "the software DMA engine: loaded, or not loaded"},
	Field{"pci_module", Show::text,
	      "the driver that PCI functions are bound by: loaded, or not loaded"},
	Field{"iommu", Show::text, "whether the kernel uses an IOMMU: on, or off"},
	Field{"advice", Show::rows, "what to do about what does not fit", &advice_table},
};

// Collects the fields by name, so that their order is that of the table.
class Findings {
    public:
	void set(std::string_view field, Json value)
	{
		row_.at(*status_table.index(field)) = std::move(value);
	}
	void advise(std::string_view field, std::string text)
	{
		advice_.push_back({field, std::move(text)});
	}
	Row row() const;
	std::string text() const;

	Exit exit = Exit::ok;

    private:
	Row row_ = Row(status_table.fields.size());
	std::vector<Row> advice_;
};

Row Findings::row() const
{
	Row out = row_;

	out.back() = Json::array();
	for (const auto &advice : advice_)
		out.back().push_back(row_to_json(advice_table, advice));
	return out;
}

std::string Findings::text() const
{
	constexpr std::size_t width = 16;
	std::string out;

	for (std::size_t i = 0; i + 1 < row_.size(); i++) {
		const Field &field = status_table.fields[i];
		std::string name(field.name);
		out += name + std::string(width - name.size(), ' ') +
		       value_text(field, row_[i]) + "\n";
		for (const auto &advice : advice_)
			if (advice[0] == field.name)
				out += std::string(width, ' ') + "-> " +
				       advice[1].get<std::string>() + "\n";
	}
	return out;
}

std::string mode_text(mode_t mode)
{
	constexpr std::string_view letters = "rwxrwxrwx";
	std::string out(S_ISCHR(mode) ? "c" : "?");

	for (std::size_t i = 0; i < letters.size(); i++)
		out += mode >> (8 - i) & 1 ? letters[i] : '-';
	return out;
}

std::string owner_text(const struct stat &stat)
{
	const passwd *user = ::getpwuid(stat.st_uid);
	const group *owner = ::getgrgid(stat.st_gid);

	return (user ? std::string(user->pw_name) : std::to_string(stat.st_uid)) + " " +
	       (owner ? std::string(owner->gr_name) : std::to_string(stat.st_gid));
}

void find_module(Findings &findings)
{
	auto file = installed_file("iommukit");
	bool loaded = module_loaded("iommukit");

	findings.set("module", loaded ? "loaded" : "not loaded");
	findings.set("module_file", file ? Json(*file) : Json("not installed"));
	if (auto count = reference_count("iommukit"))
		findings.set("references", *count);
	if (loaded)
		return;
	findings.exit = Exit::absent;
	findings.advise("module", file ? "load it: iommuctl module load (as root)"
				       : how_to_install());
}

void find_versions(Findings &findings, const std::optional<ModuleInfo> &info)
{
	std::optional<Version> version;

	if (info)
		version = info->version;
	else if (auto text = loaded_version("iommukit"))
		version = Version::parse(*text);
	findings.set("tool_version", tool_version().text());
	if (!version)
		return;
	std::string mismatch = version_mismatch(*version);
	findings.set("module_version", version->text());
	findings.set("versions_match", mismatch.empty());
	if (!mismatch.empty())
		findings.advise("versions_match",
				mismatch + ": " + version_advice(*version));
}

// The group that the udev rule has let in, if it has.
std::string how_to_open(const struct stat &stat)
{
	const group *owner = ::getgrgid(stat.st_gid);

	if (stat.st_gid == 0 || !owner || (stat.st_mode & 060) != 060)
		return "run as root, or let the udev rule give the node to a group of "
		       "yours: make install GROUP=...";
	std::string name(owner->gr_name);
	return "run as root, or be of the group " + name + ": adduser USER " + name +
	       ", and log in again";
}

// Opens the node and asks the module, if it is there and we may.
std::optional<ModuleInfo> find_node(Findings &findings)
{
	std::string path = default_device();
	std::optional<Context> context;
	struct stat stat;

	if (::stat(path.c_str(), &stat) < 0) {
		findings.set("node", path + " missing");
		if (module_loaded("iommukit"))
			findings.advise("node", "mount devtmpfs on /dev, or set "
						"IOMMUKIT_DEVICE");
		return std::nullopt;
	}
	findings.set("node",
		     path + " " + mode_text(stat.st_mode) + " " + owner_text(stat));
	auto error = try_open(path, context);
	findings.set("access", !error);
	if (error) {
		bool denied = error.value() == EACCES || error.value() == EPERM;
		findings.exit = denied ? Exit::not_permitted : Exit::absent;
		findings.advise("access", denied ? how_to_open(stat)
						 : "the node has no driver behind it (" +
							   error.message() +
							   "): iommuctl module load");
		return std::nullopt;
	}
	try {
		return context->info();
	} catch (const Error &refused) {
		findings.exit = Exit::unsupported;
		findings.advise("node", "it does not answer as iommukit (" +
						refused.code().message() +
						"): is IOMMUKIT_DEVICE right?");
		return std::nullopt;
	}
}

void find_memlock(Findings &findings)
{
	constexpr Bytes little(64 << 20);
	auto limit = memlock_limit();

	findings.set("memlock", limit ? Json(limit->value) : Json());
	if (limit && *limit < little)
		findings.advise("memlock",
				"drivers cannot pin more than this: ulimit -l, or "
				"/etc/security/limits.d, or run as root");
}

bool config_has(const std::string &release, std::string_view option)
{
	std::ifstream config("/boot/config-" + release);
	std::string line;

	while (std::getline(config, line))
		if (line.starts_with(option) && line.size() > option.size() &&
		    line[option.size()] == '=')
			return true;
	return false;
}

void find_iommufd(Findings &findings, const std::string &release)
{
	// Not /dev/iommu: that may be a link to our own node.
	bool active = fs::exists("/sys/class/misc/iommu");
	bool available =
		installed_file("iommufd") || config_has(release, "CONFIG_IOMMUFD");

	findings.set("iommufd", active ? "active" : available ? "available" : "absent");
	if (active && fs::is_symlink("/dev/iommu"))
		findings.advise(
			"iommufd",
			"/dev/iommu leads to iommukit, and the kernel's own has no "
			"node: rm /dev/iommu, then load iommufd anew");
	else if (active)
		findings.advise("iommufd",
				"/dev/iommu is the kernel's own; programs reach "
				"iommukit through /dev/iommukit");
}

// A module that not everybody needs.
void find_extra(Findings &findings, std::string_view field, std::string_view word,
		std::string_view users)
{
	bool loaded = module_loaded(kernel_module(word).name);

	findings.set(field, loaded ? "loaded" : "not loaded");
	if (!loaded)
		findings.advise(field, "only " + std::string(users) +
					       " need it: iommuctl module load " +
					       std::string(word));
}

void find_iommu(Findings &findings)
{
	findings.set("iommu", has_iommu() ? "on" : "off");
	if (!has_iommu())
		findings.advise("iommu",
				"only PCI functions need it: " + how_to_get_iommu());
}

} // namespace

constinit const FieldTable advice_table = {"advice", advice_fields};
constinit const FieldTable status_table = {"module", status_fields};

Report module_status(const std::optional<std::string> &field)
{
	Findings findings;
	struct utsname name;

	::uname(&name); // fails only for a bad pointer
	findings.set("kernel", std::string(name.release) + " " + name.machine);
	find_module(findings);
	find_versions(findings, find_node(findings));
	find_memlock(findings);
	find_iommufd(findings, name.release);
	find_extra(findings, "dma_module", "dma", "the dma commands");
	find_extra(findings, "pci_module", "pci", "PCI functions");
	find_iommu(findings);

	Report report = Report::drawn(status_table, {findings.row()}, findings.text());
	report.primary("module").exits(findings.exit);
	if (field)
		report.select(*field);
	return report;
}

} // namespace ctl
