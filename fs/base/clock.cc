#include "base/clock.h"

#include <ctime>

namespace tusfs {

FileTime SystemClock::Wall() const {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<FileTime>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

SteadyTime SystemClock::Steady() const { return std::chrono::steady_clock::now(); }

}  // namespace tusfs
