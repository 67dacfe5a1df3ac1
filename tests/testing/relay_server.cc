#include "testing/relay_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tusfs_testing {
namespace {

// Small, so that what a slow server has not taken is still with the client.
constexpr int kSocketBuffer = 256 * 1024;

[[noreturn]] void Fail(char const* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Listen(std::uint16_t port) {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int const on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  sockaddr_in const address = Loopback(port);
  if (::bind(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0 ||
      ::listen(fd, 64) != 0) {
    Fail("listen");
  }
  return fd;
}

int Connect(std::uint16_t port) {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int const on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
  sockaddr_in const address = Loopback(port);
  if (::connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

bool SendAll(int to, std::span<char const> bytes) {
  while (!bytes.empty()) {
    ssize_t const sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

RelayServer::RelayServer(Serve serve) : serve_(std::move(serve)) {
  listener_ = Listen(0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Fail("getsockname");
  }
  port_ = ntohs(address.sin_port);
}

RelayServer::~RelayServer() {
  Close();
  if (listener_ >= 0) ::close(listener_);
}

void RelayServer::Open(std::uint16_t backend) {
  backend_ = backend;
  if (open_.exchange(true)) return;
  if (listener_ < 0) listener_ = Listen(port_);
  accept_thread_ = std::thread([this] { Accept(); });
}

void RelayServer::Close() {
  if (!open_.exchange(false)) return;
  ::shutdown(listener_, SHUT_RDWR);
  accept_thread_.join();
  ::close(listener_);
  listener_ = -1;
  {
    std::lock_guard const lock(mutex_);
    for (auto& relay : relays_) {
      if (relay.server >= 0) ::shutdown(relay.server, SHUT_RDWR);
      if (relay.client >= 0) ::shutdown(relay.client, SHUT_RDWR);
    }
  }
  for (auto& relay : relays_) relay.thread.join();
  relays_.clear();
}

void RelayServer::Accept() {
  while (open_) {
    int const client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) {
      if (errno == EINVAL) return;
      continue;
    }
    int const on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::lock_guard const lock(mutex_);
    relays_.remove_if([](Relay& relay) {
      if (!relay.done) return false;
      relay.thread.join();
      return true;
    });
    Relay& relay = relays_.emplace_back();
    relay.client = client;
    relay.thread = std::thread([this, &relay, backend = backend_.load()] { Run(relay, backend); });
  }
}

void RelayServer::Run(Relay& relay, std::uint16_t backend) {
  int const server = Connect(backend);
  {
    std::lock_guard const lock(mutex_);
    relay.server = server;
  }
  if (server >= 0 && open_) serve_(relay.client, server);
  std::lock_guard const lock(mutex_);
  // In this order: whoever connects again finds a server that knows of the end. And said aloud: a
  // child that another thread has just forked holds the descriptors too, until it runs its program.
  for (int const fd : {relay.server, relay.client}) {
    if (fd >= 0) ::shutdown(fd, SHUT_RDWR);
  }
  if (relay.server >= 0) ::close(relay.server);
  ::close(relay.client);
  relay.client = -1;
  relay.server = -1;
  relay.done = true;
}

}  // namespace tusfs_testing
