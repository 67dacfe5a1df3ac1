#include "base/task_pool.h"

#include <utility>

namespace tusfs {

bool TaskPool::IsFull() const {
  return tasks_.size() >= longest_queue_ && idle_ == 0 && threads_.size() == most_threads_;
}

void TaskPool::Add(std::function<void()> task) {
  MutexLock lock(mutex_);
  while (!stopped_ && IsFull()) taken_.Wait(mutex_);
  Enqueue(std::move(task));
}

bool TaskPool::TryAdd(std::function<void()> task) {
  MutexLock lock(mutex_);
  if (stopped_ || IsFull()) return false;
  Enqueue(std::move(task));
  return true;
}

void TaskPool::Enqueue(std::function<void()> task) {
  if (stopped_) return;
  tasks_.push_back(std::move(task));
  if (idle_ < tasks_.size() && threads_.size() < most_threads_) {
    threads_.emplace_back([this] { Work(); });
  }
  added_.NotifyOne();
}

void TaskPool::Work() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(mutex_);
      ++idle_;
      while (!stopped_ && tasks_.empty()) added_.Wait(mutex_);
      --idle_;
      if (stopped_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
      taken_.NotifyOne();
    }
    task();
  }
}

void TaskPool::Stop() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    tasks_.clear();
    threads.swap(threads_);
    added_.NotifyAll();
    taken_.NotifyAll();
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace tusfs
