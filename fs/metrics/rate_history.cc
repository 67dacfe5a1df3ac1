#include "metrics/rate_history.h"

#include <algorithm>
#include <utility>

namespace tusfs {

void RateHistory::Note(std::uint64_t sent, SteadyTime now) {
  MutexLock lock(mutex_);
  auto const bytes = sent - std::min(sent, std::exchange(sent_, sent));
  if (bytes == 0) return;
  auto const number = MinuteOf(now);
  auto& minute = minutes_[static_cast<std::size_t>(number) % kMinutes];
  if (minute.number != number) minute = {.number = number, .bytes = 0};
  minute.bytes += bytes;
}

std::vector<std::uint64_t> RateHistory::Minutes(SteadyTime now) const {
  MutexLock lock(mutex_);
  auto const last = MinuteOf(now);
  std::vector<std::uint64_t> bytes;
  for (auto number = last - static_cast<std::int64_t>(kMinutes) + 1; number <= last; ++number) {
    auto const& minute = minutes_[static_cast<std::size_t>(number) % kMinutes];
    bytes.push_back(minute.number == number ? minute.bytes : 0);
  }
  return bytes;
}

}  // namespace tusfs
