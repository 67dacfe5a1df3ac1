// Two ways from here to a server, each a pair of veth devices of its own, shaped by tbf (tc(8)).
//
// The thread that makes it is moved into a network namespace of its own, with all programs that it
// starts from then on, and back when it is destroyed; the server that it starts is in another
// one. For one test's own thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "testing/fixture_server.h"
#include "testing/process.h"

namespace tusfs_testing {

class TwoNetworks {
 public:
  static constexpr char const* kFirst = "wifi0";
  static constexpr char const* kSecond = "lte0";

  /// Why this machine cannot have them; empty when it can.
  [[nodiscard]] static std::string WhyNot();

  /// Both are up. Throws std::runtime_error with what went wrong. `server`: its address is set
  /// here.
  explicit TwoNetworks(FixtureOptions server);
  ~TwoNetworks();
  TwoNetworks(TwoNetworks const&) = delete;
  TwoNetworks& operator=(TwoNetworks const&) = delete;

  [[nodiscard]] FixtureServer& server() { return *server_; }

  /// What leaves through it, bytes per second on the wire.
  void Shape(std::string const& interface, std::uint64_t bytes_per_second);
  /// As when somebody pulls the cable out of the other end, and puts it in again.
  void Unplug(std::string const& interface);
  void Plug(std::string const& interface);
  /// Bytes that have left through it.
  [[nodiscard]] static std::uint64_t Left(std::string const& interface);

 private:
  void Connect(std::string const& interface);
  void Route(std::string const& interface);
  /// On the server's side.
  void RunThere(Command command);

  int home_ = -1;   ///< the namespace that the thread was in
  int there_ = -1;  ///< the server's
  std::unique_ptr<FixtureServer> server_;
};

}  // namespace tusfs_testing
