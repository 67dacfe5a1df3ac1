// Whether an upload may be given up: the one guard of all who would take it away from its file and
// begin another one.
//
// What becomes of a file by its users' hands (removed, emptied, written over) is not asked here:
// that is another body then. Pure functions of the records; whoever acts on the answer asks inside
// the transaction that acts.
#pragma once

#include <optional>
#include <string>

#include "catalog/records.h"

namespace tusfs {

/// Why it would be given up.
enum class GiveUpFor {
  kTrouble,     ///< it does not get on, or another one would do better
  kOtherBytes,  ///< what the server has is not the file's, or can never become it
};

/// Why the upload has to stay the file's; nothing where it may be given up. It stays where bytes of
/// the file are on the server only, whatever happens; and where the file may be published by it,
/// unless it is of other bytes: the file would be published twice.
[[nodiscard]] std::optional<std::string> WhyNotGivenUp(Inode const& inode, Upload const& upload,
                                                       GiveUpFor why);

/// The request that completes the upload may have been sent, and the server has not said since that
/// it is incomplete.
[[nodiscard]] bool MayBePublished(std::optional<Upload> const& upload);

}  // namespace tusfs
