// One mount on one machine: the daemon's rooms without their threads, which live and die as a
// history says.
//
// Each of the threads' turns is a call: Turn does the next thing that is due. When the disk dies
// under it (Disk::DieAfter), the process is a dead one: Bury it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/logger.h"
#include "disk.h"
#include "filesystem/decisions.h"
#include "filesystem/filesystem.h"
#include "filesystem/reclaim.h"
#include "filesystem/report.h"
#include "server.h"
#include "spool/spool.h"
#include "uploader/uploader.h"
#include "virtual_clock.h"

namespace tusfs_life {

/// Everybody lives and closes cleanly, but for those who were killed.
class Processes : public tusfs::ProcessTable {
 public:
  [[nodiscard]] tusfs::Judgement JudgeClose(pid_t thread) const override {
    auto const found = dead_.find(thread);
    return found == dead_.end() ? tusfs::Judgement{tusfs::Verdict::kClean, {}} : found->second;
  }
  [[nodiscard]] tusfs::Judgement JudgeCopy(pid_t, std::string const&,
                                           tusfs::Copy const&) const override {
    return {tusfs::Verdict::kClean, {}};
  }
  [[nodiscard]] pid_t ProcessOf(pid_t thread) const override { return thread; }
  void Kill(pid_t thread) {
    dead_[thread] = {tusfs::Verdict::kDied, "its writer was killed by SIGKILL"};
  }

 private:
  std::map<pid_t, tusfs::Judgement> dead_;
};

struct MountSettings {
  bool adopts = true;
  bool trims = false;
  bool verifies = false;
  std::uint64_t spool_size = 0;
  std::optional<std::uint64_t> keep;
  bool holds = false;            ///< what is called kHeldName waits for a person
  std::uint32_t map_pages = 64;  ///< of the catalog at first, so that it has to grow one day
  bool parts = false;
  bool deletes_parts = false;
};

constexpr char const* kHeldName = "c";

class Machine {
 public:
  Machine(Disk& disk, Server& server, VirtualClock& clock, std::uint64_t seed,
          tusfs::Logger logger);
  ~Machine();

  MountSettings settings;  ///< of the next mount

  /// A new connection. Errors: what the program would say.
  [[nodiscard]] tusfs::Result<void> Mount();
  /// A successor goes on with the connection.
  [[nodiscard]] tusfs::Result<void> TakeOver();
  /// The end of the mount, as umount and a stop of the service bring it.
  /// `busy`: somebody has a file open.
  [[nodiscard]] tusfs::Result<void> End(bool busy);
  /// What is left of a process that was killed goes.
  void Bury();
  /// The next mount is of another boot.
  void Reboot() { ++boot_; }

  /// Does one thing that is due; false where there is none.
  bool Turn();
  /// Lets the threads look at the time: commits what is due, makes room.
  void Tick();

  [[nodiscard]] bool is_mounted() const { return fs_ != nullptr; }
  [[nodiscard]] tusfs::Filesystem& fs() { return *fs_; }
  [[nodiscard]] tusfs::Store& store() { return *store_; }
  [[nodiscard]] tusfs::Spool& spool() { return *spool_; }
  [[nodiscard]] tusfs::Decisions& decisions() { return *decisions_; }
  [[nodiscard]] tusfs::Reclaimer& reclaimer() { return *reclaimer_; }
  [[nodiscard]] tusfs::Reporter reporter() const {
    return {*store_, *spool_, *uploader_, *finishing_};
  }
  [[nodiscard]] Processes& processes() { return processes_; }

 private:
  tusfs::Result<void> OpenState();
  tusfs::Result<void> Serve(bool takes_over);
  [[nodiscard]] std::string BootId() const { return "boot " + std::to_string(boot_); }

  Disk& disk_;
  Server& server_;
  VirtualClock& clock_;
  std::mt19937_64 random_;
  tusfs::Logger const logger_;
  Processes processes_;
  int boot_ = 1;
  std::uint64_t connection_ = 0;
  tusfs::SteadyTime ticked_;
  tusfs::SteadyTime committed_;
  tusfs::SteadyTime reclaimed_;
  std::unique_ptr<tusfs::Spool> spool_;  // outlives the store, whose last commit removes bytes
  std::unique_ptr<tusfs::Store> store_;
  tusfs::PublishRules rules_;
  std::unique_ptr<tusfs::Uploader> uploader_;
  std::unique_ptr<tusfs::Finishing> finishing_;
  std::unique_ptr<tusfs::Filesystem> fs_;
  std::unique_ptr<tusfs::Decisions> decisions_;
  std::unique_ptr<tusfs::Reclaimer> reclaimer_;
};

}  // namespace tusfs_life
