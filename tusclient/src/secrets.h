// What no message may repeat: where an upload is, and what proves who is asking.
//
// Servers and proxies like to quote a request in their errors, and errors end in logs, on screens
// and with people who help. A plain value that belongs to one request.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tusclient/transport.h"

namespace tus {

class Secrets {
 public:
  Secrets() = default;
  Secrets(std::initializer_list<std::string_view> secrets);

  /// The URL of an upload, and whatever of its path and query is not the endpoint's as well.
  void AddUrl(std::string const& url, std::string const& endpoint);

  /// The values, and of "Bearer …" and the like the last word alone.
  void AddHeaders(std::vector<Header> const& headers);

  /// `words`, which are fit for a terminal (FirstWords), with "…" for each secret.
  [[nodiscard]] std::string CutFrom(std::string words) const;

 private:
  std::vector<std::string> secrets_;  ///< longest first: what contains another goes as a whole

  void Add(std::string_view secret);
};

}  // namespace tus
