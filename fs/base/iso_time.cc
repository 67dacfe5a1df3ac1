#include "base/iso_time.h"

#include <cstdlib>
#include <ctime>

namespace tusfs {
namespace {

constexpr FileTime kNanoseconds = 1'000'000'000;

std::string Text(FileTime moment, char const* format) {
  auto const seconds = static_cast<std::time_t>(moment / kNanoseconds);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  std::strftime(text, sizeof text, format, &parts);
  return text;
}

}  // namespace

std::string IsoUtc(FileTime moment) { return Text(moment, "%Y-%m-%dT%H:%M:%SZ"); }

std::string IsoWithZone(FileTime moment) { return Text(moment, "%Y-%m-%dT%H:%M:%S+00:00"); }

std::optional<FileTime> ParseIso(std::string const& text) {
  std::tm parts{};
  auto const* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  auto const seconds = ::timegm(&parts);
  if (*rest == '.') {
    ++rest;
    while (*rest >= '0' && *rest <= '9') ++rest;
  }
  std::tm zone{};
  long ahead = 0;
  if (*rest == '+' || *rest == '-') {
    int const sign = *rest == '+' ? 1 : -1;
    rest = ::strptime(rest + 1, "%H:%M", &zone);
    if (rest == nullptr) return std::nullopt;
    ahead = sign * (zone.tm_hour * 3600L + zone.tm_min * 60L);
  } else if (*rest == 'Z') {
    ++rest;
  }
  if (*rest != '\0') return std::nullopt;
  return (seconds - ahead) * kNanoseconds;
}

}  // namespace tusfs
