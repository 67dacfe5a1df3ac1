// A TCP relay on loopback between a client and a server that are far from each other: what each
// says arrives later, a connection has no more on its way than its window, and all share one line.
//
// A connection is as fast as its window for each round trip, whatever the line could take. It
// begins as TCP does, with ten segments, and has twice as many on their way after each round trip,
// up to its window; it loses nothing and forgets nothing while it is idle. A new one costs one
// round trip more, for its handshake. Every method may be called by any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

#include "testing/relay_server.h"

namespace tusfs_testing {

struct FarOptions {
  std::chrono::milliseconds round_trip{200};
  std::uint64_t window = std::uint64_t{1} << 20;  ///< of one direction of a connection, bytes
  std::uint64_t bytes_per_second = 0;             ///< of a direction, all connections; 0: any
};

class FarProxy {
 public:
  /// Relays to 127.0.0.1:`backend` when it returns. Throws std::system_error when it cannot.
  FarProxy(std::uint16_t backend, FarOptions const& options);

  [[nodiscard]] std::uint16_t port() const { return relays_.port(); }

 private:
  using Clock = std::chrono::steady_clock;

  /// The line in one direction: one byte after the other.
  class Line {
   public:
    explicit Line(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}
    /// When the last of so many bytes has left, which come now.
    [[nodiscard]] Clock::time_point Pass(std::uint64_t bytes);

   private:
    std::uint64_t const rate_;
    std::mutex mutex_;
    Clock::time_point free_at_{};
  };

  class Way;
  void Serve(int client, int server);

  FarOptions const options_;
  Line up_;
  Line down_;
  RelayServer relays_;  // last: its threads use the rest
};

}  // namespace tusfs_testing
