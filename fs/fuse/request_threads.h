// The threads that serve a mount: more of them than calls that wait for a slow disk.
//
// A few are always there. When all of them are busy and none has come back for a moment, one more
// is started, up to a bound; when that has not happened for a while, those that were added end.
// Owned by the server; Run is the thread that looks after the others.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tusfs {

class RequestThreads {
 public:
  struct Options {
    unsigned fewest = 4;
    unsigned most = 4;
    /// None has come back for so long: they are stuck.
    std::chrono::milliseconds stuck_after{5};
    /// Nothing was stuck for so long: those that were added are not needed.
    std::chrono::milliseconds idle_after{10'000};
  };
  struct Calls {
    /// Waits for a request on thread `index`. False where there is none, because a signal came.
    std::function<bool(unsigned index)> receive;
    /// Executes it.
    std::function<void(unsigned index)> execute;
    /// Thread `index` is about to be added to the fewest.
    std::function<void(unsigned index)> prepare;
    /// Only threads below `count` are left.
    std::function<void(unsigned count)> let_go;
  };

  RequestThreads(Options const& options, Calls calls)
      : options_(options), calls_(std::move(calls)) {}

  /// Serves until Stop is called; what was begun is finished.
  void Run() EXCLUDES(mutex_);
  /// From any thread, those that serve too.
  void Stop() EXCLUDES(mutex_);

  [[nodiscard]] unsigned count() const { return count_; }

  /// Makes the signal that ends the waiting of threads harmless to this process. Once.
  static void InstallSignal();

 private:
  struct Worker {
    std::thread thread;
    std::atomic<bool> ended = false;
  };
  enum class Event { kStopped, kAllBusy, kQuiet };
  /// kQuiet: nothing happened until `deadline`.
  Event Await(std::chrono::steady_clock::time_point deadline) EXCLUDES(mutex_);
  /// While all are busy; returns whether they were stuck.
  bool Watch() EXCLUDES(mutex_);
  void Add();
  void Work(Worker& worker, unsigned index);
  /// Ends the threads from `index` on.
  void End(unsigned index);

  Options const options_;
  Calls const calls_;
  std::vector<std::unique_ptr<Worker>> workers_;  ///< of the thread in Run
  std::atomic<unsigned> count_ = 0;
  std::atomic<unsigned> wanted_ = 0;         ///< threads of this number and above end
  std::atomic<int> waiting_ = 0;             ///< threads that wait for a request
  std::atomic<std::uint64_t> received_ = 0;  ///< requests
  std::atomic<bool> watched_ = false;        ///< Run looks at them, since none was waiting
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar changed_;
  bool all_busy_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace tusfs
