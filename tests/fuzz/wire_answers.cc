#include "wire_answers.h"

#include <cstddef>

#include "answer_head.h"
#include "fuzz_target.h"

namespace tus::fuzz {
namespace {

constexpr std::size_t kMaxAnswers = 12;
constexpr std::size_t kMaxBody = std::size_t{64} << 10;  // as much as the transport keeps
constexpr std::string_view kBetween = "\n~\n";

Result<HttpResponse> AnswerOf(std::string_view text) {
  HttpResponse response;
  AnswerHead head(response);
  while (!text.empty() && !head.complete()) {
    auto const rest = text;
    TakeLine(text);
    if (!head.Take(rest.substr(0, rest.size() - text.size()))) break;
  }
  if (!head.complete()) {
    return tl::unexpected(Error{.code = ErrorCode::kInterrupted, .message = "the line is dead"});
  }
  response.body = text.substr(0, kMaxBody);
  return response;
}

}  // namespace

std::vector<Result<HttpResponse>> AnswersOf(std::string_view text) {
  std::vector<Result<HttpResponse>> answers;
  while (true) {
    auto const end = text.find(kBetween);
    bool const last = end == std::string_view::npos || answers.size() + 1 == kMaxAnswers;
    answers.push_back(AnswerOf(text.substr(0, last ? end : end + 1)));
    if (last) return answers;
    text.remove_prefix(end + kBetween.size());
  }
}

}  // namespace tus::fuzz
