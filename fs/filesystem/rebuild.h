// A catalog that was damaged is made anew from what the spool's files say of themselves.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "filesystem/recovery.h"
#include "spool/spool.h"

namespace tusfs {

struct Rebuilt {
  std::uint64_t files = 0;
  std::uint64_t nameless = 0;  ///< of these, those that nobody knows a name of: in kLostAndFound
};

/// Gives every version of the spool an inode in `store`, which is new, and makes the directories
/// above it. What was finished goes on: the server is asked how far it is, and nothing is published
/// a second time. What was not is interrupted. Names of files whose bytes are not here any more
/// are lost. For before Recover. Errors: of the catalog and the spool.
[[nodiscard]] Result<Rebuilt> RebuildCatalog(Store& store, Spool const& spool, Clock const& clock,
                                             RecoveryOptions const& options, Logger const& logger);

/// Renames a damaged catalog to NAME.damaged-TIME, beside itself; returns the new name. Errors: of
/// rename(2).
[[nodiscard]] Result<std::filesystem::path> SetCatalogAside(std::filesystem::path const& catalog,
                                                            Clock const& clock);

}  // namespace tusfs
