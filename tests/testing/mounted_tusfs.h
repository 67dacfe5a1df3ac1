// A real mount for tests: starts `tusfs URL MOUNTPOINT` as a child, kills it, mounts again.
//
// Owned by one test and used from its thread. What is mounted when it is destroyed is unmounted.
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
  /// SIGKILL to the daemon and whatever belongs to it; the mount stays behind, dead.
  void Kill9();
  /// As umount(8) does, then waits for the daemon's end: its exit code, or -1.
  int Unmount();
  /// umount(8) alone: true when it succeeded.
  bool UmountOnly();
  /// Waits for the daemon's end after UmountOnly(): its exit code, or -1.
  int WaitForEnd();

  [[nodiscard]] std::filesystem::path const& mountpoint() const { return mountpoint_; }
  [[nodiscard]] std::filesystem::path const& state_dir() const { return state_dir_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return mountpoint_ / name;
  }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  void SetOptions(Command options) { options_ = std::move(options); }
  /// What tusfs wrote to stderr since the last Mount().
  [[nodiscard]] std::string Log() const;
  /// The command line that Mount() runs.
  [[nodiscard]] Command StartCommand() const;

  // Shorthands for tusfsctl with this mount.
  [[nodiscard]] nlohmann::json Status() const;
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
  std::filesystem::path const mountpoint_;
  std::filesystem::path const state_dir_;
  ChildProcess child_;
};

}  // namespace tusfs_testing
