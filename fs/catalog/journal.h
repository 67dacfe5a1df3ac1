// The redo journal in front of LMDB: what was answered since LMDB committed last.
//
// One file of fixed, preallocated size, in two halves. Records are appended to one of them, while
// LMDB commits what the other one has. A record is written with one pwrite into the page cache: it
// survives the death of the process, and after Sync that of the machine. Owned by Store, called
// under its lock, but for Sync.
//
//   record   u32 size of payload | u32 reserved, 0 | u64 epoch | u64 sequence |
//            u64 XXH3-64 of (size, epoch, sequence, payload) | payload
//
// The records of a replay follow each other in one half and go on at the beginning of the other
// one. Their sequence has no gap and their epoch never falls. Each process writes with a higher
// epoch than those before it, so that what a power cut has left behind a torn record is never taken
// for what follows the record that is written in its place.
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

  /// Whether a payload of `size` bytes fits behind what is there in this half.
  [[nodiscard]] bool Fits(std::size_t size) const;
  /// Bytes that this half has left.
  [[nodiscard]] std::uint64_t room() const { return half_ - end_; }
  /// Bytes of each half.
  [[nodiscard]] std::uint64_t half() const { return half_; }

  /// Appends a record. Errors: of write(2); nothing was appended then.
  [[nodiscard]] Result<void> Append(std::uint64_t epoch, std::uint64_t sequence,
                                    std::string_view payload);

  /// Goes on at the beginning of the other half, whose records are lost with that. Call it when all
  /// of them are committed.
  void Turn();

  struct Record {
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::string_view payload;
    /// The first one behind those of the other half.
    bool turned = false;
  };
  /// Calls `apply` for each record from `sequence` on whose epoch is `epoch` or a higher one, and
  /// continues behind the last one. Stops at the first error of `apply` and returns it.
  [[nodiscard]] Result<void> Replay(std::uint64_t epoch, std::uint64_t sequence,
                                    std::function<Result<void>(Record const&)> const& apply);

  /// Puts on disk what was appended before the call. From any thread. Errors: of fdatasync(2).
  [[nodiscard]] Result<void> Sync() const;

 private:
  Journal(UniqueFd fd, std::uint64_t half) : fd_(std::move(fd)), half_(half) {}
  struct Next {
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
  };
  Result<bool> ReplayHalf(Next& next, std::function<Result<void>(Record const&)> const& apply,
                          bool turned);

  UniqueFd fd_;
  std::uint64_t half_;
  std::uint64_t begin_ = 0;  ///< where this half begins in the file
  std::uint64_t end_ = 0;    ///< behind the last record, from there
};

}  // namespace tusfs
