// The process that owns a mount: it holds /dev/fuse and the request slots, and starts the daemon
// that serves them, again whenever that dies (fs/README.md, "Processes").
//
// One thread and a loop around poll(2); it looks at no request and at no file. As long as it lives
// the mount does, with or without a daemon: callers wait, they do not fail. Where it is killed, the
// daemon goes on, and the mount ends with that, unless systemd keeps the descriptors.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"
#include "control/registry.h"
#include "fuse/mountpoint.h"
#include "keeper/import_process.h"
#include "keeper/link.h"
#include "keeper/program.h"
#include "keeper/restart_policy.h"
#include "keeper/service_manager.h"

namespace tusfs {

struct DaemonSettings {
  std::vector<std::string> arguments;  ///< of the daemon
  std::string to_keep;                 ///< for ServiceManager::Keep
};

struct KeeperOptions {
  MountOptions mount;
  std::optional<ServiceManager::Kept> kept;  ///< the mount of an earlier keeper; it goes on
  UniqueFd beneath;                   ///< the directory beneath the mount, to be taken in; or none
  MountEntry entry;                   ///< as it is registered; the keeper fills its own part
  std::filesystem::path runtime_dir;  ///< where it is registered
  DaemonSettings settings;
  /// Those that the configuration comes to now. Errors: a sentence.
  std::function<Result<DaemonSettings>()> read_again;
  UniqueFd url;                        ///< a file with its URL, or none: it is no secret
  std::filesystem::path crash_marker;  ///< a file that is made when the daemon crashes
  /// Called where an earlier keeper of the mount point, this process, has not ended yet.
  std::function<void(pid_t)> on_wait;
  /// Called once: the mount is live, and what its start had to say is said.
  std::function<void()> on_ready;
};

class Keeper {
 public:
  /// `program` is started as the daemon.
  Keeper(KeeperOptions options, Program program, ServiceManager const& manager, Logger logger);

  /// Mounts and keeps the mount until it is unmounted, or until SIGTERM or SIGINT: it unmounts
  /// then, where nobody uses the mount; else its daemon ends first, which knows what was open.
  /// SIGUSR2 starts the installed program in place of the running one, and so does SIGHUP, with the
  /// arguments that the configuration comes to then: with those before where it is refused, or does
  /// not serve. Returns the status to exit with; errors carry a sentence, and nothing is mounted
  /// then.
  [[nodiscard]] Result<int> Run();

 private:
  using Clock = std::chrono::steady_clock;

  Result<void> Prepare();
  void Turn();
  [[nodiscard]] int PollTimeout() const;
  void StartDaemon();
  void OnTime();
  [[nodiscard]] bool IsAwaited() const;  ///< until give_up_at_
  void OnSignal();
  void OnNoStart(Error const& error);
  void OnMessage();
  void OnServing();
  void OnDaemonEnd(int status);
  void OnCrash(std::string const& how);
  void OfferMount();
  void BeginRestart();
  void BeginReload();
  void DropCandidates(std::string const& how);
  void BeginEnd();
  void EndMount();
  void OnImport();
  void OnImportEnd();
  /// The daemon, where there is one.
  void TellBeneath();
  void Finish(int status);
  void Register();
  void Watch();
  void Tell(Word word, int fd = -1);

  KeeperOptions options_;
  ServiceManager const& manager_;
  Logger const logger_;
  UniqueFd lock_;
  UniqueFd signals_;
  UniqueFd device_;  ///< of the mount; none before the first daemon wants it
  UniqueFd slots_;

  Program program_;                   ///< has served, or is the first
  std::optional<Program> candidate_;  ///< was installed since, and has not served yet
  std::optional<DaemonSettings> candidate_settings_;  ///< were read since, likewise
  /// kStarting: the daemon is killed at give_up_at_ where the mount is served already; kLeaving
  /// too.
  DaemonPhase phase_ = DaemonPhase::kWaiting;
  pid_t daemon_ = 0;
  std::optional<Link> link_;
  bool restart_wanted_ = false;  ///< as soon as the starting daemon serves
  bool reload_wanted_ = false;   ///< likewise
  bool established_ = false;     ///< the mount has been served: from now on it is never given up
  Clock::time_point serving_since_;
  RestartPauses pauses_;
  Clock::time_point start_at_;
  Clock::time_point give_up_at_;
  std::optional<Clock::time_point> tell_end_at_;  ///< to a daemon that does not see it by itself
  std::optional<Clock::time_point> watch_at_;
  ImportProcess import_;
  /// The mount is to end, and whoever takes in what lies beneath it, which would keep it busy, is
  /// waited for so long.
  std::optional<Clock::time_point> import_ends_by_;
  bool ping_answered_ = true;
  std::optional<Error> failure_;        ///< why nothing could be mounted
  std::optional<Result<int>> outcome_;  ///< set: the keeper is done
};

}  // namespace tusfs
