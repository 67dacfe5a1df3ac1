// The troubles that a network and a server can make for one file, at moments drawn from its
// generator.
//
// A trouble is a function that makes it. It runs on the thread of the mount, before the copy begins
// or while it is sent; what it scripts happens on the threads of the proxy and the server.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
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
  /// Of milliseconds, likewise.
  [[nodiscard]] std::chrono::milliseconds Time(std::int64_t least, std::int64_t most);
  /// Somewhere among the bytes that the file's requests need.
  [[nodiscard]] std::uint64_t SomeByte();
  /// Somewhere among those of the answers.
  [[nodiscard]] std::uint64_t SomeAnswerByte();
  /// The random moment of a trouble: waits so many milliseconds.
  void Pause(std::int64_t least, std::int64_t most);
  /// Returns when bytes of the file arrive at the server, or have arrived.
  void AwaitBytes() const;
  [[nodiscard]] std::optional<UploadView> Upload() const { return server.FindUpload(name); }
};

/// How many complete uploads of that name the server has.
[[nodiscard]] int Published(FixtureServer const& server, std::string const& name);

using Trouble = std::function<void(Trial&)>;

// ---- what a server answers

/// Up to three requests in a row have that trouble. An empty `method` is any.
[[nodiscard]] Trouble Burst(std::function<Fault(Trial&)> action, std::string method = "");
[[nodiscard]] Trouble Burst(Fault action, std::string method = "");
/// Each request of that method, until the faults are cleared.
[[nodiscard]] Trouble Always(std::string method, Fault action);
/// The PATCH that makes the upload complete.
[[nodiscard]] Trouble FinalPatch(Fault action);
/// The first one, where it is not the final one too.
[[nodiscard]] Trouble EarlierPatch(Fault action);
[[nodiscard]] Fault AnyOf(Trial& trial, std::vector<Fault> const& faults);
/// Bodies of more than `bytes` do not get past a proxy.
[[nodiscard]] Trouble BodyLimit(std::uint64_t bytes);

// ---- what a connection does

/// Up to `most` of what `make` makes.
[[nodiscard]] Trouble Faults(std::int64_t most, std::function<ConnectionFault(Trial&)> make);
[[nodiscard]] ConnectionFault AnyConnectionFault(Trial& trial);

using Random = std::mt19937_64;
using Rewrite = std::function<std::string(Random&, std::string_view)>;
using MakeRewriting = ConnectionFault (*)(std::uint64_t,
                                          std::function<std::string(std::string_view)>);
/// Up to two answers are rewritten. `make`: whether their connection goes on behind them.
[[nodiscard]] Trouble Rewritten(MakeRewriting make, Rewrite rewrite);
[[nodiscard]] std::string StatusLineBroken(Random& random, std::string_view answer);
[[nodiscard]] std::string HeadersBroken(Random& random, std::string_view answer);

// ---- what a server does

/// So slow, in bytes per second, that the trouble finds an upload that is under way.
inline constexpr std::uint64_t kSlowServer = 2'000'000;

/// It is dead for a while, and its proxy is not. It has to be started again.
void Away(Trial& trial);
/// Its process dies while bytes arrive; then `lose` happens to it, and it comes back.
[[nodiscard]] Trouble Restart(std::function<void(Trial&)> lose);
void ForgetIt(Trial& trial);
void LoseItsLastBytes(Trial& trial);

}  // namespace tusfs_testing
