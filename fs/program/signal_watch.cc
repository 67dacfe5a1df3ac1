#include "program/signal_watch.h"

#include <pthread.h>

#include <utility>

namespace tusfs {

sigset_t BlockEndSignals() {
  sigset_t signals{};
  ::sigemptyset(&signals);
  for (int const number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

SignalWatch::SignalWatch(sigset_t const& signals, std::function<bool(pid_t)> on_end)
    : thread_([this, signals, on_end = std::move(on_end)] { Run(signals, on_end); }) {}

SignalWatch::~SignalWatch() {
  over_ = true;
  ::pthread_kill(thread_.native_handle(), SIGHUP);
}

void SignalWatch::Run(sigset_t const& signals, std::function<bool(pid_t)> const& on_end) {
  while (!over_) {
    siginfo_t about{};
    int const number = ::sigwaitinfo(&signals, &about);
    // A hangup of the terminal is no reason to end a mount.
    bool const ends = number == SIGTERM || number == SIGINT;
    if (!over_ && ends && on_end(about.si_pid)) return;
  }
}

}  // namespace tusfs
