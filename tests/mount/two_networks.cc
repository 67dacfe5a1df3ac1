#include "mount/two_networks.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace tusfs_testing {
namespace {

constexpr char const* kServer = "10.77.9.1";

void Run(Command const& command) {
  auto const done = RunProgram(command);
  if (done.code == 0) return;
  std::string words;
  for (auto const& word : command) words += word + " ";
  throw std::runtime_error(words + "failed: " + done.err);
}

int OpenNamespace() {
  int const fd = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "open of the namespace");
  return fd;
}

void EnterNewNamespace() {
  if (::unshare(CLONE_NEWNET) != 0) {
    throw std::system_error(errno, std::generic_category(), "unshare");
  }
  Run({"ip", "link", "set", "lo", "up"});
}

/// Each is a network of its own: 10.77.1.0/24 and 10.77.2.0/24.
std::string AddressIn(std::string const& interface, int host) {
  bool const is_first = interface == TwoNetworks::kFirst;
  return std::string(is_first ? "10.77.1." : "10.77.2.") + std::to_string(host);
}

std::string PathOf(int fd) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd);
}

}  // namespace

std::string TwoNetworks::WhyNot() {
  for (auto const* const program : {"ip", "tc", "nsenter"}) {
    if (!HaveProgram(program)) return std::string(program) + " is not installed";
  }
  auto const tried =
      RunProgram({"unshare", "--net", "sh", "-c",
                  "ip link add one0 type veth peer name two0 && ip link set one0 up && "
                  "tc qdisc add dev one0 root tbf rate 8mbit burst 64kb latency 50ms"});
  return tried.code == 0 ? "" : "no network namespace with shaped devices: " + tried.err;
}

TwoNetworks::TwoNetworks(FixtureOptions server) : home_(OpenNamespace()) {
  EnterNewNamespace();
  there_ = OpenNamespace();
  Run({"ip", "address", "add", std::string(kServer) + "/32", "dev", "lo"});
  server.address = kServer;
  server_ = std::make_unique<FixtureServer>(std::move(server));
  EnterNewNamespace();
  for (auto const* const interface : {kFirst, kSecond}) Connect(interface);
}

TwoNetworks::~TwoNetworks() {
  server_.reset();
  static_cast<void>(::setns(home_, CLONE_NEWNET));
  ::close(there_);
  ::close(home_);
}

void TwoNetworks::Connect(std::string const& interface) {
  Run({"ip", "link", "add", interface, "type", "veth", "peer", "name", interface, "netns",
       PathOf(there_)});
  Run({"ip", "address", "add", AddressIn(interface, 2) + "/24", "dev", interface});
  Run({"ip", "link", "set", interface, "up"});
  RunThere({"ip", "address", "add", AddressIn(interface, 1) + "/24", "dev", interface});
  RunThere({"ip", "link", "set", interface, "up"});
  Route(interface);
}

void TwoNetworks::Route(std::string const& interface) {
  Run({"ip", "route", "replace", kServer, "via", AddressIn(interface, 1), "dev", interface,
       "metric", interface == kFirst ? "1" : "2"});
}

void TwoNetworks::RunThere(Command command) {
  command.insert(command.begin(), {"nsenter", "--net=" + PathOf(there_)});
  Run(command);
}

void TwoNetworks::Shape(std::string const& interface, std::uint64_t bytes_per_second) {
  Run({"tc", "qdisc", "replace", "dev", interface, "root", "tbf", "rate",
       std::to_string(bytes_per_second) + "bps", "burst", "64kb", "latency", "100ms"});
}

void TwoNetworks::Unplug(std::string const& interface) {
  RunThere({"ip", "link", "set", interface, "down"});
}

void TwoNetworks::Plug(std::string const& interface) {
  RunThere({"ip", "link", "set", interface, "up"});
  Route(interface);
}

std::uint64_t TwoNetworks::Left(std::string const& interface) {
  std::ifstream devices("/proc/thread-self/net/dev");
  for (std::string line; std::getline(devices, line);) {
    auto const colon = line.find(':');
    auto const name = line.find_first_not_of(' ');
    if (colon == std::string::npos || line.substr(name, colon - name) != interface) continue;
    // Eight numbers of what came, then those of what left.
    std::istringstream numbers(line.substr(colon + 1));
    std::uint64_t bytes = 0;
    for (int i = 0; i < 9; ++i) numbers >> bytes;
    return bytes;
  }
  return 0;
}

}  // namespace tusfs_testing
