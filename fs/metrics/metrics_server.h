// Answers GET /metrics, for Prometheus, on an address of one's choice.
//
// Nobody is asked who he is: whom the numbers do not concern is kept out by the address, or by the
// mode of a unix socket's directory.
#pragma once

#include <functional>
#include <string>

#include "base/listen_address.h"
#include "base/logger.h"
#include "metrics/http_server.h"

namespace tusfs {

class MetricsServer {
 public:
  /// Begins to listen. `collect` gives the text, on threads of the server's own, and outlives it;
  /// an empty one is answered with 503.
  MetricsServer(ListenAddress address, std::function<std::string()> collect, Logger logger);

 private:
  void Answer(httplib::Request const& request, httplib::Response& response) const;

  std::function<std::string()> const collect_;
  HttpServer const server_;
};

}  // namespace tusfs
