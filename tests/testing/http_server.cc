#include "testing/http_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <fstream>
#include <limits>
#include <list>
#include <mutex>
#include <sstream>
#include <system_error>
#include <thread>

namespace tusfs_testing {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kReadSize = 256 * 1024;
constexpr std::uint32_t kHeaderLimit = 1024 * 1024;

/// `address:port` as /proc/net/tcp writes it.
std::string ProcAddress(tcp::endpoint const& endpoint) {
  char text[32];
  std::snprintf(text, sizeof text, "%08X:%04X", htonl(endpoint.address().to_v4().to_uint()),
                endpoint.port());
  return text;
}

/// On loopback the client's own socket can be asked: data that a dead client left in the kernel
/// hides its FIN from our side for as long as we read slowly.
bool ClientSocketEstablished(tcp::endpoint const& client, tcp::endpoint const& server) {
  std::string const local = ProcAddress(client);
  std::string const remote = ProcAddress(server);
  std::ifstream table("/proc/net/tcp");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string slot, from, to, state;
    if (fields >> slot >> from >> to >> state && from == local && to == remote) {
      return state == "01";
    }
  }
  return false;
}

class Exchange final : public HttpExchange {
 public:
  using Parser = http::request_parser<http::buffer_body>;

  Exchange(tcp::socket& socket, beast::flat_buffer& buffer, Parser& parser,
           std::atomic<bool> const& stopping)
      : socket_(socket), buffer_(buffer), parser_(parser), stopping_(stopping) {}

  std::string Method() const override { return std::string(parser_.get().method_string()); }
  std::string Target() const override { return std::string(parser_.get().target()); }

  std::optional<std::string> Header(std::string_view name) const override {
    auto const found = parser_.get().find(beast::string_view(name.data(), name.size()));
    if (found == parser_.get().end()) return std::nullopt;
    return std::string(found->value());
  }

  Headers AllHeaders() const override {
    Headers all;
    for (auto const& field : parser_.get()) {
      all.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    return all;
  }

  std::optional<std::uint64_t> ContentLength() const override {
    auto const length = parser_.content_length();
    if (!length) return std::nullopt;
    return *length;
  }

  bool HasBody() const override { return !parser_.is_done() && ContentLength() != 0U; }

  ssize_t ReadSome(std::span<char> into) override {
    if (!Continue()) return -1;
    while (!parser_.is_done()) {
      if (interrupted_ || stopping_) return -1;
      auto& body = parser_.get().body();
      body.data = into.data();
      body.size = into.size();
      ErrorCode error;
      http::read_some(socket_, buffer_, parser_, error);
      std::size_t const got = into.size() - body.size;
      if (got > 0) return static_cast<ssize_t>(got);
      if (error && error != http::error::need_buffer) return -1;
    }
    return 0;
  }

  void Respond(int status, Headers const& headers, std::string_view body) override {
    BeginResponse(status, headers, body.size());
    if (Method() != "HEAD") Write(body);
  }

  void BeginResponse(int status, Headers const& headers, std::uint64_t length) override {
    http::response<http::empty_body> response;
    response.version(11);
    response.result(static_cast<unsigned>(status));
    if (status == 460) response.reason("Checksum Mismatch");
    for (auto const& [name, value] : headers) response.set(name, value);
    if (status != 204) response.set(http::field::content_length, std::to_string(length));
    close_ = close_ || !parser_.is_done() || !parser_.get().keep_alive();
    if (close_) response.set(http::field::connection, "close");
    http::response_serializer<http::empty_body> serializer(response);
    ErrorCode error;
    http::write_header(socket_, serializer, error);
    if (error) Drop();
  }

  void Write(std::span<char const> bytes) override {
    if (dropped_) return;
    ErrorCode error;
    asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), error);
    if (error) Drop();
  }

  void Drop() override { dropped_ = true; }

  void Interrupt() override {
    interrupted_ = true;
    ::shutdown(socket_.native_handle(), SHUT_RD);
  }

  bool PeerGone() const override {
    ErrorCode error;
    auto const client = socket_.remote_endpoint(error);
    if (error) return true;
    auto const server = socket_.local_endpoint(error);
    return error || !ClientSocketEstablished(client, server);
  }

  /// After the handler: true when the connection can carry another request.
  bool Finish() {
    if (!dropped_ && !close_ && parser_.is_done()) return true;
    if (!dropped_) Linger();
    return false;
  }

 private:
  bool Continue() {
    if (continued_ || parser_.is_done()) return true;
    continued_ = true;
    auto const expect = Header("Expect");
    if (!expect || !beast::iequals(*expect, "100-continue")) return true;
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    ErrorCode error;
    asio::write(socket_, asio::buffer(kContinue.data(), kContinue.size()), error);
    return !error;
  }

  /// Lets the client read our answer before unread bytes turn the close into a reset.
  void Linger() {
    ::shutdown(socket_.native_handle(), SHUT_WR);
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    std::vector<char> sink(kReadSize);
    while (!stopping_ && std::chrono::steady_clock::now() < deadline) {
      pollfd wait{.fd = socket_.native_handle(), .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, 50) < 0) return;
      if (wait.revents == 0) continue;
      if (::recv(socket_.native_handle(), sink.data(), sink.size(), 0) <= 0) return;
    }
  }

  tcp::socket& socket_;
  beast::flat_buffer& buffer_;
  Parser& parser_;
  std::atomic<bool> const& stopping_;
  std::atomic<bool> interrupted_ = false;
  bool continued_ = false;
  bool close_ = false;
  bool dropped_ = false;
};

}  // namespace

class HttpServer::Impl {
 public:
  Impl(std::uint16_t port, std::chrono::milliseconds keep_alive, int receive_buffer,
       Handler handler, std::string const& address)
      : keep_alive_(keep_alive), handler_(std::move(handler)), acceptor_(context_) {
    tcp::endpoint const endpoint(asio::ip::make_address_v4(address), port);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    // Set before listen(): accepted sockets inherit it, and the window is fixed at the handshake.
    if (receive_buffer > 0) {
      acceptor_.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
    }
    acceptor_.bind(endpoint);
    acceptor_.listen();
    port_ = acceptor_.local_endpoint().port();
    accept_thread_ = std::thread([this] { Accept(); });
  }

  ~Impl() { Stop(); }

  std::uint16_t port() const { return port_; }

  void Stop() {
    if (stopping_.exchange(true)) return;
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    accept_thread_.join();
    acceptor_.close();
    {
      std::lock_guard const lock(mutex_);
      for (auto& connection : connections_) {
        ::shutdown(connection.socket.native_handle(), SHUT_RDWR);
      }
    }
    for (auto& connection : connections_) connection.thread.join();
    connections_.clear();
  }

 private:
  struct Connection {
    explicit Connection(tcp::socket accepted) : socket(std::move(accepted)) {}
    tcp::socket socket;
    std::atomic<bool> done = false;
    std::thread thread;
  };

  void Accept() {
    while (!stopping_) {
      ErrorCode error;
      tcp::socket socket = acceptor_.accept(error);
      if (error) {
        if (stopping_ || error == asio::error::invalid_argument) return;
        continue;
      }
      socket.set_option(tcp::no_delay(true), error);
      std::lock_guard const lock(mutex_);
      Reap();
      Connection& connection = connections_.emplace_back(std::move(socket));
      connection.thread = std::thread([this, &connection] { Serve(connection); });
    }
  }

  void Reap() {
    connections_.remove_if([](Connection& connection) {
      if (!connection.done) return false;
      connection.thread.join();
      return true;
    });
  }

  void Serve(Connection& connection) {
    beast::flat_buffer buffer;
    buffer.reserve(kReadSize);
    while (!stopping_ && WaitForRequest(connection.socket, buffer)) {
      Exchange::Parser parser;
      // Not boost::none: Beast 1.74 then refuses a body whose length is announced.
      parser.body_limit(std::numeric_limits<std::uint64_t>::max());
      parser.header_limit(kHeaderLimit);
      ErrorCode error;
      http::read_header(connection.socket, buffer, parser, error);
      if (error) break;
      Exchange exchange(connection.socket, buffer, parser, stopping_);
      handler_(exchange);
      if (!exchange.Finish()) break;
    }
    // Closed here and not when the thread is reaped: a dropped client must notice at once. The
    // lock keeps Stop() from shutting down a descriptor number that has a new owner.
    std::lock_guard const lock(mutex_);
    ErrorCode ignored;
    connection.socket.close(ignored);
    connection.done = true;
  }

  bool WaitForRequest(tcp::socket& socket, beast::flat_buffer const& buffer) const {
    if (buffer.size() > 0) return true;
    pollfd wait{.fd = socket.native_handle(), .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, static_cast<int>(keep_alive_.count())) > 0;
  }

  std::chrono::milliseconds const keep_alive_;
  Handler const handler_;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;  // guards connections_ while the accept thread runs
  std::list<Connection> connections_;
  std::thread accept_thread_;
};

HttpServer::HttpServer(std::uint16_t port, std::chrono::milliseconds keep_alive, int receive_buffer,
                       Handler handler, std::string const& address)
    : impl_(std::make_unique<Impl>(port, keep_alive, receive_buffer, std::move(handler), address)) {
}
HttpServer::~HttpServer() = default;
std::uint16_t HttpServer::port() const { return impl_->port(); }
void HttpServer::Stop() { impl_->Stop(); }

}  // namespace tusfs_testing
