// A limit of bytes per second that several transfers share.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace tus {

/// A token bucket of an eighth of a second. Thread-safe; outlives the transports that use it.
class BandwidthLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// 0 bytes per second means no limit. What is granted is within `whole`, too, where there is one;
  /// it outlives this limit.
  explicit BandwidthLimit(std::uint64_t bytes_per_second = 0, BandwidthLimit* whole = nullptr)
      : rate_(bytes_per_second), whole_(whole) {}

  /// May be changed at any time; holds for transfers that are under way, too.
  void Set(std::uint64_t bytes_per_second);
  [[nodiscard]] std::uint64_t Get() const;

  /// How many of `wanted` (1 or more) bytes may be sent at `now`: 0 where one has to wait, then
  /// `again` says until when. What is granted is taken.
  [[nodiscard]] std::size_t Take(std::size_t wanted, Time now, Time& again);
  /// Bytes that were granted and not sent after all.
  void GiveBack(std::size_t bytes);

 private:
  [[nodiscard]] std::size_t TakeOwn(std::size_t wanted, Time now, Time& again);
  void GiveBackOwn(std::size_t bytes);

  mutable std::mutex mutex_;
  std::uint64_t rate_;
  BandwidthLimit* const whole_;
  double tokens_ = 0;  // bytes
  Time filled_{};
};

}  // namespace tus
