// rename(2) inside one transaction: both ends are looked up, what is in the way goes, entries move.
//
// Inside the caller's transaction; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "catalog/store.h"
#include "filesystem/removal.h"

namespace tusfs {

struct Place {
  InodeId directory = 0;
  std::string_view name;
};

/// What is to be told when it is committed.
struct Renamed {
  Removal::Aftermath replaced{};
  std::vector<InodeId> moved{};
};

/// `flags`: 0, RENAME_NOREPLACE or RENAME_EXCHANGE. Two names of one file: nothing happens, as
/// POSIX has it. Errors: ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EEXIST.
[[nodiscard]] Result<Renamed> RenameEntry(Transaction& transaction, Removal& removal,
                                          Place const& from, Place const& to, unsigned flags,
                                          FileTime now);

}  // namespace tusfs
