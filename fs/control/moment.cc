#include "control/moment.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <optional>

#include "control/check.h"

namespace tusfs {
namespace {

constexpr FileTime kSecond = 1'000'000'000;

std::tm LocalTime(FileTime moment) {
  auto const seconds = static_cast<std::time_t>(moment / kSecond);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts;
}

// A 31st of February is none.
std::optional<FileTime> MomentOf(std::tm parts, bool is_utc) {
  auto const given = parts;
  parts.tm_isdst = -1;
  auto const seconds = is_utc ? ::timegm(&parts) : std::mktime(&parts);
  bool const is_one = seconds != -1 && parts.tm_mday == given.tm_mday &&
                      parts.tm_mon == given.tm_mon && given.tm_hour < 24 && given.tm_min < 60 &&
                      given.tm_sec < 61;
  return is_one ? std::optional(seconds * kSecond) : std::nullopt;
}

std::optional<FileTime> ParseDate(std::string const& text) {
  for (auto const* format : {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S",
                             "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"}) {
    std::tm parts{};
    auto const* const end = ::strptime(text.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') return MomentOf(parts, text.back() == 'Z');
  }
  return std::nullopt;
}

std::optional<FileTime> ParseTimeOfDay(std::string const& text, FileTime now) {
  auto parts = LocalTime(now);
  parts.tm_sec = 0;
  auto const* const end = ::strptime(text.c_str(), "%H:%M", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return MomentOf(parts, false);
}

FileTime Midnight(FileTime now, int days_ago) {
  auto parts = LocalTime(now);
  parts.tm_mday -= days_ago;
  parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
  parts.tm_isdst = -1;
  return std::mktime(&parts) * kSecond;
}

std::string AsText(std::tm const& parts, char const* format) {
  char text[32];
  std::strftime(text, sizeof text, format, &parts);
  return text;
}

}  // namespace

Result<FileTime> ParseMoment(std::string const& text, FileTime now) {
  if (text == "now") return now;
  if (text == "today") return Midnight(now, 0);
  if (text == "yesterday") return Midnight(now, 1);
  if (text.starts_with('@')) {
    std::int64_t seconds = 0;
    auto const* const end = text.data() + text.size();
    auto const [rest, problem] = std::from_chars(text.data() + 1, end, seconds);
    bool const is_one =
        problem == std::errc() && rest == end && seconds >= 0 && seconds < 9'000'000'000;
    if (is_one) return seconds * kSecond;
  }
  if (auto const date = ParseDate(text)) return *date;
  if (auto const time = ParseTimeOfDay(text, now)) return *time;
  auto const is_length = !text.empty() && text.find_first_not_of("0123456789") != std::string::npos;
  if (auto const ago = ParseDuration(text); is_length && ago) {
    return now - ago->count() * kSecond;
  }
  return Fail(EINVAL, "'" + text +
                          "' is no time: say a date (2026-11-29), with a time of day or without, a "
                          "time of today (14:00), yesterday, or how long ago (12h, 3d)");
}

std::string ShowMoment(FileTime moment) { return AsText(LocalTime(moment), "%Y-%m-%d %H:%M:%S"); }

}  // namespace tusfs
