// A few threads for tasks that may wait long, such as for a disk or for a peer.
//
// Threads are started as they are needed, up to a bound, and kept. Tasks beyond that wait in a
// queue, which has a bound too. Add may be called from any thread, but from a task.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tusfs {

class TaskPool {
 public:
  TaskPool(std::size_t most_threads, std::size_t longest_queue)
      : most_threads_(most_threads), longest_queue_(longest_queue) {}
  ~TaskPool() { Stop(); }

  /// Runs `task` on one of the threads. Waits while the queue is full. After Stop it does nothing.
  void Add(std::function<void()> task) EXCLUDES(mutex_);

  /// As Add, but where the queue is full it does nothing, and returns false.
  bool TryAdd(std::function<void()> task) EXCLUDES(mutex_);

  /// Waits for the tasks that run; those in the queue are dropped. Not from a task.
  void Stop() EXCLUDES(mutex_);

 private:
  void Work() EXCLUDES(mutex_);
  [[nodiscard]] bool IsFull() const REQUIRES(mutex_);
  void Enqueue(std::function<void()> task) REQUIRES(mutex_);

  std::size_t const most_threads_;
  std::size_t const longest_queue_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  CondVar added_;
  CondVar taken_;
  std::deque<std::function<void()>> tasks_ GUARDED_BY(mutex_);
  std::size_t idle_ GUARDED_BY(mutex_) = 0;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
