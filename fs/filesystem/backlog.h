// How much beneath a path is not uploaded yet, kept up with the catalog one file at a time: what is
// asked again and again costs as much as has changed, not as much as there is.
//
// Holds a few bytes for each such file. Not thread-safe: owned and used by one thread (Watchers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>

#include "filesystem/report.h"

namespace tusfs {

class Backlog {
 public:
  /// The reporter outlives it. Nothing is counted yet.
  Backlog(Reporter const& reporter, std::string path)
      : reporter_(reporter), path_(std::move(path)) {}

  struct Numbers {
    std::uint64_t going = 0;  ///< files that will be uploaded without anybody doing anything
    std::uint64_t left = 0;   ///< bytes of these that have not left for the server yet
    std::uint64_t size = 0;   ///< all bytes of these
    std::uint64_t stuck = 0;  ///< files that will not, but for those that are never uploaded

    bool operator==(Numbers const&) const = default;
  };
  [[nodiscard]] Numbers const& numbers() const { return numbers_; }
  [[nodiscard]] std::string const& path() const { return path_; }
  /// Whether nothing is counted, so that there is nothing to look at.
  [[nodiscard]] bool IsEmpty() const { return files_.empty(); }
  /// Those that are stuck, in the order in which they were made.
  [[nodiscard]] std::set<InodeId> const& stuck() const { return stuck_; }

  /// Looks at every file there that is not uploaded. Errors: ENOENT where there is no such path.
  [[nodiscard]] Result<void> CountAnew();

  /// Looks at one file, which may have changed, or have gone.
  [[nodiscard]] Result<void> Look(InodeId inode);

  /// Looks at `most` of the counted files, and at the next ones when it is called again: what keeps
  /// a file back may change without its row.
  [[nodiscard]] Result<void> LookAtSome(std::size_t most);

 private:
  struct File {
    std::uint64_t left = 0;
    std::uint64_t size = 0;
    bool is_going = false;
  };
  void Count(InodeId inode, FileReport const& report);
  void Drop(InodeId inode);

  Reporter const& reporter_;
  std::string const path_;
  Numbers numbers_;
  std::unordered_map<InodeId, File> files_;
  std::set<InodeId> stuck_;
  std::size_t next_bucket_ = 0;  ///< of `files_`, for LookAtSome
};

}  // namespace tusfs
