// From "closed" to "finished": waits until a file has been left alone for the settling time, puts
// its bytes on disk, and only then says in the catalog that it shall be published.
//
// A thread of its own. Calls of the filesystem only note a deadline and return at once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "spool/spool.h"

namespace tusfs {

class Settler {
 public:
  /// `finished` is called on the settler's thread for each file that has become finished. The
  /// collaborators outlive the settler.
  Settler(Store& store, Spool& spool, Clock const& clock, std::chrono::milliseconds quiet_time,
          std::function<void(InodeId)> finished, Logger logger);
  ~Settler() { Stop(); }

  void Start();
  void Stop() EXCLUDES(mutex_);

  /// Starts the quiet time of a file over. Harmless for a file that is not settling.
  void Restart(InodeId inode) EXCLUDES(mutex_);

  /// Settles the given files now, on the calling thread: those that are due and still settling.
  void Settle(std::vector<InodeId> const& inodes);

 private:
  void Run(std::stop_token stop) EXCLUDES(mutex_);
  std::vector<InodeId> TakeDue(std::stop_token stop) EXCLUDES(mutex_);

  struct Candidate {
    InodeId inode = 0;
    std::shared_ptr<Version> version;
    std::uint64_t changes = 0;
  };
  std::vector<Candidate> Choose(std::vector<InodeId> const& inodes);
  bool Finish(Candidate const& candidate, Result<void> const& synced);

  Store& store_;
  Spool& spool_;
  Clock const& clock_;
  std::chrono::milliseconds const quiet_time_;
  std::function<void(InodeId)> const finished_;
  Logger const logger_;
  Mutex mutex_;
  CondVar changed_;
  std::unordered_map<InodeId, SteadyTime> deadlines_ GUARDED_BY(mutex_);
  std::set<std::pair<SteadyTime, InodeId>> order_ GUARDED_BY(mutex_);  ///< the same, by time
  std::jthread thread_;
};

}  // namespace tusfs
