// Tables of bytes in LMDB, with the journal in front: every change is safe from the death of the
// process when Update returns, and from power loss after the next fdatasync of the journal, at most
// `commit_interval` later or when Sync is called. A power cut leaves a prefix of what was done.
//
// What LMDB has not committed is kept in memory too (overlay.h), so that reads see it and LMDB's
// own commits are made by a thread of the store, outside its lock: when one half of the journal is
// nearly full, or when nothing has been changed for a while. All calls may come from any thread;
// they are serialised by one lock, which is never held while a disk works (an operation takes a few
// microseconds). One process owns a store: the caller holds the state directory's lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/environment.h"
#include "catalog/journal.h"
#include "catalog/overlay.h"
#include "catalog/table.h"

namespace tusfs {

/// Numbers that are never given twice: ordinary rows of the meta table, changed by the operation
/// that takes one. On disk: never renumbered.
enum class Counter : std::uint8_t { kInode = 1, kVersion = 2, kHandle = 3, kConnection = 4 };

class Store;

/// What a decision may look at. Valid only inside the call that received it.
class View {
 public:
  virtual ~View() = default;
  /// The value, or nothing. A copy.
  [[nodiscard]] virtual Result<std::optional<std::string>> Get(Table table,
                                                               std::string_view key) const;
  /// Calls `visit(key, value)` for the rows from `first` on whose key begins with `prefix`, in
  /// order, until it returns false.
  [[nodiscard]] virtual Result<void> Scan(
      Table table, std::string_view prefix, std::string_view first,
      std::function<bool(std::string_view, std::string_view)> const& visit) const;

 protected:
  explicit View(Store const& store) : store_(store) {}
  [[nodiscard]] View Unchanged() const { return View(store_); }
  friend class Store;
  Store const& store_;
};

/// One operation: its puts and deletes are collected and take effect together, or not at all. It
/// sees them itself; a scan, those that were there when it began.
class Transaction : public View {
 public:
  static constexpr std::uint64_t kMostNumbers = 64;

  [[nodiscard]] Result<std::optional<std::string>> Get(Table table,
                                                       std::string_view key) const override;
  [[nodiscard]] Result<void> Scan(
      Table table, std::string_view prefix, std::string_view first,
      std::function<bool(std::string_view, std::string_view)> const& visit) const override;
  void Put(Table table, std::string key, std::string value);
  void Delete(Table table, std::string key);

  /// The tables as they were when it began.
  [[nodiscard]] View Before() const { return Unchanged(); }
  /// The keys of the rows of `table` that it has put so far, each once.
  [[nodiscard]] std::set<std::string> PutInto(Table table) const;

  /// The next number of `counter`. It is taken when the operation takes effect.
  [[nodiscard]] Result<std::uint64_t> NewNumber(Counter counter) { return NewNumbers(counter, 1); }
  /// The first of so many in a row; more than one only of kVersion, and at most kMostNumbers.
  [[nodiscard]] Result<std::uint64_t> NewNumbers(Counter counter, std::uint64_t count);

  /// Runs `action` once this operation is durable; never, when the process dies before. For
  /// letting go of bytes that the operation made needless. Called on a thread of the store's that
  /// does nothing else, one action after the other.
  void WhenDurable(std::function<void()> action) { actions_.push_back(std::move(action)); }

  /// Nobody misses this operation after a power cut: it becomes durable with the next other one, or
  /// when LMDB commits.
  void NoHurry() { hurries_ = false; }

  /// Somebody waits for it to be durable: a millisecond later, or when the disk is free again, the
  /// journal is synced by a thread of the store's, for all that there is then.
  void AtOnce() { at_once_ = true; }

 private:
  friend class Store;
  explicit Transaction(Store& store) : View(store) {}

  struct Change {
    Table table;
    std::string key;
    std::optional<std::string> value;  ///< nothing: delete
  };
  std::vector<Change> changes_;
  std::vector<std::function<void()>> actions_;
  bool hurries_ = true;
  bool at_once_ = false;
};

struct StoreOptions {
  std::uint64_t map_size = std::uint64_t{1} << 30;       ///< bytes at the start; grows when full
  std::uint64_t journal_size = std::uint64_t{16} << 20;  ///< bytes, of both halves
  /// How long a change waits for the disk when nobody asks. LMDB commits when nothing was changed
  /// for 20 times as long.
  std::chrono::milliseconds commit_interval{50};
  /// false: the store has no threads. What they would do is done by Tick, which its owner calls,
  /// and the end of the store does nothing: it leaves what a killed process leaves.
  bool background = true;
  /// Called with each operation that has been decided, before it takes effect, with the store's
  /// lock held: may add changes that take effect together with it. It asks nothing but the catalog.
  std::function<void(Transaction&)> attend{};
  /// Of the machine, as the kernel names its boots: after another one, numbers are left out that
  /// were perhaps given and forgotten. Empty: never.
  std::string boot{};
  /// Called when the files of the store have failed it, which only a new process can mend: from
  /// then on every call fails with the same error. Any thread; locks are held.
  std::function<void(Error const&)> on_failure{};
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
  /// changes are journaled and applied before Update returns it. Otherwise nothing happened. Waits
  /// for LMDB only where both halves of the journal are full.
  template <typename Decide>
  auto Update(Decide&& decide) EXCLUDES(mutex_) {
    using Outcome = decltype(std::forward<Decide>(decide)(std::declval<Transaction&>()));
    MutexLock lock(mutex_);
    if (auto ready = AwaitRoom(); !ready) return Outcome(Failure(ready.error()));
    Transaction transaction(*this);
    Outcome result = std::forward<Decide>(decide)(transaction);
    if (!result) return result;
    if (options_.attend) options_.attend(transaction);
    if (auto applied = Apply(transaction); !applied) result = Failure(applied.error());
    return result;
  }

  /// What this process gives of `counter` begins here: the numbers below it are of earlier
  /// processes.
  [[nodiscard]] std::uint64_t FirstNumber(Counter counter) const {
    return first_numbers_[static_cast<std::size_t>(counter)];
  }

  /// Looks at every byte of every row, which may kill the process where a page is damaged. Errors:
  /// LMDB's.
  [[nodiscard]] Result<void> ReadThrough() const;

  /// `value`: nothing where the row is deleted.
  using Observer =
      std::function<void(Table, std::string_view key, std::optional<std::string_view> value)>;
  /// `observer` is told of each row that is changed from now on, with the store's lock held: it
  /// notes that and returns. Returns what ends it.
  [[nodiscard]] std::uint64_t Observe(Observer observer) EXCLUDES(mutex_);
  /// The observer is not called any more.
  void EndObserving(std::uint64_t observer) EXCLUDES(mutex_);

  /// `changed` is called after each change from now on, with the store's lock held: it notes that
  /// and returns. An empty one ends it.
  void WhenChanged(std::function<void()> changed) EXCLUDES(mutex_);

  /// The numbers up to `last` are never given: they are in use, though the store does not know of
  /// it.
  [[nodiscard]] Result<void> SkipNumbers(Counter counter, std::uint64_t last) EXCLUDES(mutex_);
  /// Takes the file's pages out of this process's memory; what is needed of them comes back by
  /// itself. For those who have just seen very many rows.
  void LetGoOfPages() const EXCLUDES(mutex_);

  /// Waits until everything that Update returned before this call is durable: an fdatasync of the
  /// journal, which many callers share. Errors: what the disk said.
  [[nodiscard]] Result<void> Sync() EXCLUDES(mutex_, durable_mutex_);

  /// The last operation that is durable, by the number in its journal's record.
  [[nodiscard]] std::uint64_t DurableSequence() const EXCLUDES(durable_mutex_);

  /// Does what is due for a store without threads: makes all durable, lets LMDB commit it, and runs
  /// the actions that waited for that. Errors: what the disk said.
  [[nodiscard]] Result<void> Tick() EXCLUDES(mutex_, durable_mutex_);

 private:
  friend class View;
  Store(std::filesystem::path directory, StoreOptions const& options, Journal journal,
        Logger logger);

  Result<void> Load() REQUIRES(mutex_);
  Result<void> Replay() REQUIRES(mutex_);
  Result<void> BeginLife(std::uint64_t life) REQUIRES(mutex_);
  Result<void> LeaveOutNumbers() EXCLUDES(mutex_);
  void StartThreads();
  void StopThreads();
  void Close() EXCLUDES(mutex_, durable_mutex_);

  /// What has changed since LMDB's last commit; null where it has not.
  [[nodiscard]] Overlay::Row const* FindChanged(Table table, std::string_view key) const
      REQUIRES(mutex_);
  Result<void> AwaitRoom() REQUIRES(mutex_);
  Result<void> MakeRoom(std::size_t payload) REQUIRES(mutex_);
  Result<void> Apply(Transaction& transaction) REQUIRES(mutex_);
  void Wake(Transaction const& transaction) REQUIRES(mutex_);

  /// What is to be committed next leaves the journal's half to LMDB.
  void Seal() REQUIRES(mutex_);
  [[nodiscard]] bool IsCommitDue() const REQUIRES(mutex_);
  [[nodiscard]] bool IsNearlyFull() const REQUIRES(mutex_);
  [[nodiscard]] std::vector<Environment::MetaRow> RowsOfCommit() const REQUIRES(mutex_);
  Result<void> CommitSealed() EXCLUDES(mutex_);
  Result<void> CommitUnderLock() REQUIRES(mutex_);
  Result<void> FinishCommit(Result<Environment::Written> const& written) REQUIRES(mutex_);

  Result<void> AwaitDurable(std::uint64_t sequence) EXCLUDES(mutex_, durable_mutex_);
  Result<void> SyncJournal() EXCLUDES(mutex_, durable_mutex_);
  void NoteDurable(std::uint64_t sequence) EXCLUDES(durable_mutex_);
  void RaiseDurable(std::uint64_t sequence) REQUIRES(durable_mutex_);
  [[nodiscard]] bool MayAct() const REQUIRES(durable_mutex_);
  /// Only a new process can go on. Gives `error` back.
  Error const& Break(Error const& error) const REQUIRES(mutex_);

  void SyncLoop(std::stop_token stop) EXCLUDES(mutex_, durable_mutex_);
  void CommitLoop(std::stop_token stop) EXCLUDES(mutex_, durable_mutex_);
  void ActLoop(std::stop_token stop) EXCLUDES(mutex_, durable_mutex_);
  /// Runs the actions that may run; returns whether there were any.
  bool Act() EXCLUDES(mutex_, durable_mutex_);

  std::filesystem::path const directory_;
  StoreOptions const options_;
  Logger const logger_;
  std::unique_ptr<Environment> environment_;

  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindFiles)
      ACQUIRED_BEFORE(lock_order::kBehindStore);
  CondVar sync_wake_;                  ///< for the thread that syncs the journal
  CondVar commit_wake_;                ///< for the thread that commits
  CondVar committed_;                  ///< for those who wait for room
  Journal journal_;                    ///< guarded by mutex_, but for Sync
  Overlay active_ GUARDED_BY(mutex_);  ///< of the journal's half in use
  std::shared_ptr<Overlay const> sealed_ GUARDED_BY(mutex_);  ///< of the other one; null: none
  std::uint64_t epoch_ GUARDED_BY(mutex_) = 1;
  std::uint64_t sequence_ GUARDED_BY(mutex_) = 0;         ///< of the last record
  std::uint64_t sealed_sequence_ GUARDED_BY(mutex_) = 0;  ///< of the last one before active_
  std::uint64_t active_epoch_ GUARDED_BY(mutex_) = 1;     ///< of the first record of active_
  std::uint64_t schema_ GUARDED_BY(mutex_) = 0;           ///< as LMDB has it
  std::chrono::steady_clock::time_point changed_at_ GUARDED_BY(mutex_);
  bool dirty_ GUARDED_BY(mutex_) = false;     ///< something waits for the sync interval
  bool at_once_ GUARDED_BY(mutex_) = false;   ///< something does not
  bool applying_ GUARDED_BY(mutex_) = false;  ///< an operation is decided and waits for room
  std::optional<Error> commit_error_
      GUARDED_BY(mutex_);  ///< of the last try, while it can be mended
  mutable std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, Observer> observers_ GUARDED_BY(mutex_);
  std::uint64_t last_observer_ GUARDED_BY(mutex_) = 0;
  std::function<void()> changed_ GUARDED_BY(mutex_);
  std::uint64_t first_numbers_[5] = {};  ///< set by Open, before anybody else is here
  bool is_open_ = false;                 ///< likewise; before, on_failure is told of nothing

  mutable Mutex durable_mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar durable_changed_;  ///< for those who wait for the disk
  CondVar acts_;             ///< for the thread that runs actions: one may run
  std::uint64_t durable_ GUARDED_BY(durable_mutex_) = 0;  ///< sequence of the last durable record
  bool syncing_ GUARDED_BY(durable_mutex_) = false;
  std::optional<Error> sync_failure_ GUARDED_BY(durable_mutex_);
  struct Action {
    std::uint64_t sequence = 0;  ///< that has to be durable first
    std::function<void()> run;
  };
  std::deque<Action> actions_ GUARDED_BY(durable_mutex_);
  std::jthread syncer_;
  std::jthread committer_;
  std::jthread actor_;
};

}  // namespace tusfs
