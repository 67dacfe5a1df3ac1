// SIGINT and SIGTERM as a stop token.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace tus_upload {

/// Made before any other thread is: all threads that are started later leave the signals to this
/// one. The first signal stops the token.
class StopOnSignal {
 public:
  StopOnSignal();
  ~StopOnSignal();
  StopOnSignal(StopOnSignal const&) = delete;
  StopOnSignal& operator=(StopOnSignal const&) = delete;

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  /// The signal that came; 0 before one has.
  [[nodiscard]] int signal() const { return signal_; }
  /// Whether a signal has come, though the token may not know yet. Then it knows.
  [[nodiscard]] bool HasCome() const;

 private:
  std::stop_source source_;
  std::atomic<int> signal_ = 0;
  std::atomic<bool> leaving_ = false;
  std::atomic<bool> came_ = false;
  std::thread waiter_;

  void Wait();
};

}  // namespace tus_upload
