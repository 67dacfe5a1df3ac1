// A TCP proxy on loopback between a client and a server of the test, whose connections break as a
// network breaks them.
//
// It knows no HTTP: an answer is what the server sends at one go, as the fixture server sends each
// of its own. Faults are scripted one by one and spent when they have hit. Every method may be
// called by any thread, Open() and Close() by one at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "testing/rate_limiter.h"
#include "testing/relay_server.h"

namespace tusfs_testing {

/// Whose bytes a fault counts, and whose way it breaks.
enum class Direction { kRequests, kAnswers };

/// Bytes count over all connections, from when the fault's turn has come.
struct ConnectionFault {
  enum class Kind { kCut, kReset, kStall, kBlackHole, kEnd, kRewrite, kRewriteLast };

  /// Closes the connection after that many bytes, as a program does that ends (FIN).
  [[nodiscard]] static ConnectionFault Cut(Direction direction, std::uint64_t bytes);
  /// Likewise, as a router does that has forgotten the connection (RST).
  [[nodiscard]] static ConnectionFault Reset(Direction direction, std::uint64_t bytes);
  /// Passes nothing in either direction for so long after that many bytes.
  [[nodiscard]] static ConnectionFault Stall(Direction direction, std::uint64_t bytes,
                                             std::chrono::milliseconds duration);
  /// After that many bytes takes what comes from the client and passes nothing on, for so long;
  /// then resets.
  [[nodiscard]] static ConnectionFault BlackHole(std::uint64_t bytes,
                                                 std::chrono::milliseconds duration);
  /// After that many bytes says that there are no more in this direction (FIN), drops those that
  /// come, and leaves the other direction open.
  [[nodiscard]] static ConnectionFault End(Direction direction, std::uint64_t bytes);
  /// One answer arrives as what `rewrite` makes of it, after `answers` that arrive as they are.
  [[nodiscard]] static ConnectionFault Rewrite(
      std::uint64_t answers, std::function<std::string(std::string_view)> rewrite);
  /// Likewise, and then the connection is closed.
  [[nodiscard]] static ConnectionFault RewriteLast(
      std::uint64_t answers, std::function<std::string(std::string_view)> rewrite);

  Kind kind = Kind::kCut;
  Direction direction = Direction::kRequests;
  std::uint64_t after = 0;  ///< bytes, or answers of those that rewrite
  std::chrono::milliseconds duration{0};
  std::function<std::string(std::string_view)> rewrite{};

  [[nodiscard]] bool rewrites() const {
    return kind == Kind::kRewrite || kind == Kind::kRewriteLast;
  }
};

class FaultProxy {
 public:
  /// Relays to 127.0.0.1:`backend` when it returns. Throws std::system_error when it cannot.
  explicit FaultProxy(std::uint16_t backend);

  [[nodiscard]] std::uint16_t port() const { return relays_.port(); }
  /// The server's URL with the proxy's port.
  [[nodiscard]] std::string Url() const;
  /// How many were accepted so far.
  [[nodiscard]] int connections() const { return connections_; }
  /// How many faults have hit so far.
  [[nodiscard]] int hits() const { return hits_; }

  /// Faults of one direction wait for each other: the next one counts from where the last one hit.
  void Add(ConnectionFault fault);
  /// Of those that have not hit; also no delay and no limit any more.
  void Clear();

  /// Of the requests of all connections together, in bytes per second. 0: no limit.
  void SetRate(std::uint64_t bytes_per_second) { rate_.Set(bytes_per_second); }
  /// Each answer arrives so much later.
  void SetAnswerDelay(std::chrono::milliseconds delay) { answer_delay_ = delay; }

  /// Cuts every connection and refuses new ones, until Open().
  void Close() { relays_.Close(); }
  void Open() { relays_.Open(backend_); }

 private:
  /// One direction of a connection.
  struct Way {
    Direction direction;
    int from;
    int to;
    bool open = true;    ///< there may be more
    bool passes = true;  ///< else what comes is dropped
  };

  struct Hit {
    ConnectionFault fault;
    std::size_t before = 0;  ///< bytes that still pass
  };

  void Serve(int client, int server);
  /// Passes on what has come; false when the connection is over.
  bool Forward(Way& way, int client, int server);
  /// What happens after the bytes before; false when the connection is over.
  bool Break(ConnectionFault const& fault, Way& way, int client, int server);
  /// Whether the next fault of this direction hits among `size` bytes.
  std::optional<Hit> Take(Direction direction, std::size_t size);

  std::uint16_t const backend_;
  RateLimiter rate_{0};
  std::atomic<std::chrono::milliseconds> answer_delay_ = std::chrono::milliseconds(0);
  std::atomic<int> connections_ = 0;
  std::atomic<int> hits_ = 0;
  std::mutex mutex_;  // guards faults_
  std::deque<ConnectionFault> faults_;
  RelayServer relays_;  // last: its threads use the rest
};

}  // namespace tusfs_testing
