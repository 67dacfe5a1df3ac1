#include "testing/counting_proxy.h"

#include <poll.h>
#include <sys/socket.h>

namespace tusfs_testing {
namespace {

constexpr std::size_t kStep = 64 * 1024;

}  // namespace

CountingProxy::CountingProxy(std::uint64_t bytes_per_second)
    : rate_(bytes_per_second), relays_([this](int client, int server) { Serve(client, server); }) {}

void CountingProxy::Serve(int client, int server) {
  bool client_open = true;
  bool server_open = true;
  while (server_open && relays_.open()) {
    pollfd wait[2] = {{.fd = client_open ? client : -1, .events = POLLIN, .revents = 0},
                      {.fd = server, .events = POLLIN, .revents = 0}};
    if (::poll(wait, 2, 1000) < 0) break;
    if (wait[1].revents != 0) server_open = Forward(server, client, false);
    if (wait[0].revents != 0 && server_open) {
      client_open = Forward(client, server, true);
      if (!client_open) ::shutdown(server, SHUT_WR);
    }
  }
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
  return SendAll(to, {buffer, size});
}

}  // namespace tusfs_testing
