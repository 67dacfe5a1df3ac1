#include "tusclient/bandwidth.h"

#include <algorithm>
#include <cmath>

namespace tus {
namespace {

constexpr double kDepthSeconds = 0.125;
/// Who waits, waits for so much at least: waking up for every byte would cost more than it sends.
constexpr double kWorthSeconds = 1.0 / 64;

}  // namespace

void BandwidthLimit::Set(std::uint64_t bytes_per_second) {
  std::lock_guard const lock(mutex_);
  rate_ = bytes_per_second;
}

std::uint64_t BandwidthLimit::Get() const {
  std::lock_guard const lock(mutex_);
  return rate_;
}

// One lock after the other, never both.
std::size_t BandwidthLimit::Take(std::size_t wanted, Time now, Time& again) {
  auto const own = TakeOwn(wanted, now, again);
  if (own == 0 || whole_ == nullptr) return own;
  auto const granted = whole_->Take(own, now, again);
  if (granted < own) GiveBackOwn(own - granted);
  return granted;
}

void BandwidthLimit::GiveBack(std::size_t bytes) {
  GiveBackOwn(bytes);
  if (whole_ != nullptr) whole_->GiveBack(bytes);
}

std::size_t BandwidthLimit::TakeOwn(std::size_t wanted, Time now, Time& again) {
  using Seconds = std::chrono::duration<double>;
  std::lock_guard const lock(mutex_);
  if (rate_ == 0) return wanted;
  auto const rate = static_cast<double>(rate_);
  if (now > filled_) {
    tokens_ += rate * Seconds(now - filled_).count();
    filled_ = now;
  }
  // However slow, one byte has to fit.
  tokens_ = std::min(tokens_, std::max(1.0, rate * kDepthSeconds));

  auto const worth = std::min(static_cast<double>(wanted), std::max(1.0, rate * kWorthSeconds));
  if (tokens_ < worth) {
    // The microsecond is for rounding: at `again` there must be no next wait of no length.
    again = filled_ + std::chrono::ceil<Time::duration>(Seconds((worth - tokens_) / rate)) +
            std::chrono::microseconds(1);
    return 0;
  }
  auto const granted = tokens_ < static_cast<double>(wanted)
                           ? static_cast<std::size_t>(std::floor(tokens_))
                           : wanted;
  tokens_ -= static_cast<double>(granted);
  return granted;
}

void BandwidthLimit::GiveBackOwn(std::size_t bytes) {
  std::lock_guard const lock(mutex_);
  tokens_ += static_cast<double>(bytes);  // Take throws away what is too much
}

}  // namespace tus
