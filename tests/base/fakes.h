// Collaborators that tests own: time that stands still, and a log that says nothing.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "base/mutex.h"

namespace tusfs {

/// Stands still until it is told to go on. Begins at the machine's time, so that code which waits
/// until a deadline of this clock does not wait for years.
class FakeClock : public Clock {
 public:
  [[nodiscard]] FileTime Wall() const override {
    MutexLock lock(mutex_);
    return wall_;
  }
  [[nodiscard]] SteadyTime Steady() const override {
    MutexLock lock(mutex_);
    return steady_;
  }
  void Advance(std::chrono::nanoseconds duration) {
    MutexLock lock(mutex_);
    wall_ += duration.count();
    steady_ += std::chrono::duration_cast<SteadyTime::duration>(duration);
  }

 private:
  mutable Mutex mutex_;
  FileTime wall_ GUARDED_BY(mutex_) = 1'700'000'000'000'000'000;
  SteadyTime steady_ GUARDED_BY(mutex_) = std::chrono::steady_clock::now();
};

[[nodiscard]] inline Logger QuietLogger() { return std::make_shared<Log>(nullptr); }

/// "ok", or the errno's number and the sentence: what a failed assertion shows.
template <typename T>
[[nodiscard]] testing::AssertionResult Ok(Result<T> const& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().code << " " << Describe(result.error());
}

/// The errno of a result, 0 where it is a value.
template <typename T>
[[nodiscard]] int CodeOf(Result<T> const& result) {
  return result ? 0 : result.error().code;
}

}  // namespace tusfs
