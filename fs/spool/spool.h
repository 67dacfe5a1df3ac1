// The bytes of files on local disk: one file per version, DIRECTORY/<number / 4096>/<number>, hex.
//
// Owned by main, used by the filesystem (writers) and the uploader. Thread-safe. There is one
// Version object at most for a version: both sides share it. The spool never lets go of bytes by
// itself: Remove is called when the catalog has durably forgotten the version.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <unordered_map>

#include "base/error.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "spool/version.h"

namespace tusfs {

class Spool {
 public:
  /// Opens or creates `directory`. Errors carry a sentence.
  [[nodiscard]] static Result<std::unique_ptr<Spool>> Open(std::filesystem::path const& directory);

  /// A new, empty version. `id` was never used before.
  [[nodiscard]] Result<std::shared_ptr<Version>> Create(VersionId id) EXCLUDES(mutex_);

  /// The version; opened where nobody has it open, as a file of at most `size` bytes. What the
  /// disk has behind them stays there until the version is changed. Errors: ENOENT, and of open(2).
  [[nodiscard]] Result<std::shared_ptr<Version>> Find(VersionId id, std::uint64_t size)
      EXCLUDES(mutex_);

  /// The version where somebody has it open now, else null.
  [[nodiscard]] std::shared_ptr<Version> FindOpen(VersionId id) const EXCLUDES(mutex_);

  /// Unlinks the version's file; readers that have it open keep their bytes. A missing one is
  /// success. Only after the synced commit that permits it.
  [[nodiscard]] Result<void> Remove(VersionId id);

  /// Starts the disk writing for all files at once (syncfs); no verdict on any single one.
  void Flush();

  /// Removes every version that `wanted` says no to; returns how many. Others may work meanwhile,
  /// with versions that `wanted` says yes to. Ends early when it is told to stop.
  [[nodiscard]] Result<std::uint64_t> Sweep(std::function<bool(VersionId)> const& wanted,
                                            std::stop_token stop = {});

  struct Space {
    std::uint64_t capacity = 0;  ///< bytes of the disk that the spool is on
    std::uint64_t free = 0;      ///< bytes that may still be written
    std::uint64_t inodes = 0;
    std::uint64_t free_inodes = 0;
  };
  [[nodiscard]] Result<Space> Measure() const;

 private:
  Spool(std::filesystem::path directory, UniqueFd fd)
      : directory_(std::move(directory)), fd_(std::move(fd)) {}
  [[nodiscard]] std::filesystem::path PathOf(VersionId id) const;

  void Remember(std::shared_ptr<Version> const& version) REQUIRES(mutex_);

  static constexpr std::size_t kSmallestPurge = 64;

  std::filesystem::path const directory_;
  UniqueFd const fd_;
  mutable Mutex mutex_;
  std::unordered_map<VersionId, std::weak_ptr<Version>> open_ GUARDED_BY(mutex_);
  std::size_t purge_at_ GUARDED_BY(mutex_) = kSmallestPurge;
};

}  // namespace tusfs
