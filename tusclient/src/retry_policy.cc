#include "tusclient/retry_policy.h"

#include <algorithm>

namespace tus {
namespace {

/// A server may be wrong about when it is back, and whatever answers in its place knows nothing.
constexpr std::chrono::seconds kMostForServer{300};
constexpr std::chrono::seconds kMostForOthers{30};

}  // namespace

std::chrono::milliseconds RetryPolicy::Delay(int failures, Error const& error,
                                             std::function<double()> const& random) const {
  auto bound = std::min(base, max);
  // Doubling step by step never gets past `max`, however many failures there were.
  for (int i = 1; i < failures && bound < max && bound.count() > 0; ++i) {
    bound = bound > max / 2 ? max : bound * 2;
  }
  // The tenth keeps a lucky draw from hammering a server that has just failed.
  auto const fraction = 0.1 + 0.9 * std::clamp(random(), 0.0, 1.0);
  auto const delay = std::chrono::duration_cast<std::chrono::milliseconds>(bound * fraction);
  if (!error.retry_after) return delay;
  auto const most = error.code == ErrorCode::kNotTus ? kMostForOthers : kMostForServer;
  return std::max<std::chrono::milliseconds>(delay, std::min(*error.retry_after, most));
}

bool IsTransient(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnreachable:
    case ErrorCode::kInterrupted:
    case ErrorCode::kNotTus:
    case ErrorCode::kTransient:
    case ErrorCode::kLocked:
    case ErrorCode::kChecksumMismatch:
      return true;
    case ErrorCode::kCancelled:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kSource:
    case ErrorCode::kUnauthorized:
    case ErrorCode::kGone:
    case ErrorCode::kTooLarge:
    case ErrorCode::kRefused:
    case ErrorCode::kUnconfirmed:
    case ErrorCode::kProtocol:
      return false;
  }
  return false;
}

bool IsDoubtful(Error const& error) {
  return error.code == ErrorCode::kInterrupted || error.http_status == 403;
}

bool IsOutage(ErrorCode code) {
  return code == ErrorCode::kUnreachable || code == ErrorCode::kNotTus;
}

}  // namespace tus
