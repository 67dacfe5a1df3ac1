#include "control/place.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

#include "base/mount_table.h"
#include "control/answers.h"
#include "control/group_access.h"
#include "control/socket.h"

namespace tusfs {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kAskInterval{20};
constexpr std::chrono::seconds kAskPatience{3};

std::optional<Place> PlaceOf(std::vector<MountEntry> const& mounts, std::string const& path) {
  std::optional<Place> best;
  for (auto const& mount : mounts) {
    bool const inside =
        path == mount.mount || path.starts_with(mount.mount + "/") || mount.mount == "/";
    if (!inside || (best && best->mount.mount.size() >= mount.mount.size())) continue;
    auto rest = path.substr(std::min(path.size(), mount.mount.size()));
    rest.erase(0, rest.find_first_not_of('/'));
    best = Place{mount, rest};
  }
  return best;
}

/// The line of the mount that `path` is in.
MountLine const* LineOf(std::vector<MountLine> const& table, std::string const& path) {
  MountLine const* closest = nullptr;
  for (auto const& line : table) {
    bool const is_at = path == line.mountpoint || line.mountpoint == "/" ||
                       path.starts_with(line.mountpoint + "/");
    bool const is_closer =
        closest == nullptr || line.mountpoint.size() >= closest->mountpoint.size();
    if (is_at && is_closer) closest = &line;
  }
  return closest;
}

// Of a bind mount the kernel knows which directory of which filesystem it shows. That a mount which
// hangs must not hang this program holds here, too: nothing beneath it is looked at.
std::optional<Place> PlaceOfBind(std::vector<MountEntry> const& mounts, std::string const& path) {
  auto const table = ReadMountTable();
  auto const* const bind = LineOf(table, path);
  if (bind == nullptr || bind->type != "fuse.tusfs") return std::nullopt;
  for (auto const& mount : mounts) {
    bool const is_its = std::any_of(table.begin(), table.end(), [&](MountLine const& line) {
      return line.mountpoint == mount.mount && line.device == bind->device;
    });
    if (!is_its) continue;
    auto inner = bind->root + "/" + path.substr(bind->mountpoint.size());
    inner.erase(0, inner.find_first_not_of('/'));
    return Place{mount, inner};
  }
  return std::nullopt;
}

/// Why nobody answers for `path`, which is given as `given`.
std::string WhyNoPlace(std::string const& given, std::string const& path) {
  auto const table = ReadMountTable();
  auto const* const line = LineOf(table, path);
  auto const owner = line == nullptr ? std::nullopt : OwnerOfTusfs(*line);
  if (!owner) return "'" + given + "' is not in a tusfs mount";
  auto const mount = "'" + given + "' is in the mount '" + line->mountpoint + "' of ";
  if (*owner == ::geteuid() || ::geteuid() == 0) {
    return mount + "the user with number " + std::to_string(*owner) +
           ", which keeps its sockets elsewhere: name that directory in TUSFS_RUNTIME_DIR";
  }
  return mount + (*owner == 0 ? "root" : "the user with number " + std::to_string(*owner)) +
         ", who alone may ask about it, and root: say it as one of them (sudo), or let them allow "
         "your group to ask (--control-group)";
}

std::string Names(std::vector<MountEntry> const& mounts) {
  std::string names;
  for (auto const& mount : mounts) names += (names.empty() ? "'" : ", '") + mount.mount + "'";
  return names;
}

std::string RequestOf(Place const& place, char const* command, json const& more) {
  json request{{"command", command}, {"path", place.path}};
  if (!more.is_null()) request.update(more);
  return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Daemons of all versions say so.
bool IsUnknown(Error const& error) { return error.context.starts_with("unknown command"); }

// A daemon that is being replaced answers in a moment; nothing tells of it.
template <typename Attempt>
auto TrySoon(Place const& place, Attempt const& attempt) {
  auto result = attempt();
  auto const deadline = std::chrono::steady_clock::now() + kAskPatience;
  while (!result && KeeperOf(place.mount) != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kAskInterval);
    result = attempt();
  }
  return result;
}

Result<UniqueFd> OpenSoon(Place const& place, std::string const& request) {
  return TrySoon(place, [&] { return Open(place.mount.socket, request); });
}

}  // namespace

Result<Place> FindPlace(std::string const& given) {
  auto const mounts = ListMounts();
  if (given.empty()) {
    if (mounts.size() == 1) return Place{mounts.front(), ""};
    return Fail(ENOENT, mounts.empty()
                            ? "no tusfs is mounted: start one with 'tusfs URL MOUNTPOINT'"
                            : "there are several mounts, name one by its path: " + Names(mounts));
  }
  // By the text first: a mount that hangs must not hang this program.
  auto path = std::filesystem::absolute(given).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (auto place = PlaceOf(mounts, path)) return *place;
  if (auto place = PlaceOfBind(mounts, path)) return *place;
  std::error_code failed;
  auto const resolved = std::filesystem::weakly_canonical(path, failed);
  if (!failed) {
    if (auto place = PlaceOf(mounts, resolved.string())) return *place;
    if (auto place = PlaceOfBind(mounts, resolved.string())) return *place;
  }
  for (auto const& candidate : {path, failed ? path : resolved.string()}) {
    if (auto const others = MountForGroup(candidate)) return *PlaceOf({*others}, candidate);
  }
  return Fail(ENOENT, WhyNoPlace(given, failed ? path : resolved.string()));
}

MountEntry Refreshed(MountEntry const& entry) {
  for (auto& mount : ListMounts()) {
    if (mount.mount == entry.mount && mount.socket == entry.socket) return mount;
  }
  return entry;
}

std::string Silence(MountEntry const& entry) {
  if (entry.is_others) return "the daemon of '" + entry.mount + "' does not answer";
  if (KeeperOf(entry) == 0) {
    return "the daemon of '" + entry.mount + "' (process " + std::to_string(entry.daemon_pid) +
           ") does not answer: start it again with 'tusfs " + entry.url + " " + entry.mount +
           " --state-dir " + entry.state_dir + "'";
  }
  return "the daemon of '" + entry.mount + "' does not answer" +
         (entry.last_end.empty() ? "" : "; the last one: " + entry.last_end) +
         "; its keeper (process " + std::to_string(KeeperOf(entry)) +
         ") starts it again, and the mount is kept: see its log";
}

Result<json> Request(Place const& place, char const* command, json const& more) {
  auto const text = RequestOf(place, command, more);
  auto const answer = TrySoon(place, [&] { return Ask(place.mount.socket, text); });
  if (!answer) return Fail(ENOTCONN, Silence(Refreshed(place.mount)));
  auto read = ReadAnswer(*answer);
  if (read || !IsUnknown(read.error())) return read;
  return Fail(EPROTO, "the daemon of '" + place.mount.mount + "' is older than this tusfsctl: " +
                          "start the installed one with 'tusfsctl restart " + place.mount.mount +
                          "'");
}

Result<UniqueFd> OpenRequest(Place const& place, char const* command, json const& more) {
  return Open(place.mount.socket, RequestOf(place, command, more));
}

Result<void> VisitFiles(Place const& place, char const* command, json const& more,
                        std::function<void(json const&)> const& visit) {
  auto connection = OpenSoon(place, RequestOf(place, command, more));
  if (!connection) return Fail(ENOTCONN, Silence(Refreshed(place.mount)));
  auto const close = [](FILE* file) { std::fclose(file); };
  std::unique_ptr<FILE, decltype(close)> const file(::fdopen(connection->get(), "r"), close);
  if (!file) return FailErrno("fdopen");
  static_cast<void>(connection->Release());
  // Each file is forgotten when it was visited.
  auto const on_event = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event != json::parse_event_t::object_end || depth != 2) return true;
    visit(parsed);
    return false;
  };
  auto const answer = json::parse(file.get(), on_event, false);
  if (answer.is_discarded()) {
    return Fail(EPROTO, "the daemon's answer ended early: it is being replaced, ask again");
  }
  auto const read = JudgeAnswer(answer);
  if (!read) return read;
  static_cast<void>(FilesIn(answer));
  return {};
}

}  // namespace tusfs
