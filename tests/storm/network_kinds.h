// The kinds of trouble that a network and a server can make, and how a file is to end in each.
//
// A kind is a pair of functions that make the trouble; they run on the thread of the kind's mount.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "testing/fault_proxy.h"
#include "testing/fixture_server.h"

namespace tusfs_testing {

inline constexpr std::uint64_t kKiB = 1024;

/// One file on its way through one trouble.
struct Trial {
  FixtureServer& server;
  FaultProxy& proxy;
  std::string name;        ///< of the file in the mount
  std::uint64_t size = 0;  ///< of the file, in bytes
  int bodies = 1;          ///< that it is sent in, where nothing goes wrong
  std::mt19937_64 random;  ///< of this trial alone
  int failures = 0;        ///< requests that the trouble makes fail, at most

  /// Any whole number from `least` to `most`, these two included.
  [[nodiscard]] std::int64_t Between(std::int64_t least, std::int64_t most);
  [[nodiscard]] std::chrono::milliseconds Time(std::int64_t least, std::int64_t most);
  /// Somewhere among the bytes that the file's requests need.
  [[nodiscard]] std::uint64_t SomeByte();
  /// The random moment of a trouble.
  void Pause(std::int64_t least, std::int64_t most);
  /// Returns when bytes of the file arrive at the server, or have arrived.
  void AwaitBytes() const;
  [[nodiscard]] std::optional<UploadView> Upload() const { return server.FindUpload(name); }
  /// How many complete uploads of that name the server has.
  [[nodiscard]] int Published() const;
};

enum class End {
  kArrives,
  kFails,                 ///< `failed` with the reason, until it is tried again
  kUnconfirmed,           ///< likewise
  kArrivesOrUnconfirmed,  ///< by whether the last request was on its way at that moment
};

struct Kind {
  using Act = std::function<void(Trial&)>;

  std::string name;
  Act before{};  ///< the copy begins
  Act during{};  ///< while it is sent; returns when the trouble is over
  End end = End::kArrives;
  std::string reason{};  ///< part of the error that is shown
  bool retry = true;     ///< it arrives when it is tried again after the trouble
  bool patient = false;  ///< takes minutes: in large storms, and twice
  FixtureOptions server{};
  std::uint64_t chunk = 0;                   ///< bytes; 0: any of the small ones
  std::uint64_t smallest_body = 256 * kKiB;  ///< that its files are sent in
  std::uint64_t least = 0;                   ///< size of its files in bytes; 0: tiny ones too
  std::uint64_t most = 3072 * kKiB;
};

/// Those that take long come first.
[[nodiscard]] std::vector<Kind> NetworkKinds();

}  // namespace tusfs_testing
