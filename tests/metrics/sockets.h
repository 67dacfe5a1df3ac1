// Ports of this machine, and peers that do with a connection what they like.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "base/file.h"

namespace tusfs {

inline sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

/// A socket of this machine that is bound, with its port.
struct Bound {
  UniqueFd socket;
  int port = 0;
};

inline Bound Bind() {
  Bound bound{UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  auto address = Loopback(0);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(bound.socket.get(), generic, size), 0);
  EXPECT_EQ(::listen(bound.socket.get(), 1), 0);
  EXPECT_EQ(::getsockname(bound.socket.get(), generic, &size), 0);
  bound.port = ntohs(address.sin_port);
  return bound;
}

inline int FreePort() { return Bind().port; }

inline UniqueFd ConnectTo(int port) {
  UniqueFd peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto const address = Loopback(port);
  EXPECT_EQ(::connect(peer.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address), 0);
  return peer;
}

}  // namespace tusfs
