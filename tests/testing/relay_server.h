// What the TCP proxies of the tests share: a port on loopback that stays theirs while it is closed
// and opened again, and a thread for each connection.
//
// Owned by a proxy, which calls Open() and Close() from one thread at a time. The rest may be
// called by any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <span>
#include <thread>

namespace tusfs_testing {

/// Sends all of `bytes`; false where the other end does not take them.
bool SendAll(int to, std::span<char const> bytes);

class RelayServer {
 public:
  /// Runs on the connection's thread until the connection is over; the descriptors are closed when
  /// it returns. `server` is connected to the backend.
  using Serve = std::function<void(int client, int server)>;

  /// Listens on 127.0.0.1 when it returns, and accepts from Open() on. Throws std::system_error
  /// when it cannot.
  explicit RelayServer(Serve serve);
  ~RelayServer();
  RelayServer(RelayServer const&) = delete;
  RelayServer& operator=(RelayServer const&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool open() const { return open_; }

  /// Accepts connections, and connects each to 127.0.0.1:`backend`. One that cannot be is closed
  /// at once.
  void Open(std::uint16_t backend);
  /// Refuses connections and cuts those there are: none is served any more when it returns.
  void Close();

 private:
  struct Relay {
    int client = -1;
    int server = -1;
    std::atomic<bool> done = false;
    std::thread thread;
  };

  void Accept();
  void Run(Relay& relay, std::uint16_t backend);

  Serve const serve_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<std::uint16_t> backend_ = 0;
  std::atomic<bool> open_ = false;
  std::mutex mutex_;  // guards relays_ and the descriptors in it
  std::list<Relay> relays_;
  std::thread accept_thread_;
};

}  // namespace tusfs_testing
