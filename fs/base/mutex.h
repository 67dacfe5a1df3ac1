// Mutexes that clang's -Wthread-safety can check, with the standard library's underneath.
//
// The order of locks is lock_order, below; what is held over what, and why, is in fs/README.md,
// "Locks".
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define TUSFS_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define TUSFS_THREAD_ANNOTATION(x)
#endif

#define CAPABILITY(x) TUSFS_THREAD_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY TUSFS_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) TUSFS_THREAD_ANNOTATION(guarded_by(x))
#define REQUIRES(...) TUSFS_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) TUSFS_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) TUSFS_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) TUSFS_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define ACQUIRED_BEFORE(...) TUSFS_THREAD_ANNOTATION(acquired_before(__VA_ARGS__))
#define ACQUIRED_AFTER(...) TUSFS_THREAD_ANNOTATION(acquired_after(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS TUSFS_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace tusfs {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

/// Marks between which the mutexes of all rooms stand, first to last. Nobody holds a mark: a mutex
/// is ACQUIRED_AFTER the one before it and ACQUIRED_BEFORE the next, and clang's
/// -Wthread-safety-beta warns of a function that takes two of them the other way round.
namespace lock_order {

class CAPABILITY("mark") Mark {};

// ActiveFile
inline Mark const kBehindFiles;
// Store
inline Mark const kBehindStore ACQUIRED_AFTER(kBehindFiles);
// Spool, ReadBack
inline Mark const kBehindTables ACQUIRED_AFTER(kBehindStore);
// Version's lock of changes
inline Mark const kBehindChanges ACQUIRED_AFTER(kBehindTables);
// the leaves, one at a time: Version, OpenFiles, Turns, Describer, the Store's lock of what is
// durable, LedgerKeeper, Queue, Priorities, Settler, HeldBack, FinishCommand, WriterEnds, Hooks,
// Endpoint, InFlight, Endpoint, InFlight, Watchers, RateHistory, ReadBackStream, Restoration,
// FuseServer, RequestThreads
inline Mark const kBehindLeaves ACQUIRED_AFTER(kBehindChanges);
// TaskPool, Budget, KernelProcessEnds, ServerWatch, Links, HeartbeatSender

}  // namespace lock_order

/// Holds a Mutex for a scope; a condition variable may let it go meanwhile.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(MutexLock const&) = delete;
  MutexLock& operator=(MutexLock const&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits on a Mutex that the caller holds. Wait in a loop around the condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock held(mutex.mutex_, std::adopt_lock);
    condition_.wait(held);
    static_cast<void>(held.release());  // the caller's again
  }
  /// Returns whether it was woken before `deadline`.
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point deadline) REQUIRES(mutex) {
    std::unique_lock held(mutex.mutex_, std::adopt_lock);
    bool const woken = condition_.wait_until(held, deadline) == std::cv_status::no_timeout;
    static_cast<void>(held.release());
    return woken;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace tusfs
