#include "base/listen_address.h"

#include <sys/un.h>

#include <cerrno>
#include <charconv>

namespace tusfs {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr int kLargestPort = 65535;
constexpr std::size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

Result<int> ParsePort(std::string_view text) {
  int port = 0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end || port < 1 || port > kLargestPort) {
    return Fail(EINVAL,
                "it takes HOST:PORT, [IPV6]:PORT, a PORT of this machine (1 to 65535) or "
                "unix:/PATH");
  }
  return port;
}

Result<ListenAddress> ParsePath(std::string path) {
  if (!path.starts_with('/')) return Fail(EINVAL, "the path behind unix: begins with a slash");
  if (path.size() > kLongestPath) {
    return Fail(EINVAL,
                "the path of a unix socket has at most " + std::to_string(kLongestPath) + " bytes");
  }
  return ListenAddress{.path = std::move(path)};
}

}  // namespace

Result<ListenAddress> ParseListenAddress(std::string const& text) {
  if (text.starts_with(kUnix)) return ParsePath(text.substr(kUnix.size()));
  auto const colon = text.rfind(':');
  auto host = colon == std::string::npos ? std::string("127.0.0.1") : text.substr(0, colon);
  auto const port = ParsePort(std::string_view(text).substr(colon + 1));
  if (!port) return Failure(port.error());
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.empty() || host.find_first_of(":[]") != std::string::npos) {
    return Fail(EINVAL, "the host before the port is a name, a number or an [IPV6] in brackets");
  }
  return ListenAddress{.host = std::move(host), .port = *port};
}

}  // namespace tusfs
