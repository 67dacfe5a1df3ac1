// Listens on an address of one's choice, for what a mount tells over HTTP: the metrics, the page.
//
// Where the address cannot be had, it is tried again until it can: a predecessor may just be
// ending. As many requests are answered at a time as there are threads, as many wait, and the
// kernel keeps the rest: a crowd costs no descriptors that files need.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/listen_address.h"
#include "base/logger.h"

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace tusfs {

class HttpServer {
 public:
  /// Answers one request. On threads of the server's own; outlives it.
  using Answer = std::function<void(httplib::Request const&, httplib::Response&)>;

  struct Options {
    std::string what{};  ///< "metrics": the log's word for it
    ListenAddress address{};
    std::size_t threads = 8;           ///< requests that are answered at a time
    std::size_t largest_body = 0;      ///< bytes of a request's
    std::vector<std::string> forms{};  ///< paths to which forms may be sent; else no body is read
    /// Hears whether it listens; on the server's thread.
    std::function<void(bool)> tell{};
  };
  /// Begins to listen.
  HttpServer(Options options, Answer answer, Logger logger);
  /// Waits for answers that are being given, at most some seconds where these end by themselves.
  ~HttpServer();
  HttpServer(HttpServer const&) = delete;
  HttpServer& operator=(HttpServer const&) = delete;

 private:
  class Http;

  void Run(std::stop_token const& stop);

  Options const options_;
  Logger const logger_;
  std::unique_ptr<Http> const http_;
  std::jthread thread_;
};

}  // namespace tusfs
