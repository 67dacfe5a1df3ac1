// What the options mean for publishing: which files never are, and which wait for what.
#pragma once

#include <vector>

#include "base/error.h"
#include "options/options.h"
#include "options/settings.h"
#include "uploader/publish_rules.h"

namespace tusfs {

/// The settings that are lists of patterns and names.
[[nodiscard]] std::vector<Setting> PublishSettings();

/// Errors: EINVAL with a sentence, where the options do not fit together.
[[nodiscard]] Result<PublishRules> PublishRulesOf(Options const& options);

}  // namespace tusfs
