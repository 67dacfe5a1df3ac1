// How many requests the server answered, how, and how long each took. Thread-safe.
#pragma once

#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <tusclient/transport.h>

#include <memory>
#include <string>
#include <vector>

namespace tusfs {

class RequestMetrics {
 public:
  RequestMetrics();

  /// A transport that counts what goes through `inner`. This outlives it.
  [[nodiscard]] std::unique_ptr<tus::HttpTransport> Measure(
      std::unique_ptr<tus::HttpTransport> inner);

  /// `status` is 0 where there was no answer.
  void Count(std::string const& method, int status, double seconds);

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const {
    return registry_.Collect();
  }

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
};

}  // namespace tusfs
