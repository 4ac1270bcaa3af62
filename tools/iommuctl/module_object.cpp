// SPDX-License-Identifier: GPL-2.0-only
// iommuctl module: load, unload and examine the kernel modules. Loading what is
// loaded and unloading what is not are no errors: the state that was asked for
// is there.
#include "failure.h"
#include "module_control.h"
#include "module_status.h"
#include "objects.h"
#include "session.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace ctl {

namespace {

constexpr std::array change_fields = {
	Field{"name", Show::text, "name of the module"},
	Field{"result", Show::text, "loaded, already loaded, unloaded, not loaded"},
	Field{"file", Show::text, "the file it was loaded from"},
};
constexpr FieldTable change_table = {"modules", change_fields};

Report change_report(std::vector<Row> rows)
{
	std::string text;

	for (const auto &row : rows) {
		text += row[0].get<std::string>() + " " + row[1].get<std::string>();
		if (!row[2].is_null())
			text += " from " + row[2].get<std::string>();
		text += "\n";
	}
	Report report = Report::drawn(change_table, std::move(rows), std::move(text));
	report.primary("result").as_list();
	return report;
}

std::chrono::milliseconds time_limit(const Arguments &args)
{
	constexpr std::uint64_t longest = 24 * 60 * 60;
	std::uint64_t seconds = args.number("timeout").value_or(5);

	if (seconds > longest)
		throw usage_failure("a timeout of " + std::to_string(seconds) +
					    " s is too long",
				    "at most a day: " + std::to_string(longest));
	return std::chrono::seconds(seconds);
}

Report run_status(Session &, const Arguments &args)
{
	return module_status(args.text("field"));
}

// A path may be that of the file itself, whatever its name says.
const KernelModule &wanted_module(const Arguments &args, const std::string &path)
{
	if (args.has("name"))
		return kernel_module(args.need_text("name"));
	for (const auto &module : kernel_modules())
		if (path.ends_with("/" + std::string(module.name) + ".ko") ||
		    path == std::string(module.name) + ".ko")
			return module;
	return kernel_module("core");
}

Row load_one(const Session &session, const KernelModule &module, const std::string &path,
	     std::chrono::milliseconds limit)
{
	if (module_loaded(module.name) && session.dry_run())
		return {module.name, "already loaded", nullptr};
	if (module_loaded(module.name)) {
		load_module(module, "", limit);
		return {module.name, "already loaded", nullptr};
	}
	std::string file = module_file(module, path);
	if (session.dry_run())
		return {module.name, "would be loaded", file};
	bool fresh = load_module(module, file, limit);
	return {module.name, fresh ? "loaded" : "already loaded", file};
}

Report run_load(Session &session, const Arguments &args)
{
	std::string path = args.text("path").value_or("");
	const KernelModule &module = wanted_module(args, path);
	const KernelModule &core = kernel_module("core");
	bool one_file = path.ends_with(".ko");
	std::vector<Row> rows;

	// Everything stands on the core; a single file is all that was asked for.
	if (module.word != "core" && !one_file)
		rows.push_back(load_one(session, core, path, time_limit(args)));
	rows.push_back(load_one(session, module, path, time_limit(args)));
	return change_report(std::move(rows));
}

Row unload_one(const Session &session, std::string_view name,
	       std::chrono::milliseconds limit)
{
	if (session.dry_run())
		return {name, module_loaded(name) ? "would be unloaded" : "not loaded",
			nullptr};
	return {name, unload_module(name, limit) ? "unloaded" : "not loaded", nullptr};
}

// If one of them is in use, those above it have gone already.
void unload_all(const Session &session, std::chrono::milliseconds limit,
		std::vector<Row> &rows)
{
	auto modules = kernel_modules();
	std::string gone;

	for (auto it = modules.rbegin(); it != modules.rend(); ++it) {
		if (!module_loaded(it->name) && it->word != "core")
			continue;
		try {
			rows.push_back(unload_one(session, it->name, limit));
		} catch (const Failure &failure) {
			if (gone.empty())
				throw;
			throw Failure(
				failure.exit(),
				std::string(failure.what()) + "; unloaded are" + gone,
				failure.hint(), failure.number(), failure.command());
		}
		gone += " " + std::string(it->name);
	}
}

Report run_unload(Session &session, const Arguments &args)
{
	std::string wanted = args.text("name").value_or("all");
	std::vector<Row> rows;

	if (session.has_engine() || !session.contexts().empty())
		throw usage_failure(
			"this session has the device open",
			"unload in a call of its own: iommuctl module unload");
	if (wanted != "all") {
		rows.push_back(unload_one(session, kernel_module(wanted).name,
					  time_limit(args)));
	} else {
		unload_all(session, time_limit(args), rows);
	}
	return change_report(std::move(rows));
}

constexpr std::array<std::string_view, 5> load_names = {"core", "dma", "pci", "test",
							"bench"};
constexpr std::array<std::string_view, 6> unload_names = {"all", "core", "dma",
							  "pci", "test", "bench"};

constexpr std::array status_params = {
	Param{"field", Kind::text, Place::optional_operand,
	      "print only this field, bare"},
};
constexpr Param timeout_param = {"timeout", Kind::number, Place::key,
				 "seconds to wait at most; 5 if left out"};
constexpr std::array load_params = {
	Param{"name", Kind::choice, Place::optional_operand,
	      "core if left out; the others load core, too", load_names},
	Param{"path", Kind::path, Place::key,
	      "a file, or a directory to look in, instead of the installed module"},
	timeout_param,
};
constexpr std::array unload_params = {
	Param{"name", Kind::choice, Place::optional_operand, "all if left out",
	      unload_names},
	timeout_param,
};

constexpr std::array verbs = {
	Verb{"status", "say what is there, what is missing and what to do about it",
	     status_params, run_status},
	Verb{"load", "load a module and wait for its device node", load_params, run_load},
	Verb{"unload", "unload modules; refused while they are in use", unload_params,
	     run_unload},
};
constexpr std::array<const FieldTable *, 3> tables = {&status_table, &advice_table,
						      &change_table};

} // namespace

const Object module_object = {"module", "the kernel modules", verbs, "status", tables};

} // namespace ctl
