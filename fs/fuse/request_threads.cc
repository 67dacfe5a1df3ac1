#include "fuse/request_threads.h"

#include <signal.h>

#include <utility>

#include "base/thread_name.h"

namespace tusfs {
namespace {

constexpr int kWakeSignal = SIGUSR2;
constexpr std::chrono::milliseconds kWakeInterval{10};

}  // namespace

// A thread that waits in read(2) on /dev/fuse sees that it shall end only when a signal interrupts
// it.
void RequestThreads::InstallSignal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(kWakeSignal, &action, nullptr);
}

void RequestThreads::Run() {
  while (count_ < options_.fewest) Add();
  auto stuck_at = std::chrono::steady_clock::now();
  while (true) {
    bool const has_added = count_ > options_.fewest;
    auto const deadline =
        has_added ? stuck_at + options_.idle_after : std::chrono::steady_clock::time_point::max();
    auto const event = Await(deadline);
    if (event == Event::kStopped) break;
    if (event == Event::kAllBusy) {
      if (Watch()) stuck_at = std::chrono::steady_clock::now();
    } else if (has_added) {
      End(options_.fewest);
      calls_.let_go(options_.fewest);
    }
  }
  End(0);
}

RequestThreads::Event RequestThreads::Await(std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(mutex_);
  while (!stopped_ && !all_busy_) {
    if (deadline == std::chrono::steady_clock::time_point::max()) {
      changed_.Wait(mutex_);
    } else if (!changed_.WaitUntil(mutex_, deadline)) {
      break;
    }
  }
  if (stopped_) return Event::kStopped;
  return std::exchange(all_busy_, false) ? Event::kAllBusy : Event::kQuiet;
}

bool RequestThreads::Watch() {
  bool was_stuck = false;
  while (true) {
    auto const seen = received_.load();
    {
      MutexLock lock(mutex_);
      auto const until = std::chrono::steady_clock::now() + options_.stuck_after;
      while (!stopped_ && changed_.WaitUntil(mutex_, until)) {
      }
      if (stopped_) return was_stuck;
    }
    if (waiting_ > 0) {
      watched_ = false;
      // Whoever became busy in between has not said so.
      if (waiting_ > 0 || watched_.exchange(true)) return was_stuck;
    }
    if (received_ != seen) continue;
    was_stuck = true;
    if (count_ < options_.most) Add();
  }
}

void RequestThreads::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  changed_.NotifyAll();
}

void RequestThreads::Add() {
  unsigned const index = count_;
  if (index >= options_.fewest) calls_.prepare(index);
  wanted_ = count_ = index + 1;
  ++waiting_;
  auto& worker = *workers_.emplace_back(std::make_unique<Worker>());
  worker.thread = std::thread([this, &worker, index] {
    NameThread("request");
    Work(worker, index);
  });
}

void RequestThreads::Work(Worker& worker, unsigned index) {
  while (index < wanted_) {
    if (!calls_.receive(index)) continue;
    ++received_;
    if (--waiting_ == 0 && !watched_.exchange(true)) {
      MutexLock lock(mutex_);
      all_busy_ = true;
      changed_.NotifyAll();
    }
    calls_.execute(index);
    ++waiting_;
  }
  --waiting_;
  worker.ended = true;
}

// A signal that comes just before a thread enters read(2) is lost, so it is sent again.
void RequestThreads::End(unsigned index) {
  wanted_ = index;
  for (auto i = index; i < workers_.size(); ++i) {
    auto& worker = *workers_[i];
    while (!worker.ended) {
      ::pthread_kill(worker.thread.native_handle(), kWakeSignal);
      std::this_thread::sleep_for(kWakeInterval);
    }
    worker.thread.join();
  }
  workers_.resize(index);
  count_ = index;
}

}  // namespace tusfs
