#include "curl_settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

#include "fail.h"

namespace tus {
namespace {

/// Dead peers are noticed while a request waits for its answer, and NAT tables remember us.
constexpr long kKeepAliveIdleSeconds = 30;
constexpr long kKeepAliveIntervalSeconds = 15;

long IpVersion(CurlTransportOptions::Ip ip) {
  switch (ip) {
    case CurlTransportOptions::Ip::k4:
      return CURL_IPRESOLVE_V4;
    case CurlTransportOptions::Ip::k6:
      return CURL_IPRESOLVE_V6;
    case CurlTransportOptions::Ip::kAny:
      break;
  }
  return CURL_IPRESOLVE_WHATEVER;
}

void ApplyTls(EasyOptions& easy, CurlTransportOptions const& settings) {
  easy.Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  easy.Set(CURLOPT_SSL_VERIFYPEER, 1L);
  easy.Set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!settings.ca_file.empty()) {
    easy.Set(CURLOPT_CAINFO, settings.ca_file.c_str());
    easy.Set(CURLOPT_CAPATH, static_cast<char const*>(nullptr));  // instead of, not besides
  }
  if (!settings.client_cert.empty()) {
    easy.Set(CURLOPT_SSLCERT, settings.client_cert.c_str());
    // Without a pass phrase OpenSSL would ask the terminal for one.
    easy.Set(CURLOPT_KEYPASSWD, "");
  }
  if (!settings.client_key.empty()) easy.Set(CURLOPT_SSLKEY, settings.client_key.c_str());
}

/// Empty where the effective user can read `path`.
std::string WhyUnreadable(std::string const& path) {
  // Not by opening it: that would take the bytes of a pipe.
  struct stat status {};
  int error = 0;
  if (faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0 ||
      stat(path.c_str(), &status) != 0) {
    error = errno;
  } else if (S_ISDIR(status.st_mode)) {
    error = EISDIR;
  }
  return error == 0 ? std::string() : std::system_category().message(error);
}

}  // namespace

void ApplySettings(EasyOptions& easy, CurlTransportOptions const& settings) {
  easy.Set(CURLOPT_USERAGENT, settings.user_agent.c_str());
  easy.Set(CURLOPT_PROTOCOLS_STR, "http,https");
  // Over TLS only: to a plain server libcurl would have to guess that it speaks HTTP/2.
  easy.Set(CURLOPT_HTTP_VERSION,
           static_cast<long>(settings.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  easy.Set(CURLOPT_FOLLOWLOCATION, 0L);
  easy.Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  easy.Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  ApplyTls(easy, settings);

  easy.Set(CURLOPT_NOSIGNAL, 1L);
  // Lets a cancelled exchange leave a name server that does not answer behind.
  easy.Set(CURLOPT_QUICK_EXIT, 1L);
  easy.Set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(settings.connect_timeout.count()));
  easy.Set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  easy.Set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(settings.stall_timeout.count()));
  easy.Set(CURLOPT_TCP_KEEPALIVE, 1L);
  easy.Set(CURLOPT_TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  easy.Set(CURLOPT_TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  easy.Set(CURLOPT_TCP_NODELAY, 1L);
  easy.Set(CURLOPT_IPRESOLVE, IpVersion(settings.ip));
  if (!settings.interface.empty()) easy.Set(CURLOPT_INTERFACE, settings.interface.c_str());
}

std::optional<Error> FileTrouble(CurlTransportOptions const& settings,
                                 std::string const& netrc_file) {
  struct File {
    std::string_view what;
    std::string const& path;
    ErrorCode code;
  };
  for (auto const& file :
       {File{"CA file", settings.ca_file, ErrorCode::kUnreachable},
        File{"client certificate", settings.client_cert, ErrorCode::kUnreachable},
        File{"client key", settings.client_key, ErrorCode::kUnreachable},
        File{"netrc file", netrc_file, ErrorCode::kUnauthorized}}) {
    if (file.path.empty()) continue;
    if (auto const why = WhyUnreadable(file.path); !why.empty()) {
      return MakeError(file.code, "the " + std::string(file.what) + " '" + file.path +
                                      "' cannot be read: " + why);
    }
  }
  return std::nullopt;
}

}  // namespace tus
