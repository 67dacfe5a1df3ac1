// The few tus requests that the fixture's own tests send, written out by hand on purpose: a bug
// that tusclient and the server share must not go unnoticed.
#pragma once

#include <cstdint>
#include <string>

#include "testing/fixture_server.h"
#include "testing/http_client.h"

namespace tusfs_testing {

inline Headers Tus(Headers more = {}) {
  more.emplace_back("Tus-Resumable", "1.0.0");
  return more;
}

inline HttpAnswer Post(FixtureServer const& server, Headers headers, std::string const& body = "") {
  return HttpCall("POST", server.Url(), Tus(std::move(headers)), body);
}

/// Creates an upload of `length` bytes and returns its URL.
inline std::string Create(FixtureServer const& server, std::uint64_t length) {
  return Post(server, {{"Upload-Length", std::to_string(length)}}).headers["location"];
}

inline HttpAnswer Patch(std::string const& url, std::uint64_t offset, std::string const& body,
                        Headers headers = {}) {
  headers.emplace_back("Content-Type", "application/offset+octet-stream");
  headers.emplace_back("Upload-Offset", std::to_string(offset));
  return HttpCall("PATCH", url, Tus(std::move(headers)), body);
}

inline HttpAnswer Head(std::string const& url) { return HttpCall("HEAD", url, Tus()); }

inline std::string IdOf(std::string const& url) { return url.substr(url.rfind('/') + 1); }

}  // namespace tusfs_testing
