// Holds several threads together to a number of bytes per second.
//
// Safe for any thread. Sleeps while it holds no lock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

namespace tusfs_testing {

class RateLimiter {
 public:
  /// 0: no limit.
  explicit RateLimiter(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  /// Returns when `bytes` more may have passed.
  void Take(std::uint64_t bytes) {
    Clock::time_point until;
    {
      std::lock_guard const lock(mutex_);
      if (rate_ == 0) return;
      std::chrono::duration<double> const cost(static_cast<double>(bytes) /
                                               static_cast<double>(rate_));
      next_ = std::max(next_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(cost);
      until = next_;
    }
    std::this_thread::sleep_until(until);
  }

  void Set(std::uint64_t bytes_per_second) {
    std::lock_guard const lock(mutex_);
    rate_ = bytes_per_second;
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::mutex mutex_;
  std::uint64_t rate_;
  Clock::time_point next_{};
};

}  // namespace tusfs_testing
