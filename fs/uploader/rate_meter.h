// How many bytes per second have passed in the last ten seconds.
//
// Not thread-safe: its owner's lock is held.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace tusfs {

class RateMeter {
 public:
  void Add(std::uint64_t bytes, SteadyTime now) {
    auto const second = SecondOf(now);
    auto& slot = SlotOf(second);
    if (slot.second != second) slot = {.second = second, .bytes = 0};
    slot.bytes += bytes;
  }

  /// 0 where nothing has passed. While it begins, over the seconds since then.
  [[nodiscard]] std::uint64_t Rate(SteadyTime now) const {
    auto const current = SecondOf(now);
    std::uint64_t bytes = 0;
    std::int64_t seconds = 1;
    for (auto const& slot : slots_) {
      auto const age = current - slot.second;
      if (slot.bytes == 0 || age < 0 || age >= kSeconds) continue;
      bytes += slot.bytes;
      seconds = std::max(seconds, age + 1);
    }
    return bytes / static_cast<std::uint64_t>(seconds);
  }

 private:
  static constexpr std::int64_t kSeconds = 10;
  struct Slot {
    std::int64_t second = -kSeconds;
    std::uint64_t bytes = 0;
  };

  static std::int64_t SecondOf(SteadyTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  }
  Slot& SlotOf(std::int64_t second) { return slots_[static_cast<std::size_t>(second % kSeconds)]; }

  std::array<Slot, kSeconds> slots_{};
};

}  // namespace tusfs
