// Which ends of which programs say that what they wrote is not whole, though they have closed it.
//
// Many programs close a file that they could not finish like a good one, and say so by their exit
// status a moment later. Plain values and pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace tusfs {

/// How a program is known: by the name that its process has, and by that of its executable.
struct ProgramNames {
  std::string process;     ///< as /proc/PID/comm has it, cut to 15 bytes by the kernel
  std::string executable;  ///< the last part of its path; empty where that may not be seen
};

/// One executable that is many programs: what it does is not said by its name.
[[nodiscard]] bool IsManyPrograms(std::string_view executable);

struct FailureRule {
  std::string program;
  std::vector<std::pair<int, int>> codes;  ///< exit statuses, from and to, of 1 to 255
  /// Only what it closed last is not whole: it does one after another.
  bool last_only = false;
  /// It gives what it could not finish its final name itself; what it has finished gets its time.
  bool renames = false;
  /// The process that writes does not know how it went, but the one of the same program that
  /// started it.
  bool many_processes = false;
};

/// PROGRAM=CODES, where CODES are such as 1,4,6-10, and behind them :last, :renames and :processes
/// where that is so. Errors: EINVAL with what is wrong.
[[nodiscard]] Result<FailureRule> ParseFailureRule(std::string const& text);

/// Of programs that everybody has, as ParseFailureRule takes them.
[[nodiscard]] std::vector<std::string> const& UsualFailures();

class FailureTable {
 public:
  /// `texts` that ParseFailureRule accepts; of two for one program the later one counts.
  explicit FailureTable(std::vector<std::string> const& texts = UsualFailures());

  enum class Suspect {
    kNothing,
    kDoubtful,  ///< where something else speaks against it
    kLast,      ///< what it closed last
    kAll,       ///< all that may not be finished
  };
  /// Of a program that has ended with `status`, as wait(2) gives it. One that a signal has ended
  /// was not done with what it closed last, whatever it is called.
  [[nodiscard]] Suspect Judge(ProgramNames const& program, int status) const;

  /// Null for a program that the table does not have.
  [[nodiscard]] FailureRule const* Find(ProgramNames const& program) const;

 private:
  std::vector<FailureRule> rules_;
};

/// "SIGINT"; for one without a name its number behind "SIG".
[[nodiscard]] std::string SignalName(int signal);

/// "curl ended with status 18", "dd was killed by SIGINT".
[[nodiscard]] std::string DescribeEnd(std::string const& program, int status);

}  // namespace tusfs
