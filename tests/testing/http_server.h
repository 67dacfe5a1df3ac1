// A small HTTP/1.1 server on loopback whose connections a test can stall, cut and drop.
//
// It exists because a test must do what a good server library prevents: close a socket in the
// middle of a body, swallow an answer, stop reading. One thread a connection; the handler runs on
// that thread, one request at a time. Stop() cuts every connection, as a killed server would.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tusfs_testing {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// One request and its answer, for the thread of its connection. Interrupt() and PeerGone() may be
/// called by other threads while the handler runs.
class HttpExchange {
 public:
  HttpExchange() = default;
  HttpExchange(HttpExchange const&) = delete;
  HttpExchange& operator=(HttpExchange const&) = delete;
  virtual ~HttpExchange() = default;

  [[nodiscard]] virtual std::string Method() const = 0;
  [[nodiscard]] virtual std::string Target() const = 0;
  /// Names are case-insensitive; a header that is there and empty is an empty string.
  [[nodiscard]] virtual std::optional<std::string> Header(std::string_view name) const = 0;
  [[nodiscard]] virtual Headers AllHeaders() const = 0;
  [[nodiscard]] virtual std::optional<std::uint64_t> ContentLength() const = 0;
  [[nodiscard]] virtual bool HasBody() const = 0;

  /// Waits for the next bytes of the body. 0: the body is complete; -1: the client went away or
  /// the exchange was interrupted. Sends 100 Continue first where the client waits for it.
  [[nodiscard]] virtual ssize_t ReadSome(std::span<char> into) = 0;

  /// Answers. A body that was not read to its end closes the connection after the answer.
  virtual void Respond(int status, Headers const& headers, std::string_view body) = 0;
  /// Answers with `length` bytes of body, to be given by Write().
  virtual void BeginResponse(int status, Headers const& headers, std::uint64_t length) = 0;
  virtual void Write(std::span<char const> bytes) = 0;
  /// Closes the connection when the handler returns, without another byte.
  virtual void Drop() = 0;

  /// Makes ReadSome() return -1 soon.
  virtual void Interrupt() = 0;
  /// True when the client has closed its socket or died, even if bytes of it are still queued.
  [[nodiscard]] virtual bool PeerGone() const = 0;
};

class HttpServer {
 public:
  using Handler = std::function<void(HttpExchange&)>;

  /// Listens on `address`, of IPv4, and `port` (0: any free one). Throws std::system_error when it
  /// cannot. `keep_alive` is how long an idle connection stays open. `receive_buffer` bounds what
  /// the kernel accepts ahead of the handler (0: the kernel's choice), so that a slow server is
  /// slow.
  HttpServer(std::uint16_t port, std::chrono::milliseconds keep_alive, int receive_buffer,
             Handler handler, std::string const& address = "127.0.0.1");
  ~HttpServer();
  HttpServer(HttpServer const&) = delete;
  HttpServer& operator=(HttpServer const&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// Cuts every connection and returns when no handler runs any more.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tusfs_testing
