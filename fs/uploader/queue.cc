#include "uploader/queue.h"

#include <algorithm>
#include <utility>

namespace tusfs {
namespace {

// A large file lets one second of newcomers pass per 16 MiB that it has left, up to a minute.
constexpr std::uint64_t kBytesPerMillisecond = 16 * 1024;
constexpr std::chrono::milliseconds kLargestHandicap{60'000};

std::chrono::milliseconds Handicap(std::uint64_t bytes_left) {
  auto const limit = static_cast<std::uint64_t>(kLargestHandicap.count());
  return std::chrono::milliseconds(std::min(bytes_left / kBytesPerMillisecond, limit));
}

}  // namespace

void Queue::Enlist(JobKey const& key, Job& job, SteadyTime when, std::uint64_t bytes_left) {
  EnlistAs(key, job, when, when + Handicap(bytes_left));
}

void Queue::EnlistAs(JobKey const& key, Job& job, SteadyTime when, SteadyTime rank) {
  if (job.due && *job.due <= when) return;
  Delist(key, job);
  job.due = when;
  job.rank.at = rank;
  if (!job.since) job.since = when;
  waiting_.emplace(when, key);
  enlisted_.NotifyOne();
  open_to_me_.NotifyAll();
}

void Queue::Delist(JobKey const& key, Job& job) {
  if (!job.due) return;
  waiting_.erase({*job.due, key});
  due_.erase({job.rank, key});
  job.due.reset();
}

void Queue::Schedule(JobKey const& key, SteadyTime when, std::uint64_t bytes_left) {
  MutexLock lock(mutex_);
  auto& job = jobs_[key];
  if (job.running) {
    job.again = true;
    return;
  }
  Enlist(key, job, when, bytes_left);
}

void Queue::HasWaited(JobKey const& key, SteadyTime since) {
  MutexLock lock(mutex_);
  auto const found = jobs_.find(key);
  if (found == jobs_.end()) return;
  auto& job = found->second;
  job.since = std::min(job.since.value_or(since), since);
  open_to_me_.NotifyAll();
}

std::optional<SteadyTime> Queue::DueSince(JobKey const& key) const {
  MutexLock lock(mutex_);
  auto const found = jobs_.find(key);
  return found == jobs_.end() ? std::nullopt : found->second.since;
}

std::optional<Queue::Running> Queue::Take(std::stop_token stop, SteadyTime deadline, Taker* taker) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    auto const now = clock_.Steady();
    auto until = deadline;
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
      auto const key = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      due_.emplace(jobs_[key].rank, key);
    }
    for (auto const& [rank, key] : due_) {
      if (paused_) break;
      auto& job = jobs_[key];
      if (job.blocks > 0) continue;
      auto const from =
          taker != nullptr ? taker->MayTake(rank.priority, job.since.value_or(now)) : now;
      if (from && *from <= now) return Give(JobKey(key), job, taker);
      if (from) until = std::min(until, *from);
    }
    if (now >= deadline) return std::nullopt;
    if (!waiting_.empty()) until = std::min(until, waiting_.begin()->first);
    (taker != nullptr ? open_to_me_ : enlisted_).WaitUntil(mutex_, until);
  }
  return std::nullopt;
}

Queue::Running Queue::Give(JobKey const& key, Job& job, Taker* taker) {
  Delist(key, job);
  job.running = true;
  job.again = false;
  job.stop = std::stop_source();
  job.taker = taker;
  if (taker != nullptr) taker->Took();
  // Somebody else has to watch what comes next.
  if (!waiting_.empty() || !due_.empty()) {
    enlisted_.NotifyOne();
    open_to_me_.NotifyAll();
  }
  return {key, job.memory, job.stop.get_token()};
}

void Queue::Sleep(std::stop_token stop, SteadyTime deadline) {
  MutexLock lock(mutex_);
  if (!stop.stop_requested()) woken_.WaitUntil(mutex_, deadline);
}

void Queue::Finish(Running const& running, After const& after) {
  MutexLock lock(mutex_);
  auto& job = jobs_[running.key];
  job.running = false;
  auto* const taker = std::exchange(job.taker, nullptr);
  if (taker != nullptr) taker->Gave();
  auto const next = std::exchange(job.again, false) ? clock_.Steady() : after.next;
  // A job that goes on at once has waited only where somebody had to wait for it before.
  if (taker == nullptr || taker->TakesAll() || !next) job.since.reset();
  job.memory = after.over ? JobMemory{} : running.memory;
  for (auto const& then : std::exchange(job.then, {})) {
    Enlist(then, jobs_[then], clock_.Steady(), 0);
  }
  if (next && after.keeps_turn) {
    EnlistAs(running.key, job, *next, job.rank.at);
  } else if (next) {
    Enlist(running.key, job, *next, after.bytes_left);
  } else if (after.over && job.blocks == 0) {
    jobs_.erase(running.key);
  }
  given_back_.NotifyAll();
  open_to_me_.NotifyAll();
}

void Queue::Hasten(JobKey const& key) {
  MutexLock lock(mutex_);
  auto const found = jobs_.find(key);
  if (found == jobs_.end()) return;
  auto& job = found->second;
  if (job.running) {
    job.again = true;
  } else if (job.due) {
    EnlistAs(key, job, clock_.Steady(), job.rank.at);
  }
}

void Queue::Block(JobKey const& key) {
  MutexLock lock(mutex_);
  auto& job = jobs_[key];
  ++job.blocks;
  if (job.running) job.stop.request_stop();
  while (job.running) given_back_.Wait(mutex_);
}

void Queue::Unblock(JobKey const& key, bool after_finish) {
  MutexLock lock(mutex_);
  auto& job = jobs_[key];
  --job.blocks;
  job.memory = JobMemory{};
  job.memory.after_finish = after_finish;
  Enlist(key, job, clock_.Steady(), 0);
  enlisted_.NotifyOne();  // it may have been due all the time
  open_to_me_.NotifyAll();
}

void Queue::Cancel(JobKey const& key, std::optional<JobKey> const& then) {
  std::optional<Candidate> gone;  // behind the lock: the disk may take long to free what it holds
  MutexLock lock(mutex_);
  auto const found = jobs_.find(key);
  bool const running = found != jobs_.end() && found->second.running;
  if (running) {
    found->second.again = true;
    found->second.stop.request_stop();
  } else if (found != jobs_.end()) {
    gone = std::exchange(found->second.memory.adoption.candidate, std::nullopt);
  }
  if (!then) return;
  if (running) {
    found->second.then.push_back(*then);
  } else {
    Enlist(*then, jobs_[*then], clock_.Steady(), 0);
  }
}

void Queue::CancelOf(Taker const& taker, std::set<InodeId> const& spared) {
  MutexLock lock(mutex_);
  for (auto& [key, job] : jobs_) {
    if (job.taker != &taker || spared.contains(key.inode)) continue;
    job.again = true;
    job.stop.request_stop();
  }
}

void Queue::Forget(JobKey const& key) {
  std::optional<Candidate> gone;  // as in Cancel
  MutexLock lock(mutex_);
  auto const found = jobs_.find(key);
  if (found == jobs_.end() || found->second.running || found->second.blocks > 0) return;
  Delist(key, found->second);
  gone = std::move(found->second.memory.adoption.candidate);
  jobs_.erase(found);
}

void Queue::Prefer(JobKey const& key, Priority priority) {
  MutexLock lock(mutex_);
  auto const found = jobs_.find(key);
  if (found == jobs_.end()) return;
  auto& rank = found->second.rank;
  bool const is_due = due_.erase({rank, key}) > 0;
  rank.priority = priority;
  if (is_due) due_.emplace(rank, key);
  open_to_me_.NotifyAll();
}

void Queue::Pause(bool paused) {
  MutexLock lock(mutex_);
  paused_ = paused;
  enlisted_.NotifyAll();
  open_to_me_.NotifyAll();
}

bool Queue::IsPaused() const {
  MutexLock lock(mutex_);
  return paused_;
}

bool Queue::IsRunning(JobKey const& key) const {
  MutexLock lock(mutex_);
  auto const found = jobs_.find(key);
  return found != jobs_.end() && found->second.running;
}

void Queue::CancelAll() {
  MutexLock lock(mutex_);
  for (auto& [key, job] : jobs_) {
    if (job.running) job.stop.request_stop();
  }
  enlisted_.NotifyAll();
  open_to_me_.NotifyAll();
  woken_.NotifyAll();
}

void Queue::Wake() {
  MutexLock lock(mutex_);
  enlisted_.NotifyAll();
  open_to_me_.NotifyAll();
  woken_.NotifyAll();
}

}  // namespace tusfs
