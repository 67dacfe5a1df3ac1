// The files of the ledger: rows of what became of files, one behind the other, never changed.
//
// STATE_DIR/ledger, mode 0700, has files 00000001.rows, 00000002.rows …; a new one begins when the
// last has `largest` bytes. Each begins with kHead; then rows:
//
//   u32 length of the body, u64 XXH3 of the body, body = text (catalog/proofs.h: a proof), text
//   (digests of its blocks: u32 length and 16 bytes each; empty where they are not known)
//
// One process appends, the daemon of the mount; anybody reads meanwhile, without a lock. A row is
// on disk when Append returns. A row may be there twice (catalog/proofs.h): who reads leaves the
// second one out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/block_digest.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"
#include "catalog/proof_record.h"

namespace tusfs {

/// Of a state directory.
[[nodiscard]] std::filesystem::path LedgerDirectory(std::filesystem::path const& state_dir);

class LedgerWriter {
 public:
  struct Options {
    std::uint64_t largest = std::uint64_t{64} << 20;  ///< bytes of a file
    /// Files go whose last row is older than so many seconds; 0: none ever does.
    std::int64_t keep = 0;
  };

  /// Makes the directory where it is missing. What a crash has left at the end of the last file is
  /// cut off, said in the log, and put aside in a file beside it. Errors: of the disk.
  [[nodiscard]] static Result<LedgerWriter> Open(std::filesystem::path directory, Options options,
                                                 Logger logger);

  struct Row {
    Proof proof;
    std::vector<BlockDigest> blocks;
  };
  /// Durable when it returns. Errors: of the disk; nothing is torn then, and the same rows may be
  /// appended again.
  [[nodiscard]] Result<void> Append(std::vector<Row> const& rows);

  /// Removes the files that are too old at `now`, but not the last one. Returns how many.
  [[nodiscard]] Result<int> RemoveOld(FileTime now);

 private:
  LedgerWriter(std::filesystem::path directory, Options options, Logger logger)
      : directory_(std::move(directory)), options_(options), logger_(std::move(logger)) {}
  Result<void> OpenLast();
  Result<void> BeginFile(std::uint64_t number);
  Result<void> CutEnd(std::filesystem::path const& path, std::uint64_t good, std::uint64_t size);

  std::filesystem::path directory_;
  Options options_;
  Logger logger_;
  UniqueFd file_;
  std::uint64_t number_ = 0;
  std::uint64_t end_ = 0;  ///< bytes of the file that are good
};

/// A row as it is read: `proof` is used again for the next one.
struct LedgerRow {
  Proof const& proof;
  std::string_view blocks;  ///< BlocksOf makes digests of it
};
[[nodiscard]] std::vector<BlockDigest> BlocksOf(LedgerRow const& row);

struct LedgerDamage {
  std::string file;
  std::uint64_t offset = 0;  ///< byte
  bool is_end = false;       ///< nothing whole follows: perhaps it is just being written
};

/// Calls `visit` with each row in the order in which they were written, each id once, until it
/// returns false, and `damaged` where a row, or the rest of a file, cannot be read: what is behind
/// it follows. Errors: ENOENT with a sentence where there is no ledger; of the disk.
[[nodiscard]] Result<void> VisitLedger(std::filesystem::path const& directory,
                                       std::function<bool(LedgerRow const&)> const& visit,
                                       std::function<void(LedgerDamage const&)> const& damaged);

}  // namespace tusfs
