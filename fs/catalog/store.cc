#include "catalog/store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/file.h"
#include "base/kill_point.h"
#include "base/thread_name.h"
#include "catalog/codec.h"

namespace tusfs {
namespace {

// 2 while the journal may have what a release that knows one half only would not find.
constexpr std::uint64_t kSchema = 2;
constexpr std::uint64_t kSchemaOfOneHalf = 1;
// More than a whole journal has records, each of which can have taken some.
constexpr std::uint64_t kNumbersLeftOut = std::uint64_t{1} << 19;
constexpr int kEpochsOfALife = 32;  // bits
constexpr int kIdleIntervals = 20;
constexpr std::chrono::seconds kPauseAfterFailure{1};
constexpr Counter kCounters[] = {Counter::kInode, Counter::kVersion, Counter::kHandle,
                                 Counter::kConnection};

// Rows of kMeta that belong to the store itself.
constexpr char const* kSchemaKey = "schema";
constexpr char const* kEpochKey = "journal.epoch";        // no record of an older one is read
constexpr char const* kSequenceKey = "journal.sequence";  // of the last record that LMDB has
constexpr char const* kLifeKey = "journal.life";          // processes that have written to it
constexpr char const* kBootKey = "boot";

std::string CounterKey(Counter counter) {
  return "counter." + std::to_string(static_cast<int>(counter));
}

std::string Number(std::uint64_t value) { return Encoder().Number(value).Take(); }

Result<std::uint64_t> NumberAt(View const& view, std::string const& key, std::uint64_t otherwise) {
  auto const row = view.Get(Table::kMeta, key);
  if (!row) return Failure(row.error());
  return *row ? Decoder(**row).Number<std::uint64_t>() : otherwise;
}

Result<std::uint64_t> NextNumber(View const& view, Counter counter) {
  return NumberAt(view, CounterKey(counter), counter == Counter::kInode ? 2 : 1);
}

// What the next try may find otherwise, in this process too.
bool CanBeMended(Error const& error) {
  return error.code == ENOSPC || error.code == EDQUOT || error.code == ENOMEM ||
         error.code == EROFS;
}

}  // namespace

// ---- what a decision sees; Store holds its lock around every call

Overlay::Row const* Store::FindChanged(Table table, std::string_view key) const {
  if (auto const* const row = active_.Find(table, key)) return row;
  return sealed_ == nullptr ? nullptr : sealed_->Find(table, key);
}

Result<std::optional<std::string>> View::Get(Table table,
                                             std::string_view key) const NO_THREAD_SAFETY_ANALYSIS {
  if (auto const* const row = store_.FindChanged(table, key)) return *row;
  auto found = store_.environment_->Get(table, key);
  if (!found) store_.Break(found.error());
  return found;
}

Result<void> View::Scan(Table table, std::string_view prefix, std::string_view first,
                        std::function<bool(std::string_view, std::string_view)> const& visit) const
    NO_THREAD_SAFETY_ANALYSIS {
  auto const begin = first.empty() ? prefix : first;
  OverlayCursor changed(store_.active_, store_.sealed_.get(), table, begin);
  bool more = true;
  auto const show = [&](std::string_view key, std::string_view value) {
    more = key.starts_with(prefix) && visit(key, value);
    return more;
  };
  auto const scanned =
      store_.environment_->Scan(table, begin, [&](std::string_view key, std::string_view value) {
        for (auto const* row = changed.At(); row != nullptr && row->first <= key;
             row = changed.At()) {
          bool const hides = row->first == key;
          if (row->second && !show(row->first, *row->second)) return false;
          changed.Next();
          if (hides) return true;
        }
        return show(key, value);
      });
  if (!scanned) return Failure(store_.Break(scanned.error()));
  for (auto const* row = changed.At();
       more && row != nullptr && std::string_view(row->first).starts_with(prefix);
       row = changed.At()) {
    if (row->second) show(row->first, *row->second);
    changed.Next();
  }
  return {};
}

Result<std::uint64_t> Transaction::NewNumbers(Counter counter, std::uint64_t count) {
  auto const first = NextNumber(*this, counter);
  if (first) Put(Table::kMeta, CounterKey(counter), Number(*first + count));
  return first;
}

// ---- opening

Store::Store(std::filesystem::path directory, StoreOptions const& options, Journal journal,
             Logger logger)
    : directory_(std::move(directory)),
      options_(options),
      logger_(std::move(logger)),
      journal_(std::move(journal)) {}

Result<std::unique_ptr<Store>> Store::Open(std::filesystem::path const& directory,
                                           StoreOptions const& options, Logger logger) {
  auto made = MakePrivateDirectory(directory);
  if (!made) return Failure(made.error());
  auto const data = directory / "data.mdb";
  auto const journal_path = directory / "journal";
  // LMDB opens it by its path.
  struct stat status {};
  bool const is_there = ::lstat(data.c_str(), &status) == 0;
  if (is_there && !S_ISREG(status.st_mode)) {
    return Fail(ELOOP, "'" + data.string() +
                           "' is no regular file: put the catalog itself there, or move that away");
  }
  // A journal without its store says nothing; with another store it would say something false.
  if (!is_there) ::unlink(journal_path.c_str());
  bool const is_new = !std::filesystem::exists(journal_path);
  auto journal = Journal::Open(journal_path, options.journal_size);
  if (!journal) return Failure(journal.error());
  std::unique_ptr<Store> store(new Store(directory, options, std::move(*journal), logger));
  auto environment = Environment::Open(directory, options.map_size, kSchema, std::move(logger));
  if (!environment) return Failure(environment.error());
  store->environment_ = std::move(*environment);
  {
    MutexLock lock(store->mutex_);
    if (auto loaded = store->Load(); !loaded) return Failure(loaded.error());
  }
  // What is in a file whose name the disk has not is not durable.
  if (is_new) {
    if (auto synced = SyncDirectory(directory); !synced) return Failure(synced.error());
  }
  if (auto left_out = store->LeaveOutNumbers(); !left_out) return Failure(left_out.error());
  store->is_open_ = true;
  if (options.background) store->StartThreads();
  return store;
}

Result<void> Store::Load() {
  View const view(*this);
  auto const epoch = NumberAt(view, kEpochKey, 1);
  auto const sequence = NumberAt(view, kSequenceKey, 0);
  auto const life = NumberAt(view, kLifeKey, 0);
  auto const schema = NumberAt(view, kSchemaKey, 0);
  if (!epoch || !sequence || !life || !schema) {
    return Fail(EUCLEAN, DamagedCatalog(directory_, "its first rows cannot be read"));
  }
  active_epoch_ = *epoch;
  sequence_ = sealed_sequence_ = *sequence;
  schema_ = *schema;
  NoteDurable(sequence_);
  if (auto replayed = Replay(); !replayed) return replayed;
  dirty_ = sequence_ != *sequence;
  if (auto begun = BeginLife(*life + 1); !begun) return begun;
  for (auto const counter : kCounters) {
    auto const next = NextNumber(view, counter);
    if (!next) return Failure(next.error());
    first_numbers_[static_cast<std::size_t>(counter)] = *next;
  }
  return {};
}

// LMDB gets it later, like what this process changes.
Result<void> Store::Replay() {
  auto const redo = [this](Journal::Record const& record) NO_THREAD_SAFETY_ANALYSIS {
    if (record.turned) {
      sealed_ = std::make_shared<Overlay const>(std::move(active_));
      active_ = {};
      sealed_sequence_ = sequence_;
      active_epoch_ = record.epoch;
      schema_ = kSchema;
    }
    auto const redone = active_.Redo(record.payload);
    if (redone) sequence_ = record.sequence;
    return redone;
  };
  return journal_.Replay(active_epoch_, sequence_ + 1, redo);
}

// The epochs of this process are higher than all that were before, durably: see journal.h.
Result<void> Store::BeginLife(std::uint64_t life) {
  std::vector<Environment::MetaRow> rows{{kLifeKey, Number(life)}};
  if (schema_ == 0) {
    schema_ = kSchemaOfOneHalf;
    rows.push_back({kSchemaKey, Number(schema_)});
  }
  auto const boot = View(*this).Get(Table::kMeta, kBootKey);
  if (!boot) return Failure(boot.error());
  if (!*boot && !options_.boot.empty()) rows.push_back({kBootKey, options_.boot});
  auto written = environment_->Commit({}, rows);
  while (written && *written == Environment::Written::kMapIsFull) {
    if (auto grown = environment_->Grow(); !grown) return grown;
    written = environment_->Commit({}, rows);
  }
  if (!written) return Failure(written.error());
  epoch_ = std::max(life << kEpochsOfALife, active_epoch_);
  if (sequence_ == sealed_sequence_) active_epoch_ = epoch_;
  return environment_->Renew();
}

// Those that a power cut has taken back may be in use: in the spool, on a server.
Result<void> Store::LeaveOutNumbers() {
  if (options_.boot.empty()) return {};
  auto const before = Read([](View const& view) { return view.Get(Table::kMeta, kBootKey); });
  if (!before) return Failure(before.error());
  if (*before == options_.boot) return {};
  auto const left_out = Update([&](Transaction& transaction) -> Result<void> {
    transaction.Put(Table::kMeta, kBootKey, options_.boot);
    for (auto const counter : kCounters) {
      auto const next = NextNumber(transaction, counter);
      if (!next) return Failure(next.error());
      auto const of_a_record = counter == Counter::kVersion ? Transaction::kMostNumbers : 1;
      transaction.Put(Table::kMeta, CounterKey(counter),
                      Number(*next + kNumbersLeftOut * of_a_record));
    }
    return {};
  });
  return left_out ? Sync() : left_out;
}

void Store::StartThreads() {
  syncer_ = std::jthread([this](std::stop_token stop) {
    NameThread("journal sync");
    SyncLoop(std::move(stop));
  });
  committer_ = std::jthread([this](std::stop_token stop) {
    NameThread("catalog commit");
    CommitLoop(std::move(stop));
  });
  actor_ = std::jthread([this](std::stop_token stop) {
    NameThread("catalog actions");
    ActLoop(std::move(stop));
  });
}

Store::~Store() {
  if (!committer_.joinable()) return;
  for (auto* const thread : {&syncer_, &committer_}) thread->request_stop();
  {
    MutexLock lock(mutex_);
    sync_wake_.NotifyAll();
    commit_wake_.NotifyAll();
  }
  syncer_.join();
  committer_.join();
  Close();
  actor_.request_stop();
  {
    MutexLock lock(durable_mutex_);
    acts_.NotifyAll();
  }
  actor_.join();
}

void Store::Close() {
  auto closed = Sync();
  if (closed) {
    MutexLock lock(mutex_);
    bool const has_changes = sealed_ != nullptr || sequence_ != sealed_sequence_;
    if (!has_changes && schema_ == kSchemaOfOneHalf) return;
    if (sealed_ != nullptr) closed = CommitUnderLock();
    if (closed) {
      Seal();
      schema_ = kSchemaOfOneHalf;
      closed = CommitUnderLock();
    }
  }
  if (!closed) {
    logger_->Error("the catalog is not committed, what was answered is in the journal error=\"{}\"",
                   Describe(closed.error()));
  }
}

// ---- one operation

Error const& Store::Break(Error const& error) const {
  if (!failure_) {
    failure_ = error;
    if (options_.on_failure && is_open_) options_.on_failure(error);
  }
  return error;
}

Result<void> Store::AwaitRoom() {
  while (!failure_ && !commit_error_ && (applying_ || (sealed_ != nullptr && IsNearlyFull()))) {
    if (!options_.background) {
      if (auto committed = CommitUnderLock(); !committed) return committed;
    } else {
      committed_.Wait(mutex_);
    }
  }
  if (failure_) return Failure(*failure_);
  return {};
}

// For an operation that is decided: others that change something wait until it is done.
Result<void> Store::MakeRoom(std::size_t payload) {
  applying_ = true;
  while (options_.background && !failure_ && !commit_error_ && sealed_ != nullptr &&
         !journal_.Fits(payload)) {
    committed_.Wait(mutex_);
  }
  applying_ = false;
  committed_.NotifyAll();
  if (failure_) return Failure(*failure_);
  if (journal_.Fits(payload)) return {};
  if (sealed_ != nullptr) {
    if (options_.background) return Failure(*commit_error_);
    if (auto committed = CommitUnderLock(); !committed) return committed;
  }
  Seal();
  commit_wake_.NotifyOne();
  return {};
}

Result<void> Store::Apply(Transaction& transaction) {
  if (!transaction.changes_.empty()) {
    Encoder encoder;
    for (auto const& change : transaction.changes_) {
      // What is journaled must be possible.
      if (!IsKey(change.key)) return Fail(EINVAL, "catalog: key");
      EncodeChange(encoder, change.table, change.key, change.value);
    }
    auto const payload = encoder.Take();
    if (!journal_.Fits(payload.size())) {
      if (auto made = MakeRoom(payload.size()); !made) return made;
    }
    KillPoint(KillMoment::kDecided);
    auto const appended = journal_.Append(epoch_, sequence_ + 1, payload);
    if (!appended && CanBeMended(appended.error())) return appended;  // or larger than a half
    if (!appended) return Failure(Break(appended.error()));
    ++sequence_;
    KillPoint(KillMoment::kJournaled);
  }
  Wake(transaction);
  for (auto& change : transaction.changes_) {
    for (auto const& [number, observer] : observers_) {
      observer(change.table, change.key, change.value);
    }
    active_.Set(change.table, std::move(change.key), std::move(change.value));
  }
  if (changed_) changed_();
  return {};
}

void Store::Wake(Transaction const& transaction) {
  if (!transaction.actions_.empty()) {
    MutexLock lock(durable_mutex_);
    for (auto const& action : transaction.actions_) actions_.push_back({sequence_, action});
    if (MayAct()) acts_.NotifyOne();
  }
  bool const hurries = transaction.hurries_ || !transaction.actions_.empty();
  bool const is_first_that_hurries = hurries && !std::exchange(dirty_, true);
  bool const is_first_at_once = transaction.at_once_ && !std::exchange(at_once_, true);
  if (is_first_that_hurries || is_first_at_once) sync_wake_.NotifyOne();
  if (transaction.changes_.empty()) return;
  changed_at_ = std::chrono::steady_clock::now();
  bool const is_first = sequence_ == sealed_sequence_ + 1;
  if (is_first || (sealed_ == nullptr && IsNearlyFull())) commit_wake_.NotifyOne();
}

Result<void> Store::SkipNumbers(Counter counter, std::uint64_t last) {
  return Update([&](Transaction& transaction) -> Result<void> {
    auto const next = NextNumber(transaction, counter);
    if (!next) return Failure(next.error());
    if (last >= *next) transaction.Put(Table::kMeta, CounterKey(counter), Number(last + 1));
    return {};
  });
}

std::uint64_t Store::Observe(Observer observer) {
  MutexLock lock(mutex_);
  observers_.emplace(++last_observer_, std::move(observer));
  return last_observer_;
}

void Store::EndObserving(std::uint64_t observer) {
  MutexLock lock(mutex_);
  observers_.erase(observer);
}

void Store::WhenChanged(std::function<void()> changed) {
  MutexLock lock(mutex_);
  changed_ = std::move(changed);
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

void Store::LetGoOfPages() const {
  MutexLock lock(mutex_);
  environment_->LetGoOfPages();
}

// ---- commits of LMDB

bool Store::IsCommitDue() const {
  if (sealed_ != nullptr) return true;
  if (sequence_ == sealed_sequence_) return false;
  auto const idle = std::chrono::steady_clock::now() - changed_at_;
  return IsNearlyFull() || idle >= kIdleIntervals * options_.commit_interval;
}

bool Store::IsNearlyFull() const { return journal_.room() < journal_.half() / 4; }

void Store::Seal() {
  sealed_ = std::make_shared<Overlay const>(std::move(active_));
  active_ = {};
  sealed_sequence_ = sequence_;
  active_epoch_ = ++epoch_;
  schema_ = kSchema;
  journal_.Turn();
}

std::vector<Environment::MetaRow> Store::RowsOfCommit() const {
  return {{kEpochKey, Number(active_epoch_)},
          {kSequenceKey, Number(sealed_sequence_)},
          {kSchemaKey, Number(schema_)}};
}

Result<void> Store::CommitSealed() {
  while (true) {
    std::shared_ptr<Overlay const> changes;  // freed outside the lock
    std::vector<Environment::MetaRow> rows;
    {
      MutexLock lock(mutex_);
      if (sealed_ == nullptr) return {};
      changes = sealed_;
      rows = RowsOfCommit();
    }
    auto const written = environment_->Commit(*changes, rows);
    MutexLock lock(mutex_);
    if (auto finished = FinishCommit(written); !finished) return finished;
  }
}

Result<void> Store::CommitUnderLock() {
  while (sealed_ != nullptr) {
    auto const finished = FinishCommit(environment_->Commit(*sealed_, RowsOfCommit()));
    if (!finished) return finished;
  }
  return {};
}

Result<void> Store::FinishCommit(Result<Environment::Written> const& written) {
  if (!written) {
    bool const is_new = !std::exchange(commit_error_, written.error());
    committed_.NotifyAll();
    if (!CanBeMended(written.error())) return Failure(Break(written.error()));
    if (is_new) {
      logger_->Error("catalog commit failed, what was answered is kept in the journal error=\"{}\"",
                     Describe(written.error()));
    }
    return Failure(written.error());
  }
  commit_error_.reset();
  bool const done = *written == Environment::Written::kDone;
  auto const seen = done ? environment_->Renew() : environment_->Grow();
  if (!seen) return Failure(Break(seen.error()));
  if (!done) return {};
  NoteDurable(sealed_sequence_);
  sealed_ = nullptr;
  committed_.NotifyAll();
  return {};
}

void Store::CommitLoop(std::stop_token stop) {
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stop.stop_requested() && !IsCommitDue()) {
        if (sequence_ == sealed_sequence_) {
          commit_wake_.Wait(mutex_);
        } else {
          commit_wake_.WaitUntil(mutex_, changed_at_ + kIdleIntervals * options_.commit_interval);
        }
      }
      if (stop.stop_requested()) return;
      if (sealed_ == nullptr) Seal();
    }
    if (CommitSealed()) continue;
    MutexLock lock(mutex_);
    if (failure_) return;
    auto const again = std::chrono::steady_clock::now() + kPauseAfterFailure;
    while (!stop.stop_requested() && commit_wake_.WaitUntil(mutex_, again)) {
    }
  }
}

Result<void> Store::Tick() {
  if (auto synced = Sync(); !synced) return synced;
  {
    MutexLock lock(mutex_);
    if (sealed_ != nullptr) {
      if (auto committed = CommitUnderLock(); !committed) return committed;
    }
    if (sequence_ != sealed_sequence_) {
      Seal();
      if (auto committed = CommitUnderLock(); !committed) return committed;
    }
  }
  while (Act()) {
  }
  return {};
}

}  // namespace tusfs
