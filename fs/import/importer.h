// Takes what lies in the directory beneath a mount into the mount, as any writer of it would.
//
// A process of its own: what it waits for in the mount ends with its death, and so does what it
// holds beneath it. At each moment each byte is in the original, or on disk in the mount, or both:
//
//   the original is held      nobody writes to it (original.h), else it waits for that
//   .NAME.tusfs-import        is made, with the mark of a copy; it waits for its rename, and is
//                             never finished before that
//   bytes, attributes, mark   of this original, as it is now; compared, and fsync(2)
//   NAME                      by a rename that replaces nothing, and fsync(2) of the directory
//   the original goes         where it is what it was, and fsync(2) of its directory
//   the mark goes
//
// What finds NAME with the mark of the original that is still there, takes that away alone. Where
// NAME is another file, the copy is NAME.imported-1 and so on.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"

namespace tusfs {

struct ImportSummary {
  std::uint64_t files = 0;    ///< that were taken in, links among them
  std::uint64_t bytes = 0;    ///< of these files
  std::uint64_t waiting = 0;  ///< for whoever writes to them
  std::uint64_t failed = 0;   ///< and are tried again
  std::uint64_t left = 0;     ///< for a person: they cannot be taken in
  std::string why = {};       ///< of one that has failed, or else is left

  bool operator==(ImportSummary const&) const = default;
};

/// One line: "12 files (30 MiB) taken in, 1 waits for whoever writes to it".
[[nodiscard]] std::string Describe(ImportSummary const& summary);

class Importer {
 public:
  /// `beneath` and `mount` are two open directories, and outlive it. `tell` hears of what has
  /// changed after each pass. `largest`: bytes of the largest file that the mount can take now;
  /// none: it takes any. SIGIO is ignored from here on.
  Importer(int beneath, int mount, Logger logger,
           std::function<void(ImportSummary const&)> tell = {},
           std::function<std::uint64_t()> largest = {});

  /// Takes in whatever can be taken in now. Errors: of the two directories themselves.
  [[nodiscard]] Result<void> Pass();

  /// Passes until nothing waits and nothing has failed; tries again when a file was closed, and by
  /// itself after longer and longer pauses, up to `again`. Errors: as of Pass.
  [[nodiscard]] Result<void> Run(std::chrono::milliseconds again = std::chrono::seconds(60));

  [[nodiscard]] ImportSummary const& summary() const { return summary_; }

 private:
  struct Place {
    int from;          ///< directory beneath the mount
    int to;            ///< in the mount
    std::string path;  ///< for a person; empty at the top, else with a slash behind it
  };

  void TakeAll(Place const& place);
  Result<void> Take(Place const& place, std::string const& name, struct stat const& status);
  Result<void> TakeFile(Place const& place, std::string const& name);
  Result<void> TakeLink(Place const& place, std::string const& name, struct stat const& status);
  Result<void> TakeDirectory(Place const& place, std::string const& name,
                             struct stat const& status);
  [[nodiscard]] Result<void> CheckSize(struct stat const& status) const;
  Result<UniqueFd> MakeDirectory(int to, std::string const& name, int from,
                                 struct stat const& status);
  void Account(std::string const& path, Error const& error);
  void NoteTaken(std::string const& path, std::string const& as, std::uint64_t bytes);
  void AwaitClose(int directory, std::string const& name) const;
  /// Whether a file was closed within `limit`.
  [[nodiscard]] bool AwaitNews(std::chrono::milliseconds limit) const;

  int const beneath_;
  int const mount_;
  Logger const logger_;
  std::function<void(ImportSummary const&)> const tell_;
  std::function<std::uint64_t()> const largest_;
  UniqueFd const closes_;                 ///< of files that are waited for: inotify(7)
  std::uint64_t place_of_originals_ = 0;  ///< the mount that they are on
  ImportSummary summary_;
  ImportSummary told_;
  std::map<std::string, std::string> reasons_;  ///< by path: what the log has said already
};

}  // namespace tusfs
