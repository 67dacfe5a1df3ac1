// Copies the files of a spool out with their names, without a daemon and without a catalog.
//
// The spool's files describe themselves (spool/description.h), so nothing else needs to be whole;
// the disk may be read-only. What has lost its name, or whose name a newer file has, goes to
// lost+found by its number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"

namespace tusfs {

struct RescuedFile {
  std::string path;        ///< relative to the directory that it was copied to
  std::string state;       ///< "uploaded", "finished", "unfinished", or "unknown"
  std::uint64_t size = 0;  ///< bytes
  std::string problem;     ///< why it is not whole; empty: it is as it was
};

struct RescueSummary {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t nameless = 0;    ///< of these files
  std::uint64_t incomplete = 0;  ///< of these files: they have a problem
  bool ledger = false;           ///< there was one, and it is copied
};

/// Copies every file in the spool of `state_dir` to `out_dir`, which is made, or is empty, and
/// calls `each` after each; and the ledger to lost+found/ledger. On disk when it returns. A file
/// that cannot be read is one with a problem, and the next one follows. Errors carry a sentence:
/// EBUSY while a tusfs uses the state directory, after a few seconds, ENOENT where that has no
/// spool, ENOTEMPTY, and of writing to `out_dir`.
[[nodiscard]] Result<RescueSummary> Rescue(std::filesystem::path const& state_dir,
                                           std::filesystem::path const& out_dir,
                                           std::function<void(RescuedFile const&)> const& each);

}  // namespace tusfs
