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
#include "base/text.h"
#include "control/answers.h"
#include "control/outcome.h"
#include "control/place.h"
#include "control/registry.h"
#include "control/rescue.h"
#include "control/waiting.h"
#include "version.h"

namespace tusfs {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kRestartInterval{20};
constexpr std::chrono::seconds kLongestRestart{30};
constexpr char const* kKeeperName = "tusfs-keeper";

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

int Restart(std::string const& path) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  auto const before = Refreshed(place->mount);
  auto const keeper = KeeperOf(before);
  if (!IsKeeper(keeper)) {
    return Complain("'" + before.mount +
                    "' has no keeper that could restart its daemon: unmount, " +
                    "and mount it again");
  }
  if (::kill(keeper, SIGUSR2) != 0) {
    return Complain("the keeper (process " + std::to_string(keeper) +
                    ") cannot be told: " + std::generic_category().message(errno));
  }
  auto const deadline = std::chrono::steady_clock::now() + kLongestRestart;
  while (std::chrono::steady_clock::now() < deadline) {
    auto const now = Refreshed(before);
    if (now.starts > before.starts && now.daemon_pid != 0) {
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

int List(std::string const& path, bool as_json, bool urls) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  FilePrinter printer(as_json);
  auto const listed =
      VisitFiles(*place, "list", {{"urls", urls}}, [&](json const& file) { printer.Print(file); });
  if (!listed) return Complain(listed.error().context);
  printer.End();
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

int Wait(std::vector<std::string> paths, WaitOptions const& options) {
  if (paths.empty()) paths.emplace_back();
  std::vector<Place> places;
  for (auto const& path : paths) {
    auto place = FindPlace(path);
    if (!place) return Complain(place.error().context);
    places.push_back(std::move(*place));
  }
  return WaitFor(std::move(places), options);
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
  for (auto* const command : {status, list, restart}) {
    if (command != restart) command->add_flag("--json", as_json, "print JSON");
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
  if (rescue->parsed()) return RescueFiles(state_dir, out_dir, as_json);
  if (publish->parsed()) {
    return Decide("publish", "will be published", paths, as_json, {{"rest", rest}});
  }
  if (retry->parsed()) return Decide("retry", "is tried again", paths, as_json);
  if (accept->parsed()) return Decide("accept", "counts as uploaded", paths, as_json);
  if (discard->parsed()) return Decide("discard", "is discarded", paths, as_json);
  return Wait(std::move(paths), {.timeout = timeout, .strict = strict});
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
