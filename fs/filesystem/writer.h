// Who closed a file: a living program, one that was killed, or nobody that can be seen.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "catalog/records.h"
#include "filesystem/failure_table.h"

namespace tusfs {

struct Judgement {
  Verdict verdict = Verdict::kUnknown;
  std::string reason{};  ///< for a person, where the verdict is not clean
  bool killed = false;   ///< by a signal
  /// Clean as far as can be told, if the program ends well: its source was not read to the end, and
  /// that may be because it has just grown.
  bool is_doubtful = false;
  bool executes = false;  ///< another program: what it has open may not be looked at
  std::string name{};     ///< of the thread, as the kernel has it; empty where it cannot be seen
};

/// What is known of a file that may be a copy of another.
struct Copy {
  std::string name;
  std::uint64_t size = 0;  ///< bytes
  FileTime changed = 0;    ///< when its bytes changed last
};

/// A pidfd of it; none where there is no such process, or the number is that of another of its
/// threads.
[[nodiscard]] UniqueFd OpenPidfd(pid_t process);

/// How /proc sees processes; a seam for tests.
class ProcessTable {
 public:
  virtual ~ProcessTable() = default;

  /// Judges a close by the thread `thread`: a thread that is not exiting, or exits with status 0,
  /// closes cleanly, and so does one that executes another program; a signal or another status
  /// means died. Only valid while the thread is inside that close.
  [[nodiscard]] virtual Judgement JudgeClose(pid_t thread) const = 0;

  /// Judges a close that was clean so far, by a thread of the process that is called `name`: a
  /// known copying program which has not read its source to the end closes what it has copied like
  /// a good copy. The source is the one regular file that it has open for reading alone, or of
  /// several that of the copy's name. One that is as long as the copy may have been read in other
  /// ways than from its beginning on; one that grew since the copy was changed, or has holes, is
  /// not held against it. Asks no other filesystem for anything that it has to fetch first. Not of
  /// a process that executes another program.
  [[nodiscard]] virtual Judgement JudgeCopy(pid_t process, std::string const& name,
                                            Copy const& copy) const = 0;

  /// The process of a thread; the thread itself where that cannot be read.
  [[nodiscard]] virtual pid_t ProcessOf(pid_t thread) const = 0;

  /// The process that started it; 0 where that cannot be read.
  [[nodiscard]] virtual pid_t ParentOf(pid_t process) const {
    static_cast<void>(process);
    return 0;
  }

  /// The name of a thread or process, as the kernel has it; empty where it cannot be seen.
  [[nodiscard]] virtual std::string NameOf(pid_t thread) const {
    static_cast<void>(thread);
    return {};
  }

  /// What program a process runs; as far as that may be seen.
  [[nodiscard]] virtual ProgramNames NamesOf(pid_t process) const {
    static_cast<void>(process);
    return {};
  }
};

class ProcProcessTable : public ProcessTable {
 public:
  /// `copiers`: the names of copying programs.
  explicit ProcProcessTable(std::vector<std::string> copiers = {}) : copiers_(std::move(copiers)) {}

  [[nodiscard]] Judgement JudgeClose(pid_t thread) const override;
  [[nodiscard]] Judgement JudgeCopy(pid_t process, std::string const& name,
                                    Copy const& copy) const override;
  [[nodiscard]] pid_t ProcessOf(pid_t thread) const override;
  [[nodiscard]] pid_t ParentOf(pid_t process) const override;
  [[nodiscard]] std::string NameOf(pid_t thread) const override;
  [[nodiscard]] ProgramNames NamesOf(pid_t process) const override;

 private:
  [[nodiscard]] bool Copies(pid_t process, std::string const& name) const;

  std::vector<std::string> const copiers_;
};

/// Whether a program of this name gives a file its size before it writes it: a file server for
/// those who say so, a downloader.
[[nodiscard]] bool SetsSizeFirst(std::string const& name);

/// In which part of its life a thread is.
enum class Life : std::uint8_t {
  kAlive,
  kExecuting,  ///< another program, and closes what that one does not get
  kEnding,     ///< it has no memory any more
};

/// Of the text of /proc/<pid>/status, which never waits for the process that it is about. The
/// kernel keeps /proc/<pid>/stat and all links there from being read while that process executes
/// another program (newer Linux): whoever reads them to answer a close that belongs to the
/// execution waits for ever.
[[nodiscard]] Life LifeIn(std::string_view status);

/// Judges the text of /proc/<pid>/stat. `may_see_status`: whether the kernel shows us that
/// process's exit status rather than 0.
[[nodiscard]] Judgement JudgeStat(std::string const& stat, bool may_see_status);

/// With what status, as wait(2) gives it, a process is ending that nobody has waited for yet;
/// nothing where it lives, has gone, or may not be seen.
[[nodiscard]] std::optional<int> EndingStatusOf(pid_t process);

}  // namespace tusfs
