#include "answer_head.h"

#include <charconv>
#include <string>

#include "text.h"

namespace tus {
namespace {

/// Of "HTTP/1.1 200 OK", 0 where it is something else.
int StatusOf(std::string_view status_line) {
  auto const space = status_line.find(' ');
  if (space == std::string_view::npos) return 0;
  auto const digits = status_line.substr(space + 1, 3);
  unsigned status = 0;  // a sign is none of the digits
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  return static_cast<int>(status);
}

}  // namespace

bool AnswerHead::Take(std::string_view line) {
  size_ += line.size();
  if (size_ > kMaxSize) return false;
  if (complete_) return true;  // trailers after a chunked body
  auto const text = Trim(line);
  if (line.starts_with("HTTP/")) {
    response_.headers.clear();
    response_.status = StatusOf(text);
  } else if (text.empty()) {
    complete_ = response_.status >= 200;  // 1xx: the real answer is still to come
  } else if (auto const colon = text.find(':'); colon != std::string_view::npos) {
    response_.headers.push_back(
        {std::string(Trim(text.substr(0, colon))), std::string(Trim(text.substr(colon + 1)))});
  }
  return true;
}

}  // namespace tus
