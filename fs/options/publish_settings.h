// What the options mean for publishing: which files never are, and which wait for what.
#pragma once

#include "base/error.h"
#include "filesystem/finishing.h"
#include "filesystem/writer_ends.h"
#include "options/options.h"
#include "uploader/publish_rules.h"

namespace tusfs {

/// Errors: EINVAL with a sentence, where the options do not fit together.
[[nodiscard]] Result<PublishRules> PublishRulesOf(Options const& options);

/// How long a closed file waits.
[[nodiscard]] FinishingOptions FinishingOptionsOf(Options const& options);

/// How long it is watched what becomes of whoever closed a file, and what of that is a bad end.
[[nodiscard]] WriterEnds::Options WriterEndsOptionsOf(Options const& options);

}  // namespace tusfs
