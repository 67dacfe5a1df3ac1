// Tables of bytes in LMDB, with the journal in front: every change is safe from the death of the
// process when Update returns, and from power loss after the next synced commit, at most
// kCommitInterval later or when Sync is called. A power cut leaves a prefix of what was done.
//
// One write transaction is always open and holds what is not yet committed; reads see it. All
// calls may come from any thread; they are serialised by one lock (an operation takes a few
// microseconds). One process owns a store: the caller holds the state directory's lock.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/journal.h"

struct MDB_env;
struct MDB_txn;

namespace tusfs {

/// On disk (journal): never renumbered. Each is an LMDB database of its own.
enum class Table : std::uint8_t {
  kMeta = 1,
  kInodes = 2,
  kNames = 3,
  kEntries = 4,
  kLinks = 5,
  kHandles = 6,
  kUploads = 7,
  kWork = 8,
  kReplies = 9,
  kXattrs = 10,
  kDigests = 11,
  kTargets = 12,
  kKept = 13,
  kOwnerless = 14,
};
constexpr std::size_t kTableCount = 15;  // one more than the highest number

/// Numbers that are never given twice, not after a power cut either. On disk: never renumbered.
enum class Counter : std::uint8_t { kInode = 1, kVersion = 2, kHandle = 3, kConnection = 4 };

/// The sentence about a catalog that cannot be used as it is.
[[nodiscard]] std::string DamagedCatalog(std::filesystem::path const& directory,
                                         std::string const& how);

class Store;

/// What a decision may look at. Valid only inside the call that received it.
class View {
 public:
  virtual ~View() = default;
  /// The value, or nothing. A copy.
  [[nodiscard]] virtual Result<std::optional<std::string>> Get(Table table,
                                                               std::string_view key) const;
  /// Calls `visit(key, value)` for the rows from `first` on whose key begins with `prefix`, in
  /// order, until it returns false. Rows changed by the same transaction are not seen changed.
  [[nodiscard]] Result<void> Scan(
      Table table, std::string_view prefix, std::string_view first,
      std::function<bool(std::string_view, std::string_view)> const& visit) const;

 protected:
  explicit View(Store const& store) : store_(store) {}
  friend class Store;
  Store const& store_;
};

/// One operation: its puts and deletes are collected and take effect together, or not at all.
class Transaction : public View {
 public:
  [[nodiscard]] Result<std::optional<std::string>> Get(Table table,
                                                       std::string_view key) const override;
  void Put(Table table, std::string key, std::string value);
  void Delete(Table table, std::string key);

  /// The next number of `counter`. May wait for one synced commit in 4096 calls.
  [[nodiscard]] Result<std::uint64_t> NewNumber(Counter counter);

  /// Runs `action` once this operation is durable; never, when the process dies before. For
  /// letting go of bytes that the operation made needless. Called on the committing thread.
  void WhenDurable(std::function<void()> action) { actions_.push_back(std::move(action)); }

 private:
  friend class Store;
  explicit Transaction(Store& store) : View(store), owner_(store) {}

  struct Change {
    Table table;
    std::string key;
    std::optional<std::string> value;  ///< nothing: delete
  };
  Store& owner_;
  std::vector<Change> changes_;
  std::vector<std::function<void()>> actions_;
};

struct StoreOptions {
  std::uint64_t map_size = std::uint64_t{1} << 30;      ///< bytes at the start; grows when full
  std::uint64_t journal_size = std::uint64_t{8} << 20;  ///< bytes
  std::chrono::milliseconds commit_interval{50};
  /// false: the store has no thread. What it would do is done by Tick, which the store's owner
  /// calls, and the end of the store does nothing: it leaves what a killed process leaves.
  bool background = true;
};

class Store {
 public:
  /// Opens or creates the store in `directory`, replaying the journal. Errors carry a sentence:
  /// EUCLEAN for a damaged file, EPROTO for one of a newer version.
  [[nodiscard]] static Result<std::unique_ptr<Store>> Open(std::filesystem::path const& directory,
                                                           StoreOptions const& options,
                                                           Logger logger);
  /// Commits what is left.
  ~Store();
  Store(Store const&) = delete;
  Store& operator=(Store const&) = delete;

  /// Calls `look(View const&)`, which returns a Result, with nothing changing meanwhile.
  template <typename Look>
  auto Read(Look&& look) const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return std::forward<Look>(look)(View(*this));
  }

  /// Calls `decide(Transaction&)`, which returns a Result; when that is a value, the transaction's
  /// changes are journaled and applied before Update returns it. Otherwise nothing happened.
  template <typename Decide>
  auto Update(Decide&& decide) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    Transaction transaction(*this);
    auto result = std::forward<Decide>(decide)(transaction);
    if (!result) return result;
    if (auto applied = Apply(transaction); !applied) result = Failure(applied.error());
    return result;
  }

  /// What this process gives of `counter` begins here: the numbers below it are of earlier
  /// processes, and what those had not given is never given.
  [[nodiscard]] std::uint64_t FirstNumber(Counter counter) const {
    return first_numbers_[static_cast<std::size_t>(counter)];
  }

  /// Looks at every byte of every row, which may kill the process where a page is damaged. Errors:
  /// LMDB's.
  [[nodiscard]] Result<void> ReadThrough() const;

  using Observer = std::function<void(Table, std::string_view key, std::string_view value)>;
  /// `observer` is told of each row that is put from now on, with the store's lock held: it notes
  /// that and returns. An empty one ends it.
  void Observe(Observer observer) EXCLUDES(mutex_);

  /// The numbers up to `last` are never given: they are in use, though the store does not know of
  /// it.
  [[nodiscard]] Result<void> SkipNumbers(Counter counter, std::uint64_t last) EXCLUDES(mutex_);
  /// Takes the file's pages out of this process's memory; what is needed of them comes back by
  /// itself. For those who have just seen very many rows.
  void LetGoOfPages() const EXCLUDES(mutex_);

  /// Waits until everything that Update returned before this call is durable. Many callers share
  /// one commit. Errors: what the disk said.
  [[nodiscard]] Result<void> Sync() EXCLUDES(mutex_);

  /// Does what is due for a store without threads: makes all durable, and runs the actions that
  /// waited for that. Errors: what the disk said.
  [[nodiscard]] Result<void> Tick() EXCLUDES(mutex_);

 private:
  friend class View;
  friend class Transaction;
  Store(std::filesystem::path directory, StoreOptions const& options, Journal journal,
        Logger logger);

  Result<void> OpenEnvironment();
  void KeepHeadroom();
  Result<void> CheckSchema() REQUIRES(mutex_);
  Result<void> LoadState() REQUIRES(mutex_);
  Result<void> Begin() REQUIRES(mutex_);
  Result<void> Commit() REQUIRES(mutex_);
  Result<void> TryCommit() REQUIRES(mutex_);
  Result<void> CommitRow(std::string const& key, std::uint64_t value) REQUIRES(mutex_);
  Result<void> Recover() REQUIRES(mutex_);
  Result<void> Apply(Transaction& transaction) REQUIRES(mutex_);
  Result<void> ApplyPayload(std::string_view payload) REQUIRES(mutex_);
  Result<std::uint64_t> NewNumber(Counter counter) REQUIRES(mutex_);
  Result<void> PutRow(Table table, std::string_view key, std::string_view value) REQUIRES(mutex_);
  void CommitLoop(std::stop_token stop) EXCLUDES(mutex_);
  void RunActions() EXCLUDES(mutex_);

  struct NumberRange {
    std::uint64_t next = 0;
    std::uint64_t end = 0;
  };

  std::filesystem::path const directory_;
  StoreOptions const options_;
  Logger const logger_;

  mutable Mutex mutex_;
  CondVar wake_;       ///< for the committing thread
  CondVar committed_;  ///< for those who wait in Sync
  Journal journal_ GUARDED_BY(mutex_);
  MDB_env* environment_ = nullptr;
  int file_ = -1;              ///< the environment's
  off_t headroom_at_ = -1;     ///< the file's size when disk behind it was reserved last
  bool says_headroom_ = true;  ///< that there is none; once
  /// Where it is mapped; empty before anybody wants to know, and when it has just grown.
  mutable std::span<std::byte> mapping_ GUARDED_BY(mutex_);
  MDB_txn* transaction_ GUARDED_BY(mutex_) = nullptr;
  unsigned tables_[kTableCount] = {};
  std::uint64_t map_size_;
  bool map_full_ GUARDED_BY(mutex_) = false;  ///< LMDB said so since the last Recover
  std::uint64_t epoch_ GUARDED_BY(mutex_) = 1;
  std::uint64_t sequence_ GUARDED_BY(mutex_) = 0;            ///< of the last record applied
  std::uint64_t committed_sequence_ GUARDED_BY(mutex_) = 0;  ///< of the last record made durable
  std::uint64_t failed_syncs_ GUARDED_BY(mutex_) = 0;
  Error last_failure_ GUARDED_BY(mutex_);
  bool sync_wanted_ GUARDED_BY(mutex_) = false;
  Observer observer_ GUARDED_BY(mutex_);
  std::vector<std::function<void()>> actions_ GUARDED_BY(mutex_);  ///< waiting for a commit
  std::vector<std::function<void()>> durable_ GUARDED_BY(mutex_);  ///< may run
  NumberRange ranges_[5] GUARDED_BY(mutex_) = {};
  std::uint64_t first_numbers_[5] = {};  ///< set by Open, before anybody else is here
  std::jthread committer_;
};

}  // namespace tusfs
