#include "proof/ledger_keeper.h"

#include <cerrno>
#include <utility>

#include "base/thread_name.h"
#include "catalog/adoptable.h"
#include "catalog/proofs.h"
#include "proof/ledger_seed.h"

namespace tusfs {
namespace {

constexpr std::size_t kAtOnce = 256;
// What comes within it shares the two syncs of a round. The catalog keeps the proofs meanwhile.
constexpr std::chrono::milliseconds kGather{200};
constexpr std::chrono::seconds kAfterTrouble{1};

}  // namespace

LedgerKeeper::LedgerKeeper(Store& store, std::filesystem::path directory,
                           LedgerWriter::Options options, Clock const& clock, Logger logger)
    : store_(store),
      directory_(std::move(directory)),
      options_(options),
      clock_(clock),
      logger_(std::move(logger)) {}

LedgerKeeper::~LedgerKeeper() {
  if (observer_ != 0) store_.EndObserving(observer_);
  {
    MutexLock lock(mutex_);
    is_ending_ = true;
    woken_.NotifyAll();
    moved_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void LedgerKeeper::Start() {
  started_ = clock_.Wall();
  observer_ =
      store_.Observe([this](Table table, std::string_view, std::optional<std::string_view> value) {
        if (table != Table::kProofs || !value) return;
        MutexLock lock(mutex_);
        if (!std::exchange(is_wanted_, true)) woken_.NotifyAll();
      });
  thread_ = std::jthread([this](std::stop_token const& stop) { Run(stop); });
}

Result<void> LedgerKeeper::Flush(std::chrono::milliseconds patience) {
  auto const until = clock_.Steady() + patience;
  MutexLock lock(mutex_);
  is_wanted_ = is_hurried_ = true;
  woken_.NotifyAll();
  // A round that is under way may have looked before.
  auto const wanted = begun_ + 1;
  while (done_ < wanted && !is_ending_) {
    if (moved_.WaitUntil(mutex_, until) || clock_.Steady() < until) continue;
    return Fail(ETIMEDOUT, "the ledger cannot be brought up to date: " +
                               (problem_ ? Describe(*problem_) : "the disk takes its time"));
  }
  if (done_ < wanted) return Fail(ECANCELED, "the mount is ending");
  return {};
}

void LedgerKeeper::Run(std::stop_token const&) {
  NameThread("ledger");
  while (true) {
    std::uint64_t round = 0;
    bool is_last = false;
    {
      MutexLock lock(mutex_);
      while (!is_wanted_ && !is_ending_) woken_.Wait(mutex_);
      auto const until = clock_.Steady() + kGather;
      while (!is_hurried_ && !is_ending_ && woken_.WaitUntil(mutex_, until)) continue;
      is_last = is_ending_;
      is_wanted_ = is_hurried_ = false;
      round = ++begun_;
    }
    auto const moved = MoveAll();
    if (is_last) return;
    MutexLock lock(mutex_);
    if (moved) {
      done_ = round;
      problem_.reset();
      moved_.NotifyAll();
      continue;
    }
    bool const is_news = !problem_ || problem_->context != moved.error().context;
    problem_ = moved.error();
    if (is_news) {
      logger_->Error(
          "the ledger cannot be written: what became of files is kept in the catalog until it can "
          "error=\"{}\"",
          Describe(moved.error()));
    }
    is_wanted_ = true;
    auto const again = clock_.Steady() + kAfterTrouble;
    while (!is_ending_ && woken_.WaitUntil(mutex_, again)) continue;
  }
}

Result<void> LedgerKeeper::MoveAll() {
  if (!writer_) {
    auto writer = LedgerWriter::Open(directory_, options_, logger_);
    if (!writer) return Failure(writer.error());
    writer_.emplace(*std::move(writer));
  }
  if (!is_seeded_) {
    auto const seeded =
        SeedLedger(store_, started_, [this](auto const& rows) { return writer_->Append(rows); });
    if (!seeded) return seeded;
    is_seeded_ = true;
  }
  while (true) {
    auto const more = MoveSome();
    if (!more) return Failure(more.error());
    if (!*more) break;
  }
  auto const removed = writer_->RemoveOld(clock_.Wall());
  return removed ? Result<void>() : Failure(removed.error());
}

Result<bool> LedgerKeeper::MoveSome() {
  std::vector<LedgerWriter::Row> rows;
  auto const proofs = store_.Read([&](View const& view) -> Result<std::vector<Proof>> {
    auto found = ListProofs(view, kAtOnce);
    if (!found) return found;
    for (auto const& proof : *found) {
      auto blocks =
          proof.root.empty() ? Result<std::vector<BlockDigest>>() : ListDigests(view, proof.upload);
      if (!blocks) return Failure(blocks.error());
      // They may have gone with their upload since, or have become another one's.
      bool const are_its_own = AreOf(*blocks, proof.size) && RootOf(*blocks) == proof.root;
      rows.push_back({proof, are_its_own ? *std::move(blocks) : std::vector<BlockDigest>()});
    }
    return found;
  });
  if (!proofs) return Failure(proofs.error());
  if (proofs->empty()) return false;
  // What a power cut takes from the catalog has never been in the ledger.
  if (auto synced = store_.Sync(); !synced) return Failure(synced.error());
  if (auto appended = writer_->Append(rows); !appended) return Failure(appended.error());
  auto const deleted = store_.Update([&](Transaction& transaction) -> Result<void> {
    transaction.NoHurry();
    DeleteProofs(transaction, *proofs);
    return {};
  });
  if (!deleted) return Failure(deleted.error());
  return true;
}

}  // namespace tusfs
