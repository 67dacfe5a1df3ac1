// What is known of the files beneath a directory: the ledger's last word on each, and what is not
// uploaded yet.
#pragma once

#include <string>
#include <vector>

#include "control/evidence.h"
#include "proof/comparison.h"

namespace tusfs {

/// Of `evidence.path`, relative to it. Adds a sentence to `doubts` for what makes all of it
/// doubtful. Errors: with a sentence.
[[nodiscard]] Result<KnownTree> LoadKnown(Evidence const& evidence,
                                          std::vector<std::string>& doubts);

/// `path`, which is at or beneath `top`, relative to it.
[[nodiscard]] std::string Beneath(std::string const& path, std::string const& top);

}  // namespace tusfs
