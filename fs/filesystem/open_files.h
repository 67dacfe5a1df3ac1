// Files that are open now: the handles of one connection and the version that they share.
//
// The catalog has the handles, for a successor of this daemon; this is their working copy. The
// table's lock is a leaf: it may be taken inside a Store call, and nothing is taken inside it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "catalog/records.h"
#include "spool/version.h"

namespace tusfs {

/// A regular file with at least one handle. Its mutex serialises writes, truncation and the
/// bookkeeping around them.
struct ActiveFile {
  explicit ActiveFile(InodeId id, std::shared_ptr<Version> loaded = nullptr)
      : inode(id), version(std::move(loaded)) {}

  InodeId const inode;
  Mutex mutex ACQUIRED_BEFORE(lock_order::kBehindFiles);
  std::shared_ptr<Version> version GUARDED_BY(mutex);
  /// It has neither set-id bits nor capabilities, as far as is known.
  bool is_unprivileged GUARDED_BY(mutex) = false;
  /// Bytes from 0 on of which the durable catalog may say that a power cut leaves them whole.
  /// Before one of these changes, it has to say otherwise.
  std::uint64_t vouched GUARDED_BY(mutex) = kNotKnown;
  /// The first byte that was changed since the oldest of `syncs` began that still run.
  std::uint64_t changed_from GUARDED_BY(mutex) = kNotKnown;
  int syncs GUARDED_BY(mutex) = 0;
  /// The version whose bytes were on disk last, and its changes when they were.
  std::pair<VersionId, std::uint64_t> synced_at GUARDED_BY(mutex) = {};
  /// It may have been renamed since its bytes changed last (Inode::renamed).
  std::atomic<bool> may_be_renamed = true;

  static constexpr std::uint64_t kNotKnown = ~std::uint64_t{0};
};

struct OpenHandle {
  /// Guarded by file->mutex, but for what never changes: id, inode, flags, connection.
  Handle record;
  std::shared_ptr<ActiveFile> file;
  /// Of the last change, its process already among the record's writers. Guarded by file->mutex.
  pid_t last_thread = 0;
  /// Writes that made the file longer and wait to be answered, by their offset: [size before, end).
  /// Guarded by file->mutex.
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> unanswered;
  /// Changes of the version (never 2^64 - 1) when it was read last.
  std::atomic<std::uint64_t> read_at = ~std::uint64_t{0};

  [[nodiscard]] bool MayWrite() const;
  /// What may change becomes that of `next`.
  void Update(Handle next);
};

class OpenFiles {
 public:
  /// Keeps a file's entry while a handle is being made or a handleless truncation runs.
  class Pin {
   public:
    Pin(OpenFiles& files, std::shared_ptr<ActiveFile> file)
        : files_(files), file_(std::move(file)) {}
    ~Pin() { files_.Unpin(file_->inode); }
    Pin(Pin const&) = delete;
    Pin& operator=(Pin const&) = delete;
    [[nodiscard]] std::shared_ptr<ActiveFile> const& file() const { return file_; }

   private:
    OpenFiles& files_;
    std::shared_ptr<ActiveFile> const file_;
  };
  /// The file's entry, made where there is none yet.
  [[nodiscard]] Pin Activate(InodeId inode) EXCLUDES(mutex_);
  /// The entry of a file that is open; null where it is not.
  [[nodiscard]] std::shared_ptr<ActiveFile> FindFile(InodeId inode) const EXCLUDES(mutex_);

  void Add(std::shared_ptr<OpenHandle> handle) EXCLUDES(mutex_);
  /// Null for an unknown handle.
  [[nodiscard]] std::shared_ptr<OpenHandle> Find(HandleId id) const EXCLUDES(mutex_);

  struct Left {
    int handles = 0;  ///< that the file still has
    int writing = 0;  ///< of these, those that may write
  };
  Left Remove(OpenHandle const& handle) EXCLUDES(mutex_);
  [[nodiscard]] Left Count(InodeId inode) const EXCLUDES(mutex_);
  /// The handles of a file that may write to it.
  [[nodiscard]] std::vector<std::shared_ptr<OpenHandle>> Writing(InodeId inode) const
      EXCLUDES(mutex_);

 private:
  struct Row {
    std::shared_ptr<ActiveFile> file;
    Left count;
    int pins = 0;
  };
  void Unpin(InodeId inode) EXCLUDES(mutex_);

  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::unordered_map<InodeId, Row> files_ GUARDED_BY(mutex_);
  std::unordered_map<HandleId, std::shared_ptr<OpenHandle>> handles_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
