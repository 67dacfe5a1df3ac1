// What has to be on record before the bytes of an open file change, and when a change has failed.
//
// What a successor has to know is journaled: the first change through a handle, the first after a
// close or a rename, and each process that begins to write. Should the connection end now, the file
// is not finished. All is called under the file's lock, which comes before the store's; where
// durable bytes are to be written over, Begin waits for the disk.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/logger.h"
#include "catalog/store.h"
#include "filesystem/open_files.h"
#include "filesystem/types.h"
#include "filesystem/writer.h"

namespace tusfs {

class Changes {
 public:
  /// The collaborators outlive it.
  Changes(Store& store, ProcessTable const& processes, Logger logger)
      : store_(store), processes_(processes), logger_(std::move(logger)) {}

  static constexpr std::uint64_t kNoByte = ~std::uint64_t{0};
  /// Before a change through `handle`. `first`: the lowest byte of what is there already that will
  /// change; kNoByte for none. Errors: EIO with the reason where the file may not change.
  [[nodiscard]] Result<void> Begin(ActiveFile& file, OpenHandle& handle, Caller const& caller,
                                   bool is_write, std::uint64_t first) REQUIRES(file.mutex);

  /// A write of bytes from `offset` on was told that it failed: closing the file does not make it
  /// good. Under the file's lock.
  void NoteFailed(OpenHandle& handle, std::uint64_t offset, Error const& error);
  /// Bytes from `begin` to `end` were written: perhaps those that had failed. Under the file's
  /// lock.
  void NoteWritten(OpenHandle& handle, std::uint64_t begin, std::uint64_t end);

 private:
  /// The process that writes, where it has to be known; 0: nobody new.
  [[nodiscard]] pid_t WriterOf(OpenHandle const& handle, Caller const& caller,
                               bool is_first_write) const;
  /// Returns how many bytes from 0 on the catalog says to be on disk.
  [[nodiscard]] Result<std::uint64_t> Journal(ActiveFile& file, Handle const& next,
                                              std::uint64_t first);
  [[nodiscard]] Result<void> Unvouch(ActiveFile& file, std::uint64_t first,
                                     std::uint64_t synced_size) REQUIRES(file.mutex);
  void Keep(Handle const& record);

  Store& store_;
  ProcessTable const& processes_;
  Logger const logger_;
};

}  // namespace tusfs
