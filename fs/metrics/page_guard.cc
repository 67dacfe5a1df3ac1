#include "metrics/page_guard.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "base/access_token.h"
#include "base/machine.h"

namespace tusfs {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Without the port, and without the brackets of IPv6.
std::string HostOf(std::string_view text) {
  if (text.starts_with('[')) {
    auto const end = text.find(']');
    return end == std::string_view::npos ? std::string() : Lower(text.substr(1, end - 1));
  }
  return Lower(text.substr(0, text.find(':')));
}

bool IsNumber(std::string const& host) {
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  return ::inet_pton(AF_INET, host.c_str(), parsed.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), parsed.data()) == 1;
}

bool IsAnyAddress(std::string const& host) { return host == "0.0.0.0" || host == "::"; }

// FNV-1a: the name shall be the same in each daemon, no more.
std::string CookieName(std::string const& mount) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char const c : mount) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  char name[32];
  std::snprintf(name, sizeof name, "tusfs-%016llx", static_cast<unsigned long long>(hash));
  return name;
}

}  // namespace

PageGuard::PageGuard(ListenAddress const& address, std::string token, std::string const& mount)
    : is_unix_(!address.path.empty()),
      host_(Lower(address.host)),
      machine_(Lower(HostName())),
      token_(std::move(token)),
      cookie_(CookieName(mount)) {}

bool PageGuard::IsOurHost(std::string_view text) const {
  if (is_unix_) return true;
  auto const host = HostOf(text);
  if (host.empty()) return false;
  auto const first = machine_.substr(0, machine_.find('.'));
  return IsNumber(host) || host == "localhost" || host == host_ || host == machine_ ||
         host == first || host == first + ".local";
}

bool PageGuard::IsOurOrigin(std::string_view origin, std::string_view host) {
  return !host.empty() &&
         (Lower(origin) == "http://" + Lower(host) || Lower(origin) == "https://" + Lower(host));
}

bool PageGuard::IsToken(std::string_view given) const { return IsSameToken(given, token_); }

bool PageGuard::HasToken(std::string_view cookies) const {
  bool has_it = false;
  while (!cookies.empty()) {
    auto const end = std::min(cookies.find(';'), cookies.size());
    auto cookie = cookies.substr(0, end);
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
    while (cookie.starts_with(' ')) cookie.remove_prefix(1);
    if (!cookie.starts_with(cookie_ + "=")) continue;
    has_it = IsToken(cookie.substr(cookie_.size() + 1)) || has_it;
  }
  return has_it;
}

// Lax: who follows a link to the page, as from a mail, is who he was.
std::string PageGuard::Cookie() const {
  return cookie_ + "=" + token_ + "; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax";
}

std::string AddressForBrowsers(ListenAddress const& address) {
  if (!address.path.empty()) return "unix:" + address.path;
  auto host = IsAnyAddress(address.host) ? Lower(HostName()) : address.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(address.port) + "/";
}

}  // namespace tusfs
