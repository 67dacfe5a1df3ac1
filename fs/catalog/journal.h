// The redo journal in front of LMDB: what was answered since the last synced commit.
//
// One file of fixed, preallocated size. A record is written with one pwrite into the page cache:
// it survives the death of the process, not of the machine. After a commit of the store a new
// epoch starts at the beginning of the file; records of an older epoch are never read, a torn or
// damaged record ends the replay. Owned by Store, called under its lock.
//
//   record   u32 size of payload | u32 reserved, 0 | u64 epoch | u64 sequence |
//            u64 XXH3-64 of (size, epoch, sequence, payload) | payload
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace tusfs {

class Journal {
 public:
  /// Opens `path`; where it is missing or shorter than `size` bytes, it is written full of zeros.
  [[nodiscard]] static Result<Journal> Open(std::filesystem::path const& path, std::uint64_t size);

  /// Whether a payload of `size` bytes fits behind what is there.
  [[nodiscard]] bool Fits(std::size_t size) const;

  /// Appends a record. Errors: of write(2); nothing was appended then.
  [[nodiscard]] Result<void> Append(std::uint64_t epoch, std::uint64_t sequence,
                                    std::string_view payload);

  /// Starts over at the beginning of the file. Call it when all that was appended is committed.
  void Rewind() { end_ = 0; }

  /// Calls `apply` for each record of `epoch` from `sequence` on, without a gap, and continues
  /// behind the last one. Stops at the first error of `apply` and returns it.
  [[nodiscard]] Result<void> Replay(
      std::uint64_t epoch, std::uint64_t sequence,
      std::function<Result<void>(std::uint64_t, std::string_view)> const& apply);

 private:
  Journal(UniqueFd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}

  UniqueFd fd_;
  std::uint64_t size_;
  std::uint64_t end_ = 0;
};

}  // namespace tusfs
