#include "tusclient/server_profile.h"

#include <algorithm>
#include <limits>
#include <string>

#include "fail.h"

namespace tus {
namespace {

/// Bodies are not made smaller than this, however slow the network or strict the proxy.
constexpr std::uint64_t kSmallestBody = std::uint64_t{64} << 10;
/// As long as the rate is not known: 16 s at 0.5 Mbit/s.
constexpr std::uint64_t kFirstBody = std::uint64_t{1} << 20;
/// Shorter exchanges say more of the latency than of the rate.
constexpr std::uint64_t kSmallestSample = std::uint64_t{256} << 10;
/// What a body that breaks may cost, and how long nobody sees that anything goes on.
constexpr std::chrono::duration<double> kLongBody{10};
constexpr std::uint64_t kLongBodyGrowth = 4;
/// Bodies of a length that is taken, before a longer one is tried.
constexpr int kMostBeforeGrowth = 1024;

std::uint64_t RoundDown(std::uint64_t number, std::uint64_t multiple) {
  return number / multiple * multiple;
}

/// The smallest body that obeys the rules, where Check() finds no fault with them.
std::uint64_t Smallest(ChunkRules const& rules) {
  auto const least = std::max<std::uint64_t>(rules.least, 1);
  return RoundDown(least + rules.multiple - 1, rules.multiple);
}

}  // namespace

Result<void> ChunkRules::Check() const {
  auto const bad = [](std::string const& sentence) {
    return Fail(ErrorCode::kInvalidArgument, sentence);
  };
  if (size == 0) return bad("the chunk size is 0");
  if (size > kUnlimited) {
    return bad("the chunk size of " + std::to_string(size) + " bytes is larger than 4 EiB");
  }
  if (multiple == 0) return bad("the chunk multiple is 0");
  if (size < multiple) {
    return bad("the chunk size of " + std::to_string(size) + " bytes is smaller than the multiple" +
               " of " + std::to_string(multiple) + " bytes that chunks have to be");
  }
  if (size < least) {
    return bad("the chunk size of " + std::to_string(size) + " bytes is smaller than the least of" +
               " " + std::to_string(least) + " bytes that chunks have to be");
  }
  if (least > RoundDown(size, multiple)) {
    return bad("no multiple of " + std::to_string(multiple) + " bytes is at least " +
               std::to_string(least) + " and at most " + std::to_string(size) +
               " bytes, as chunks have to be");
  }
  if (exact && size % multiple != 0) {
    return bad("the exact chunk size of " + std::to_string(size) + " bytes is no multiple of " +
               std::to_string(multiple) + " bytes");
  }
  if (longest <= std::chrono::seconds(0)) return bad("the longest time of a chunk is 0");
  return {};
}

ServerProfile::ServerProfile(ChunkRules rules) : rules_(rules) {}

void ServerProfile::Announced(ServerInfo const& info) {
  std::lock_guard const lock(mutex_);
  info_ = info;
}

std::optional<ServerInfo> ServerProfile::Info() const {
  std::lock_guard const lock(mutex_);
  return info_;
}

bool ServerProfile::MayDefer() const {
  std::lock_guard const lock(mutex_);
  return info_ && info_->creation_defer_length && !defer_refused_;
}

bool ServerProfile::DeferRefused() {
  std::lock_guard const lock(mutex_);
  if (defer_worked_ || defer_refused_) return false;
  defer_refused_ = true;
  return true;
}

void ServerProfile::DeferWorked() {
  std::lock_guard const lock(mutex_);
  defer_worked_ = true;
}

std::optional<ChecksumAlgorithm> ServerProfile::Checksum() const {
  std::lock_guard const lock(mutex_);
  if (!info_ || checksum_refused_) return std::nullopt;
  return BestOf(info_->checksum_algorithms);
}

bool ServerProfile::ChecksumRefused() {
  std::lock_guard const lock(mutex_);
  return !std::exchange(checksum_refused_, true);
}

std::optional<std::uint64_t> ServerProfile::MaxSize() const {
  std::lock_guard const lock(mutex_);
  return info_ ? info_->max_size : std::nullopt;
}

std::uint64_t ServerProfile::NextChunk(std::uint64_t offset) const {
  if (rules_.exact) return rules_.size - offset % rules_.size;
  std::lock_guard const lock(mutex_);
  auto const wanted = std::min({rules_.size, max_body_, Affordable()});
  return std::max(RoundDown(wanted, rules_.multiple), Smallest(rules_));
}

std::uint64_t ServerProfile::NextLongChunk(std::uint64_t offset) const {
  auto const chunk = NextChunk(offset);
  if (rules_.exact || rules_.longer <= rules_.size) return chunk;
  std::lock_guard const lock(mutex_);
  auto const in_time = std::min(rate_ * kLongBody.count(), static_cast<double>(rules_.longer));
  // A short body says little of the rate of a long one: a limit of bandwidth lets it pass in a
  // burst.
  auto const tried = std::min(longest_, rules_.longer) * kLongBodyGrowth;
  auto const wanted =
      std::min({static_cast<std::uint64_t>(in_time), tried, max_body_, Affordable()});
  return std::max(RoundDown(wanted, rules_.multiple), chunk);
}

std::uint64_t ServerProfile::Affordable() const {
  if (rate_ == 0) return kFirstBody;
  // Half the time: the network may become slower while the body is on its way.
  auto const bytes = rate_ * static_cast<double>(rules_.longest.count()) / 2;
  if (bytes >= static_cast<double>(ChunkRules::kUnlimited)) return ChunkRules::kUnlimited;
  return std::max(static_cast<std::uint64_t>(bytes), kSmallestBody);
}

void ServerProfile::Measured(std::uint64_t bytes, std::chrono::nanoseconds elapsed) {
  if (elapsed <= std::chrono::nanoseconds(0)) return;
  auto const rate = static_cast<double>(bytes) / std::chrono::duration<double>(elapsed).count();
  std::lock_guard const lock(mutex_);
  Grow(bytes);
  longest_ = std::max(longest_, bytes);
  if (bytes < std::min(kSmallestSample, Affordable())) return;
  // A network that became slower is believed at once, one that became faster step by step.
  rate_ = rate_ == 0 || rate < rate_ ? rate : (rate_ + rate) / 2;
}

std::uint64_t ServerProfile::Rate() const {
  std::lock_guard const lock(mutex_);
  return static_cast<std::uint64_t>(
      std::min(rate_, static_cast<double>(std::numeric_limits<std::uint32_t>::max()) * 4096));
}

bool ServerProfile::TooLarge(std::uint64_t length) {
  std::lock_guard const lock(mutex_);
  return Shrink(length);
}

void ServerProfile::NothingKept(std::uint64_t length) {
  std::lock_guard const lock(mutex_);
  static_cast<void>(Shrink(length));  // at the smallest there is nothing to do but to try again
}

bool ServerProfile::Shrink(std::uint64_t length) {
  auto const smallest = std::max(kSmallestBody, Smallest(rules_));
  if (rules_.exact || length <= smallest) return false;
  max_body_ = std::min(max_body_, std::max(smallest, length / 2));
  grows_after_ = std::min(2 * grows_after_, kMostBeforeGrowth);
  taken_ = 0;
  return true;
}

void ServerProfile::Grow(std::uint64_t taken) {
  if (taken < max_body_ || ++taken_ < grows_after_) return;
  taken_ = 0;
  max_body_ = max_body_ >= rules_.size / 2 ? ChunkRules::kUnlimited : 2 * max_body_;
}

std::uint64_t ServerProfile::MaxBody() const {
  std::lock_guard const lock(mutex_);
  return max_body_;
}

}  // namespace tus
