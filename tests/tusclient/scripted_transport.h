// A transport that plays a script: next request → check it → answer. One thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tusclient/transport.h"

namespace tus {

/// An answer as a tus server sends it.
inline HttpResponse TusAnswer(int status, std::vector<Header> headers = {}, std::string body = {}) {
  headers.push_back({"Tus-Resumable", "1.0.0"});
  return {status, std::move(headers), std::move(body)};
}

/// An answer of something that is not a tus server.
inline HttpResponse OtherAnswer(int status, std::vector<Header> headers = {},
                                std::string body = {}) {
  return {status, std::move(headers), std::move(body)};
}

/// The value of header `name`, or "(none)"; names are compared as they are.
inline std::string HeaderOf(HttpRequest const& request, std::string_view name) {
  for (auto const& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return "(none)";
}

/// The whole body, read as a transport would.
inline std::string BodyOf(HttpRequest const& request) {
  std::string body(static_cast<std::size_t>(request.body_length), '\0');
  std::size_t done = 0;
  while (done < body.size()) {
    auto const out = std::as_writable_bytes(std::span(body)).subspan(done);
    auto const count = request.body->ReadAt(request.body_offset + done, out);
    if (!count || *count == 0) return "(source failed)";
    done += *count;
  }
  return body;
}

class ScriptedTransport : public HttpTransport {
 public:
  using Step = std::function<Result<HttpResponse>(HttpRequest const&)>;

  ScriptedTransport() = default;
  ScriptedTransport(ScriptedTransport const&) = delete;
  ScriptedTransport& operator=(ScriptedTransport const&) = delete;
  ~ScriptedTransport() override { EXPECT_TRUE(steps_.empty()) << "requests that never came"; }

  /// The next request must be `method` on `url`; `step` checks the rest of it and answers.
  void Next(std::string method, std::string url, Step step) {
    steps_.push_back([method = std::move(method), url = std::move(url),
                      step = std::move(step)](HttpRequest const& request) {
      EXPECT_EQ(request.method, method);
      EXPECT_EQ(request.url, url);
      return step(request);
    });
  }

  void Next(std::string method, std::string url, Result<HttpResponse> answer) {
    Next(std::move(method), std::move(url),
         [answer = std::move(answer)](HttpRequest const&) { return answer; });
  }

  Result<HttpResponse> Perform(HttpRequest const& request) override {
    if (steps_.empty()) {
      ADD_FAILURE() << "unexpected " << request.method << " " << request.url;
      return HttpResponse{};
    }
    auto const step = std::move(steps_.front());
    steps_.pop_front();
    auto answer = step(request);
    bool const streams = answer && request.on_body && answer->status >= 200 && answer->status < 300;
    return streams ? Stream(request, *std::move(answer)) : answer;
  }

 private:
  /// Four bytes at a time. Less than Content-Length says is a connection that broke.
  static Result<HttpResponse> Stream(HttpRequest const& request, HttpResponse answer) {
    auto const body = std::exchange(answer.body, {});
    for (std::size_t at = 0; at < body.size(); at += 4) {
      if (!request.on_body(answer, std::as_bytes(std::span(body).subspan(
                                       at, std::min<std::size_t>(4, body.size() - at))))) {
        return tl::unexpected(Error{.code = ErrorCode::kCancelled,
                                    .http_status = 0,
                                    .retry_after = {},
                                    .message = "enough"});
      }
    }
    auto const length = answer.Find("Content-Length");
    if (length && std::stoull(std::string(*length)) > body.size()) {
      return tl::unexpected(Error{.code = ErrorCode::kInterrupted,
                                  .http_status = 0,
                                  .retry_after = {},
                                  .message = "it broke"});
    }
    return answer;
  }

  std::deque<Step> steps_;
};

}  // namespace tus
