// Store: when an operation is durable, and what waits for that.
#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "catalog/store.h"

namespace tusfs {
namespace {

/// What is wanted at once waits so long for company.
constexpr std::chrono::milliseconds kGather{1};

}  // namespace

Result<void> Store::Sync() {
  std::uint64_t wanted = 0;
  {
    MutexLock lock(mutex_);
    if (failure_) return Failure(*failure_);
    wanted = sequence_;
  }
  auto const durable = AwaitDurable(wanted);
  while (durable && !options_.background && Act()) {  // nobody else does
  }
  return durable;
}

// One of those who wait syncs for all who were there before it began.
Result<void> Store::AwaitDurable(std::uint64_t sequence) {
  while (true) {
    {
      MutexLock lock(durable_mutex_);
      while (syncing_ && durable_ < sequence) durable_changed_.Wait(durable_mutex_);
      if (durable_ >= sequence) return {};
      if (sync_failure_) return Failure(*sync_failure_);
      syncing_ = true;
    }
    if (auto synced = SyncJournal(); !synced) return synced;
  }
}

Result<void> Store::SyncJournal() {
  std::uint64_t covered = 0;
  {
    MutexLock lock(mutex_);
    covered = sequence_;
  }
  auto const synced = journal_.Sync();
  {
    MutexLock lock(durable_mutex_);
    syncing_ = false;
    // The kernel says it once only: the next fdatasync would succeed over what was lost.
    if (!synced) sync_failure_ = synced.error();
    if (synced) RaiseDurable(covered);
    durable_changed_.NotifyAll();
  }
  // While the disk takes nothing at all, a new process would have nothing to begin with.
  if (synced || synced.error().code == EROFS) return synced;
  MutexLock lock(mutex_);
  return Failure(Break(synced.error()));
}

void Store::NoteDurable(std::uint64_t sequence) {
  MutexLock lock(durable_mutex_);
  RaiseDurable(sequence);
  durable_changed_.NotifyAll();
}

void Store::RaiseDurable(std::uint64_t sequence) {
  durable_ = std::max(durable_, sequence);
  if (MayAct()) acts_.NotifyOne();
}

bool Store::MayAct() const { return !actions_.empty() && actions_.front().sequence <= durable_; }

std::uint64_t Store::DurableSequence() const {
  MutexLock lock(durable_mutex_);
  return durable_;
}

void Store::SyncLoop(std::stop_token stop) {
  while (true) {
    std::uint64_t wanted = 0;
    {
      MutexLock lock(mutex_);
      while (!stop.stop_requested() && !dirty_) sync_wake_.Wait(mutex_);
      auto const deadline = std::chrono::steady_clock::now() + options_.commit_interval;
      while (!stop.stop_requested() && !at_once_ && sync_wake_.WaitUntil(mutex_, deadline)) {
      }
      // Where the disk takes no time, one more wake-up for each of many small files would.
      auto const soon = std::min(deadline, std::chrono::steady_clock::now() + kGather);
      while (!stop.stop_requested() && sync_wake_.WaitUntil(mutex_, soon)) {
      }
      if (stop.stop_requested()) return;
      dirty_ = at_once_ = false;
      wanted = sequence_;
    }
    if (!AwaitDurable(wanted)) return;
  }
}

void Store::ActLoop(std::stop_token stop) {
  while (true) {
    {
      MutexLock lock(durable_mutex_);
      while (!stop.stop_requested() && !MayAct()) acts_.Wait(durable_mutex_);
    }
    if (!Act() && stop.stop_requested()) return;
  }
}

bool Store::Act() {
  std::vector<Action> ready;
  {
    MutexLock lock(durable_mutex_);
    while (MayAct()) {
      ready.push_back(std::move(actions_.front()));
      actions_.pop_front();
    }
  }
  for (auto const& action : ready) action.run();
  return !ready.empty();
}

}  // namespace tusfs
