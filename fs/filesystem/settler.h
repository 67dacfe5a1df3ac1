// From "closed" to "finished": waits until a file has been left alone for the settling time, puts
// its bytes on disk, looks at them where that is wanted, and only then says in the catalog that it
// shall be published. A file that waits for something else besides, or is interrupted, has its
// bytes put on disk all the same. A directory that was moved takes the files beneath it along:
// their rules may be others now.
//
// A thread of its own chooses what is due; a few others wait for the disk, so that one slow verdict
// holds up no other file. It looks on a grid of a fortieth of the quiet time (at most 50 ms), so
// that files which are closed one after the other are due together, and small ones become finished
// in one change of the catalog. Calls of the filesystem only note a deadline and return at once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "base/task_pool.h"
#include "catalog/records.h"
#include "catalog/store.h"
#include "filesystem/after_rules.h"
#include "filesystem/held_back.h"
#include "spool/spool.h"
#include "uploader/publish_rules.h"

namespace tusfs {

struct SettleTimes {
  std::chrono::milliseconds quiet{2000};
  /// Of a file that is changed again and again after it was published: its quiet time doubles with
  /// each time, up to this.
  std::chrono::milliseconds limit{900'000};

  /// `by_rule`: what stands for `quiet`, where a rule says it of the file's path.
  [[nodiscard]] std::chrono::milliseconds QuietTimeOf(
      Inode const& inode, std::optional<std::chrono::milliseconds> by_rule = {}) const;
};

class Settler {
 public:
  /// Whom the settler tells of a file, on a thread of its own.
  struct Listeners {
    /// The uploader has to look at it: it has become finished, or was moved with its directory.
    std::function<void(InodeId)> nudge;
    /// It waits for what the finish command says of it.
    std::function<void(InodeId)> ask;
  };
  /// The collaborators outlive the settler.
  Settler(Store& store, Spool& spool, PublishRules const& rules, Clock const& clock,
          SettleTimes times, Listeners listeners, Logger logger);
  ~Settler() { Stop(); }

  void Start();
  void Stop() EXCLUDES(mutex_);

  /// Starts the quiet time of a file over, or of a directory that was moved. Harmless for a file
  /// that is not settling.
  void Restart(InodeId inode) EXCLUDES(mutex_);

  /// Ends the quiet time of a file.
  void Hurry(InodeId inode) EXCLUDES(mutex_);

  /// Settles what is due now, on the calling thread, as its own does once it is started. False
  /// where nothing is.
  bool SettleDue() EXCLUDES(mutex_);

  /// Settles the given files now, on the calling thread: those that still settle become finished,
  /// the bytes of those that wait are put on disk.
  void Settle(std::vector<InodeId> const& inodes);

  /// One of those that a file waits for by a rule (after); nothing where it waits for none.
  [[nodiscard]] std::optional<InodeId> AwaitedBy(InodeId inode) const {
    return after_.AwaitedBy(inode);
  }

 private:
  struct Wait {
    SteadyTime since;
    SteadyTime deadline;
  };
  void Set(InodeId inode, Wait const& wait) REQUIRES(mutex_);
  /// Looks at a file again after a pause, with no quiet time in front of it.
  void LookAgain(InodeId inode) EXCLUDES(mutex_);
  /// The shortest of all quiet times: by then a file is looked at, whose own may be longer.
  [[nodiscard]] std::chrono::milliseconds FirstLook() const;
  /// How long the file has to be left alone; 0 where there is nothing to wait for.
  [[nodiscard]] std::chrono::milliseconds QuietTimeOf(InodeId id) const;
  /// Of files that are due after the shortest quiet time: those whose own has not ended go on
  /// waiting.
  [[nodiscard]] std::vector<InodeId> KeepDue(std::vector<std::pair<InodeId, SteadyTime>> const& due)
      EXCLUDES(mutex_);
  void Run(std::stop_token stop) EXCLUDES(mutex_);
  void AwaitDue(std::stop_token const& stop) EXCLUDES(mutex_);
  /// When the thread looks at what is due first.
  [[nodiscard]] SteadyTime NextLook() const REQUIRES(mutex_);
  /// With the time since when each was left alone.
  std::vector<std::pair<InodeId, SteadyTime>> TakeDue() EXCLUDES(mutex_);

  struct Candidate {
    InodeId inode = 0;
    std::shared_ptr<Version> version{};
    std::uint64_t changes = 0;
    bool finishes = true;      ///< else it goes on waiting
    bool is_approved = false;  ///< by somebody, or by the command
    bool is_synced = false;    ///< its bytes are on disk
    bool is_checked = false;   ///< its bytes are looked at before it becomes finished
    std::string path{};

    /// Others may wait for the disk behind it.
    [[nodiscard]] bool IsQuick() const;
  };
  using Group = std::vector<Candidate>;
  struct Look {
    Candidate candidate;
    bool is_directory = false;
    Hold hold = Hold::kNone;
  };
  /// What the disk and the bytes themselves say of a candidate, and what becomes of it.
  struct Finding {
    Candidate candidate;
    Result<void> synced;
    std::optional<std::string> why_part{};  ///< it cannot be all of its file
    bool is_part = false;
    bool is_finished = false;
  };
  [[nodiscard]] Group Choose(std::vector<InodeId> const& inodes);
  /// Whether others have to be on the server before it (after_rules.h).
  [[nodiscard]] bool IsAfterOthers(Candidate const& candidate, AfterRules::Others& others);
  /// What the catalog says of the candidate; without a version where there is nothing to do.
  /// Errors: of the spool.
  [[nodiscard]] Result<void> LookAt(Look& look);
  void VisitFilesBeneath(InodeId directory);
  /// Quick ones wait together, each other one for itself.
  [[nodiscard]] static std::vector<Group> Divide(Group candidates);
  void Sync(Group group);
  [[nodiscard]] Finding Examine(Candidate candidate);
  /// Says in the catalog what was found of all of them, in one change.
  void Finish(std::vector<Finding> findings);
  /// Errors: the catalog's.
  [[nodiscard]] Result<void> Put(std::vector<Finding>& findings);
  [[nodiscard]] Result<void> Put(Transaction& transaction, Finding& finding) const;
  /// The log, and whoever waits for it.
  void Tell(Finding const& finding);

  Store& store_;
  Spool& spool_;
  PublishRules const& rules_;
  Clock const& clock_;
  SettleTimes const times_;
  Listeners const listeners_;
  Logger const logger_;
  HeldBack held_back_;
  AfterRules after_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar changed_;
  std::unordered_map<InodeId, Wait> waits_ GUARDED_BY(mutex_);
  std::set<std::pair<SteadyTime, InodeId>> order_ GUARDED_BY(mutex_);  ///< the same, by time
  TaskPool syncs_;
  std::jthread thread_;
};

}  // namespace tusfs
