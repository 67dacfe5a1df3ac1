#include "control/doctor.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/outcome.h"
#include "control/place.h"
#include "control/progress.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Level = Finding::Level;

constexpr std::chrono::seconds kWatched{3};  // the spool, for how fast it fills
constexpr std::uint64_t kLittleRoom = std::uint64_t{1} << 30;
constexpr std::int64_t kClockTolerance = 60;  // seconds
constexpr double kDay = 24 * 3600;

bool IsInPath(std::string const& program) {
  auto const* const path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (::access((fs::path(directory) / program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

Finding ExamineDevice() {
  constexpr char const* kDevice = "/dev/fuse";
  if (auto const opened = OpenFile(kDevice, O_RDWR); !opened) {
    auto const code = opened.error().code;
    std::string const way_out =
        code == ENOENT || code == ENODEV || code == ENXIO
            ? "load the module with 'modprobe fuse'; a container has to be given the device"
        : code == EACCES || code == EPERM
            ? "allow this user to open it (chmod 666 /dev/fuse), or the container to use it"
            : "see the kernel's log";
    return {
        Level::kBad, "fuse",
        "/dev/fuse cannot be opened: " + std::generic_category().message(code) + "; " + way_out};
  }
  if (::geteuid() != 0 && !IsInPath("fusermount3")) {
    return {Level::kBad, "fuse",
            "there is no fusermount3, which users need to mount: install the package fuse3"};
  }
  return {Level::kOk, "fuse", "/dev/fuse can be used"};
}

// What stands in the way of a server, by the name of the error's class.
std::string WayOutOf(std::string const& code, std::string const& error) {
  bool const is_tls = error.find("SSL") != std::string::npos ||
                      error.find("TLS") != std::string::npos ||
                      error.find("certificate") != std::string::npos;
  if (is_tls) return "look at its certificate, at the authorities (ca-file), and at the clock";
  if (code == "unreachable" || code == "interrupted") {
    return "look at the network, at the server's name, and at the proxies of the environment";
  }
  if (code == "unauthorized") return "mend the credentials: token-file, header-file or netrc";
  if (code == "not-tus") return "look at the URL: a portal, a proxy or another service answers";
  return "look at the server's log, and at the URL";
}

Finding ExamineDaemon(json const& status) {
  if (auto const problem = TextOf(status, "problem"); !problem.empty()) {
    return {Level::kWarning, "daemon", problem};
  }
  if (TextOf(status, "writer_ends") == "nobody") {
    return {Level::kWarning, "daemon",
            "how programs end after they have closed a file is not seen: run tusfs as root, or on "
            "Linux 6.15 or newer"};
  }
  if (status.value("paused", false)) {
    return {Level::kWarning, "daemon", "sending is paused: say tusfsctl resume"};
  }
  return {Level::kOk, "daemon", "it answers"};
}

Finding ExamineFiles(json const& status) {
  auto const& files = status.at("files");
  auto const stuck =
      NumberOf(files, "interrupted") + NumberOf(files, "failed") + NumberOf(files, "unconfirmed");
  if (stuck == 0) return {Level::kOk, "files", "none needs somebody"};
  return {Level::kWarning, "files",
          std::to_string(stuck) + " need somebody: see tusfsctl list --stuck"};
}

std::vector<Finding> ExamineMount(Place const& place) {
  auto findings = ExamineDisk(place.mount.state_dir);
  auto const add = [&](std::vector<Finding> more) {
    findings.insert(findings.end(), more.begin(), more.end());
  };
  auto const before = Request(place, "status");
  if (!before) {
    findings.insert(findings.begin(), {Level::kBad, "daemon", before.error().context});
    return findings;
  }
  auto status = *before;
  status["problem"] = Refreshed(place.mount).problem;
  findings.insert(findings.begin(), ExamineDaemon(status));
  auto const start = std::chrono::steady_clock::now();
  auto const answer = Request(place, "ask-server");
  std::this_thread::sleep_until(start + kWatched);
  auto const after = Request(place, "status");
  std::chrono::duration<double> const elapsed = std::chrono::steady_clock::now() - start;
  if (after) add(ExamineSpool(*before, *after, elapsed.count()));
  if (answer) {
    add(ExamineServer(*answer, status));
  } else {
    findings.push_back({Level::kBad, "server", answer.error().context});
  }
  findings.push_back(ExamineFiles(status));
  return findings;
}

char const* WordOf(Level level) {
  switch (level) {
    case Level::kOk:
      return "ok";
    case Level::kWarning:
      return "warning";
    case Level::kBad:
      break;
  }
  return "bad";
}

json ToJson(std::vector<Finding> const& findings) {
  auto list = json::array();
  for (auto const& finding : findings) {
    list.push_back({{"level", WordOf(finding.level)},
                    {"topic", finding.topic},
                    {"sentence", finding.sentence}});
  }
  return list;
}

bool IsFine(std::vector<Finding> const& findings) {
  return std::all_of(findings.begin(), findings.end(),
                     [](Finding const& finding) { return finding.level == Level::kOk; });
}

}  // namespace

std::vector<Finding> ExamineMachine() {
  utsname names{};
  ::uname(&names);
  return {{Level::kOk, "kernel", std::string(names.sysname) + " " + names.release},
          ExamineDevice()};
}

std::vector<Finding> ExamineDisk(std::string const& state_dir) {
  struct statvfs room {};
  struct statfs kind {};
  if (::statvfs(state_dir.c_str(), &room) != 0 || ::statfs(state_dir.c_str(), &kind) != 0) {
    return {{Level::kBad, "disk",
             "the state directory '" + state_dir + "' cannot be looked at: " +
                 std::generic_category().message(errno) + "; is its filesystem mounted?"}};
  }
  std::vector<Finding> findings;
  if ((room.f_flag & ST_RDONLY) != 0) {
    findings.push_back({Level::kBad, "disk",
                        "the filesystem of '" + state_dir +
                            "' is read-only: see the kernel's log for errors of the disk"});
  }
  if (kind.f_type == TMPFS_MAGIC || kind.f_type == RAMFS_MAGIC) {
    findings.push_back({Level::kWarning, "disk",
                        "'" + state_dir +
                            "' is in memory: a reboot loses what is not uploaded; put it on a disk "
                            "with --state-dir"});
  }
  auto const free = std::uint64_t{room.f_bavail} * room.f_frsize;
  if (free < kLittleRoom) {
    findings.push_back(
        {Level::kWarning, "disk",
         "only " + ShowBytes(free) + " are free beside '" + state_dir + "': make room there"});
  }
  if (room.f_files > 0 && room.f_favail < room.f_files / 100) {
    findings.push_back({Level::kWarning, "disk",
                        "the filesystem of '" + state_dir + "' has hardly any inodes left"});
  }
  if (findings.empty()) findings.push_back({Level::kOk, "disk", ShowBytes(free) + " are free"});
  return findings;
}

std::vector<Finding> ExamineSpool(json const& before, json const& after, double seconds) {
  auto const& spool = after.at("spool");
  auto const used = NumberOf(spool, "used");
  auto const limit = NumberOf(spool, "limit");
  auto const room = limit - std::min(limit, used);
  if (NumberOf(spool, "waiting") > 0) {
    return {
        {Level::kBad, "spool",
         "it is full, and writers wait for room: let it send (tusfsctl status), give up what is "
         "stuck (tusfsctl list --stuck), or give it more with --spool-size"}};
  }
  auto const used_before = NumberOf(before.at("spool"), "used");
  auto const has = ShowBytes(room) + " of " + ShowBytes(limit) + " are left";
  if (used <= used_before || seconds <= 0)
    return {{Level::kOk, "spool", has + ", it does not fill"}};
  auto const rate = static_cast<double>(used - used_before) / seconds;
  auto const until_full = static_cast<double>(room) / rate;
  // What is uploaded gives its room back when that is needed, so this is the least.
  auto const text = has + "; as fast as it fills now it is full in " +
                    ShowDuration(std::chrono::seconds(
                        static_cast<std::int64_t>(std::min(until_full, 1000 * kDay))));
  return {{until_full < 3600 ? Level::kWarning : Level::kOk, "spool",
           text + (until_full < 3600 ? ": write less, or look why it sends so slowly" : "")}};
}

std::vector<Finding> ExamineServer(json const& answer, json const& status) {
  std::vector<Finding> findings;
  auto const error = TextOf(answer, "problem");
  auto const code = TextOf(answer, "code");
  if (!error.empty()) {
    findings.push_back({Level::kBad, code == "unauthorized" ? "credentials" : "server",
                        error + "; " + WayOutOf(code, error)});
  } else {
    findings.push_back(
        {Level::kOk, "server",
         "it answers as a tus server, in " + std::to_string(NumberOf(answer, "took_ms")) + " ms"});
    auto const& server = status.at("server");
    auto const why = TextOf(server, "error");
    if (!server.value("reachable", false) && !why.empty()) {
      findings.push_back(
          {Level::kBad, "credentials",
           "it answers, and does not take uploads: " + why + "; " + WayOutOf("unauthorized", why)});
    } else {
      findings.push_back({Level::kOk, "credentials", "none were refused"});
    }
  }
  if (error.empty() && answer.value("clock_ahead", json()).is_null()) {
    findings.push_back({Level::kOk, "clock", "the server does not say what time it is"});
  }
  if (auto const ahead = answer.find("clock_ahead");
      ahead != answer.end() && ahead->is_number_integer()) {
    auto const seconds = ahead->get<std::int64_t>();
    bool const is_right = std::abs(seconds) <= kClockTolerance;
    findings.push_back(is_right
                           ? Finding{Level::kOk, "clock", "as the server's"}
                           : Finding{Level::kWarning, "clock",
                                     ShowDuration(std::chrono::seconds(std::abs(seconds))) +
                                         (seconds > 0 ? " behind" : " ahead of") +
                                         " the server's: set it, with 'timedatectl set-ntp true'"});
  }
  return findings;
}

std::vector<Finding> ExamineHere(Place const& place, json const& status) {
  auto findings = ExamineDisk(place.mount.state_dir);
  findings.push_back(ExamineDaemon(status));
  findings.push_back(ExamineFiles(status));
  return findings;
}

std::string ShowFindings(std::vector<Finding> const& findings) {
  std::string text;
  for (auto const& finding : findings) {
    char head[32];
    std::snprintf(head, sizeof head, "%-8s%-12s", WordOf(finding.level), finding.topic.c_str());
    text += head + Printable(finding.sentence) + "\n";
  }
  return text;
}

int Doctor(std::string const& path, bool as_json) {
  std::vector<Place> places;
  if (path.empty()) {
    for (auto& mount : ListMounts()) places.push_back({std::move(mount), ""});
  } else {
    auto place = FindPlace(path);
    if (!place) return Complain(place.error().context);
    places.push_back(*std::move(place));
  }
  auto const machine = ExamineMachine();
  bool is_fine = IsFine(machine);
  json answer{{"machine", ToJson(machine)}, {"mounts", json::array()}};
  if (!as_json) std::fputs(ShowFindings(machine).c_str(), stdout);
  for (auto const& place : places) {
    auto const findings = ExamineMount(place);
    is_fine = is_fine && IsFine(findings);
    answer["mounts"].push_back({{"mount", place.mount.mount}, {"findings", ToJson(findings)}});
    if (as_json) continue;
    std::printf("%s\n%s", Printable(place.mount.mount).c_str(), ShowFindings(findings).c_str());
  }
  if (as_json) Print(answer, true, nullptr);
  return is_fine ? kDone : kStuck;
}

}  // namespace tusfs
