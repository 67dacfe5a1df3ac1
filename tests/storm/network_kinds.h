// The kinds of trouble that a network and a server can make, and how a file is to end in each.
//
// Plain values: the storm asks for the table once, and each kind is used by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storm/network_trouble.h"

namespace tusfs_testing {

enum class End {
  kArrives,
  kArrivesAfterADenial,   ///< by itself, though it is `failed` until it is tried again
  kFails,                 ///< `failed` with the reason, until it is tried again
  kUnconfirmed,           ///< likewise
  kArrivesOrUnconfirmed,  ///< by whether the last request was on its way at that moment
};

struct Kind {
  std::string name;
  Trouble before{};  ///< the copy begins
  Trouble during{};  ///< while it is sent; returns when the trouble is over
  End end = End::kArrives;
  std::string reason{};  ///< part of the error that is shown
  bool retry = true;     ///< it arrives when it is tried again after the trouble
  bool patient = false;  ///< takes minutes: in large storms, and twice
  FixtureOptions server{};
  std::uint64_t chunk = 0;                   ///< bytes; 0: any of the small ones
  std::uint64_t smallest_body = 256 * kKiB;  ///< that its files are sent in
  std::uint64_t part = 0;                    ///< bytes of a part; 0: they go in one stream
  std::uint64_t least = 0;                   ///< size of its files in bytes; 0: tiny ones too
  std::uint64_t most = 3072 * kKiB;
};

/// Those that take long come first.
[[nodiscard]] std::vector<Kind> NetworkKinds();
/// Of files that are sent in parts; among those above.
[[nodiscard]] std::vector<Kind> KindsInParts();

}  // namespace tusfs_testing
