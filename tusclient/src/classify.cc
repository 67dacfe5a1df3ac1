#include "classify.h"

#include <algorithm>
#include <chrono>

#include "text.h"
#include "url.h"

namespace tus {
namespace {

constexpr std::size_t kMaxWords = 200;
constexpr std::size_t kMaxTitle = 80;
constexpr std::size_t kMaxOrigin = 320;
constexpr std::uint64_t kMaxRetryAfter = 86'400;  // seconds

bool IsFromTus(HttpResponse const& response, Question const& question) {
  if (response.Find("Tus-Resumable")) return true;
  return question.method == "OPTIONS" && response.Find("Tus-Version").has_value();
}

/// Bytes of an upload may come from something else than its tus server, such as a store behind it.
bool GivesBytes(HttpResponse const& response, Question const& question) {
  return question.method == "GET" && question.about_upload &&
         (response.status == 200 || response.status == 206);
}

bool SaysInterrupted(std::string_view body) {
  return body.find("ERR_UPLOAD_INTERRUPTED") != std::string_view::npos ||
         body.find("ERR_UNEXPECTED_EOF") != std::string_view::npos;
}

bool SaysLocked(std::string_view body) {
  return body.find("ERR_LOCK_TIMEOUT") != std::string_view::npos;
}

ErrorCode CodeOfOther(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return ErrorCode::kUnauthorized;
    case 413:
      return ErrorCode::kTooLarge;
    default:
      return ErrorCode::kNotTus;
  }
}

ErrorCode CodeOfTus(HttpResponse const& response, Question const& question) {
  if (response.status >= 400 && SaysLocked(response.body)) return ErrorCode::kLocked;
  switch (response.status) {
    case 400:
      return SaysInterrupted(response.body) ? ErrorCode::kTransient : ErrorCode::kRefused;
    case 401:
    case 403:
    case 407:
      return ErrorCode::kUnauthorized;
    case 404:
    case 410:
      return question.about_upload ? ErrorCode::kGone : ErrorCode::kRefused;
    case 408:
    case 409:
    case 425:
    case 429:
      return ErrorCode::kTransient;
    case 423:
      return ErrorCode::kLocked;
    case 413:
      return ErrorCode::kTooLarge;
    case 417:  // rustus answers a wrong checksum so
    case 460:
      return ErrorCode::kChecksumMismatch;
    default:
      break;
  }
  if (response.status >= 500 && response.status < 600) return ErrorCode::kTransient;
  if (response.status >= 300 && response.status < 500) return ErrorCode::kRefused;
  return ErrorCode::kProtocol;
}

std::string Words(std::string_view text, Question const& question, std::size_t limit) {
  // Cut first without regard to the limit: half a secret at the limit would slip through.
  auto const line = FirstWords(text, text.size());
  return FirstWords(question.secrets.CutFrom(line), limit);
}

bool IsHtml(HttpResponse const& response) {
  auto const type = response.Find("Content-Type");
  return (type && FindIgnoreCase(*type, "text/html") == 0) ||
         FindIgnoreCase(std::string_view(response.body).substr(0, 512), "<html") !=
             std::string_view::npos;
}

std::string_view TitleOf(std::string_view page) {
  auto const tag = FindIgnoreCase(page, "<title");
  if (tag == std::string_view::npos) return {};
  auto const start = page.find('>', tag);
  if (start == std::string_view::npos) return {};
  page.remove_prefix(start + 1);
  auto const end = FindIgnoreCase(page, "</title");
  return end == std::string_view::npos ? std::string_view{} : Trim(page.substr(0, end));
}

/// Whoever answers can redirect to any name.
std::string RedirectTarget(HttpResponse const& response, Question const& question) {
  auto const location = response.Find("Location");
  if (!location || response.status < 300 || response.status > 399) return {};
  auto const origin = OriginOf(std::string(*location));
  return origin ? Words(origin->Text(), question, kMaxOrigin) : std::string{};
}

std::string Answered(HttpResponse const& response, Question const& question) {
  return Words(question.origin, question, kMaxOrigin) + " answered " +
         std::to_string(response.status);
}

/// The end of "… answered 200": what came instead of a tus server's answer.
std::string Appearance(HttpResponse const& response, Question const& question) {
  if (auto const target = RedirectTarget(response, question); !target.empty()) {
    return " with a redirect to " + target;
  }
  if (IsHtml(response)) {
    auto const title = Words(TitleOf(response.body), question, kMaxTitle);
    return title.empty() ? " with an HTML page" : " with an HTML page titled \"" + title + "\"";
  }
  auto const words = Words(response.body, question, kMaxTitle);
  return words.empty() ? std::string{} : " with \"" + words + "\"";
}

std::string MessageOfTus(HttpResponse const& response, Question const& question) {
  auto const message = Answered(response, question);
  if (auto const target = RedirectTarget(response, question); !target.empty()) {
    return message + " with a redirect to " + target;
  }
  auto const words = Words(response.body, question, kMaxWords);
  return words.empty() ? message : message + ": " + words;
}

std::string MessageOfOther(HttpResponse const& response, Question const& question, ErrorCode code) {
  auto const message = Answered(response, question) + Appearance(response, question);
  if (code != ErrorCode::kTooLarge) return message + ", not as a tus server";
  // Whoever runs that proxy wants to know which one it is.
  auto const proxy = Words(response.Find("Server").value_or(""), question, kMaxTitle);
  return message + (proxy.empty() ? ", a proxy's limit" : ", the limit of a proxy: " + proxy);
}

std::optional<std::chrono::seconds> RetryAfter(HttpResponse const& response) {
  // A date needs a clock that agrees with the server's; the backoff does without.
  auto const value = response.Find("Retry-After");
  auto const seconds = value ? ParseDecimal(*value) : std::nullopt;
  if (!seconds) return std::nullopt;
  return std::chrono::seconds(std::min(*seconds, kMaxRetryAfter));
}

}  // namespace

std::optional<Error> Classify(HttpResponse const& response, Question const& question) {
  bool const is_redirect = response.status >= 300 && response.status < 400;
  bool const may_be = question.lenient && !is_redirect && !IsHtml(response);
  bool const from_tus = may_be || IsFromTus(response, question);
  if (from_tus && response.status >= 200 && response.status < 300) return std::nullopt;
  if (GivesBytes(response, question)) return std::nullopt;

  Error error;
  error.code = from_tus ? CodeOfTus(response, question) : CodeOfOther(response.status);
  error.is_others = !from_tus;
  error.http_status = response.status;
  error.retry_after = RetryAfter(response);
  error.message =
      from_tus ? MessageOfTus(response, question) : MessageOfOther(response, question, error.code);
  return error;
}

}  // namespace tus
