// SPDX-License-Identifier: GPL-2.0-only
// Bytes between an IOVA and a file, a word or the screen, piece by piece so
// that memory stays small and progress can be shown.
#pragma once

#include "dma_engine.h"
#include "report.h"
#include "session.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace ctl {

extern const FieldTable data_table;

std::string hex_digits(std::span<const std::uint8_t> bytes);

Report dump_memory(Session &session, iommukit::PortIova from, iommukit::Bytes length,
		   iommukit::Mode mode);
void read_to_file(Session &session, iommukit::PortIova from, iommukit::Bytes length,
		  iommukit::Mode mode, const std::string &path);
// Both return how much was written.
iommukit::Bytes write_text(Session &session, iommukit::PortIova to,
			   const std::string &text, iommukit::Mode mode);
iommukit::Bytes write_file(Session &session, iommukit::PortIova to,
			   const std::string &path, iommukit::Mode mode);

// Runs one transfer of the whole length, which the engine counts meanwhile.
void watch_engine(Session &session, const std::string &what, iommukit::Bytes length,
		  const std::function<void()> &transfer);

} // namespace ctl
