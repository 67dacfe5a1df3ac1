#include "raw_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace tus {

bool RawConnection::Fill() {
  std::array<char, 65536> chunk{};
  auto const count = recv(fd_, chunk.data(), chunk.size(), 0);
  if (count > 0) buffer_.append(chunk.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::string RawConnection::ReadHead() {
  auto end = std::string::npos;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return {};
  }
  auto head = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  return head;
}

std::string RawConnection::ReadBody(std::size_t size) {
  while (buffer_.size() < size && Fill()) {
  }
  auto body = buffer_.substr(0, size);
  buffer_.erase(0, body.size());
  return body;
}

bool RawConnection::Send(std::string_view text) {
  while (!text.empty()) {
    auto const count = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void RawConnection::WaitForClose() {
  while (Fill()) buffer_.clear();
}

void RawConnection::WaitForStop() {
  // The client's FIN or RST ends the wait as well; unread bytes do not.
  pollfd hangup{.fd = fd_, .events = 0, .revents = 0};
  poll(&hangup, 1, static_cast<int>(std::chrono::milliseconds(kDeadline).count()));
}

void RawConnection::Close() { shutdown(fd_, SHUT_RDWR); }

void RawConnection::FinishSending() { shutdown(fd_, SHUT_WR); }

void RawConnection::Reset() {
  // Connecting a TCP socket to "no address" is Linux' way to drop it with a RST at once, while the
  // descriptor stays ours.
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  EXPECT_EQ(connect(fd_, &nobody, sizeof(nobody)), 0);
}

RawServer::RawServer(Script script)
    : script_(std::move(script)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  setenv("no_proxy", "*", 1);  // a proxy in the environment would not find us
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(listener_, generic, size), 0);
  EXPECT_EQ(listen(listener_, 16), 0);
  EXPECT_EQ(getsockname(listener_, generic, &size), 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this](std::stop_token const& stop) { Accept(stop); });
}

RawServer::~RawServer() {
  acceptor_.request_stop();
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    std::lock_guard const lock(mutex_);
    for (int const fd : fds_) shutdown(fd, SHUT_RDWR);
  }
  workers_.clear();  // joins
  for (int const fd : fds_) close(fd);
  close(listener_);
}

std::string RawServer::Url(std::string_view scheme) const {
  return std::string(scheme) + "://127.0.0.1:" + std::to_string(port_) + "/files/SECRET";
}

void RawServer::Accept(std::stop_token const& stop) {
  while (!stop.stop_requested()) {
    int const fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    timeval const deadline{.tv_sec = kDeadline.count(), .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
    {
      std::lock_guard const lock(mutex_);
      fds_.push_back(fd);
    }
    workers_.emplace_back([this, fd, number = ++connections_] {
      RawConnection connection(fd, number);
      script_(connection);
      shutdown(fd, SHUT_RDWR);
    });
  }
}

}  // namespace tus
