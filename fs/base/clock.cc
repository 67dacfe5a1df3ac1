#include "base/clock.h"

namespace tusfs {
namespace {

constexpr FileTime kSecond = 1'000'000'000;  // in nanoseconds

}  // namespace

timespec ToTimespec(FileTime time) {
  auto seconds = time / kSecond;
  auto nanoseconds = time % kSecond;
  if (nanoseconds < 0) {
    nanoseconds += kSecond;
    --seconds;
  }
  return {.tv_sec = static_cast<time_t>(seconds), .tv_nsec = static_cast<long>(nanoseconds)};
}

FileTime SystemClock::Wall() const {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<FileTime>(now.tv_sec) * kSecond + now.tv_nsec;
}

SteadyTime SystemClock::Steady() const { return std::chrono::steady_clock::now(); }

}  // namespace tusfs
