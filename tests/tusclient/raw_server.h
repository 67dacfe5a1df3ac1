// An HTTP server's end of a socket, scripted by a test byte by byte, so that it can misbehave.
//
// Each connection runs the script in a thread of its own. All waiting ends after kDeadline, and
// the destructor ends whatever still waits.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tus {

constexpr std::chrono::seconds kDeadline{20};
constexpr std::string_view kEmptyAnswer = "HTTP/1.1 204 No Content\r\n\r\n";
/// Bytes.
constexpr std::uint64_t kMoreThanSocketsHold = std::uint64_t{64} << 20;

class RawConnection {
 public:
  RawConnection(int fd, int number) : fd_(fd), number_(number) {}
  RawConnection(RawConnection const&) = delete;
  RawConnection& operator=(RawConnection const&) = delete;

  /// 1 for the server's first connection.
  [[nodiscard]] int number() const { return number_; }

  /// The next request up to its empty line; "" when the client has closed.
  std::string ReadHead();
  /// Exactly `size` bytes, fewer when the client has closed.
  std::string ReadBody(std::size_t size);
  /// Whether all could be sent.
  bool Send(std::string_view text);
  /// Reads until the client closes.
  void WaitForClose();
  /// Leaves everything unread until the server's destructor runs, or kDeadline.
  void WaitForStop();
  /// Says FIN in both directions.
  void Close();
  /// Says FIN and goes on reading.
  void FinishSending();
  /// Cuts the connection with a RST, like a server that was killed.
  void Reset();

 private:
  int fd_;
  int number_;
  std::string buffer_;

  bool Fill();
};

class RawServer {
 public:
  using Script = std::function<void(RawConnection&)>;

  explicit RawServer(Script script);
  RawServer(RawServer const&) = delete;
  RawServer& operator=(RawServer const&) = delete;
  ~RawServer();

  /// http://127.0.0.1:PORT/files/SECRET
  [[nodiscard]] std::string Url(std::string_view scheme = "http") const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  Script script_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  std::vector<int> fds_;               // of connections, open until the end; under mutex_
  std::vector<std::jthread> workers_;  // of the acceptor thread until it has ended
  std::jthread acceptor_;

  void Accept(std::stop_token const& stop);
};

}  // namespace tus
