// One HTTP request through libcurl, for tests that talk to a server directly.
#pragma once

#include <map>
#include <string>

#include "testing/http_server.h"

namespace tusfs_testing {

struct HttpAnswer {
  int status = 0;                              // 0: no answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

/// Blocks until the answer is there, the connection broke or 60 s have passed. A connection of its
/// own each time.
[[nodiscard]] HttpAnswer HttpCall(std::string const& method, std::string const& url,
                                  Headers const& headers = {}, std::string const& body = "");

}  // namespace tusfs_testing
