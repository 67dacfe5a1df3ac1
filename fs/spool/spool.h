// The bytes of files on local disk: one file per version, DIRECTORY/<number / 4096>/<number>, hex.
//
// Owned by main, used by the filesystem (writers) and the uploader. Thread-safe. There is one
// Version object at most for a version: both sides share it. The spool never lets go of bytes by
// itself: Remove is called when the catalog has durably forgotten the version. What its files take
// of the disk is counted (budget.h); those of earlier processes are, once Count has seen them.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/task_pool.h"
#include "spool/budget.h"
#include "spool/description.h"
#include "spool/version.h"

namespace tusfs {

class Spool {
 public:
  /// Opens or creates `directory`. Errors carry a sentence.
  [[nodiscard]] static Result<std::unique_ptr<Spool>> Open(std::filesystem::path const& directory,
                                                           SpoolLimits const& limits = {});

  /// A new, empty version. `id` was never used before. Errors: EMFILE while so many are open that
  /// few descriptors are left for others; of open(2).
  [[nodiscard]] Result<std::shared_ptr<Version>> Create(VersionId id) EXCLUDES(mutex_);

  /// The version; opened where nobody has it open, as a file of at most `size` bytes, of which the
  /// first `trimmed` are not here any more. What the disk has behind them stays there until the
  /// version is changed. Errors: ENOENT, and of open(2).
  [[nodiscard]] Result<std::shared_ptr<Version>> Find(VersionId id, std::uint64_t size,
                                                      std::uint64_t trimmed = 0) EXCLUDES(mutex_);

  /// As the size for Find: as long as its file is.
  static constexpr std::uint64_t kAsOnDisk = std::numeric_limits<std::uint64_t>::max();

  /// The version where somebody has it open now, else null.
  [[nodiscard]] std::shared_ptr<Version> FindOpen(VersionId id) const EXCLUDES(mutex_);

  /// Keeps a version open that nobody has in use for now, but somebody soon will: so what it knows
  /// of its bytes (their digests) is not lost. The last kMostKept are kept, fewer where descriptors
  /// are short; one whose disk has failed is not. LetGo ends it.
  void KeepOpen(std::shared_ptr<Version> version) EXCLUDES(mutex_);
  void LetGo(VersionId id) EXCLUDES(mutex_);
  static constexpr std::size_t kMostKept = 512;

  /// Unlinks the version's file; readers that have it open keep their bytes. A missing one is
  /// success. Only after the synced commit that permits it.
  [[nodiscard]] Result<void> Remove(VersionId id) EXCLUDES(mutex_);

  /// An empty file without a name on the same disk, for bytes that nobody misses after this
  /// process. What it takes is not counted: whoever has it tells the budget. Errors: of open(2).
  [[nodiscard]] Result<UniqueFd> Scratch() const;

  /// Starts the disk writing for all files at once (syncfs), and waits for all that it has to
  /// write; no verdict on any single one.
  void Flush();

  /// Removes every version that `wanted` says no to; returns how many. Others may work meanwhile,
  /// with versions that `wanted` says yes to. Ends early when it is told to stop.
  [[nodiscard]] Result<std::uint64_t> Sweep(std::function<bool(VersionId)> const& wanted,
                                            std::stop_token stop = {});

  /// Adds what the versions of earlier processes take to the budget. Once; for a thread of its own,
  /// while others work. Ends early when it is told to stop. Errors: of reading the directory.
  [[nodiscard]] Result<void> Count(std::stop_token stop = {}) EXCLUDES(mutex_);

  /// Writes down what a version's file is. Errors: ENOENT; ENOTSUP from a disk without extended
  /// attributes.
  [[nodiscard]] Result<void> Describe(VersionId id, Description const& description)
      EXCLUDES(mutex_);

  struct Found {
    VersionId id = 0;
    std::uint64_t size = 0;  ///< bytes
    std::optional<Description> description;
  };
  /// The versions of a spool, in order of number, whoever made them.
  [[nodiscard]] Result<std::vector<Found>> ListDescribed() const;
  [[nodiscard]] std::filesystem::path PathOf(VersionId id) const;

  [[nodiscard]] Budget& budget() { return *budget_; }
  [[nodiscard]] Budget const& budget() const { return *budget_; }

  struct Space {
    std::uint64_t capacity = 0;  ///< bytes of the disk that the spool is on
    std::uint64_t free = 0;      ///< bytes that may still be written
    std::uint64_t inodes = 0;
    std::uint64_t free_inodes = 0;
  };
  [[nodiscard]] Result<Space> Measure() const;

 private:
  Spool(std::filesystem::path directory, UniqueFd fd, SpoolLimits const& limits);
  [[nodiscard]] std::vector<VersionId> ListVersions(std::stop_token const& stop,
                                                    std::error_code& failed) const;
  [[nodiscard]] bool IsCounted(VersionId id) const REQUIRES(mutex_) {
    return id < counted_below_ || id >= first_made_;
  }

  /// OpenVersion; where there are too many open files, once more without those that are kept.
  [[nodiscard]] Result<UniqueFd> OpenOf(VersionId id, int flags) EXCLUDES(mutex_);
  void Remember(std::shared_ptr<Version> const& version) REQUIRES(mutex_);
  /// Takes what a version's file takes now, where it was `before`, into account.
  void Recount(VersionId id, std::uint64_t before) EXCLUDES(mutex_);

  static constexpr std::size_t kSmallestPurge = 64;

  std::filesystem::path const directory_;
  UniqueFd const fd_;
  std::shared_ptr<Budget> const budget_;
  std::shared_ptr<TaskPool> const closers_;  ///< of files that were removed while they were open
  std::shared_ptr<TaskPool> const writers_;  ///< have the disk begin with what was written
  /// Of the table; the disk does not work under it.
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindStore)
      ACQUIRED_BEFORE(lock_order::kBehindTables);
  std::unordered_map<VersionId, std::weak_ptr<Version>> open_ GUARDED_BY(mutex_);
  std::size_t purge_at_ GUARDED_BY(mutex_) = kSmallestPurge;
  std::unordered_map<VersionId, std::shared_ptr<Version>> kept_ GUARDED_BY(mutex_);
  std::deque<VersionId> kept_order_ GUARDED_BY(mutex_);  ///< the oldest first; some are let go
  /// Which versions the budget knows of: those below the one, and this process's own.
  VersionId counted_below_ GUARDED_BY(mutex_) = 0;
  std::set<VersionId> never_counted_ GUARDED_BY(mutex_);  ///< removed before that
  VersionId first_made_ GUARDED_BY(mutex_) = std::numeric_limits<VersionId>::max();
};

}  // namespace tusfs
