// Who closed a file: a living program, one that was killed, or nobody that can be seen.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "catalog/records.h"
#include "filesystem/failure_table.h"

namespace tusfs {

struct Judgement {
  Verdict verdict = Verdict::kUnknown;
  std::string reason{};  ///< for a person, where the verdict is not clean
  bool killed = false;   ///< by a signal
};

/// How /proc sees processes; a seam for tests.
class ProcessTable {
 public:
  virtual ~ProcessTable() = default;

  /// Judges a close by the thread `thread`: a thread that is not exiting, or exits with status 0,
  /// closes cleanly; a signal or another status means died. Only valid while the thread is inside
  /// that close.
  [[nodiscard]] virtual Judgement JudgeClose(pid_t thread) const = 0;

  /// Judges a close that was clean so far, of a file called `name` that was changed last at
  /// `changed`: a known copying program which still has a file of that name open for reading, and
  /// has not read it to its end, closes what it has copied like a good copy. A source that grew
  /// since then, or has holes, is not held against it. Asks no other filesystem for anything that
  /// it has to fetch first.
  [[nodiscard]] virtual Judgement JudgeCopy(pid_t thread, std::string const& name,
                                            FileTime changed) const = 0;

  /// The process of a thread; the thread itself where that cannot be read.
  [[nodiscard]] virtual pid_t ProcessOf(pid_t thread) const = 0;

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
  [[nodiscard]] Judgement JudgeCopy(pid_t thread, std::string const& name,
                                    FileTime changed) const override;
  [[nodiscard]] pid_t ProcessOf(pid_t thread) const override;
  [[nodiscard]] ProgramNames NamesOf(pid_t process) const override;

 private:
  std::vector<std::string> const copiers_;
};

/// Judges the text of /proc/<pid>/stat. `may_see_status`: whether the kernel shows us that
/// process's exit status rather than 0.
[[nodiscard]] Judgement JudgeStat(std::string const& stat, bool may_see_status);

/// With what status, as wait(2) gives it, a process is ending that nobody has waited for yet;
/// nothing where it lives, has gone, or may not be seen.
[[nodiscard]] std::optional<int> EndingStatusOf(pid_t process);

}  // namespace tusfs
