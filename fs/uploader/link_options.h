// One way to the server that a person has named: --link.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tusfs {

struct LinkOptions {
  /// Bytes that may leave the machine through it in a day or a month of local time.
  struct Budget {
    enum class Per { kDay, kMonth };
    std::uint64_t bytes = 0;
    Per per = Per::kMonth;

    bool operator==(Budget const&) const = default;
  };

  std::string name;
  std::string interface;  ///< of the network, as ip-link(8) names it
  std::optional<Budget> budget{};
  int cost = 1;             ///< those of the lowest are used first
  std::uint64_t limit = 0;  ///< bytes per second; 0: none of its own

  bool operator==(LinkOptions const&) const = default;
};

}  // namespace tusfs
