// SPDX-License-Identifier: GPL-2.0-only
// Translations that a server of an IOTLB answers from: those of a map file, or every
// IOVA to itself.
//
// A line of a map file is IOVA LENGTH TARGET PERM, with numbers and $variables as in a
// session, and PERM r, w or rw; the translations must not overlap.
#pragma once

#include "iotlb_server.h"
#include "words.h"

#include <map>
#include <optional>
#include <string>

namespace ctl {

class TranslationMap {
    public:
	// Throws Failure with file and line.
	static TranslationMap load(const std::string &path, const Lookup &variables);

	std::optional<iommukit::IotlbTranslation> find(iommukit::Iova iova) const;

    private:
	std::map<iommukit::Iova, iommukit::IotlbTranslation> translations_;
};

iommukit::IotlbSource map_source(TranslationMap map);
iommukit::IotlbSource identity_source();
// What the source says, but no more than the page of that size around what is asked.
iommukit::IotlbSource paged_source(iommukit::IotlbSource source, iommukit::Bytes page);

} // namespace ctl
