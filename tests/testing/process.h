// Programs that tests run: to their end, or as children that a test kills.
//
// A child dies with the thread that started it, so that a test that is killed leaves no daemon
// behind. Start children from the test's own thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tusfs_testing {

using Command = std::vector<std::string>;

/// How a program ended: by itself with `code`, or by `signal`.
struct Ending {
  int code = -1;
  int signal = 0;
};

struct Finished {
  int code = -1;  // -1: killed by a signal, or its time was up
  std::string out;
  std::string err;
};

/// Runs `command` (its program is looked up in PATH) and waits; after `limit` it is killed.
[[nodiscard]] Finished RunProgram(Command const& command,
                                  std::chrono::milliseconds limit = std::chrono::seconds(120));

class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess();  // kills with SIGKILL and reaps
  ChildProcess(ChildProcess const&) = delete;
  ChildProcess& operator=(ChildProcess const&) = delete;

  /// Starts `command` in a process group of its own; its output is appended to the files.
  void Start(Command const& command, std::filesystem::path const& out,
             std::filesystem::path const& err);
  [[nodiscard]] bool Running();
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// To the whole group.
  void Signal(int signal);
  /// The ending, once it is there; empty when `limit` has passed before.
  [[nodiscard]] std::optional<Ending> Wait(std::chrono::milliseconds limit);

 private:
  pid_t pid_ = -1;
  std::optional<Ending> ending_;
};

/// Whether a process that is not ours has ended, reaped or not.
[[nodiscard]] bool HasEnded(pid_t pid);

/// Whether a program of that name is in PATH.
[[nodiscard]] bool HaveProgram(std::string const& name);

}  // namespace tusfs_testing
