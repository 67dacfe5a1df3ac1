// The LMDB file of a store: its last commit for readers, and one batch of changes after the other.
//
// Store reads under its lock, from any thread. Its committing thread writes outside that lock:
// readers go on with the commit before until Renew. Grow moves the map, so nobody reads or writes
// meanwhile. LMDB's own locks are off (one process owns the file); a reader of the last commit and
// one writer do not need them, because a commit never reuses the pages of the commit before it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/logger.h"
#include "catalog/overlay.h"
#include "catalog/table.h"

struct MDB_env;
struct MDB_txn;

namespace tusfs {

/// The sentence about a catalog that cannot be used as it is.
[[nodiscard]] std::string DamagedCatalog(std::filesystem::path const& directory,
                                         std::string const& how);

class Environment {
 public:
  /// Opens or creates data.mdb in `directory` with a map of at least `map_size` bytes. `newest` is
  /// the schema that this program knows; a file of a newer one is left as it is. Errors carry a
  /// sentence: EUCLEAN for a damaged file, EPROTO for one of a newer version.
  [[nodiscard]] static Result<std::unique_ptr<Environment>> Open(
      std::filesystem::path const& directory, std::uint64_t map_size, std::uint64_t newest,
      Logger logger);
  ~Environment();
  Environment(Environment const&) = delete;
  Environment& operator=(Environment const&) = delete;

  /// Of the last commit that Renew has seen.
  [[nodiscard]] Result<std::optional<std::string>> Get(Table table, std::string_view key) const;
  /// Calls `visit(key, value)` for the rows from `first` on, in order, until it returns false.
  [[nodiscard]] Result<void> Scan(
      Table table, std::string_view first,
      std::function<bool(std::string_view, std::string_view)> const& visit) const;

  enum class Written {
    kDone,
    kMapIsFull,  ///< nothing was written: Grow, and again
  };
  struct MetaRow {
    std::string key;
    std::string value;
  };
  /// Writes `changes` and then `rows` of the meta table, all or nothing, and waits for the disk.
  /// Errors: LMDB's; ENOSPC where the disk is full, and it may be tried again.
  [[nodiscard]] Result<Written> Commit(Overlay const& changes, std::vector<MetaRow> const& rows);

  /// Readers see the last commit from now on.
  [[nodiscard]] Result<void> Renew();
  /// Doubles the map.
  [[nodiscard]] Result<void> Grow();

  /// Takes the file's pages out of this process's memory; they come back by themselves.
  void LetGoOfPages();
  /// Allocates disk behind the end of the file, if it has grown.
  void KeepHeadroom();

 private:
  Environment(std::filesystem::path directory, std::uint64_t map_size, Logger logger)
      : directory_(std::move(directory)), logger_(std::move(logger)), map_size_(map_size) {}
  Result<void> OpenFile();
  Result<void> OpenTables(std::uint64_t newest);
  Result<void> CheckSchema(MDB_txn* transaction, std::uint64_t newest) const;
  Result<void> Read();
  /// LMDB's verdict.
  int Write(MDB_txn* transaction, Overlay const& changes, std::vector<MetaRow> const& rows) const;

  std::filesystem::path const directory_;
  Logger const logger_;
  std::uint64_t map_size_;
  MDB_env* environment_ = nullptr;
  MDB_txn* reader_ = nullptr;
  unsigned tables_[kTableCount] = {};
  int file_ = -1;
  off_t headroom_at_ = -1;     ///< the file's size when disk behind it was reserved last
  bool says_headroom_ = true;  ///< that there is none; once
  /// Where it is mapped; empty before anybody wants to know, and when it has just grown.
  std::span<std::byte> mapping_;
};

}  // namespace tusfs
