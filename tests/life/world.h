// One history, lived: machine, disk, server, programs and people, on one thread and a clock of its
// own; and after each step the question whether every promise holds (oracle.cc, aftermath.cc).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <source_location>
#include <string>
#include <vector>

#include "disk.h"
#include "history.h"
#include "machine.h"
#include "model.h"
#include "server.h"
#include "virtual_clock.h"

namespace tusfs_life {

class World {
 public:
  explicit World(History const& history);

  /// The first promise that did not hold.
  struct Verdict {
    std::string sentence;  ///< empty: all did
    std::string question;  ///< that was asked: which of the checks
    [[nodiscard]] bool holds() const { return sentence.empty(); }
  };
  /// Lives it.
  [[nodiscard]] Verdict Run();
  /// What the server was asked.
  [[nodiscard]] Server const& server() const { return server_; }
  /// Prints each step as it is done.
  bool talks = false;

 private:
  /// A promise does not hold.
  struct Broken {
    Verdict verdict;
  };
  /// The mount has gone under somebody who was asking it.
  struct MountGone {};
  enum class Death { kDaemon, kAll, kPower };

  struct Program {
    FilePtr file;
    tusfs::HandleId handle = 0;
    pid_t pid = 0;
    pid_t opener = 0;  ///< the first of them
    bool wrote = false;
    bool failed = false;         ///< one of its writes
    bool has_handed_on = false;  ///< the one that wrote has closed it, cleanly
  };
  struct Reader {
    FilePtr file;
    tusfs::HandleId handle = 0;
  };
  /// What a mount shows.
  struct Seen {
    tusfs::InodeId inode = 0;
    bool is_directory = false;
    std::uint64_t size = 0;
  };
  struct Listed {
    std::string state;
    std::string error;
    bool finishes = false;
    std::uint64_t size = 0;
  };

  // world.cc
  void Do(Step const& step);
  void DoMachine(Step const& step);
  void FailDisk(std::uint32_t how);
  void Pass(std::chrono::nanoseconds time);
  void Drain();
  void Tick();
  /// While a body is on its way to the server.
  void Meanwhile();
  /// Whoever was killed meanwhile is succeeded, or the mount has gone.
  void LookForDeath();
  void Succeed();
  void CutPower();
  void Crash(Death death, std::uint64_t again = 0);
  /// `death`: how, where it dies over its recovery once more after `changes`; 0: it does not.
  void MountAgain(Death death = Death::kAll, std::uint64_t changes = 0);
  void EndOrderly(bool reboots, bool by_power_switch);
  void Finish();
  [[noreturn]] static void Break(std::string const& sentence, std::source_location const& where =
                                                                  std::source_location::current());
  /// Nanoseconds that nobody sets.
  [[nodiscard]] std::int64_t now() const { return clock_.Steady().time_since_epoch().count(); }

  /// Makes one call of the kernel's, which a successor gets again where the daemon dies over it.
  template <typename Call>
  auto Ask(pid_t pid, Call const& call) {
    clock_.Advance(std::chrono::milliseconds(1));
    tusfs::Caller caller{.uid = 1000, .gid = 1000, .pid = pid, .request = {}};
    caller.request = {.slot = 0, .unique = ++unique_, .replayed = false};
    auto answer = call(caller);
    if (disk_.dead()) {
      if (death_ != Death::kDaemon) throw MountGone{};
      Succeed();
      caller.request.replayed = true;
      answer = call(caller);
    }
    Tick();
    return answer;
  }

  // programs.cc
  void DoProgram(Step const& step);
  /// `content`: which bytes; 0: new ones.
  void Copy(std::string const& path, std::uint64_t size, std::uint64_t content = 0);
  void CopyAtOnce(std::uint32_t first, std::uint64_t size);
  void Begin(Program& program, std::string const& path, std::uint64_t size,
             std::uint64_t content = 0);
  /// Waits until it is answered.
  void Write(Program& program, std::uint64_t offset, std::uint64_t size, std::uint64_t content = 0);
  tusfs::Result<tusfs::Turn> WritePiece(Program& program, std::uint64_t offset,
                                        std::string const& bytes);
  void NoteFailedWrite(Program& program);
  void Close(Program& program);
  void ChildCloses(Program& program);
  [[nodiscard]] Program& NewProgram();
  void KillProgram(Program& program);
  void Fsync(Program& program);
  bool OpenFor(Program& program, std::string const& path, int flags);
  void Truncate(std::string const& path, std::uint64_t size);
  void Rename(std::string const& from, std::string const& to, unsigned flags);
  void Link(std::string const& of, std::string const& name);
  void Unlink(std::string const& path);
  void MakeDirectory(std::string const& path);
  void RemoveDirectory(std::string const& path);
  /// Runs a call that makes the tree another one.
  template <typename Call>
  bool Change(Names after, Call const& call) {
    unanswered_names_ = std::move(after);
    bool const done = Ask(100, call).has_value();
    if (done) Become(*unanswered_names_);
    unanswered_names_.reset();
    return done;
  }
  void DoReader(Step const& step);

  // people.cc
  void DoPerson(Step const& step);
  void LookForDeathOfAsked();
  void Publish(std::string const& path);
  void Discard(std::string const& path);
  void People();

  // oracle.cc
  /// These bytes are complete, under every name of the file.
  /// `is_new`: somebody has written to it.
  void Complete(FilePtr const& file, bool is_new = true);
  /// Nobody finishes it while it has this name, but a person.
  [[nodiscard]] bool Waits(std::string const& path) const;
  void AllowHeld();
  /// The tree is another one.
  void Become(Names const& names);
  void Allow(std::string const& path, std::uint64_t hash, int times = 1);
  [[nodiscard]] bool IsTrimmed(std::uint64_t hash);
  void CheckServer();
  void CheckTree();
  void CheckSafety(std::map<std::string, Listed> const& listed);
  [[nodiscard]] bool IsLookedAt(tusfs::InodeId inode);
  void CheckCatalog();
  void CheckReports();
  void CheckEnd();
  void CheckPublished(std::string const& path, FilePtr const& file, Listed const& listed);
  [[nodiscard]] std::map<std::string, Seen> Look();
  [[nodiscard]] std::map<std::string, Listed> List();
  /// Nothing where the bytes are on the server only.
  [[nodiscard]] std::optional<std::string> ReadAll(Seen const& seen);
  [[nodiscard]] std::string Sentence(FilePtr const& file) const;
  void NoteInode(FilePtr const& file);

  // aftermath.cc
  void Reconcile(bool power_failed);
  void EndPrograms();
  void ReconcileNames(bool power_failed, std::map<std::string, Seen> const& seen);
  void ReconcileBytes(bool power_failed, std::map<std::string, Seen> const& seen);
  void AfterUnanswered(FilePtr const& file, Seen const& seen);
  void AfterPowerCut(std::string const& path, FilePtr const& file, Seen const& seen,
                     Listed const& listed);
  [[nodiscard]] std::optional<std::string> BytesOnServer(std::string const& path, File const& file,
                                                         std::uint64_t size) const;
  void ShortenFailed();
  [[nodiscard]] bool IsCutShort(tusfs::InodeId inode);
  /// By the server, of a file that is complete and called failed.
  [[nodiscard]] bool IsRefused(std::string const& path) {
    return !IsCutShort(Look().at(path).inode);
  }
  [[nodiscard]] bool Fits(Names const& names, std::map<std::string, Seen> const& seen) const;

  History const history_;

  VirtualClock clock_;
  Disk disk_;
  Server server_;
  Machine machine_;
  Model model_;
  std::map<int, Program> programs_;  ///< of steps: from 0 on; others: below
  int last_passing_ = 0;
  std::map<int, Reader> readers_;
  Death death_ = Death::kDaemon;
  std::uint64_t unique_ = 0;
  pid_t next_pid_ = 1000;
  std::uint64_t bytes_made_ = 0;
  int names_made_ = 0;
  std::uint64_t cuts_ = 0;
  std::int64_t cut_at_ = 0;
  std::mt19937_64 random_;
  std::optional<Names> unanswered_names_;
  /// How often a content may be published under a path.
  std::map<std::pair<std::string, std::uint64_t>, int> allowed_;
  std::map<std::pair<std::string, std::uint64_t>, int> published_;
  std::size_t publications_seen_ = 0;
  std::map<std::string, std::int64_t> published_at_;  ///< by path: when something was so last
  std::set<tusfs::InodeId> inodes_given_;
  bool server_forgot_ = false;  ///< something, at some time: what it says then is not ours
  bool disk_failed_ = false;    ///< at some time
  std::set<std::string> shared_targets_;  ///< published under a temporary name, too
  bool waits_for_meanwhile_ = false;
  std::optional<Step> meanwhile_;    ///< for the next body
  std::optional<Step> right_after_;  ///< it had to wait until that body was cut
};

}  // namespace tusfs_life
