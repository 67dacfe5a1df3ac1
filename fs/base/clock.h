// Time, injected so that tests own it.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace tusfs {

/// Wall-clock time of a file: nanoseconds since 1970, may be negative.
using FileTime = std::int64_t;

[[nodiscard]] timespec ToTimespec(FileTime time);

using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual FileTime Wall() const = 0;
  [[nodiscard]] virtual SteadyTime Steady() const = 0;
};

/// The machine's clocks.
class SystemClock : public Clock {
 public:
  [[nodiscard]] FileTime Wall() const override;
  [[nodiscard]] SteadyTime Steady() const override;
};

}  // namespace tusfs
