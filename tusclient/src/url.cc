#include "url.h"

#include <curl/curl.h>
#include <idn2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "fail.h"
#include "text.h"
#include "tusclient/client.h"
#include "tusclient/origin.h"
#include "tusclient/redact.h"

namespace tus {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

/// Of DNS, 253; and a zone.
constexpr std::size_t kMaxHost = 300;

std::string_view DefaultPort(std::string_view scheme) { return scheme == "https" ? "443" : "80"; }

/// An absent part is an empty one.
std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  return result;
}

bool Has(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  auto const result = curl_url_get(url, part, &text, 0);
  curl_free(text);
  return result == CURLUE_OK;
}

/// Whether all went well; an out-of-memory here is reported like a URL that cannot be used.
bool SetPart(CURLU* url, CURLUPart part, char const* text, unsigned flags = 0) {
  return curl_url_set(url, part, text, flags) == CURLUE_OK;
}

/// Names beyond ASCII are compared, and resolved, by their ASCII form. Empty where there is none.
std::string AsciiOf(std::string const& host) {
  bool const is_ascii =
      std::all_of(host.begin(), host.end(), [](char c) { return (c & 0x80) == 0; });
  if (is_ascii) return host;
  char* text = nullptr;
  int const flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
  if (idn2_to_ascii_8z(host.c_str(), &text, flags) != IDN2_OK) return {};
  std::string ascii(text);
  idn2_free(text);
  return ascii;
}

/// Lower case, so that comparing is comparing bytes.
std::string LowerHost(CURLU* url) {
  auto host = AsciiOf(Part(url, CURLUPART_HOST));
  std::transform(host.begin(), host.end(), host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return host;
}

/// With the zone of a link-local address: on another interface somebody else has it.
std::string HostOf(CURLU* url) {
  auto host = LowerHost(url);
  auto const zone = Part(url, CURLUPART_ZONEID);
  if (!zone.empty() && host.ends_with(']')) host.insert(host.size() - 1, "%25" + zone);
  return host;
}

Origin OriginOf(CURLU* url) {
  return {Part(url, CURLUPART_SCHEME), HostOf(url), Part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT)};
}

/// Whether reading the text of `url` leads to the same host. libcurl undoes escapes each time that
/// it reads a host, and only before that it takes numbers for addresses.
bool IsSameAgain(CURLU* url) {
  UrlHandle const again(curl_url());
  auto const text = Part(url, CURLUPART_URL);
  return again && SetPart(again.get(), CURLUPART_URL, text.c_str(), CURLU_URLENCODE) &&
         HostOf(again.get()) == HostOf(url);
}

/// Empty when `url` may be used, else the end of a sentence that says why not.
std::string_view Complaint(CURLU* url) {
  auto const scheme = Part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return "has a scheme other than http and https";
  auto const written = Part(url, CURLUPART_HOST);
  if (written.empty()) return "names no host";
  auto const host = HostOf(url);
  bool const is_escaped = written.find('%') != std::string::npos;
  if (is_escaped || host.empty() || FirstWords(host, kMaxHost) != host || !IsSameAgain(url)) {
    return "names a host that cannot be";
  }
  if (Has(url, CURLUPART_USER) || Has(url, CURLUPART_PASSWORD)) {  // empty ones, too
    return "contains a user name or password, which belong into a header";
  }
  return {};
}

Result<UrlHandle> ParseAbsolute(std::string const& text) {
  UrlHandle url(curl_url());
  auto const result = url ? curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_URLENCODE)
                          : CURLUE_OUT_OF_MEMORY;
  if (result == CURLUE_BAD_SCHEME && text.find("://") == std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "the URL does not begin with http:// or https://");
  }
  if (result != CURLUE_OK) {
    return Fail(ErrorCode::kInvalidArgument,
                std::string("the URL cannot be used: ") + curl_url_strerror(result));
  }
  if (auto const complaint = Complaint(url.get()); !complaint.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "the URL " + std::string(complaint));
  }
  return url;
}

/// `url` in the form in which it is kept: a lower-case host, no fragment. Empty when that fails.
std::string Normalized(CURLU* url) {
  auto const host = LowerHost(url);
  auto const zone = Part(url, CURLUPART_ZONEID);  // goes when the host is set
  if (!SetPart(url, CURLUPART_HOST, host.c_str()) || !SetPart(url, CURLUPART_FRAGMENT, nullptr) ||
      (!zone.empty() && !SetPart(url, CURLUPART_ZONEID, zone.c_str()))) {
    return {};
  }
  return Part(url, CURLUPART_URL);
}

/// Gives `url` the zone by which the server was reached, unless it names another host or zone.
bool RestoreZone(CURLU* url, std::string const& host, std::string const& zone) {
  bool const lost = !zone.empty() && LowerHost(url) == host && Part(url, CURLUPART_ZONEID).empty();
  return !lost || SetPart(url, CURLUPART_ZONEID, zone.c_str());
}

/// Takes `url` from http to the https origin it should have named.
bool RestoreHttps(CURLU* url, Origin const& secure) {
  auto const port = Part(url, CURLUPART_PORT);
  // A proxy that strips "s" from the scheme strips its own port as well, so no port means the one
  // that the request went to.
  bool const lost_port = port.empty() || port == "80";
  auto const& wanted = lost_port ? secure.port : port;
  return SetPart(url, CURLUPART_SCHEME, "https") &&
         SetPart(url, CURLUPART_PORT, wanted == DefaultPort("https") ? nullptr : wanted.c_str());
}

}  // namespace

std::string Origin::Text() const {
  auto text = scheme + "://" + host;
  if (port != DefaultPort(scheme)) text += ":" + port;
  return text;
}

Result<Origin> OriginOf(std::string const& url) {
  // A request asks several times about the same few.
  thread_local std::array<std::pair<std::string, Origin>, 4> recent;
  thread_local std::size_t oldest = 0;
  for (auto const& [known, origin] : recent) {
    if (!known.empty() && known == url) return origin;
  }
  auto const parsed = ParseAbsolute(url);
  if (!parsed) return tl::unexpected(parsed.error());
  auto const origin = OriginOf(parsed->get());
  recent[oldest++ % recent.size()] = {url, origin};
  return origin;
}

bool AreOfOneOrigin(std::string const& one, std::string const& other) {
  auto const first = OriginOf(one);
  auto const second = OriginOf(other);
  return first && second && *first == *second;
}

std::string PathOf(std::string const& url) {
  auto const authority = url.find("://");
  auto const path = authority == std::string::npos ? authority : url.find('/', authority + 3);
  return path == std::string::npos ? "/" : url.substr(path);
}

Result<std::string> ResolveUrl(std::string const& base, std::string const& reference) {
  auto const url = ParseAbsolute(base);
  if (!url) return tl::unexpected(url.error());
  auto const from = OriginOf(url->get());
  auto const host = LowerHost(url->get());
  auto const zone = Part(url->get(), CURLUPART_ZONEID);

  if (reference.empty() ||
      !SetPart(url->get(), CURLUPART_URL, reference.c_str(), CURLU_URLENCODE) ||
      !RestoreZone(url->get(), host, zone)) {
    return Fail(ErrorCode::kProtocol, "the URL that the server gave cannot be used");
  }
  if (auto const complaint = Complaint(url->get()); !complaint.empty()) {
    return Fail(ErrorCode::kProtocol, "the URL that the server gave " + std::string(complaint));
  }
  auto const to = OriginOf(url->get());
  if (from.scheme == "https" && to.scheme == "http") {
    if (to.host != from.host || !RestoreHttps(url->get(), from)) {
      return Fail(ErrorCode::kProtocol,
                  "the URL that the server gave leaves https for http on another host");
    }
  }
  auto normalized = Normalized(url->get());
  if (normalized.empty()) {
    return Fail(ErrorCode::kProtocol, "the URL that the server gave cannot be used");
  }
  return normalized;
}

bool DifferInSlash(std::string const& one, std::string const& other) {
  auto const& [longer, shorter] =
      one.size() > other.size() ? std::pair(one, other) : std::pair(other, one);
  auto const query = std::min(longer.find('?'), longer.size());
  if (query == 0 || longer[query - 1] != '/') return false;
  return longer.substr(0, query - 1) + longer.substr(query) == shorter;
}

std::string RedactUrl(std::string_view url) {
  constexpr std::string_view kHidden = "***";
  auto const scheme = url.find("://");
  auto const authority = scheme == std::string_view::npos ? 0 : scheme + 3;
  auto const behind = url.find_first_of("?#");
  auto const path = std::min(url.find('/', authority), behind);
  // A "?" in a password ends the authority too early, and then what is behind it is hidden.
  auto const user = url.substr(authority, path - authority).rfind('@');
  std::string shown(url.substr(0, authority));
  if (user == std::string_view::npos) {
    shown += url.substr(authority, behind - authority);
  } else {
    shown += std::string(kHidden);
    shown += url.substr(authority + user, behind - authority - user);
  }
  if (behind != std::string_view::npos) shown += url[behind] + std::string(kHidden);
  return shown;
}

bool HasSecret(std::string_view url) { return RedactUrl(url) != url; }

Result<std::string> NormalizeEndpoint(std::string const& text) {
  auto const url = ParseAbsolute(text);
  if (!url) return tl::unexpected(url.error());
  auto normalized = Normalized(url->get());
  if (normalized.empty()) return Fail(ErrorCode::kInvalidArgument, "the URL cannot be used");
  return normalized;
}

}  // namespace tus
