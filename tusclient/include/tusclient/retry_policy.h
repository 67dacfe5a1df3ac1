// When to try again: exponential backoff with full jitter.
#pragma once

#include <chrono>
#include <functional>

#include "tusclient/error.h"

namespace tus {

struct RetryPolicy {
  std::chrono::milliseconds base{500};  ///< bound of the first delay
  std::chrono::milliseconds max{60'000};

  /// How long to wait after the `failures`th failure in a row (1 or more), uniformly between a
  /// tenth of the bound and the bound; never less than the error's Retry-After, of which 5 minutes
  /// count, and 30 s where it does not come from a tus server. `random` returns a number in [0, 1).
  [[nodiscard]] std::chrono::milliseconds Delay(int failures, Error const& error,
                                                std::function<double()> const& random) const;
};

/// Whether the same request can succeed later without anybody changing anything.
[[nodiscard]] bool IsTransient(ErrorCode code);

/// Whether the endpoint as a whole may be in trouble, where many uploads get this.
[[nodiscard]] bool IsDoubtful(Error const& error);

/// Whether `code` speaks of the endpoint as a whole rather than of one upload.
[[nodiscard]] bool IsOutage(ErrorCode code);

}  // namespace tus
