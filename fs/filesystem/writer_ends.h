// What the end of a process says about the files that it had just closed.
//
// Many programs close what they could not finish like a good file, and die or end with an error a
// moment later. Whoever closed a file is therefore watched as long as it settles: ends it badly by
// the failure table (failure_table.h), the file is interrupted. A file that was given its final
// name since, or another process has closed again, is nothing of that end's; nor is one whose quiet
// time was over before. Where the process that writes does not know how it went (rsync), those that
// started it are watched, too; a worker that those end when it has done its work has not failed. A
// writer that lives on holds nothing up. A successor of this daemon does not know whom to watch:
// what settles then is finished by its close.
//
// A process costs a pidfd while something of it settles, a file a row of a table.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "filesystem/failure_table.h"
#include "filesystem/process_ends.h"
#include "filesystem/writer.h"

namespace tusfs {

class WriterEnds {
 public:
  struct Options {
    std::vector<std::string> failures = UsualFailures();  ///< as FailureTable has them
    std::chrono::milliseconds watched{2000};              ///< after a close; 0: nobody is watched
  };
  /// The collaborators outlive it.
  WriterEnds(Store& store, ProcessTable const& processes, ProcessEnds& ends, Clock const& clock,
             Options const& options, Logger logger);
  ~WriterEnds() { Stop(); }

  void Start();
  void Stop();

  /// What was closed.
  enum class Kind {
    kWritten,
    kDoubtful,  ///< likewise, and any bad end of the process speaks against it
    kEmpty,     ///< made or emptied; nobody has written to it yet
  };
  /// `thread` has closed `file` well, and is inside that call. Any thread; never blocks.
  void Closed(pid_t thread, InodeId file, Kind kind = Kind::kWritten) EXCLUDES(mutex_);

  /// Takes in the ends until `deadline`, or until one comes; as its thread does once it is started.
  void WaitForEnds(std::optional<SteadyTime> deadline) EXCLUDES(mutex_);

 private:
  struct Closing {
    SteadyTime when;
    InodeId file = 0;
    pid_t process = 0;  ///< the one that called close(2)
    Kind kind = Kind::kWritten;
  };
  struct Writer {
    ProgramNames names;
    pid_t parent = 0;              ///< of the same program, watched too; 0: none
    bool is_worker = false;        ///< one of the same program has started it
    std::deque<Closing> closed{};  ///< oldest first, what others have closed since too
  };

  void Run(std::stop_token const& stop) EXCLUDES(mutex_);
  [[nodiscard]] bool IsKnown(pid_t process) const EXCLUDES(mutex_);
  /// The process and those of its program that started it, as /proc has them.
  [[nodiscard]] std::vector<std::pair<pid_t, Writer>> FamilyOf(pid_t process) const;
  /// Forgets what has settled, and those who have closed nothing else. When to do so again.
  [[nodiscard]] std::optional<SteadyTime> Prune() EXCLUDES(mutex_);
  /// Nobody who wrote to it has closed it since.
  [[nodiscard]] bool IsLast(Closing const& closing) const REQUIRES(mutex_);
  void TakeIn(ProcessEnd const& end) EXCLUDES(mutex_);
  /// Of what a process has closed, what its end says that it is not whole; forgets the process.
  [[nodiscard]] std::vector<InodeId> TakeSuspects(ProcessEnd const& end, ProgramNames& names)
      EXCLUDES(mutex_);
  [[nodiscard]] FailureTable::Suspect Judge(Writer const& writer, int status) const;
  void Interrupt(InodeId file, std::string const& why, bool program_renames);

  Store& store_;
  ProcessTable const& processes_;
  ProcessEnds& ends_;
  Clock const& clock_;
  FailureTable const failures_;
  std::chrono::milliseconds const watched_;
  Logger const logger_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::map<pid_t, Writer> writers_ GUARDED_BY(mutex_);
  std::unordered_map<InodeId, Closing> last_ GUARDED_BY(mutex_);  ///< of each file, by who wrote
  std::jthread thread_;
};

/// What is seen of those who write.
struct WriterSight {
  // NOLINTNEXTLINE(google-explicit-constructor): a table of processes is the whole of it to many
  WriterSight(ProcessTable const& table, WriterEnds* later = nullptr)
      : processes(table), ends(later) {}

  ProcessTable const& processes;
  WriterEnds* ends;  ///< null: what comes after a close is not looked at
};

}  // namespace tusfs
