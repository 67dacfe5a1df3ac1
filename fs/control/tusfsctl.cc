// tusfsctl: asks the daemon of a mount and prints what it says.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/mount_table.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/registry.h"
#include "control/rescue.h"
#include "control/socket.h"
#include "version.h"

namespace tusfs {
namespace {

using nlohmann::json;

// Exit statuses; scripts depend on them.
constexpr int kDone = 0;
constexpr int kStuck = 1;
constexpr int kNoAnswer = 2;
constexpr int kTimeout = 3;

constexpr std::chrono::milliseconds kWaitInterval{200};
constexpr std::chrono::milliseconds kRestartInterval{20};
constexpr std::chrono::seconds kRestartPatience{3};
constexpr std::chrono::seconds kLongestRestart{30};
constexpr char const* kKeeperName = "tusfs-keeper";

// A path beneath a mount.
struct Place {
  MountEntry mount;
  std::string path;  ///< relative to the mount
};

int Complain(std::string const& sentence) {
  std::fprintf(stderr, "tusfsctl: %s\n", Printable(sentence).c_str());
  return kNoAnswer;
}

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

// Of a bind mount the kernel knows which directory of which filesystem it shows. That a mount which
// hangs must not hang this program holds here, too: nothing beneath it is looked at.
std::optional<Place> PlaceOfBind(std::vector<MountEntry> const& mounts, std::string const& path) {
  auto const table = ReadMountTable();
  auto const is_at = [&](MountLine const& line) {
    return path == line.mountpoint || line.mountpoint == "/" ||
           path.starts_with(line.mountpoint + "/");
  };
  MountLine const* bind = nullptr;
  for (auto const& line : table) {
    bool const is_closer = bind == nullptr || line.mountpoint.size() >= bind->mountpoint.size();
    if (is_at(line) && is_closer) bind = &line;
  }
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

Result<Place> FindPlace(std::string const& given) {
  auto const mounts = ListMounts();
  if (given.empty()) {
    if (mounts.size() == 1) return Place{mounts.front(), ""};
    return Fail(ENOENT, mounts.empty()
                            ? "no tusfs is mounted: start one with 'tusfs URL MOUNTPOINT'"
                            : "there are several mounts: name one by its path");
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
  return Fail(ENOENT, "'" + given + "' is not in a tusfs mount");
}

// The entry as the keeper has written it by now.
MountEntry Refreshed(MountEntry const& entry) {
  for (auto& mount : ListMounts()) {
    if (mount.mount == entry.mount && mount.socket == entry.socket) return mount;
  }
  return entry;
}

// Why a daemon does not answer, and what happens next.
std::string Silence(MountEntry const& entry) {
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

Result<json> Request(Place const& place, char const* command, json const& more = {}) {
  json request{{"command", command}, {"path", place.path}};
  if (!more.is_null()) request.update(more);
  auto const text = request.dump(-1, ' ', false, json::error_handler_t::replace);
  auto answer = Ask(place.mount.socket, text);
  // A daemon that is being replaced answers in a moment.
  auto const deadline = std::chrono::steady_clock::now() + kRestartPatience;
  while (!answer && KeeperOf(place.mount) != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kRestartInterval);
    answer = Ask(place.mount.socket, text);
  }
  if (!answer) return Fail(answer.error().code, Silence(Refreshed(place.mount)));
  return ReadAnswer(*answer);
}

// ---- commands

// What the keeper knows, which is there without a daemon too.
json AboutProcesses(MountEntry const& entry, bool daemon_answers) {
  auto const text = [](std::string const& value) { return value.empty() ? json() : json(value); };
  auto const pid = [](pid_t number) { return number == 0 ? json() : json(number); };
  return {{"mount", entry.mount},
          {"url", entry.url},
          {"daemon_pid", pid(daemon_answers ? entry.daemon_pid : 0)},
          {"keeper_pid", pid(KeeperOf(entry))},
          {"restarts", entry.starts == 0 ? 0 : entry.starts - 1},
          {"last_end", text(entry.last_end)},
          {"problem", text(entry.problem)}};
}

using Show = std::string (*)(json const&, bool with_bars);

void Print(json const& answer, bool as_json, Show show) {
  auto const text = as_json ? answer.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"
                            : show(answer, ::isatty(STDOUT_FILENO) != 0);
  std::fputs(text.c_str(), stdout);
}

int ShowStatus(std::string const& path, bool as_json) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  auto answer = Request(*place, "status");
  auto const processes = AboutProcesses(Refreshed(place->mount), answer.has_value());
  if (!answer) {
    if (KeeperOf(place->mount) != 0) Print(processes, as_json, ShowMount);
    return Complain(answer.error().context);
  }
  answer->update(processes);
  Print(*answer, as_json, ShowMount);
  return kDone;
}

// Whether the process is what its lock says: a signal to another one could end it.
bool IsKeeper(pid_t pid) {
  auto const name = ReadSmallFile("/proc/" + std::to_string(pid) + "/comm");
  return name && *name == std::string(kKeeperName) + "\n";
}

/// What a keeper is asked for: by which signal, and whether it is done, or refused.
struct Renewal {
  int signal;
  bool (*is_over)(MountEntry const& before, MountEntry const& now);
};

constexpr Renewal kRestart{SIGUSR2, [](MountEntry const& before, MountEntry const& now) {
                             return now.starts > before.starts && now.daemon_pid != 0;
                           }};
constexpr Renewal kReload{SIGHUP, [](MountEntry const& before, MountEntry const& now) {
                            return now.reloads > before.reloads && now.daemon_pid != 0;
                          }};

int Renew(MountEntry const& mount, Renewal const& renewal) {
  auto const before = Refreshed(mount);
  auto const keeper = KeeperOf(before);
  if (!IsKeeper(keeper)) {
    return Complain("'" + before.mount + "' has no keeper that could start a daemon: unmount, " +
                    "and mount it again");
  }
  if (::kill(keeper, renewal.signal) != 0) {
    return Complain("the keeper (process " + std::to_string(keeper) +
                    ") cannot be told: " + std::generic_category().message(errno));
  }
  auto const deadline = std::chrono::steady_clock::now() + kLongestRestart;
  while (std::chrono::steady_clock::now() < deadline) {
    auto const now = Refreshed(before);
    if (renewal.is_over(before, now)) {
      if (now.problem.empty()) return kDone;
      std::fprintf(stderr, "tusfsctl: %s\n", Printable(now.problem).c_str());
      return kStuck;
    }
    std::this_thread::sleep_for(kRestartInterval);
  }
  std::fprintf(stderr, "tusfsctl: no new daemon serves '%s' yet: see 'tusfsctl status %s'\n",
               before.mount.c_str(), before.mount.c_str());
  return kTimeout;
}

int Restart(std::string const& path) {
  auto const place = FindPlace(path);
  return place ? Renew(place->mount, kRestart) : Complain(place.error().context);
}

int Reload(std::string const& path) {
  auto const place = FindPlace(path);
  return place ? Renew(place->mount, kReload) : Complain(place.error().context);
}

int ReloadOfKeeper(pid_t keeper) {
  for (auto const& mount : ListMounts()) {
    if (KeeperOf(mount) == keeper) return Renew(mount, kReload);
  }
  return Complain("process " + std::to_string(keeper) + " is no keeper of a mount");
}

int List(std::string const& path, bool as_json, bool urls) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  auto const answer = Request(*place, "list", {{"urls", urls}});
  if (!answer) return Complain(answer.error().context);
  Print(*answer, as_json, ShowFiles);
  return kDone;
}

int RescueFiles(std::string const& state_dir, std::string const& out_dir, bool as_json) {
  auto files = json::array();
  auto const rescued = Rescue(state_dir, out_dir, [&](RescuedFile const& file) {
    if (as_json) {
      files.push_back({{"path", file.path},
                       {"state", file.state},
                       {"size", file.size},
                       {"error", file.problem.empty() ? json() : json(file.problem)}});
      return;
    }
    std::printf("%-10s %14llu %s%s\n", file.state.c_str(),
                static_cast<unsigned long long>(file.size), Printable(file.path).c_str(),
                file.problem.empty() ? "" : (" (" + file.problem + ")").c_str());
  });
  if (!rescued) return Complain(rescued.error().context);
  if (as_json) {
    Print({{"files", std::move(files)}}, as_json, ShowFiles);
  } else {
    std::printf("copied %llu files, %llu bytes, to %s; %llu are in lost+found, %llu not whole\n",
                static_cast<unsigned long long>(rescued->files),
                static_cast<unsigned long long>(rescued->bytes), out_dir.c_str(),
                static_cast<unsigned long long>(rescued->nameless),
                static_cast<unsigned long long>(rescued->incomplete));
  }
  return rescued->incomplete == 0 ? kDone : kStuck;
}

// Waits until everything that can finish by itself has; then says what cannot.
int Wait(std::vector<std::string> paths, std::optional<double> timeout, bool strict) {
  if (paths.empty()) paths.emplace_back();
  std::vector<Place> places;
  for (auto const& path : paths) {
    auto place = FindPlace(path);
    if (!place) return Complain(place.error().context);
    places.push_back(std::move(*place));
  }
  auto const start = std::chrono::steady_clock::now();
  while (true) {
    std::size_t going = 0;
    json stuck = json::array();
    for (auto const& place : places) {
      auto const answer = Request(place, strict ? "list" : "unfinished");
      if (!answer && KeeperOf(place.mount) == 0) return Complain(answer.error().context);
      if (!answer) {
        ++going;  // by and by
        continue;
      }
      for (auto const& file : FilesIn(*answer)) {
        auto const state = TextOf(file, "state");
        if (state == "uploaded" || (state == "local-only" && !strict)) continue;
        if (file.value("finishes", false)) {
          ++going;
        } else {
          stuck.push_back(file);
        }
      }
    }
    if (going == 0) {
      Print({{"files", stuck}}, false, ShowFiles);
      return stuck.empty() ? kDone : kStuck;
    }
    auto const waited = std::chrono::duration<double>(std::chrono::steady_clock::now() - start);
    if (timeout && waited.count() >= *timeout) {
      std::fprintf(stderr, "tusfsctl: time is up, %zu files are not uploaded yet\n", going);
      return kTimeout;
    }
    std::this_thread::sleep_for(kWaitInterval);
  }
}

// What a person decides about files; `saying` is said of each file of which it is done.
int Decide(char const* command, char const* saying, std::vector<std::string> const& paths,
           bool as_json, json const& more = {}) {
  json files = json::array();
  for (auto const& path : paths) {
    auto const place = FindPlace(path);
    if (!place) return Complain(place.error().context);
    auto const answer = Request(*place, command, more);
    if (!answer) return Complain(answer.error().context);
    for (auto const& file : FilesIn(*answer)) files.push_back(file);
  }
  bool refused = false;
  for (auto const& file : files) {
    auto const path = TextOf(file, "path");
    auto const name = path.empty() ? "." : Printable(path);  // the mount itself
    bool const done = file.value("done", false);
    refused = refused || !done;
    if (as_json) continue;
    if (done) {
      std::printf("%s: %s\n", name.c_str(), saying);
    } else {
      std::fprintf(stderr, "tusfsctl: %s: %s\n", name.c_str(),
                   Printable(TextOf(file, "error")).c_str());
    }
  }
  if (as_json) Print({{"files", files}}, true, ShowFiles);
  return refused ? kStuck : kDone;
}

int Main(int argc, char const* const* argv) {
  CLI::App app{"Shows what of a tusfs mount is safe on its server.", "tusfsctl"};
  app.set_version_flag("--version,-V", std::string("tusfsctl ") + kVersion);
  app.require_subcommand(1);
  bool as_json = false;
  std::string path;
  auto* const status = app.add_subcommand("status", "the mount as a whole");
  auto* const list = app.add_subcommand("list", "every file with its state");
  auto* const restart =
      app.add_subcommand("restart", "start the installed program in the running mount");
  auto* const reload = app.add_subcommand(
      "reload", "read the configuration again, and go on with it in the running mount");
  pid_t keeper = 0;
  reload->add_option("--keeper", keeper, "the mount is that of this process")->option_text("PID");
  for (auto* const command : {status, list, restart, reload}) {
    if (command == status || command == list) command->add_flag("--json", as_json, "print JSON");
    command->add_option("PATH", path, "the mount point or anything beneath it");
  }
  bool urls = false;
  list->add_flag("--urls", urls, "with --json: the upload URLs too, which are secrets");
  auto* const wait = app.add_subcommand("wait", "wait until everything beneath PATH is uploaded");
  std::vector<std::string> paths;
  std::optional<double> timeout;
  bool strict = false;
  wait->add_option("--timeout", timeout, "give up after this many seconds (status 3)")
      ->option_text("SECONDS")
      ->check([](std::string const& text) {
        return CLI::NonNegativeNumber(text).empty() ? std::string()
                                                    : "it takes seconds, 0 or more, not " + text;
      });
  wait->add_flag("--strict", strict, "count files that are never uploaded as stuck (status 1)");
  wait->add_option("PATH", paths, "the mount point or anything beneath it");
  auto* const publish = app.add_subcommand(
      "publish", "publish files that wait for it, or are interrupted, as they are");
  auto* const retry = app.add_subcommand("retry", "try files that are stuck at once");
  auto* const accept = app.add_subcommand("accept", "take unconfirmed files as uploaded");
  auto* const discard = app.add_subcommand(
      "discard", "give up files that are not uploaded: what they have here is lost");
  for (auto* const command : {publish, retry, accept, discard}) {
    command->add_flag("--json", as_json, "print JSON");
    command
        ->add_option("PATH", paths,
                     command == discard ? "files" : "files, or directories with all beneath")
        ->required();
  }
  std::string rest;
  publish
      ->add_option(
          "--rest", rest,
          "of files that a power cut has cut short: take all that is here, or drop what is "
          "not known to be whole")
      ->option_text("take|drop")
      ->check(CLI::IsMember({"take", "drop"}));
  std::string state_dir;
  std::string out_dir;
  auto* const rescue = app.add_subcommand(
      "rescue", "copy all files out of a state directory that no tusfs uses, with their names");
  rescue->add_flag("--json", as_json, "print JSON");
  rescue->add_option("STATE_DIR", state_dir, "the state directory of a mount")->required();
  rescue->add_option("OUT_DIR", out_dir, "a new directory")->required();
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& stop) {
    bool const is_unknown = argc > 1 && argv[1][0] != '-' && app.get_subcommands().empty();
    if (!is_unknown) return app.exit(stop) == 0 ? kDone : kNoAnswer;
    std::fprintf(stderr, "tusfsctl: unknown command '%s': see tusfsctl --help\n",
                 Printable(argv[1]).c_str());
    return kNoAnswer;
  }
  if (status->parsed()) return ShowStatus(path, as_json);
  if (list->parsed()) return List(path, as_json, urls);
  if (restart->parsed()) return Restart(path);
  if (reload->parsed()) return keeper != 0 ? ReloadOfKeeper(keeper) : Reload(path);
  if (rescue->parsed()) return RescueFiles(state_dir, out_dir, as_json);
  if (publish->parsed()) {
    return Decide("publish", "will be published", paths, as_json, {{"rest", rest}});
  }
  if (retry->parsed()) return Decide("retry", "is tried again", paths, as_json);
  if (accept->parsed()) return Decide("accept", "counts as uploaded", paths, as_json);
  if (discard->parsed()) return Decide("discard", "is discarded", paths, as_json);
  return Wait(std::move(paths), timeout, strict);
}

}  // namespace
}  // namespace tusfs

int main(int argc, char** argv) {
  try {
    return tusfs::Main(argc, argv);
  } catch (nlohmann::json::exception const&) {
    return tusfs::Complain("the daemon's answer cannot be read: is it of another version?");
  }
}
