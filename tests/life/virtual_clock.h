// Time that stands still until the simulation goes on.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace tusfs_life {

class VirtualClock : public tusfs::Clock {
 public:
  [[nodiscard]] tusfs::FileTime Wall() const override { return wall_; }
  [[nodiscard]] tusfs::SteadyTime Steady() const override { return steady_; }
  void Advance(std::chrono::nanoseconds duration) {
    wall_ += duration.count();
    steady_ += std::chrono::duration_cast<tusfs::SteadyTime::duration>(duration);
  }
  /// Somebody sets the clock.
  void Jump(std::chrono::nanoseconds by) { wall_ += by.count(); }

 private:
  tusfs::FileTime wall_ = 1'700'000'000'000'000'000;
  tusfs::SteadyTime steady_{std::chrono::hours(1)};
};

}  // namespace tusfs_life
