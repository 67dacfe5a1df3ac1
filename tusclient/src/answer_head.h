// The head of an HTTP answer, taken line by line as it arrives.
//
// Nothing is expected of the lines: what is no header is passed over, and all of them together are
// bounded. Belongs to one exchange and its thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "tusclient/transport.h"

namespace tus {

class AnswerHead {
 public:
  /// Of all lines together, bytes.
  static constexpr std::size_t kMaxSize = std::size_t{64} << 10;

  /// Status and headers go into `response`, which outlives this.
  explicit AnswerHead(HttpResponse& response) : response_(response) {}

  /// The next line, with or without its line break. Interim answers (1xx) are replaced by what
  /// follows them, and trailers are not kept. False where the head is longer than kMaxSize.
  [[nodiscard]] bool Take(std::string_view line);

  /// Whether the empty line after the headers was there.
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  HttpResponse& response_;
  std::size_t size_ = 0;
  bool complete_ = false;
};

}  // namespace tus
