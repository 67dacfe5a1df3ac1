#include "metrics/metrics_server.h"

#include <httplib.h>

#include <utility>

namespace tusfs {
namespace {

constexpr std::size_t kLargestBody = 4096;  // bytes, which nobody wants
constexpr char kTextFormat[] = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

MetricsServer::MetricsServer(ListenAddress address, std::function<std::string()> collect,
                             Logger logger)
    : collect_(std::move(collect)),
      server_(
          {.what = "metrics", .address = std::move(address), .largest_body = kLargestBody},
          [this](auto const& request, auto& response) { Answer(request, response); },
          std::move(logger)) {}

void MetricsServer::Answer(httplib::Request const& request, httplib::Response& response) const {
  bool const is_read = request.method == "GET" || request.method == "HEAD";
  if (!is_read || request.path != "/metrics") {
    response.status = is_read ? 404 : 405;
    return response.set_content("the metrics are at GET /metrics\n", "text/plain");
  }
  auto text = collect_();
  response.status = text.empty() ? 503 : 200;
  if (text.empty()) text = "the state of the mount cannot be read now: see its log\n";
  response.set_content(text, kTextFormat);
}

}  // namespace tusfs
