/// What "within 100 ms" means to a test.
#pragma once

#include <chrono>

namespace tusfs_testing {

/// A sanitizer makes a program several times as slow, and its tests run beside a build: it is asked
/// for what it finds, not for time.
#ifdef TUSFS_SANITIZED
inline constexpr std::chrono::milliseconds kPrompt(2'000);
#else
inline constexpr std::chrono::milliseconds kPrompt(100);
#endif

}  // namespace tusfs_testing
