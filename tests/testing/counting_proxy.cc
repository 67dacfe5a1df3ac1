#include "testing/counting_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace tusfs_testing {
namespace {

// Small, so that what a slow server has not taken is still with the client.
constexpr int kSocketBuffer = 256 * 1024;
constexpr std::size_t kStep = 64 * 1024;

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

CountingProxy::CountingProxy(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {
  listener_ = Listen(0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Fail("getsockname");
  }
  port_ = ntohs(address.sin_port);
}

CountingProxy::~CountingProxy() {
  Stop();
  if (listener_ >= 0) ::close(listener_);
}

void CountingProxy::Start(std::uint16_t backend) {
  backend_ = backend;
  if (!stopping_.exchange(false)) return;
  if (listener_ < 0) listener_ = Listen(port_);
  accept_thread_ = std::thread([this] { Accept(); });
}

void CountingProxy::Stop() {
  if (stopping_.exchange(true)) return;
  ::shutdown(listener_, SHUT_RDWR);
  accept_thread_.join();
  ::close(listener_);
  listener_ = -1;
  {
    std::lock_guard const lock(mutex_);
    for (auto& relay : relays_) {
      if (relay.client >= 0) ::shutdown(relay.client, SHUT_RDWR);
      if (relay.server >= 0) ::shutdown(relay.server, SHUT_RDWR);
    }
  }
  for (auto& relay : relays_) relay.thread.join();
  relays_.clear();
}

void CountingProxy::Accept() {
  while (!stopping_) {
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
    relay.thread =
        std::thread([this, &relay, backend = backend_.load()] { Serve(relay, backend); });
  }
}

void CountingProxy::Serve(Relay& relay, std::uint16_t backend) {
  int const server = Connect(backend);
  {
    std::lock_guard const lock(mutex_);
    relay.server = server;
  }
  bool client_open = server >= 0;
  bool server_open = server >= 0;
  while (server_open && !stopping_) {
    pollfd wait[2] = {{.fd = client_open ? relay.client : -1, .events = POLLIN, .revents = 0},
                      {.fd = server, .events = POLLIN, .revents = 0}};
    if (::poll(wait, 2, 1000) < 0) break;
    if (wait[1].revents != 0) server_open = Forward(server, relay.client, false);
    if (wait[0].revents != 0 && server_open) {
      client_open = Forward(relay.client, server, true);
      if (!client_open) ::shutdown(server, SHUT_WR);
    }
  }
  std::lock_guard const lock(mutex_);
  if (relay.client >= 0) ::close(relay.client);
  if (relay.server >= 0) ::close(relay.server);
  relay.client = -1;
  relay.server = -1;
  relay.done = true;
}

bool CountingProxy::Forward(int from, int to, bool count) {
  char buffer[kStep];
  ssize_t const got = ::recv(from, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  auto const size = static_cast<std::size_t>(got);
  if (count) {
    rate_.Take(size);
    sent_bytes_ += size;
  }
  for (std::size_t done = 0; done < size;) {
    ssize_t const sent = ::send(to, buffer + done, size - done, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += static_cast<std::size_t>(sent);
  }
  return true;
}

}  // namespace tusfs_testing
