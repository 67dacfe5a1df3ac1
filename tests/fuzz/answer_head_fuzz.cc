// The head of an answer, and what its headers say.
//
// An input is what a server sends.
#include <string>

#include "answer_head.h"
#include "answers.h"
#include "classify.h"
#include "fuzz_target.h"

namespace tus {
namespace {

using fuzz::Require;

void RequirePlausible(HttpResponse const& response) {
  Require(response.status >= 0 && response.status <= 999, "a status has three digits");
  std::size_t kept = 0;
  for (auto const& [name, value] : response.headers) {
    kept += name.size() + value.size();
    Require(name.find_first_of("\n:") == std::string::npos, "a header's name ends at its colon");
    Require(value.find('\n') == std::string::npos, "a header is one line");
  }
  Require(kept <= AnswerHead::kMaxSize, "what is kept of the headers is bounded");
}

/// What is left of `text` is the body.
HttpResponse TakeHead(std::string_view& text) {
  HttpResponse response;
  AnswerHead head(response);
  while (!text.empty() && !head.complete()) {
    auto const rest = text;
    fuzz::TakeLine(text);
    if (!head.Take(rest.substr(0, rest.size() - text.size()))) break;
    RequirePlausible(response);
  }
  if (!head.complete()) return response;
  Require(response.status >= 200, "an interim answer is none");
  auto const before = response.headers;
  static_cast<void>(head.Take("HTTP/1.1 500 Trailer\r\n"));
  static_cast<void>(head.Take("Upload-Offset: 1\r\n"));
  Require(response.headers == before && response.status != 0, "trailers are not kept");
  return response;
}

void RequirePlausible(Error const& error) {
  fuzz::RequirePresentable(error.message);
  if (!error.retry_after) return;
  Require(error.retry_after->count() >= 0, "Retry-After is not in the past");
  Require(*error.retry_after <= std::chrono::hours(24), "Retry-After is a day at most");
}

void Read(HttpResponse const& response) {
  if (auto const status = ReadStatus(response)) {
    Require(!status->length || status->offset <= *status->length, "an offset is inside the upload");
  } else {
    RequirePlausible(status.error());
  }
  if (auto const info = ReadAnnouncements(response)) {
    Require(info->max_size != 0U, "a largest size of 0 is none");
  } else {
    RequirePlausible(info.error());
  }
  if (auto const expiry = ExpiryOf(response)) {
    Require(*expiry > std::chrono::system_clock::time_point{}, "an expiry is after 1970");
  }
}

void Judge(HttpResponse const& response) {
  for (auto const* const method : {"OPTIONS", "PATCH"}) {
    Question const question{.method = method,
                            .origin = "https://tus.example",
                            .about_upload = *method == 'P',
                            .secrets = {}};
    if (auto const error = Classify(response, question)) {
      RequirePlausible(*error);
      Require(error->http_status == response.status, "an error has the answer's status");
    } else {
      Require(response.status >= 200 && response.status < 300, "only 2xx is success");
    }
  }
}

}  // namespace
}  // namespace tus

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text(reinterpret_cast<char const*>(data), size);
  auto response = tus::TakeHead(text);
  response.body = text;
  tus::Read(response);
  tus::Judge(response);
  return 0;
}
