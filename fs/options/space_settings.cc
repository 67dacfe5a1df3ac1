#include "options/space_settings.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace tusfs {
namespace {

constexpr std::uint64_t kSmallestSpool = std::uint64_t{16} << 20;
constexpr std::uint64_t kLargestReserve = std::uint64_t{1} << 30;
constexpr std::uint64_t kReserveFraction = 20;           // a twentieth of the disk
constexpr std::int64_t kLongestWait = 30 * 86'400;       // seconds
constexpr std::int64_t kLongestRetention = 315'360'000;  // seconds, ten years
constexpr char const* kAll = "all";
constexpr char const* kNone = "none";

using Kind = Setting::Kind;

// Whole seconds from 0 on.
Setting LongTime(char const* name, char const* help, std::int64_t longest,
                 std::chrono::seconds Options::*member) {
  return {name,
          "SECONDS",
          help,
          Kind::kValue,
          [=](Options& options, std::string const& value) -> Result<void> {
            std::int64_t seconds = 0;
            auto const* const end = value.data() + value.size();
            auto const parsed = std::from_chars(value.data(), end, seconds);
            if (parsed.ec != std::errc() || parsed.ptr != end || seconds < 0 || seconds > longest) {
              return InvalidValue(name, value,
                                  "it takes seconds from 0 to " + std::to_string(longest));
            }
            options.*member = std::chrono::seconds(seconds);
            return {};
          },
          [=](Options const& options) {
            return std::vector{std::to_string((options.*member).count())};
          }};
}

std::vector<std::string> Given(std::optional<std::uint64_t> const& size) {
  return size ? std::vector{std::to_string(*size)} : std::vector<std::string>();
}

}  // namespace

std::vector<Setting> SpaceSettings() {
  return {
      {"spool-size", "SIZE", "local disk for what is written (default: what the disk has)",
       Kind::kValue,
       [](Options& options, std::string const& value) -> Result<void> {
         auto const size = ParseSize(value);
         if (!size || *size < kSmallestSpool) {
           return InvalidValue("spool-size", value, "it takes a size of 16MiB or more");
         }
         options.spool_size = *size;
         return {};
       },
       [](Options const& options) { return Given(options.spool_size); }},
      {"reserve", "SIZE",
       "free space of that disk that is left alone (default: a twentieth of it, at most 1GiB)",
       Kind::kValue,
       [](Options& options, std::string const& value) -> Result<void> {
         auto const size = ParseSize(value);
         if (!size) return InvalidValue("reserve", value, "it takes a size, such as 2GiB");
         options.reserve = *size;
         return {};
       },
       [](Options const& options) { return Given(options.reserve); }},
      {"keep", "SIZE",
       "of uploaded files, keep so many bytes readable here: a size, all or none (default all)",
       Kind::kValue,
       [](Options& options, std::string const& value) -> Result<void> {
         auto const size = ParseSize(value);
         if (value != kAll && value != kNone && !size) {
           return InvalidValue("keep", value, "it takes a size, all or none");
         }
         options.keep = value == kAll ? std::nullopt : std::optional(size.value_or(0));
         return {};
       },
       [](Options const& options) { return Given(options.keep); }},
      {"trim", "WHAT",
       "when the spool is full, of unfinished files let go of: never (nothing) or confirmed "
       "(default never)",
       Kind::kValue,
       [](Options& options, std::string const& value) -> Result<void> {
         if (value != "never" && value != "confirmed") {
           return InvalidValue("trim", value, "it takes never or confirmed");
         }
         options.trim = value == "confirmed";
         return {};
       },
       [](Options const& options) {
         return options.trim ? std::vector<std::string>{"confirmed"} : std::vector<std::string>();
       }},
      {"full", "WHAT",
       "when nothing in a full spool goes by itself: wait (for somebody) or drop-interrupted "
       "(files, the oldest first; default wait)",
       Kind::kValue,
       [](Options& options, std::string const& value) -> Result<void> {
         if (value != "wait" && value != "drop-interrupted") {
           return InvalidValue("full", value, "it takes wait or drop-interrupted");
         }
         options.drop_interrupted = value == "drop-interrupted";
         return {};
       },
       [](Options const& options) {
         return options.drop_interrupted ? std::vector<std::string>{"drop-interrupted"}
                                         : std::vector<std::string>();
       }},
      LongTime("full-timeout",
               "a write waits so long for room while nothing goes on (default 3600)", kLongestWait,
               &Options::full_timeout),
      {"read-back", "", "read uploaded files that are not here any more from the server",
       Kind::kFlag,
       [](Options& options, std::string const& value) -> Result<void> {
         if (value != "true" && value != "false") {
           return Fail(EINVAL, "'" + value + "' is not true or false");
         }
         options.read_back = value == "true";
         return {};
       },
       [](Options const& options) {
         return options.read_back ? std::vector<std::string>{"true"} : std::vector<std::string>();
       }},
      LongTime("retention", "remove the names of uploaded files after so long (default 0: never)",
               kLongestRetention, &Options::retention),
  };
}

Result<void> CheckSpace(Options const& options, std::uint64_t chunk_size) {
  if (!options.spool_size || *options.spool_size >= chunk_size) return {};
  return Fail(EINVAL, "--spool-size is smaller than one chunk (" + std::to_string(chunk_size) +
                          " bytes): give it more, or give --chunk-size less");
}

SpoolLimits SpoolLimitsOf(Options const& options, std::uint64_t disk) {
  return {.size = options.spool_size.value_or(0),
          .reserve = options.reserve.value_or(std::min(disk / kReserveFraction, kLargestReserve))};
}

Turns::Options TurnsOf(Options const& options) {
  return {.full_timeout = options.full_timeout, .trims = options.trim};
}

ReclaimOptions ReclaimOptionsOf(Options const& options) {
  return {.keep = options.keep,
          .trim = options.trim,
          .drop_interrupted = options.drop_interrupted,
          .retention = options.retention};
}

}  // namespace tusfs
