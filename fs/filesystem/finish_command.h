// Asks a program of the user whether a file is complete (--finish-command), and asks again.
//
// A thread of its own, one program at a time: a program may take minutes, and may read the file
// through the mount. No lock is held meanwhile, so that every request of the mount is served. The
// other calls only note something and return at once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "spool/spool.h"
#include "uploader/publish_rules.h"

namespace tusfs {

struct FinishCommandOptions {
  std::chrono::milliseconds timeout{300'000};    ///< of one run
  std::chrono::milliseconds first_pause{5'000};  ///< after a no; doubles with each
  std::chrono::milliseconds longest_pause{300'000};
};

class FinishCommand {
 public:
  /// `settle` is called on the thread for a file whose bytes the program has approved, which the
  /// catalog knows then (Inode::approved). The collaborators outlive it.
  FinishCommand(Store& store, Spool& spool, PublishRules const& rules, Clock const& clock,
                std::function<void(InodeId)> settle, FinishCommandOptions options, Logger logger);
  ~FinishCommand() { Stop(); }

  void Start();
  /// Kills a program that is running.
  void Stop() EXCLUDES(mutex_);

  /// A file waits for its program: it is run soon, and again with growing pauses until it says yes.
  /// A file that was changed since the last time is asked about at once.
  void Ask(InodeId inode) EXCLUDES(mutex_);

  /// Why the last run for the file was no yes; nothing where there was none yet.
  [[nodiscard]] std::optional<std::string> LastAnswer(InodeId inode) const EXCLUDES(mutex_);

 private:
  struct Row {
    SteadyTime due;
    int refusals = 0;   ///< in a row
    bool again = true;  ///< was asked for since the program was started
    std::string answer;
  };
  /// The bytes that are asked about, under the name that they have.
  struct Question {
    InodeId inode = 0;
    std::string path;
    std::shared_ptr<Version> version;
    std::uint64_t changes = 0;
  };

  void Run(std::stop_token stop) EXCLUDES(mutex_);
  [[nodiscard]] std::optional<InodeId> TakeDue(std::stop_token const& stop) EXCLUDES(mutex_);
  /// Errors: ENOENT where it does not wait for a program any more.
  [[nodiscard]] Result<Question> Look(InodeId inode) const;
  [[nodiscard]] bool Approve(Question const& question);
  void Postpone(InodeId inode, std::string answer) EXCLUDES(mutex_);
  /// Unless it was asked for meanwhile.
  void Forget(InodeId inode) EXCLUDES(mutex_);

  Store& store_;
  Spool& spool_;
  PublishRules const& rules_;
  Clock const& clock_;
  std::function<void(InodeId)> const settle_;
  FinishCommandOptions const options_;
  Logger const logger_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar changed_;
  std::unordered_map<InodeId, Row> rows_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace tusfs
