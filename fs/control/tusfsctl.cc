// tusfsctl: asks the daemon of a mount and prints what it says.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "control/registry.h"
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
constexpr int kBarWidth = 30;

// A path beneath a mount.
struct Place {
  MountEntry mount;
  std::string path;  ///< relative to the mount
};

int Complain(std::string const& sentence) {
  std::fprintf(stderr, "tusfsctl: %s\n", sentence.c_str());
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
  std::error_code failed;
  auto const resolved = std::filesystem::weakly_canonical(path, failed);
  if (!failed) {
    if (auto place = PlaceOf(mounts, resolved.string())) return *place;
  }
  return Fail(ENOENT, "'" + given + "' is not in a tusfs mount");
}

Result<json> Request(Place const& place, char const* command, bool urls = false) {
  json const request{{"command", command}, {"path", place.path}, {"urls", urls}};
  auto const answer =
      Ask(place.mount.socket, request.dump(-1, ' ', false, json::error_handler_t::replace));
  if (!answer) {
    return Fail(answer.error().code, "the daemon of '" + place.mount.mount + "' (process " +
                                         std::to_string(place.mount.daemon_pid) +
                                         ") does not answer: start it again with 'tusfs " +
                                         place.mount.url + " " + place.mount.mount +
                                         " --state-dir " + place.mount.state_dir + "'");
  }
  auto object = json::parse(*answer, nullptr, false);
  if (!object.is_object()) return Fail(EPROTO, "the daemon's answer cannot be read");
  if (auto const error = object.find("error"); error != object.end() && error->is_string()) {
    return Fail(ENOENT, error->get<std::string>());
  }
  return object;
}

// ---- printing

std::string Bytes(std::uint64_t bytes) {
  constexpr char const* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

int Percent(std::uint64_t done, std::uint64_t all) {
  return all == 0 ? 100
                  : static_cast<int>(static_cast<double>(done) * 100 / static_cast<double>(all));
}

std::string Bar(std::uint64_t done, std::uint64_t all) {
  if (::isatty(STDOUT_FILENO) == 0) return {};
  auto const filled = static_cast<std::size_t>(Percent(done, all) * kBarWidth / 100);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] ";
}

std::string TextOf(json const& object, char const* field) {
  auto const found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t NumberOf(json const& object, char const* field) {
  return object.value(field, std::uint64_t{0});
}

void PrintStatus(json const& status) {
  auto const& server = status["server"];
  auto const& bytes = status["bytes"];
  auto const confirmed = NumberOf(bytes, "confirmed");
  auto const accepted = NumberOf(bytes, "accepted");
  std::printf("%s -> %s\n", TextOf(status, "mount").c_str(), TextOf(status, "url").c_str());
  std::printf("  server  %s since %s%s%s\n",
              server.value("reachable", false) ? "reachable" : "not usable",
              TextOf(server, "since").c_str(), TextOf(server, "error").empty() ? "" : ": ",
              Printable(TextOf(server, "error")).c_str());
  std::printf("  safe    %s%d%% (%s of %s on the server, %s to go)\n",
              Bar(confirmed, accepted).c_str(), Percent(confirmed, accepted),
              Bytes(confirmed).c_str(), Bytes(accepted).c_str(),
              Bytes(NumberOf(bytes, "remaining")).c_str());
  std::printf("  sent    %s, of these %s again\n", Bytes(NumberOf(bytes, "sent")).c_str(),
              Bytes(NumberOf(bytes, "resent")).c_str());
  std::string files;
  for (auto const& [state, count] : status["files"].items()) {
    files += (files.empty() ? "" : ", ") + std::to_string(count.get<std::uint64_t>()) + " " + state;
  }
  std::printf("  files   %s\n", files.empty() ? "none" : files.c_str());
  std::printf("  daemon  process %d, spool %s used of %s\n", status.value("daemon_pid", 0),
              Bytes(NumberOf(status["spool"], "used")).c_str(),
              Bytes(NumberOf(status["spool"], "limit")).c_str());
}

void PrintFiles(json const& answer) {
  for (auto const& file : answer["files"]) {
    auto const error = TextOf(file, "error");
    auto const offset = NumberOf(file, "offset");
    auto const size = NumberOf(file, "size");
    auto const state = TextOf(file, "state");
    bool const nothing_yet = size == 0 && state != "uploaded";
    std::printf("%-11s %s%3d%% %10s  %s%s%s\n", state.c_str(), Bar(offset, size).c_str(),
                nothing_yet ? 0 : Percent(offset, size), Bytes(size).c_str(),
                Printable(TextOf(file, "path")).c_str(), error.empty() ? "" : "  -- ",
                Printable(error).c_str());
  }
}

// ---- commands

int Show(char const* command, std::string const& path, bool as_json, bool urls,
         void (*print)(json const&)) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  auto const answer = Request(*place, command, urls);
  if (!answer) return Complain(answer.error().context);
  if (as_json) {
    std::printf("%s\n", answer->dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  } else {
    print(*answer);
  }
  return kDone;
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
      if (!answer) return Complain(answer.error().context);
      for (auto const& file : (*answer)["files"]) {
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
      PrintFiles({{"files", stuck}});
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

int Main(int argc, char const* const* argv) {
  CLI::App app{"Shows what of a tusfs mount is safe on its server.", "tusfsctl"};
  app.set_version_flag("--version,-V", std::string("tusfsctl ") + kVersion);
  app.require_subcommand(1);
  bool as_json = false;
  std::string path;
  auto* const status = app.add_subcommand("status", "the mount as a whole");
  auto* const list = app.add_subcommand("list", "every file with its state");
  for (auto* const command : {status, list}) {
    command->add_flag("--json", as_json, "print JSON");
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
      ->check(CLI::NonNegativeNumber);
  wait->add_flag("--strict", strict, "count files that are never uploaded as stuck (status 1)");
  wait->add_option("PATH", paths, "the mount point or anything beneath it");
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& stop) {
    return app.exit(stop) == 0 ? kDone : kNoAnswer;
  }
  if (status->parsed()) return Show("status", path, as_json, false, PrintStatus);
  if (list->parsed()) return Show("list", path, as_json, urls, PrintFiles);
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
