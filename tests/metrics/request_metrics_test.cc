// RequestMetrics: what the server was asked, and how it answered.
#include "metrics/request_metrics.h"

#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>

namespace tusfs {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Answers with this status; 0: with this error.
class Answering : public tus::HttpTransport {
 public:
  explicit Answering(int status, tus::ErrorCode error = tus::ErrorCode::kUnreachable)
      : status_(status), error_(error) {}
  tus::Result<tus::HttpResponse> Perform(tus::HttpRequest const&) override {
    if (status_ == 0) return tl::unexpected(tus::Error{.code = error_, .message = "as told"});
    return tus::HttpResponse{.status = status_, .headers = {}, .body = "body"};
  }

 private:
  int const status_;
  tus::ErrorCode const error_;
};

class RequestMetricsTest : public testing::Test {
 protected:
  tus::Result<tus::HttpResponse> Send(char const* method, std::unique_ptr<Answering> transport) {
    auto const measured = metrics_.Measure(std::move(transport));
    tus::HttpRequest request;
    request.method = method;
    return measured->Perform(request);
  }
  [[nodiscard]] std::string Text() const {
    return prometheus::TextSerializer().Serialize(metrics_.Collect());
  }

  RequestMetrics metrics_;
};

TEST_F(RequestMetricsTest, CountsByMethodAndClassOfTheAnswer) {
  for (int const status : {204, 200, 409, 503}) {
    EXPECT_EQ(Send("PATCH", std::make_unique<Answering>(status))->status, status);
  }
  EXPECT_FALSE(Send("HEAD", std::make_unique<Answering>(0)));
  EXPECT_THAT(Text(), AllOf(HasSubstr("{answer=\"2xx\",method=\"PATCH\"} 2\n"),
                            HasSubstr("{answer=\"4xx\",method=\"PATCH\"} 1\n"),
                            HasSubstr("{answer=\"5xx\",method=\"PATCH\"} 1\n"),
                            HasSubstr("{answer=\"none\",method=\"HEAD\"} 1\n")));
}

TEST_F(RequestMetricsTest, SaysHowLongTheyTook) {
  metrics_.Count("PATCH", 204, 0.3);
  metrics_.Count("PATCH", 204, 100);
  EXPECT_THAT(
      Text(),
      AllOf(HasSubstr("tusfs_request_duration_seconds_bucket{method=\"PATCH\",le=\"0.25\"} 0\n"),
            HasSubstr("tusfs_request_duration_seconds_bucket{method=\"PATCH\",le=\"0.5\"} 1\n"),
            HasSubstr("tusfs_request_duration_seconds_bucket{method=\"PATCH\",le=\"60\"} 1\n"),
            HasSubstr("tusfs_request_duration_seconds_count{method=\"PATCH\"} 2\n")));
}

TEST_F(RequestMetricsTest, WhatWasCancelledHereIsNoAnswer) {
  EXPECT_FALSE(Send("PATCH", std::make_unique<Answering>(0, tus::ErrorCode::kCancelled)));
  EXPECT_THAT(Text(), Not(HasSubstr("PATCH")));
}

}  // namespace
}  // namespace tusfs
