// Waiting on a condition with a deadline, instead of sleeping.
#pragma once

#include <chrono>
#include <thread>

namespace tusfs_testing {

/// Asks `condition` every few milliseconds until it is true (true) or `limit` has passed (false).
template <typename Condition>
[[nodiscard]] bool WaitFor(Condition const& condition,
                           std::chrono::milliseconds limit = std::chrono::seconds(30)) {
  auto const deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace tusfs_testing
