// The bytes of open files: reading, writing, allocating, looking for holes, syncing.
//
// A write is in the page cache when it returns, safe from the daemon's death; what is synced is
// safe from power loss. Changes of one file wait for each other under its ActiveFile's lock, which
// comes before the store's; a read and the disk's part of a sync do not hold it. None waits for the
// network: where bytes are wanted that only the server has, Read fails with EAGAIN. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "catalog/store.h"
#include "filesystem/access_times.h"
#include "filesystem/bodies.h"
#include "filesystem/changes.h"
#include "filesystem/open_files.h"
#include "filesystem/turns.h"
#include "filesystem/types.h"
#include "spool/budget.h"
#include "uploader/uploader.h"

namespace tusfs {

class Data {
 public:
  /// The collaborators outlive it.
  Data(Store& store, Budget const& budget, Uploader& uploader, OpenFiles const& open, Turns& turns,
       Bodies& bodies, Changes& changes, AccessTimes const& access_times, Clock const& clock);

  // Errors of all: EBADF for an unknown handle, and where it may not write.
  [[nodiscard]] Result<std::size_t> Read(HandleId handle, std::uint64_t offset,
                                         std::span<std::byte> out);
  /// Writes all or fails. kWait: the caller should be answered when AskTurn says kGo. Errors:
  /// ENOSPC where there will be no room, and nothing was written. `may_wait`: false for a write of
  /// the kernel's own, which is always kGo.
  [[nodiscard]] Result<Turn> Write(Caller const& caller, HandleId handle, std::uint64_t offset,
                                   std::span<std::byte const> bytes, bool may_wait);
  /// For a write at byte `offset` that waits to be answered: kGo or kWait. Errors: ENOSPC, and the
  /// write has failed: the file is as long as before, unless the uploader has the bytes already.
  [[nodiscard]] Result<Turn> AskTurn(HandleId handle, std::uint64_t offset);
  [[nodiscard]] Result<void> Sync(HandleId handle);
  /// As fallocate(2): `mode` is 0, or of FALLOC_FL_KEEP_SIZE, _PUNCH_HOLE and _ZERO_RANGE. Errors:
  /// EOPNOTSUPP for another mode, or from the spool's disk.
  [[nodiscard]] Result<void> Allocate(Caller const& caller, HandleId handle, int mode,
                                      std::uint64_t offset, std::uint64_t length);
  /// As lseek(2) with SEEK_DATA or SEEK_HOLE. Errors: ENXIO behind the end.
  [[nodiscard]] Result<std::uint64_t> Seek(HandleId handle, std::uint64_t offset, int whence);

  /// As ftruncate(2) through `handle`, or truncate(2) where that is none of the file. Errors:
  /// EISDIR, EINVAL for what has no bytes.
  [[nodiscard]] Result<void> SetSize(ActiveFile& file, Caller const& caller, std::uint64_t size,
                                     HandleId handle) REQUIRES(file.mutex);

 private:
  /// The bytes that a sync promises: what is written meanwhile is not promised.
  struct Promise {
    std::shared_ptr<Version> version;  ///< null: it has none here
    std::uint64_t size = 0;
    std::uint64_t changes = 0;
  };
  [[nodiscard]] static Promise BeginSync(ActiveFile& file) EXCLUDES(file.mutex);
  [[nodiscard]] Result<void> NoteSynced(ActiveFile& file, Promise const& promise,
                                        Result<void> const& synced) EXCLUDES(file.mutex);

  void NoteRead(OpenHandle& handle, Version const& version);
  [[nodiscard]] Result<void> Change(ActiveFile& file, OpenHandle& handle, Caller const& caller,
                                    std::uint64_t offset, std::span<std::byte const> bytes)
      REQUIRES(file.mutex);
  [[nodiscard]] Result<void> WriteBytes(ActiveFile& file, std::uint64_t offset,
                                        std::span<std::byte const> bytes) REQUIRES(file.mutex);
  [[nodiscard]] Result<void> AllocateBytes(ActiveFile& file, int mode, std::uint64_t offset,
                                           std::uint64_t length) REQUIRES(file.mutex);
  [[nodiscard]] Result<void> DropPrivilegesOnWrite(ActiveFile& file) REQUIRES(file.mutex);
  [[nodiscard]] Result<Turn> TakeTurn(ActiveFile& file, OpenHandle& handle, std::uint64_t offset)
      REQUIRES(file.mutex);
  /// Takes back what the write at `offset`, which failed while it waited, has appended.
  void TakeBack(ActiveFile& file, OpenHandle& handle, std::uint64_t offset) REQUIRES(file.mutex);

  Store& store_;
  Budget const& budget_;
  Uploader& uploader_;
  OpenFiles const& open_;
  Turns& turns_;
  Bodies& bodies_;
  Changes& changes_;
  AccessTimes const& access_times_;
  Clock const& clock_;
};

}  // namespace tusfs
