// Which upload gets a transfer thread next.
//
// A job is a file or a part of one to send, or an ownerless upload to terminate; it is idle,
// waiting for a time, or running on one thread. Jobs that are due run small and old first: each has
// a rank, the time at which it became due plus a handicap for the bytes that it has left, so that a
// large file waits for small ones but not for ever. What somebody wants first goes before all
// others, and what can wait behind them, in the same order. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_digest.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "uploader/priority.h"

namespace tusfs {

struct JobKey {
  InodeId inode = 0;  ///< a file to send, or 0
  Uuid upload;        ///< a part of a file to send, or an upload to terminate; or nil

  auto operator<=>(JobKey const&) const = default;
};

class Version;

/// An ownerless upload that a file may take over, as far as its bytes have been compared.
struct Candidate {
  Uuid id;
  /// Whose bytes: kept open, so that it knows which of them nobody may change unseen.
  std::shared_ptr<Version const> version{};
  std::uint64_t offset = 0;               ///< bytes that the server has
  std::optional<std::uint64_t> length{};  ///< declared
  bool complete = false;
  std::uint64_t equal_blocks = 0;  ///< from the first one on
};

/// What a job remembers from one step to the next, for as long as the process lives.
struct JobMemory {
  VersionId version = 0;      ///< of the body that it is about; 0: of the next that is looked at
  bool recheck = true;        ///< ask the server for its offset before sending
  bool after_finish = false;  ///< send only when the file is finished: it is rewritten in place
  std::optional<SteadyTime> hold_until;  ///< streaming: when to send less than a whole chunk

  /// For the judge (tus::UploadFacts), and for what it tells of the upload.
  struct Server {
    std::uint64_t most = 0;             ///< bytes that it ever had, as its answers said
    std::uint64_t cut_at = 0;           ///< where the body that broke last began
    std::uint64_t cut_left = 0;         ///< bytes of it that had left; 0: none broke
    int mismatches = 0;                 ///< of checksums, in a row
    int locks = 0;                      ///< in a row: it could not lock the upload
    int wrong = 0;                      ///< how often it had other bytes than were sent
    std::optional<SteadyTime> gone_at;  ///< when it first said that it has the upload no more
  } server;

  /// How long to wait, and when that has been long enough.
  struct Trouble {
    int failures = 0;                         ///< in a row
    int links_left = 0;                       ///< in a row: see Transfer::MayLeaveLink
    std::optional<SteadyTime> stalled_since;  ///< of the first since the server took more
    std::optional<SteadyTime> refused_until;  ///< after a refusal: when to try again
    std::string warning;                      ///< for a person, while it goes on
  } trouble;

  struct Creation {
    int taken = 0;                          ///< in a row that something was in the way of
    std::optional<SteadyTime> taken_since;  ///< of the first of them
    Uuid renew;                             ///< the upload whose own headers were refused
  } creation;

  struct Expiry {
    int deleted = 0;         ///< how often the server has deleted it unfinished
    FileTime refreshed = 0;  ///< the expiry that an empty PATCH was sent against
  } expiry;

  struct Verification {
    Uuid upload;               ///< that `blocks` is of
    std::uint64_t blocks = 0;  ///< from the first one on, that were right
  } verification;

  /// Of the file's parts, where it goes in some.
  struct Parts {
    Uuid scheduled;         ///< the upload whose parts have been given their jobs
    bool asks = false;      ///< the server did not have all of them when they were to be joined
    int misses = 0;         ///< in a row, that it said so and has each of them
    bool never = false;     ///< this file goes in one
    std::string url{};      ///< of what they were joined to, until that is on record
    std::string receipt{};  ///< likewise
  } parts;

  /// What has gone out of an upload from its first byte on. Not known after a restart in its
  /// middle.
  struct Passed {
    Uuid upload;
    std::shared_ptr<FileDigest> digest;  ///< of the job that runs
  } passed;

  /// The last range of an upload, as it was announced before its turn to be sent.
  struct Announcement {
    Uuid upload;
    std::uint64_t changes = 0;  ///< of the version
    std::shared_ptr<std::atomic<bool>> is_durable{};
  } announced;

  struct Adoption {
    std::optional<Candidate> candidate;
    std::vector<Uuid> unfit;  ///< uploads that are not this file's
  } adoption;
};

/// Who takes jobs, where not everybody may take each. Called with the queue's lock held; outlives
/// what it has taken.
class Taker {
 public:
  virtual ~Taker() = default;

  /// From when on it may take a job that has waited since `since` without being carried on by
  /// anybody to whom all are open; nothing: not before the queue is woken, or another job taken.
  [[nodiscard]] virtual std::optional<SteadyTime> MayTake(Priority priority,
                                                          SteadyTime since) const = 0;
  /// Whether it takes anything at once, so that what it has carried on has not waited.
  [[nodiscard]] virtual bool TakesAll() const = 0;
  virtual void Took() = 0;
  virtual void Gave() = 0;
};

class Queue {
 public:
  explicit Queue(Clock const& clock) : clock_(clock) {}

  /// Makes the job due at `when` at the latest. One that is running is run again afterwards.
  void Schedule(JobKey const& key, SteadyTime when, std::uint64_t bytes_left) EXCLUDES(mutex_);

  struct Running {
    JobKey key;
    JobMemory memory;
    std::stop_token stop;
  };
  /// For a Taker: the job, which is due, has been so since `since`, as far as that is before.
  void HasWaited(JobKey const& key, SteadyTime since) EXCLUDES(mutex_);
  /// Since when it is; nothing where it is not known.
  [[nodiscard]] std::optional<SteadyTime> DueSince(JobKey const& key) const EXCLUDES(mutex_);

  /// Waits until a job is due that `taker` may take, then hands it to the caller; nothing at
  /// `deadline` or on `stop`. Without a taker all are open.
  [[nodiscard]] std::optional<Running> Take(std::stop_token stop, SteadyTime deadline,
                                            Taker* taker = nullptr) EXCLUDES(mutex_);

  /// Waits until `deadline`, or `stop`, or until somebody wakes the queue.
  void Sleep(std::stop_token stop, SteadyTime deadline) EXCLUDES(mutex_);

  /// What becomes of a job.
  struct After {
    std::optional<SteadyTime>
        next{};  ///< when it is due again; nothing: when somebody schedules it
    std::uint64_t bytes_left = 0;
    bool over = false;        ///< there is nothing to remember of it
    bool keeps_turn = false;  ///< it goes before those that have come after it, as it did
    bool goes_on = false;     ///< due at once, and it need not be given back for that
  };
  void Finish(Running const& running, After const& after) EXCLUDES(mutex_);

  /// A job that waits for a time is due now, and keeps its turn. One that is running is run again
  /// afterwards; nothing where there is none.
  void Hasten(JobKey const& key) EXCLUDES(mutex_);

  /// Cancels the job where it is running and keeps it from running until Unblock. Returns when its
  /// thread has given it back.
  void Block(JobKey const& key) EXCLUDES(mutex_);
  /// `after_finish`: see JobMemory.
  void Unblock(JobKey const& key, bool after_finish) EXCLUDES(mutex_);

  /// Cancels the job where it is running, without waiting, and runs it again. `then` becomes due
  /// when it is not running any more.
  void Cancel(JobKey const& key, std::optional<JobKey> const& then = std::nullopt) EXCLUDES(mutex_);

  /// The same of all that `taker` has taken and not given back, but for the files `spared`.
  void CancelOf(Taker const& taker, std::set<InodeId> const& spared = {}) EXCLUDES(mutex_);

  /// Before which others the job goes, until it is over. Nothing where there is none.
  void Prefer(JobKey const& key, Priority priority) EXCLUDES(mutex_);

  /// While it is paused Take gives nobody a job; those that run go on to their end.
  void Pause(bool paused) EXCLUDES(mutex_);
  [[nodiscard]] bool IsPaused() const EXCLUDES(mutex_);

  /// Drops what an idle or waiting job remembers.
  void Forget(JobKey const& key) EXCLUDES(mutex_);

  [[nodiscard]] bool IsRunning(JobKey const& key) const EXCLUDES(mutex_);

  /// Cancels every running job. For the end.
  void CancelAll() EXCLUDES(mutex_);
  void Wake() EXCLUDES(mutex_);

 private:
  struct Rank {
    Priority priority = Priority::kNormal;
    SteadyTime at{};

    auto operator<=>(Rank const&) const = default;
  };
  struct Job {
    JobMemory memory;
    std::optional<SteadyTime> due;  ///< nothing: idle
    Rank rank;
    bool running = false;
    bool again = false;               ///< was scheduled while it was running
    std::optional<SteadyTime> since;  ///< what a Taker is told
    Taker* taker = nullptr;           ///< of one that runs; or null
    int blocks = 0;
    std::vector<JobKey> then;  ///< due when it has been given back
    std::stop_source stop;
  };
  void Enlist(JobKey const& key, Job& job, SteadyTime when, std::uint64_t bytes_left)
      REQUIRES(mutex_);
  void EnlistAs(JobKey const& key, Job& job, SteadyTime when, SteadyTime rank) REQUIRES(mutex_);
  void Delist(JobKey const& key, Job& job) REQUIRES(mutex_);
  Running Give(JobKey const& key, Job& job, Taker* taker) REQUIRES(mutex_);

  Clock const& clock_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar enlisted_;    ///< for those who wait for a job: one of them watches the next that is due
  CondVar open_to_me_;  ///< for takers who wait for a job that they may take: all of them look
  CondVar woken_;       ///< for those who sleep
  CondVar given_back_;  ///< for those who wait until a job is not running
  std::map<JobKey, Job> jobs_ GUARDED_BY(mutex_);
  bool paused_ GUARDED_BY(mutex_) = false;
  std::set<std::pair<SteadyTime, JobKey>> waiting_ GUARDED_BY(mutex_);  ///< by due time
  std::set<std::pair<Rank, JobKey>> due_ GUARDED_BY(mutex_);            ///< by rank
};

}  // namespace tusfs
