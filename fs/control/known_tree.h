// What is known of the files beneath a directory: the ledger's last word on each, and what is not
// uploaded yet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/evidence.h"
#include "proof/comparison.h"

namespace tusfs {

/// Of `evidence.path`, relative to it. Adds a sentence to `doubts` for what makes all of it
/// doubtful. Errors: with a sentence.
[[nodiscard]] Result<KnownTree> LoadKnown(Evidence const& evidence,
                                          std::vector<std::string>& doubts);

/// The first of `files` of which something else is known now than before.
[[nodiscard]] std::optional<std::string> ChangedSince(KnownTree const& before, KnownTree const& now,
                                                      std::vector<ComparedFile> const& files);

/// `path`, which is at or beneath `top`, relative to it.
[[nodiscard]] std::string Beneath(std::string const& path, std::string const& top);

}  // namespace tusfs
