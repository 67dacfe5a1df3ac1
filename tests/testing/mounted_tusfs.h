// A real mount for tests: starts `tusfs URL MOUNTPOINT` as a child, kills it, mounts again.
//
// What is started is the keeper; the daemon is a child of it, in the same process group. Owned by
// one test and used from its thread. What is mounted when it is destroyed is unmounted.
#pragma once

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "testing/files.h"
#include "testing/process.h"

namespace tusfs_testing {

/// Why this machine cannot mount; empty when it can.
[[nodiscard]] std::string WhyNoMounts();

/// Whether something is mounted at exactly this path, alive or not.
[[nodiscard]] bool IsMounted(std::filesystem::path const& mountpoint);

/// The programs under test: $TUSFS_BIN and $TUSFSCTL_BIN, or those of the build tree.
[[nodiscard]] std::string TusfsProgram();
[[nodiscard]] std::string TusfsctlProgram();
/// tusfs with moments to die at (kill_point.cc): $TUSFS_KILLABLE_BIN, or that of the build tree.
[[nodiscard]] std::string KillableTusfsProgram();

struct CtlAnswer {
  int code = -1;
  nlohmann::json json{};  // discarded where stdout was no JSON
  std::string out{};
  std::string err{};
};

/// Runs tusfsctl; with --json among the arguments its output is parsed.
[[nodiscard]] CtlAnswer TusfsCtl(Command arguments,
                                 std::chrono::milliseconds limit = std::chrono::seconds(120));

class MountedTusfs {
 public:
  /// Mounts nothing yet. Mount point and state directory lie in a temporary directory of its own.
  explicit MountedTusfs(std::string url, Command options = {});
  ~MountedTusfs();
  MountedTusfs(MountedTusfs const&) = delete;
  MountedTusfs& operator=(MountedTusfs const&) = delete;

  /// Returns when the mount answers: empty, or what went wrong with what tusfs said.
  [[nodiscard]] std::string Mount();
  /// SIGKILL to the keeper and the daemon; the mount stays behind, dead. Both are gone then.
  void Kill9();
  /// SIGKILL to the daemon alone, as soon as there is one, and returns at once. The process that
  /// was killed, or 0 where none came in time.
  pid_t KillDaemon();
  /// As umount(8) does, then waits for the keeper's end: its exit code, or -1.
  int Unmount();
  /// umount(8) alone: true when it succeeded.
  bool UmountOnly();
  /// Waits for the keeper's end after UmountOnly(): its exit code, or -1.
  int WaitForEnd();

  [[nodiscard]] std::filesystem::path const& mountpoint() const { return mountpoint_; }
  [[nodiscard]] std::filesystem::path const& state_dir() const { return state_dir_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return mountpoint_ / name;
  }
  /// Of what was started: the keeper.
  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  // For the next Mount().
  void SetOptions(Command options) { options_ = std::move(options); }
  /// In place of TusfsProgram().
  void SetProgram(std::string program) { program_ = std::move(program); }
  /// Added to this process's environment, each "NAME=VALUE".
  void SetEnvironment(std::vector<std::string> variables) { environment_ = std::move(variables); }
  /// What tusfs wrote to stderr since the last Mount().
  [[nodiscard]] std::string Log() const;
  /// The command line that Mount() runs.
  [[nodiscard]] Command StartCommand() const;

  // Shorthands for tusfsctl with this mount.
  [[nodiscard]] nlohmann::json Status() const;
  /// 0: none serves now, or nobody says.
  [[nodiscard]] pid_t DaemonPid() const;
  [[nodiscard]] pid_t KeeperPid() const;
  /// How many daemons have followed the first one of this mount; -1: nobody says.
  [[nodiscard]] int Restarts() const;
  /// The entry of `list --json` for `path` (relative to the mount), or null.
  [[nodiscard]] nlohmann::json Listed(std::string const& path) const;
  /// Its state there, or an empty string.
  [[nodiscard]] std::string State(std::string const& path) const;
  /// `tusfsctl wait --timeout SECONDS MOUNTPOINT`: the exit code.
  [[nodiscard]] int WaitUploaded(std::chrono::seconds limit = std::chrono::seconds(100)) const;

 private:
  TempDir const dir_;
  std::string const url_;
  Command options_;
  std::string program_;
  std::vector<std::string> environment_;
  std::filesystem::path const mountpoint_;
  std::filesystem::path const state_dir_;
  ChildProcess child_;
};

}  // namespace tusfs_testing
