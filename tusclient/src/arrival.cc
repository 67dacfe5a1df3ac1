#include "arrival.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "answers.h"
#include "fail.h"
#include "text.h"

namespace tus {
namespace {

struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;                ///< inclusive
  std::optional<std::uint64_t> total{};  ///< nothing where the server does not tell
};

/// "bytes 5-9/10" or "bytes 5-9/*" (RFC 9110, section 14.4).
std::optional<Range> ParseContentRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (FindIgnoreCase(text, kUnit) != 0) return std::nullopt;
  text = Trim(text.substr(kUnit.size()));
  auto const dash = text.find('-');
  auto const slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) {
    return std::nullopt;
  }
  auto const first = ParseDecimal(text.substr(0, dash));
  auto const last = ParseDecimal(text.substr(dash + 1, slash - dash - 1));
  auto const total = ParseDecimal(text.substr(slash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  if (!total && text.substr(slash + 1) != "*") return std::nullopt;
  return Range{.first = *first, .last = *last, .total = total};
}

/// A page that a portal shows is an outage; only a tus server can be wrong about its upload.
tl::unexpected<Error> NotTheUpload(HttpResponse const& head, std::string const& what) {
  auto error = BadAnswer(head, what);
  if (!head.Find("Tus-Resumable")) {
    error.value().code = ErrorCode::kNotTus;
    error.value().message += ", not as a tus server";
  }
  return error;
}

std::string Bytes(std::uint64_t count) { return std::to_string(count) + " bytes"; }

}  // namespace

Result<void> Arrival::Begin(HttpResponse const& head) {
  if (head.status != 200 && head.status != 206) {
    return BadAnswer(head, "instead of 200 or 206 to a GET");
  }
  std::uint64_t first = 0;
  if (head.status == 206) {
    auto const range = ParseContentRange(head.Find("Content-Range").value_or(""));
    if (!range) return NotTheUpload(head, "without a Content-Range that says what it is");
    if (range->first != request_.offset) {
      return NotTheUpload(head, "with bytes from " + std::to_string(range->first) +
                                    " on instead of " + std::to_string(request_.offset));
    }
    if (range->total.value_or(request_.length) != request_.length ||
        range->last >= request_.length) {
      return NotTheUpload(head, "with a part of " + Bytes(range->total.value_or(range->last + 1)) +
                                    " where the upload has " + Bytes(request_.length));
    }
    first = range->first;
  }
  auto const length = Number(head, "Content-Length");
  if (!length) return tl::unexpected(length.error());
  auto const expected = request_.length - first;
  // A part may be shorter than what was asked for; the whole may not.
  bool const fits =
      head.status == 206 ? length->value_or(0) <= expected : length->value_or(expected) == expected;
  if (!fits) {
    return NotTheUpload(head, "with " + Bytes(**length) + " instead of " + Bytes(expected));
  }
  position_ = first;
  return {};
}

bool Arrival::Take(HttpResponse const& head, std::span<std::byte const> bytes) {
  if (!position_) {
    if (auto begun = Begin(head); !begun) {
      error_ = std::move(begun.error());
      return false;
    }
  }
  auto const begin = *position_;
  if (bytes.size() > request_.length - begin) {
    error_ = NotTheUpload(head, "with more than the upload's " + Bytes(request_.length)).value();
    return false;
  }
  *position_ += bytes.size();
  auto const skipped = static_cast<std::size_t>(
      std::min<std::uint64_t>(bytes.size(), next_ - std::min(next_, begin)));
  bytes = bytes.subspan(skipped);
  if (bytes.empty()) return true;
  auto const offset = std::exchange(next_, next_ + bytes.size());
  return request_.sink(offset, bytes);
}

Result<void> Arrival::Finish(Result<HttpResponse> const& answer) {
  if (error_) return tl::unexpected(*error_);
  if (!answer) return tl::unexpected(answer.error());
  if (!position_) {  // an answer without a body
    if (auto begun = Begin(*answer); !begun) return begun;
  }
  if (next_ == request_.length) return {};
  return Fail(ErrorCode::kInterrupted,
              "the server's answer ended " + Bytes(request_.length - next_) + " early",
              answer->status);
}

}  // namespace tus
