#include "catalog/store.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/kill_point.h"
#include "catalog/codec.h"
#include "catalog/headroom.h"
#include "catalog/mapping.h"

namespace tusfs {
namespace {

constexpr std::uint32_t kSchema = 1;
constexpr std::uint64_t kNumbersReserved = 4096;
constexpr std::size_t kLongestKey = 511;
constexpr std::uint64_t kHeadroom = std::uint64_t{4} << 20;
constexpr std::chrono::seconds kPauseAfterFailure{1};
constexpr char const* kTableNames[kTableCount] = {
    nullptr, "meta",    "inodes", "names",   "entries", "links", "handles",  "uploads",
    "work",  "replies", "xattrs", "digests", "targets", "kept",  "ownerless"};

// Rows of kMeta that belong to the store itself.
constexpr char const* kSchemaKey = "schema";
constexpr char const* kEpochKey = "journal.epoch";
constexpr char const* kSequenceKey = "journal.sequence";

std::string CounterKey(Counter counter) {
  return "counter." + std::to_string(static_cast<int>(counter));
}

// What LMDB says only of a file that it has not written so.
bool IsDamage(int code) {
  return code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID ||
         code == MDB_VERSION_MISMATCH || code == MDB_MAP_RESIZED || code == MDB_INCOMPATIBLE ||
         code == MDB_CURSOR_FULL || code == MDB_PAGE_FULL;
}

Failure FailLmdb(std::string_view what, int code) {
  int as_errno = code > 0 ? code : EIO;
  if (code == MDB_MAP_FULL) as_errno = ENOSPC;
  if (IsDamage(code)) as_errno = EUCLEAN;
  return Fail(as_errno, "catalog: " + std::string(what) + ": " + ::mdb_strerror(code));
}

MDB_val Value(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }

std::string_view Bytes(MDB_val const& value) {
  return {static_cast<char const*>(value.mv_data), value.mv_size};
}

/// Whether this process has room for a map of that size.
bool CanMap(std::filesystem::path const& path, std::uint64_t size) {
  auto const fd = OpenFile(path, O_RDONLY);
  if (!fd) return false;
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd->get(), 0);
  if (memory == MAP_FAILED) return false;
  ::munmap(memory, size);
  return true;
}

enum class ChangeKind : std::uint8_t { kPut = 1, kDelete = 2 };  // on disk (journal)

}  // namespace

// ---- what a decision sees; Store holds its lock around every call

Result<std::optional<std::string>> View::Get(Table table,
                                             std::string_view key) const NO_THREAD_SAFETY_ANALYSIS {
  if (store_.transaction_ == nullptr) return Fail(EIO, "the catalog cannot be written");
  MDB_val wanted = Value(key);
  MDB_val found{};
  int const code = ::mdb_get(store_.transaction_, store_.tables_[static_cast<std::size_t>(table)],
                             &wanted, &found);
  if (code == MDB_NOTFOUND) return std::optional<std::string>();
  if (code != 0) return FailLmdb("get", code);
  return std::optional<std::string>(Bytes(found));
}

Result<void> View::Scan(Table table, std::string_view prefix, std::string_view first,
                        std::function<bool(std::string_view, std::string_view)> const& visit) const
    NO_THREAD_SAFETY_ANALYSIS {
  if (store_.transaction_ == nullptr) return Fail(EIO, "the catalog cannot be written");
  MDB_cursor* raw = nullptr;
  int code =
      ::mdb_cursor_open(store_.transaction_, store_.tables_[static_cast<std::size_t>(table)], &raw);
  if (code != 0) return FailLmdb("cursor", code);
  std::unique_ptr<MDB_cursor, decltype(&::mdb_cursor_close)> const cursor(raw, ::mdb_cursor_close);
  MDB_val key = Value(first.empty() ? prefix : first);
  MDB_val value{};
  auto move = key.mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE;
  while ((code = ::mdb_cursor_get(raw, &key, &value, move)) == 0) {
    if (!Bytes(key).starts_with(prefix) || !visit(Bytes(key), Bytes(value))) return {};
    move = MDB_NEXT;
  }
  if (code != MDB_NOTFOUND) return FailLmdb("scan", code);
  return {};
}

Result<std::optional<std::string>> Transaction::Get(Table table, std::string_view key) const {
  auto const mine = std::find_if(changes_.rbegin(), changes_.rend(), [&](Change const& change) {
    return change.table == table && change.key == key;
  });
  if (mine != changes_.rend()) return mine->value;
  return View::Get(table, key);
}

void Transaction::Put(Table table, std::string key, std::string value) {
  changes_.push_back({table, std::move(key), std::move(value)});
}

void Transaction::Delete(Table table, std::string key) {
  changes_.push_back({table, std::move(key), std::nullopt});
}

Result<std::uint64_t> Transaction::NewNumber(Counter counter) NO_THREAD_SAFETY_ANALYSIS {
  return owner_.NewNumber(counter);
}

// ---- opening

Store::Store(std::filesystem::path directory, StoreOptions const& options, Journal journal,
             Logger logger)
    : directory_(std::move(directory)),
      options_(options),
      logger_(std::move(logger)),
      journal_(std::move(journal)),
      map_size_(options.map_size) {}

std::string DamagedCatalog(std::filesystem::path const& directory, std::string const& how) {
  return "the catalog in '" + directory.string() + "' is damaged (" + how + ")";
}

Result<std::unique_ptr<Store>> Store::Open(std::filesystem::path const& directory,
                                           StoreOptions const& options, Logger logger) {
  auto made = MakePrivateDirectory(directory);
  if (!made) return Failure(made.error());
  auto const data = directory / "data.mdb";
  auto const journal_path = directory / "journal";
  // A journal without its store says nothing; with another store it would say something false.
  if (!std::filesystem::exists(data)) ::unlink(journal_path.c_str());
  auto journal = Journal::Open(journal_path, options.journal_size);
  if (!journal) return Failure(journal.error());
  std::unique_ptr<Store> store(
      new Store(directory, options, std::move(*journal), std::move(logger)));
  auto opened = store->OpenEnvironment();
  if (!opened) return Failure(opened.error());
  {
    MutexLock lock(store->mutex_);
    auto loaded = store->LoadState();
    if (!loaded) return Failure(loaded.error());
  }
  if (!options.background) return store;
  store->committer_ =
      std::jthread([store = store.get()](std::stop_token stop) { store->CommitLoop(stop); });
  return store;
}

Result<void> Store::OpenEnvironment() {
  auto const damaged = [this](std::string const& how) {
    return Fail(EUCLEAN, DamagedCatalog(directory_, how));
  };
  int code = ::mdb_env_create(&environment_);
  if (code == 0) code = ::mdb_env_set_maxdbs(environment_, kTableCount);
  if (code == 0) code = ::mdb_env_set_mapsize(environment_, map_size_);
  if (code != 0) return FailLmdb("create", code);
  // One process owns the store and one lock guards the one transaction, so LMDB's own locks and
  // thread-bound transactions are not needed.
  code = ::mdb_env_open(environment_, directory_.c_str(), MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD,
                        0600);
  if (IsDamage(code)) return damaged(::mdb_strerror(code));
  // LMDB maps as much as the file says.
  bool const no_map = code == ENOMEM || code == EINVAL || code == EFBIG || code == EOVERFLOW;
  if (no_map && CanMap(directory_ / "data.mdb", map_size_)) return damaged("its size is absurd");
  if (code != 0) return FailLmdb("open " + directory_.string(), code);
  MDB_envinfo info{};
  MDB_stat stat{};
  struct stat file {};
  ::mdb_env_info(environment_, &info);
  ::mdb_env_stat(environment_, &stat);
  map_size_ = std::max<std::uint64_t>(map_size_, info.me_mapsize);
  ::mdb_env_get_fd(environment_, &file_);
  // A page behind the end of the file would be a SIGBUS when it is touched.
  if (::stat((directory_ / "data.mdb").c_str(), &file) == 0 && info.me_last_txnid > 0 &&
      static_cast<std::uint64_t>(file.st_size) < (info.me_last_pgno + 1) * stat.ms_psize) {
    return damaged("the file is shorter than it says");
  }
  KeepHeadroom();
  return {};
}

// On a full disk a commit could otherwise fail, and with it the next start.
void Store::KeepHeadroom() {
  struct stat file {};
  if (::fstat(file_, &file) != 0 || file.st_size == headroom_at_) return;
  if (auto reserved = ReserveBehindEnd(file_, kHeadroom); reserved) {
    headroom_at_ = file.st_size;
    says_headroom_ = true;
  } else if (std::exchange(says_headroom_, false)) {
    logger_->Warn("the catalog cannot have disk in advance error=\"{}\"",
                  Describe(reserved.error()));
  }
}

// A catalog of a newer version is left as it is, so it is asked before anything is written.
Result<void> Store::CheckSchema() {
  unsigned meta = 0;
  int const code = ::mdb_dbi_open(transaction_, kTableNames[1], 0, &meta);
  if (code == MDB_NOTFOUND) return {};  // a new one
  if (code != 0) return Fail(EUCLEAN, DamagedCatalog(directory_, ::mdb_strerror(code)));
  MDB_val key = Value(kSchemaKey);
  MDB_val value{};
  if (::mdb_get(transaction_, meta, &key, &value) != 0) return {};
  auto const schema = Decoder(Bytes(value)).Number<std::uint64_t>();
  if (schema <= kSchema) return {};
  return Fail(EPROTO, "the catalog in '" + directory_.string() +
                          "' was written by a newer tusfs (its schema is " +
                          std::to_string(schema) + ", this program knows " +
                          std::to_string(kSchema) +
                          "): start that version, or name another --state-dir");
}

Result<void> Store::LoadState() {
  auto begun = Begin();
  if (!begun) return begun;
  if (auto checked = CheckSchema(); !checked) return checked;
  for (std::size_t table = 1; table < kTableCount; ++table) {
    int const code = ::mdb_dbi_open(transaction_, kTableNames[table], MDB_CREATE, &tables_[table]);
    if (code != 0) {
      return Fail(EUCLEAN, DamagedCatalog(directory_, ::mdb_strerror(code)));
    }
  }
  // Handles of tables live as long as the transaction that opened them, unless it commits.
  int const opened = ::mdb_txn_commit(transaction_);
  transaction_ = nullptr;
  if (opened != 0) return FailLmdb("open tables", opened);
  if (auto begun_again = Begin(); !begun_again) return begun_again;
  View const view(*this);
  auto number = [&](char const* key, std::uint64_t otherwise) -> Result<std::uint64_t> {
    auto row = view.Get(Table::kMeta, key);
    if (!row) return Failure(row.error());
    return *row ? Decoder(**row).Number<std::uint64_t>() : otherwise;
  };
  auto const epoch = number(kEpochKey, 1);
  auto const sequence = number(kSequenceKey, 0);
  if (!epoch || !sequence) {
    return Fail(EUCLEAN, DamagedCatalog(directory_, "its first rows cannot be read"));
  }
  epoch_ = *epoch;
  sequence_ = committed_sequence_ = *sequence;
  auto recovered = Recover();
  if (!recovered) return recovered;
  for (auto counter :
       {Counter::kInode, Counter::kVersion, Counter::kHandle, Counter::kConnection}) {
    // Where the last owner had got to inside its range is not known: start behind the range.
    auto const end = number(CounterKey(counter).c_str(), counter == Counter::kInode ? 2 : 1);
    if (!end) return Failure(end.error());
    ranges_[static_cast<std::size_t>(counter)] = {*end, *end};
    first_numbers_[static_cast<std::size_t>(counter)] = *end;
  }
  return CommitRow(kSchemaKey, kSchema);
}

Store::~Store() {
  if (committer_.joinable()) {
    committer_.request_stop();
    {
      MutexLock lock(mutex_);
      wake_.NotifyAll();
    }
    committer_.join();
  }
  MutexLock lock(mutex_);
  if (transaction_ != nullptr) ::mdb_txn_abort(transaction_);
  if (environment_ != nullptr) ::mdb_env_close(environment_);
}

// ---- the one transaction

Result<void> Store::Begin() {
  int const code = ::mdb_txn_begin(environment_, nullptr, 0, &transaction_);
  if (code != 0) {
    transaction_ = nullptr;
    return FailLmdb("begin", code);
  }
  return {};
}

Result<void> Store::PutRow(Table table, std::string_view key, std::string_view value) {
  MDB_val k = Value(key);
  MDB_val v = Value(value);
  int const code = ::mdb_put(transaction_, tables_[static_cast<std::size_t>(table)], &k, &v, 0);
  map_full_ = map_full_ || code == MDB_MAP_FULL;
  if (code != 0) return FailLmdb("put", code);
  return {};
}

Result<void> Store::TryCommit() {
  auto const number = [](std::uint64_t value) { return Encoder().Number(value).Take(); };
  if (transaction_ == nullptr) {
    if (auto recovered = Recover(); !recovered) return recovered;
  }
  auto put = PutRow(Table::kMeta, kEpochKey, number(epoch_ + 1));
  if (put) put = PutRow(Table::kMeta, kSequenceKey, number(sequence_));
  if (!put) return put;
  int const code = ::mdb_txn_commit(std::exchange(transaction_, nullptr));
  map_full_ = map_full_ || code == MDB_MAP_FULL;
  if (code != 0) return FailLmdb("commit", code);
  return {};
}

Result<void> Store::Commit() {
  while (true) {
    auto const committed = TryCommit();
    if (committed) break;
    bool const grows = map_full_;
    if (!grows) {
      logger_->Error("catalog commit failed, what was answered is kept in the journal error=\"{}\"",
                     committed.error().context);
    }
    if (auto recovered = Recover(); !recovered) return recovered;
    if (!grows) return committed;
  }
  ++epoch_;
  committed_sequence_ = sequence_;
  journal_.Rewind();
  KeepHeadroom();
  durable_.insert(durable_.end(), std::make_move_iterator(actions_.begin()),
                  std::make_move_iterator(actions_.end()));
  actions_.clear();
  return Begin();
}

Result<void> Store::CommitRow(std::string const& key, std::uint64_t value) {
  auto const bytes = Encoder().Number(value).Take();
  auto put = PutRow(Table::kMeta, key, bytes);
  while (!put && map_full_) {
    if (auto recovered = Recover(); !recovered) return recovered;
    put = PutRow(Table::kMeta, key, bytes);
  }
  return put ? Commit() : put;
}

// Goes back to the last commit and does again what the journal says. A full map cannot grow inside
// a transaction, so it grows here.
Result<void> Store::Recover() {
  while (true) {
    if (transaction_ != nullptr) ::mdb_txn_abort(std::exchange(transaction_, nullptr));
    if (std::exchange(map_full_, false)) {
      map_size_ *= 2;
      mapping_ = {};
      if (int const code = ::mdb_env_set_mapsize(environment_, map_size_); code != 0) {
        return FailLmdb("grow", code);
      }
    }
    if (auto begun = Begin(); !begun) return begun;
    auto const redo = [this](std::uint64_t sequence, std::string_view payload)
                          NO_THREAD_SAFETY_ANALYSIS {  // called below, under the lock
                            auto applied = ApplyPayload(payload);
                            if (applied) sequence_ = std::max(sequence_, sequence);
                            return applied;
                          };
    auto replayed = journal_.Replay(epoch_, committed_sequence_ + 1, redo);
    if (replayed) return {};
    if (!map_full_) {
      // Half of what was answered is no state to go on from: the next call tries again.
      ::mdb_txn_abort(std::exchange(transaction_, nullptr));
      return replayed;
    }
  }
}

Result<void> Store::Apply(Transaction& transaction) {
  if (transaction.changes_.empty()) {
    // Nothing of its own to become durable: only what came before it.
    auto& waiting = sequence_ == committed_sequence_ ? durable_ : actions_;
    waiting.insert(waiting.end(), std::make_move_iterator(transaction.actions_.begin()),
                   std::make_move_iterator(transaction.actions_.end()));
    if (!durable_.empty()) wake_.NotifyOne();
    return {};
  }
  Encoder encoder;
  for (auto const& change : transaction.changes_) {
    // What is journaled must be possible: LMDB takes keys of 1 to 511 bytes.
    if (change.key.empty() || change.key.size() > kLongestKey) return Fail(EINVAL, "catalog: key");
    encoder.Number(static_cast<std::uint8_t>(change.table))
        .Number(static_cast<std::uint8_t>(change.value ? ChangeKind::kPut : ChangeKind::kDelete))
        .Text(change.key);
    if (change.value) encoder.Text(*change.value);
  }
  auto const payload = encoder.Take();
  if (transaction_ == nullptr || !journal_.Fits(payload.size())) {
    if (auto committed = Commit(); !committed) return committed;
    wake_.NotifyOne();  // for the actions of that commit
  }
  KillPoint(KillMoment::kDecided);
  auto appended = journal_.Append(epoch_, sequence_ + 1, payload);
  if (!appended) return appended;
  ++sequence_;
  KillPoint(KillMoment::kJournaled);
  if (auto applied = ApplyPayload(payload); !applied) {
    // The record is in the journal, so the operation is decided; it only has to be done again.
    if (auto recovered = Recover(); !recovered) return recovered;
  }
  actions_.insert(actions_.end(), std::make_move_iterator(transaction.actions_.begin()),
                  std::make_move_iterator(transaction.actions_.end()));
  if (sequence_ == committed_sequence_ + 1) wake_.NotifyOne();
  if (observer_) {
    for (auto const& change : transaction.changes_) {
      if (change.value) observer_(change.table, change.key, *change.value);
    }
  }
  return {};
}

Result<void> Store::ReadThrough() const {
  return Read([](View const& view) -> Result<void> {
    for (std::size_t table = 1; table < kTableCount; ++table) {
      std::size_t bytes = 0;
      auto scanned = view.Scan(static_cast<Table>(table), "", "",
                               [&](std::string_view key, std::string_view value) {
                                 for (char const byte : key) bytes += byte != 0;
                                 for (char const byte : value) bytes += byte != 0;
                                 return true;
                               });
      if (!scanned) return scanned;
    }
    return {};
  });
}

void Store::Observe(Observer observer) {
  MutexLock lock(mutex_);
  observer_ = std::move(observer);
}

Result<void> Store::ApplyPayload(std::string_view payload) {
  Decoder decoder(payload);
  while (decoder.ok() && !decoder.empty()) {
    auto const table = decoder.Number<std::uint8_t>();
    auto const kind = static_cast<ChangeKind>(decoder.Number<std::uint8_t>());
    auto const key = decoder.Text();
    if (!decoder.ok() || table == 0 || table >= kTableCount) break;
    if (kind == ChangeKind::kPut) {
      auto const value = decoder.Text();
      if (!decoder.ok()) break;
      if (auto put = PutRow(static_cast<Table>(table), key, value); !put) return put;
    } else {
      MDB_val k = Value(key);
      int const code = ::mdb_del(transaction_, tables_[table], &k, nullptr);
      map_full_ = map_full_ || code == MDB_MAP_FULL;
      if (code != 0 && code != MDB_NOTFOUND) return FailLmdb("delete", code);
    }
  }
  if (!decoder.Finished()) return Fail(EUCLEAN, "the catalog's journal has a record of no meaning");
  return {};
}

Result<std::uint64_t> Store::NewNumber(Counter counter) {
  auto& range = ranges_[static_cast<std::size_t>(counter)];
  if (range.next == range.end) {
    auto const end = range.end + kNumbersReserved;
    if (transaction_ == nullptr) return Fail(EIO, "the catalog cannot be written");
    if (auto put = CommitRow(CounterKey(counter), end); !put) return Failure(put.error());
    wake_.NotifyOne();
    range.end = end;
  }
  return range.next++;
}

Result<void> Store::SkipNumbers(Counter counter, std::uint64_t last) {
  MutexLock lock(mutex_);
  auto& range = ranges_[static_cast<std::size_t>(counter)];
  if (last < range.next) return {};
  auto const end = last + 1 + kNumbersReserved;
  if (transaction_ == nullptr) return Fail(EIO, "the catalog cannot be written");
  if (auto put = CommitRow(CounterKey(counter), end); !put) return put;
  wake_.NotifyOne();
  range = {.next = last + 1, .end = end};
  return {};
}

// The map is of a file and is never written through, so nothing is lost with its pages; they stay
// in the kernel's cache.
void Store::LetGoOfPages() const {
  MutexLock lock(mutex_);
  if (mapping_.empty()) mapping_ = FindMapping(file_);
  if (!mapping_.empty()) ::madvise(mapping_.data(), mapping_.size(), MADV_DONTNEED);
}

// ---- durability

Result<void> Store::Sync() {
  MutexLock lock(mutex_);
  if (!options_.background) return sequence_ == committed_sequence_ ? Result<void>() : Commit();
  auto const wanted = sequence_;
  auto const failed_before = failed_syncs_;
  while (committed_sequence_ < wanted) {
    sync_wanted_ = true;
    wake_.NotifyOne();
    committed_.Wait(mutex_);
    if (failed_syncs_ != failed_before) return Failure(last_failure_);
  }
  return {};
}

Result<void> Store::Tick() {
  if (auto synced = Sync(); !synced) return synced;
  RunActions();
  return {};
}

void Store::CommitLoop(std::stop_token stop) {
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stop.stop_requested() && !sync_wanted_ && durable_.empty() &&
             sequence_ == committed_sequence_) {
        wake_.Wait(mutex_);
      }
      auto const deadline = std::chrono::steady_clock::now() + options_.commit_interval;
      while (!stop.stop_requested() && !sync_wanted_ && sequence_ != committed_sequence_ &&
             wake_.WaitUntil(mutex_, deadline)) {
      }
      sync_wanted_ = false;
      if (sequence_ != committed_sequence_) {
        if (auto committed = Commit(); !committed) {
          last_failure_ = committed.error();
          ++failed_syncs_;
          committed_.NotifyAll();
          if (stop.stop_requested()) return;
          wake_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kPauseAfterFailure);
        }
      }
      committed_.NotifyAll();
    }
    RunActions();
    MutexLock lock(mutex_);
    if (stop.stop_requested() && sequence_ == committed_sequence_ && durable_.empty()) return;
  }
}

void Store::RunActions() {
  std::vector<std::function<void()>> ready;
  {
    MutexLock lock(mutex_);
    ready.swap(durable_);
  }
  for (auto const& action : ready) action();
}

}  // namespace tusfs
