#include "fleet/fleet_table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <span>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/file.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr FileTime kSecond = 1'000'000'000;
constexpr std::size_t kLargest = 64 * 1024;
constexpr std::size_t kLongestText = 200;  // bytes
constexpr std::size_t kMostLinks = 16;
constexpr std::chrono::seconds kSmallSkew{60};
constexpr std::chrono::seconds kLongWait{24 * 3600};
constexpr int kMissed = 3;
constexpr std::uint64_t kScarce = 20;  // a twentieth of the disk
constexpr std::uint64_t kMostSeconds = std::uint64_t{10} * 365 * 24 * 3600;

json const& At(json const& object, char const* field) {
  static json const none;
  if (!object.is_object()) return none;
  auto const found = object.find(field);
  return found == object.end() ? none : *found;
}

std::string TextAt(json const& object, char const* field) {
  auto const& value = At(object, field);
  return value.is_string() ? value.get_ref<std::string const&>().substr(0, kLongestText) : "";
}

std::optional<std::uint64_t> NumberAt(json const& object, char const* field) {
  auto const& value = At(object, field);
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<std::uint64_t>();
}

std::uint64_t Sum(std::uint64_t one, std::uint64_t other) {
  return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}

std::chrono::seconds SecondsAt(json const& object, char const* field) {
  auto const seconds = std::min(NumberAt(object, field).value_or(0), kMostSeconds);
  return std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

std::optional<FileTime> TimeAt(json const& object, char const* field) {
  std::tm utc{};
  auto const text = TextAt(object, field);
  auto const* const end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  if (end == nullptr || *end != '\0') return std::nullopt;
  auto const seconds = static_cast<FileTime>(::timegm(&utc));
  if (seconds < 0 || seconds > 10'000'000'000 / 2) return std::nullopt;
  return seconds * kSecond;
}

void FindTroubles(json const& beat, Rig& rig) {
  auto const add = [&](std::string text) { rig.troubles.push_back(std::move(text)); };
  if (rig.is_silent) add("silent");
  if (rig.stuck > 0) add(std::to_string(rig.stuck) + " files need somebody");
  auto const& server = At(beat, "server");
  auto const& reachable = At(server, "reachable");
  if (reachable.is_boolean() && !reachable.get<bool>()) {
    add("the server refused or failed: " + TextAt(server, "error"));
  }
  if (auto const& paused = At(beat, "paused"); paused.is_boolean() && paused.get<bool>()) {
    add("sending is paused");
  }
  if (rig.disk_free && rig.disk_size && *rig.disk_free < *rig.disk_size / kScarce) {
    add("the disk is nearly full");
  }
  if (NumberAt(At(beat, "disk"), "waiting").value_or(0) > 0) add("writers wait for room");
  if (rig.oldest >= kLongWait) add("a file waits for more than a day");
  if (std::chrono::abs(rig.ahead) > kSmallSkew) add("its clock is wrong");
}

/// Less is worse.
auto Badness(Rig const& rig) {
  auto const silence = rig.is_silent ? rig.silent.count() : 0;
  return std::tuple(-silence, -static_cast<std::int64_t>(rig.troubles.size()), -rig.oldest.count(),
                    ~rig.bytes, rig.host, rig.mount);
}

/// Empty for what is none by its size, or cannot be read.
std::string TextOf(fs::path const& path, FileTime& arrived) {
  auto const file = OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  if (!file || ::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if (status.st_size < 2 || static_cast<std::size_t>(status.st_size) > kLargest) return {};
  arrived = status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec;
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  auto const got = ReadFully(file->get(), std::as_writable_bytes(std::span(text)), 0);
  text.resize(got.value_or(0));
  return text;
}

}  // namespace

std::optional<Rig> ParseHeartbeat(std::string const& text, FileTime arrived, FileTime now) {
  if (!text.starts_with('{')) return std::nullopt;
  auto const beat = json::parse(text, nullptr, false);
  if (!NumberAt(beat, "tusfs_heartbeat")) return std::nullopt;
  Rig rig;
  rig.host = TextAt(beat, "host");
  rig.machine_id = TextAt(beat, "machine_id");
  rig.mount = TextAt(beat, "mount");
  if (rig.host.empty() && rig.machine_id.empty()) return std::nullopt;
  rig.version = TextAt(beat, "version");
  rig.arrived = arrived;
  rig.silent = std::chrono::seconds(std::max<FileTime>(now - arrived, 0) / kSecond);
  rig.interval = SecondsAt(beat, "interval");
  rig.is_silent = rig.silent > std::max(rig.interval, kSmallSkew) * kMissed;
  if (auto const time = TimeAt(beat, "time")) {
    rig.ahead = std::chrono::seconds((*time - arrived) / kSecond);
  }
  rig.files = NumberAt(At(beat, "backlog"), "files").value_or(0);
  rig.bytes = NumberAt(At(beat, "backlog"), "bytes").value_or(0);
  rig.oldest = SecondsAt(At(beat, "oldest_unsent"), "age");
  for (auto const* state : {"interrupted", "failed", "unconfirmed"}) {
    rig.stuck = Sum(rig.stuck, NumberAt(At(beat, "stuck"), state).value_or(0));
  }
  rig.rate = NumberAt(beat, "rate");
  rig.disk_free = NumberAt(At(beat, "disk"), "free");
  rig.disk_size = NumberAt(At(beat, "disk"), "size");
  auto const& links = At(beat, "links");
  for (std::size_t i = 0; links.is_array() && i < std::min(links.size(), kMostLinks); ++i) {
    rig.links.push_back(TextAt(links[i], "name") + " " + TextAt(links[i], "state"));
  }
  FindTroubles(beat, rig);
  return rig;
}

Result<std::vector<Rig>> ReadFleet(fs::path const& directory, FileTime now) {
  std::error_code failed;
  fs::recursive_directory_iterator entry(directory, fs::directory_options::skip_permission_denied,
                                         failed);
  if (failed) {
    return Fail(failed.value(), "'" + directory.string() + "' cannot be read: " + failed.message());
  }
  std::map<std::tuple<std::string, std::string, std::string>, Rig> last;
  for (; entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    std::error_code none;
    if (!entry->is_regular_file(none) || entry->is_symlink(none)) continue;
    FileTime arrived = 0;
    auto const text = TextOf(entry->path(), arrived);
    auto rig = ParseHeartbeat(text, arrived, now);
    if (!rig) continue;
    auto& known = last[{rig->machine_id, rig->machine_id.empty() ? rig->host : "", rig->mount}];
    if (known.arrived <= rig->arrived) known = *std::move(rig);
  }
  if (failed) {
    return Fail(failed.value(),
                "'" + directory.string() + "' cannot be read to its end: " + failed.message());
  }
  std::vector<Rig> fleet;
  for (auto& [key, rig] : last) fleet.push_back(std::move(rig));
  std::sort(fleet.begin(), fleet.end(),
            [](Rig const& a, Rig const& b) { return Badness(a) < Badness(b); });
  return fleet;
}

}  // namespace tusfs
