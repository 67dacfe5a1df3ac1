// A TCP relay on loopback between a client and a real server, which counts and slows down.
//
// What it counts are bytes on the wire from client to server, request headers included. It keeps
// its port while the server behind it is killed and started again on another one. Every method may
// be called by any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "testing/rate_limiter.h"
#include "testing/relay_server.h"

namespace tusfs_testing {

class CountingProxy {
 public:
  /// Listens on 127.0.0.1 when it returns. Throws std::system_error when it cannot.
  explicit CountingProxy(std::uint64_t bytes_per_second);

  [[nodiscard]] std::uint16_t port() const { return relays_.port(); }
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }
  void SetRate(std::uint64_t bytes_per_second) { rate_.Set(bytes_per_second); }

  /// Refuses connections and cuts those there are, until Start().
  void Stop() { relays_.Close(); }
  /// Relays to 127.0.0.1:`backend` from now on.
  void Start(std::uint16_t backend) { relays_.Open(backend); }

 private:
  void Serve(int client, int server);
  /// Passes on what `from` has; false at its end.
  bool Forward(int from, int to, bool count);

  RateLimiter rate_;
  std::atomic<std::uint64_t> sent_bytes_ = 0;
  RelayServer relays_;  // last: its threads use the rest
};

}  // namespace tusfs_testing
