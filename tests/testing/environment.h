// What a person who runs the tests may choose.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace tusfs_testing {

/// The number in the environment's variable `name`, or `otherwise`.
[[nodiscard]] inline std::uint64_t FromEnvironment(char const* name, std::uint64_t otherwise) {
  char const* const given = std::getenv(name);
  return given != nullptr ? std::stoull(given) : otherwise;
}

}  // namespace tusfs_testing
