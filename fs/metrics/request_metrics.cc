#include "metrics/request_metrics.h"

#include <prometheus/counter.h>

#include <array>
#include <chrono>

namespace tusfs {
namespace {

// Seconds. A body takes about ten.
prometheus::Histogram::BucketBoundaries const kBuckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                       1,     2.5,  5,     10,   30,  60};

std::string ClassOf(int status) {
  return status == 0 ? "none" : std::to_string(status / 100) + "xx";
}

class MeasuredTransport final : public tus::HttpTransport {
 public:
  MeasuredTransport(std::unique_ptr<tus::HttpTransport> inner, RequestMetrics& metrics)
      : inner_(std::move(inner)), metrics_(metrics) {}

  [[nodiscard]] tus::Result<tus::HttpResponse> Perform(tus::HttpRequest const& request) override {
    auto const start = std::chrono::steady_clock::now();
    auto answer = inner_->Perform(request);
    // What was cancelled here says nothing about the server.
    if (!answer && answer.error().code == tus::ErrorCode::kCancelled) return answer;
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - start;
    metrics_.Count(request.method, answer ? answer->status : 0, took.count());
    return answer;
  }

 private:
  std::unique_ptr<tus::HttpTransport> const inner_;
  RequestMetrics& metrics_;
};

}  // namespace

RequestMetrics::RequestMetrics()
    : requests_(prometheus::BuildCounter()
                    .Name("tusfs_requests_total")
                    .Help("Requests to the server, by method and class of its answer")
                    .Register(registry_)),
      durations_(prometheus::BuildHistogram()
                     .Name("tusfs_request_duration_seconds")
                     .Help("How long requests took, with their bodies")
                     .Register(registry_)) {}

std::unique_ptr<tus::HttpTransport> RequestMetrics::Measure(
    std::unique_ptr<tus::HttpTransport> inner) {
  return std::make_unique<MeasuredTransport>(std::move(inner), *this);
}

void RequestMetrics::Count(std::string const& method, int status, double seconds) {
  requests_.Add({{"method", method}, {"answer", ClassOf(status)}}).Increment();
  durations_.Add({{"method", method}}, kBuckets).Observe(seconds);
}

}  // namespace tusfs
