#include "uploader/interface_watch.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/thread_name.h"

namespace tusfs {
namespace {

constexpr std::size_t kLargestMessage = 16 * 1024;

/// What a link-local address of IPv6 reaches is this network alone.
bool ReachesOthers(sockaddr const* address) {
  if (address == nullptr) return false;
  if (address->sa_family == AF_INET) return true;
  if (address->sa_family != AF_INET6) return false;
  auto const* const six = reinterpret_cast<sockaddr_in6 const*>(address);
  return !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
}

/// All that has arrived; there is nothing to read out of it that looking does not tell.
void Drain(int socket) {
  std::array<char, kLargestMessage> buffer{};
  while (::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0 || errno == ENOBUFS) {
    errno = 0;
  }
}

Result<UniqueFd> HearKernel() {
  UniqueFd kernel(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!kernel) return FailErrno("netlink socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(kernel.get(), reinterpret_cast<sockaddr const*>(&address), sizeof(address)) != 0) {
    return FailErrno("netlink bind");
  }
  return kernel;
}

}  // namespace

std::string WhyInterfaceDown(std::string const& name) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return "the interfaces cannot be listed";
  std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> const owner(list, &::freeifaddrs);
  bool is_there = false;
  bool has_address = false;
  unsigned flags = 0;
  for (auto const* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (name != entry->ifa_name) continue;
    is_there = true;
    flags = entry->ifa_flags;
    has_address = has_address || ReachesOthers(entry->ifa_addr);
  }
  auto const quoted = "the interface '" + name + "'";
  if (!is_there) return "there is no interface '" + name + "' now";
  if ((flags & IFF_UP) == 0) return quoted + " is down";
  if ((flags & IFF_RUNNING) == 0) return quoted + " has no carrier";
  return has_address ? "" : quoted + " has no address";
}

InterfaceWatch::~InterfaceWatch() { Stop(); }

Result<void> InterfaceWatch::Start(std::function<void()> look) {
  // Heard first, looked at then: no change falls between the two.
  auto kernel = HearKernel();
  end_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  look();
  if (!kernel) return Failure(kernel.error());
  if (!end_) return FailErrno("eventfd");
  kernel_ = *std::move(kernel);
  thread_ = std::jthread([this, look = std::move(look)](std::stop_token const& stop) {
    NameThread("interfaces");
    Listen(stop, look);
  });
  return {};
}

void InterfaceWatch::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  ::eventfd_write(end_.get(), 1);
  thread_.join();
}

void InterfaceWatch::Listen(std::stop_token const& stop, std::function<void()> const& look) {
  std::array<pollfd, 2> sources{pollfd{.fd = kernel_.get(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = end_.get(), .events = POLLIN, .revents = 0}};
  while (!stop.stop_requested()) {
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return;
    if (stop.stop_requested()) return;
    Drain(kernel_.get());
    look();
  }
}

}  // namespace tusfs
