#include "testing/mounted_tusfs.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

std::string FromEnvironment(char const* name, char const* otherwise) {
  char const* const given = ::getenv(name);
  return given != nullptr ? given : otherwise;
}

bool Umount(fs::path const& mountpoint, bool lazy) {
  if (::geteuid() == 0) return ::umount2(mountpoint.c_str(), lazy ? MNT_DETACH : 0) == 0;
  Command command{"fusermount3", "-u", mountpoint};
  if (lazy) command.insert(command.begin() + 2, "-z");
  return RunProgram(command).code == 0;
}

/// Its root can be looked at, and not through a daemon that is gone.
bool Answers(fs::path const& mountpoint) {
  struct statfs about {};
  constexpr long kFuseSuperMagic = 0x65735546;
  return IsMounted(mountpoint) && ::statfs(mountpoint.c_str(), &about) == 0 &&
         static_cast<long>(about.f_type) == kFuseSuperMagic &&
         ::access(mountpoint.c_str(), F_OK) == 0;
}

// Of a line of /proc/PID/stat: PID (NAME) STATE PPID PGRP …, and the name may hold anything.
bool LivesInGroup(std::string const& stat, pid_t group) {
  auto const name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream words(stat.substr(name_end + 1));
  char state = 0;
  pid_t parent = 0;
  pid_t of = 0;
  if (!(words >> state >> parent >> of) || of != group) return false;
  constexpr int kBetween = 20 - 6;  // fields from that of the group to the number of threads
  int threads = 0;
  for (int i = 0; i < kBetween; ++i) {
    std::string word;
    words >> word;
    if (i + 1 == kBetween) threads = std::atoi(word.c_str());
  }
  // A leader that has ended is a zombie, and other threads may still hold the files.
  return state != 'Z' || threads > 1;
}

/// Whether a process of the group is left; zombies that nobody reaps do not count.
bool GroupLives(pid_t group) {
  for (auto const& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    if (std::getline(file, stat) && LivesInGroup(stat, group)) return true;
  }
  return false;
}

int NumberIn(nlohmann::json const& object, char const* field, int otherwise) {
  if (!object.is_object()) return otherwise;
  auto const found = object.find(field);
  return found != object.end() && found->is_number() ? found->get<int>() : otherwise;
}

}  // namespace

std::string TusfsProgram() { return FromEnvironment("TUSFS_BIN", TUSFS_BIN_DEFAULT); }
std::string TusfsctlProgram() { return FromEnvironment("TUSFSCTL_BIN", TUSFSCTL_BIN_DEFAULT); }
std::string KillableTusfsProgram() {
  return FromEnvironment("TUSFS_KILLABLE_BIN", TUSFS_KILLABLE_BIN_DEFAULT);
}

std::string WhyNoMounts() {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "/dev/fuse cannot be opened here";
  if (::geteuid() != 0 && !HaveProgram("fusermount3")) {
    return "mounting needs root or fusermount3";
  }
  if (::access(TusfsProgram().c_str(), X_OK) != 0) return "there is no " + TusfsProgram();
  if (::access(TusfsctlProgram().c_str(), X_OK) != 0) return "there is no " + TusfsctlProgram();
  return "";
}

bool IsMounted(fs::path const& mountpoint) {
  std::ifstream table("/proc/self/mountinfo");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string id, parent, device, root, target;
    if (fields >> id >> parent >> device >> root >> target && target == mountpoint) return true;
  }
  return false;
}

CtlAnswer TusfsCtl(Command arguments, std::chrono::milliseconds limit) {
  bool const json = std::ranges::find(arguments, "--json") != arguments.end();
  arguments.insert(arguments.begin(), TusfsctlProgram());
  auto finished = RunProgram(arguments, limit);
  CtlAnswer answer{.code = finished.code, .out = std::move(finished.out), .err = finished.err};
  if (json) answer.json = nlohmann::json::parse(answer.out, nullptr, false);
  return answer;
}

MountedTusfs::MountedTusfs(std::string url, Command options)
    : url_(std::move(url)),
      options_(std::move(options)),
      program_(TusfsProgram()),
      mountpoint_(dir_ / "mnt"),
      state_dir_(dir_ / "state") {
  fs::create_directory(mountpoint_);
}

MountedTusfs::~MountedTusfs() {
  if (IsMounted(mountpoint_) && Umount(mountpoint_, false)) {
    (void)child_.Wait(std::chrono::seconds(10));
  }
  // Whatever a failed test left behind must not be in the way of the next one.
  Kill9();
  while (IsMounted(mountpoint_) && Umount(mountpoint_, true)) continue;
}

Command MountedTusfs::StartCommand() const {
  Command command;
  if (!environment_.empty()) command.push_back("env");
  command.insert(command.end(), environment_.begin(), environment_.end());
  Command const start{
      program_,       url_,       mountpoint_, "--state-dir", state_dir_,
      "--foreground", "--settle", "0.2",       "--volatile"};  // wherever temporary files are
  command.insert(command.end(), start.begin(), start.end());
  command.insert(command.end(), options_.begin(), options_.end());
  return command;
}

std::string MountedTusfs::Mount() {
  fs::remove(dir_ / "stderr");
  child_.Start(StartCommand(), dir_ / "stdout", dir_ / "stderr");
  bool const live = WaitFor([&] { return Answers(mountpoint_) || !child_.Running(); });
  if (live && child_.Running()) return "";
  return (live ? "tusfs ended: " : "the mount did not come up: ") + Log();
}

void MountedTusfs::Kill9() {
  if (child_.pid() <= 0) return;
  // The group outlives the keeper in its daemon. Again and again, because the keeper may be just
  // about to start one.
  (void)WaitFor(
      [&] {
        if (!child_.Running() && !GroupLives(child_.pid())) return true;
        ::kill(-child_.pid(), SIGKILL);
        return false;
      },
      std::chrono::seconds(10));
}

pid_t MountedTusfs::KillDaemon() {
  pid_t killed = 0;
  (void)WaitFor([&] {
    // While a successor starts, its dead predecessor may still be named.
    auto const daemon = DaemonPid();
    if (daemon == 0 || HasEnded(daemon) || ::kill(daemon, SIGKILL) != 0) return false;
    killed = daemon;
    return true;
  });
  return killed;
}

bool MountedTusfs::UmountOnly() { return Umount(mountpoint_, false); }

int MountedTusfs::WaitForEnd() {
  auto const ending = child_.Wait(std::chrono::seconds(20));
  return ending ? ending->code : -1;
}

int MountedTusfs::Unmount() {
  // Busy for a moment is normal: what a program has closed may not be released yet.
  if (!WaitFor([&] { return UmountOnly(); }, std::chrono::seconds(5))) return -1;
  return WaitForEnd();
}

std::string MountedTusfs::Log() const {
  return fs::exists(dir_ / "stderr") ? ReadFile(dir_ / "stderr") : "";
}

nlohmann::json MountedTusfs::Status() const {
  return TusfsCtl({"status", "--json", mountpoint_}).json;
}

pid_t MountedTusfs::DaemonPid() const { return NumberIn(Status(), "daemon_pid", 0); }
pid_t MountedTusfs::KeeperPid() const { return NumberIn(Status(), "keeper_pid", 0); }
int MountedTusfs::Restarts() const { return NumberIn(Status(), "restarts", -1); }

nlohmann::json MountedTusfs::Listed(std::string const& path) const {
  auto const answer = TusfsCtl({"list", "--json", mountpoint_});
  if (!answer.json.is_object() || !answer.json.contains("files")) return nullptr;
  for (auto const& file : answer.json["files"]) {
    if (file.value("path", "") == path) return file;
  }
  return nullptr;
}

std::string MountedTusfs::State(std::string const& path) const {
  auto const listed = Listed(path);
  return listed.is_object() ? listed.value("state", "") : "";
}

int MountedTusfs::WaitUploaded(std::chrono::seconds limit) const {
  auto const waited = TusfsCtl({"wait", "--timeout", std::to_string(limit.count()), mountpoint_},
                               limit + std::chrono::seconds(10));
  // Into the test's log: which file it was, and why.
  if (waited.code != 0) std::fputs((waited.out + waited.err).c_str(), stdout);
  return waited.code;
}

}  // namespace tusfs_testing
