#include "control/bug_report_log.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/iso_time.h"
#include "base/run_program.h"

namespace tusfs {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kJournalPatience{20};
constexpr std::size_t kMostJournal = std::size_t{16} << 20;

/// A field is text, or a list of bytes where it is not UTF-8 or has control characters, or a list
/// of several.
std::string FieldOf(json const& entry, char const* name) {
  auto const found = entry.find(name);
  if (found == entry.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array() || found->empty()) return {};
  if (found->front().is_string()) return found->front().get<std::string>();
  std::string bytes;
  for (auto const& byte : *found) {
    if (byte.is_number_unsigned()) bytes += static_cast<char>(byte.get<unsigned>() & 0xff);
  }
  return bytes;
}

std::string TimeOf(json const& entry) {
  auto const text = FieldOf(entry, "__REALTIME_TIMESTAMP");
  auto const microseconds = std::strtoll(text.c_str(), nullptr, 10);
  return microseconds > 0 ? IsoUtc(microseconds * 1000) : "?";
}

std::string LevelOf(json const& entry) {
  switch (std::atoi(FieldOf(entry, "PRIORITY").c_str())) {
    case 7:
      return "debug";
    case 6:
    case 5:
      return "info";
    case 4:
      return "warn";
    default:
      return "error";
  }
}

}  // namespace

std::vector<LogEntry> ParseJournal(std::string_view lines) {
  std::vector<LogEntry> entries;
  while (!lines.empty()) {
    auto const end = std::min(lines.find('\n'), lines.size());
    auto const entry = json::parse(lines.substr(0, end), nullptr, false);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (!entry.is_object()) continue;
    entries.push_back({.time = TimeOf(entry),
                       .level = LevelOf(entry),
                       .mount = FieldOf(entry, "TUSFS_MOUNT"),
                       .file = FieldOf(entry, "TUSFS_FILE"),
                       .text = FieldOf(entry, "MESSAGE")});
  }
  return entries;
}

Result<std::vector<LogEntry>> ReadJournal() {
  auto const printed =
      RunProgram({.argv = {"journalctl", "--quiet", "--no-pager", "--all", "--output=json",
                           "--output-fields=MESSAGE,PRIORITY,TUSFS_MOUNT,TUSFS_FILE",
                           "--lines=1000", "SYSLOG_IDENTIFIER=tusfs"},
                  .timeout = kJournalPatience,
                  .most_output = kMostJournal},
                 {});
  if (!printed) return Fail(printed.error().code, "journalctl " + Describe(printed.error()));
  auto entries = ParseJournal(*printed);
  if (entries.empty()) {
    return Fail(
        ENODATA,
        "the journal has no line of tusfs that this user may see: a mount in the foreground "
        "logs to its standard error, and of other users root alone may see lines");
  }
  return entries;
}

}  // namespace tusfs
