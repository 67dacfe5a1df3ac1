// A TCP relay on loopback between a client and a real server, which counts and slows down.
//
// What it counts are bytes on the wire from client to server, request headers included. It keeps
// its port while the server behind it is killed and started again on another one. Every method may
// be called by any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <thread>

#include "testing/rate_limiter.h"

namespace tusfs_testing {

class CountingProxy {
 public:
  /// Listens on 127.0.0.1 when it returns. Throws std::system_error when it cannot.
  explicit CountingProxy(std::uint64_t bytes_per_second);
  ~CountingProxy();
  CountingProxy(CountingProxy const&) = delete;
  CountingProxy& operator=(CountingProxy const&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }
  void SetRate(std::uint64_t bytes_per_second) { rate_.Set(bytes_per_second); }

  /// Refuses connections and cuts those there are, until Start().
  void Stop();
  /// Relays to 127.0.0.1:`backend` from now on.
  void Start(std::uint16_t backend);

 private:
  struct Relay {
    int client = -1;
    int server = -1;
    std::atomic<bool> done = false;
    std::thread thread;
  };

  void Accept();
  void Serve(Relay& relay, std::uint16_t backend);
  /// Passes on what `from` has; false at its end.
  bool Forward(int from, int to, bool count);

  RateLimiter rate_;
  std::atomic<std::uint64_t> sent_bytes_ = 0;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<std::uint16_t> backend_ = 0;
  std::atomic<bool> stopping_ = true;
  std::mutex mutex_;  // guards relays_ and the descriptors in it
  std::list<Relay> relays_;
  std::thread accept_thread_;
};

}  // namespace tusfs_testing
