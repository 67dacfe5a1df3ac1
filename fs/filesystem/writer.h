// Who closed a file: a living program, one that was killed, or nobody that can be seen.
#pragma once

#include <sys/types.h>

#include <string>

#include "catalog/records.h"

namespace tusfs {

struct Judgement {
  Verdict verdict = Verdict::kUnknown;
  std::string reason;  ///< for a person, where the verdict is not clean
};

/// How /proc sees processes; a seam for tests.
class ProcessTable {
 public:
  virtual ~ProcessTable() = default;

  /// Judges a close by the thread `thread`: a thread that is not exiting, or exits with status 0,
  /// closes cleanly; a signal or another status means died. Only valid while the thread is inside
  /// that close.
  [[nodiscard]] virtual Judgement JudgeClose(pid_t thread) const = 0;

  /// The process of a thread; the thread itself where that cannot be read.
  [[nodiscard]] virtual pid_t ProcessOf(pid_t thread) const = 0;
};

class ProcProcessTable : public ProcessTable {
 public:
  [[nodiscard]] Judgement JudgeClose(pid_t thread) const override;
  [[nodiscard]] pid_t ProcessOf(pid_t thread) const override;
};

/// Judges the text of /proc/<pid>/stat. `may_see_status`: whether the kernel shows us that
/// process's exit status rather than 0.
[[nodiscard]] Judgement JudgeStat(std::string const& stat, bool may_see_status);

}  // namespace tusfs
