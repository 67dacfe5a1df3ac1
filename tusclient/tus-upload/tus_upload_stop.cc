#include "tus_upload_stop.h"

#include <pthread.h>
#include <signal.h>

namespace tus_upload {
namespace {

sigset_t Signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

StopOnSignal::StopOnSignal() {
  auto const signals = Signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  waiter_ = std::thread([this] { Wait(); });
}

StopOnSignal::~StopOnSignal() {
  leaving_ = true;
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread): it is blocked, and ends nothing
  ::pthread_kill(waiter_.native_handle(), SIGTERM);  // wakes the waiter, which takes it for itself
  waiter_.join();
}

bool StopOnSignal::HasCome() const {
  sigset_t pending;
  ::sigpending(&pending);
  bool const comes = ::sigismember(&pending, SIGINT) == 1 || ::sigismember(&pending, SIGTERM) == 1;
  if (comes) came_.wait(false);  // the waiter is about to take it
  return source_.stop_requested();
}

void StopOnSignal::Wait() {
  auto const signals = Signals();
  int received = 0;
  ::sigwait(&signals, &received);
  if (leaving_) return;
  signal_ = received;
  source_.request_stop();
  came_ = true;
  came_.notify_all();
}

}  // namespace tus_upload
