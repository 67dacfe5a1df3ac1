// Answers GET /metrics, for Prometheus, on an address of one's choice.
//
// Where the address cannot be had, it is tried again until it can: a predecessor may just be
// ending. Nobody is asked who he is: whom the numbers do not concern is kept out by the address, or
// by the mode of a unix socket's directory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/listen_address.h"
#include "base/logger.h"

namespace tusfs {

class MetricsServer {
 public:
  /// Begins to listen. `collect` gives the text, on threads of the server's own, and outlives it;
  /// an empty one is answered with 503.
  MetricsServer(ListenAddress address, std::function<std::string()> collect, Logger logger);
  /// Waits for answers that are being given, at most some seconds.
  ~MetricsServer();
  MetricsServer(MetricsServer const&) = delete;
  MetricsServer& operator=(MetricsServer const&) = delete;

 private:
  class Http;

  void Run(std::stop_token const& stop);

  ListenAddress const address_;
  Logger const logger_;
  std::unique_ptr<Http> const http_;
  std::jthread thread_;
};

}  // namespace tusfs
