// The signals that end a daemon: SIGTERM and SIGINT.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <thread>

namespace tusfs {

/// Blocks them in every thread that is made from now on, SIGHUP too; SIGPIPE is ignored.
sigset_t BlockEndSignals();

/// Waits for them on a thread of its own, and calls `on_end(sender)` there for each until that
/// returns true. A SIGHUP of its own ends the watch.
class SignalWatch {
 public:
  /// `signals`: as of BlockEndSignals.
  SignalWatch(sigset_t const& signals, std::function<bool(pid_t)> on_end);
  ~SignalWatch();

 private:
  void Run(sigset_t const& signals, std::function<bool(pid_t)> const& on_end);

  std::atomic<bool> over_ = false;
  std::jthread thread_;
};

}  // namespace tusfs
