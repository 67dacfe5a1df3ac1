// The daemon of one mount: its rooms, from the bytes up, and what works in them by itself.
//
// Owned by ServeMount, which makes it once, lets it begin, serves, and destroys it. The members
// stand in the order in which they are begun, and end in reverse, each by its own destructor, which
// waits for its threads.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <tusclient/bandwidth.h>
#include <tusclient/credentials.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "control/commands.h"
#include "control/controls.h"
#include "control/registry.h"
#include "control/socket.h"
#include "control/watchers.h"
#include "filesystem/decisions.h"
#include "filesystem/describer.h"
#include "filesystem/filesystem.h"
#include "filesystem/finishing.h"
#include "filesystem/left_open.h"
#include "filesystem/process_ends.h"
#include "filesystem/reclaim.h"
#include "filesystem/report.h"
#include "filesystem/writer_ends.h"
#include "fleet/heartbeat_sender.h"
#include "fuse/mountpoint.h"
#include "fuse/request_slots.h"
#include "fuse/server.h"
#include "hooks/hooks.h"
#include "hooks/server_watch.h"
#include "keeper/daemon_side.h"
#include "keeper/service_manager.h"
#include "keeper/status_news.h"
#include "metrics/metrics_server.h"
#include "metrics/page_server.h"
#include "metrics/rate_history.h"
#include "metrics/request_metrics.h"
#include "options/options.h"
#include "program/open_state.h"
#include "proof/ledger_keeper.h"
#include "uploader/publish_rules.h"
#include "uploader/read_back.h"
#include "uploader/uploader.h"

namespace tusfs {

class Daemon {
 public:
  /// `options` outlive it. Its keeper is the parent of this process.
  Daemon(Options const& options, std::string url, KeeperLine line, Logger logger);
  Daemon(Daemon const&) = delete;
  Daemon& operator=(Daemon const&) = delete;

  /// Comes to serving, once: what may fail before the keeper is asked for the mount, the catalog
  /// first. Errors: a sentence; ECANCELED where the keeper gives no mount.
  [[nodiscard]] Result<void> Begin();

  /// Serves until the mount is gone or the daemon is to end, once, after Begin. `signals`: as of
  /// BlockEndSignals. The destructor brings what was closed to the disk, where the mount has ended.
  ServingEnd Serve(sigset_t const& signals);

 private:
  /// Calls a member function of the daemon when its turn to end has come.
  class Ending {
   public:
    explicit Ending(std::function<void()> end) : end_(std::move(end)) {}
    ~Ending() { end_(); }
    Ending(Ending const&) = delete;
    Ending& operator=(Ending const&) = delete;

   private:
    std::function<void()> const end_;
  };

  [[nodiscard]] Result<void> MapSlots();
  [[nodiscard]] Result<void> MakeRooms();
  /// With each change of the catalog.
  void Attend(Transaction& transaction);
  [[nodiscard]] Result<void> StartControl();
  void AnswerControl(std::string const& request, Peer& peer);
  [[nodiscard]] Result<void> StartGroupControl();
  [[nodiscard]] Result<void> TakeMount();
  [[nodiscard]] Result<void> StartHooks();
  [[nodiscard]] Result<void> StartHistory();
  void ReadPageToken();
  [[nodiscard]] Result<void> StartHeartbeats();
  void StartMetrics();
  /// As text; empty where the catalog cannot be read.
  [[nodiscard]] std::string Metrics() const;
  [[nodiscard]] Result<void> StartPage();
  void StartWatch();
  void NoteBeneath(FilesBeneath const& beneath);
  void StartSweep();
  void StartCount();
  void StartAnnouncer();
  void StartStatus();

  [[nodiscard]] bool IsAlive() const;
  void Announce();
  void OnKeeperDeath();
  /// Returns whether it was the last word.
  bool OnEndSignal(pid_t sender);

  void HandOver();
  void EndPublishing();
  void EndConnection();
  /// What the connection that has ended leaves; nothing where it goes on.
  void NoteOrderlyEnd();
  [[nodiscard]] std::optional<HandlesLeft> Left() const;
  void EndAlone() const;

  Options const& options_;
  std::string const url_;  ///< normalised; may have a secret
  Logger const logger_;
  pid_t const keeper_;
  std::atomic<bool> keeper_is_dead_ = false;
  std::atomic<bool> keeper_was_told_ = false;  ///< to end the mount
  std::atomic<ServingEnd> end_ = ServingEnd::kNotYet;
  KeeperLine line_;
  std::filesystem::path runtime_;
  MountEntry entry_;

  ServiceManager const manager_;
  StatusNews news_;       ///< noted by the store and the uploader, told by status_
  UniqueFd server_news_;  ///< an eventfd, for watchers_: another server, or what lies beneath

  // The rooms. The lock of the state directory is the last to go.
  SystemClock const clock_;
  double const started_at_;  ///< seconds since 1970
  ProcProcessTable const processes_;
  KernelProcessEnds process_ends_;
  std::optional<RequestSlots> slots_;
  bool is_successor_ = false;
  Hooks hooks_;  ///< outlives the store, whose last changes it is told of
  State state_;
  std::unique_ptr<Describer> describer_;
  std::unique_ptr<LedgerKeeper> ledger_;
  tus::BandwidthLimit bandwidth_;
  std::unique_ptr<tus::Credentials> credentials_;
  PublishRules rules_;
  RequestMetrics requests_;
  std::unique_ptr<ServerWatch> server_watch_;  ///< null: nobody is told
  std::unique_ptr<RateHistory> history_;       ///< null: nobody wants to see it
  std::optional<Ending> history_end_;          ///< the store tells it no more
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<ReadBack> read_back_;  ///< null: uploaded bytes are not read back
  std::unique_ptr<Finishing> finishing_;
  std::unique_ptr<WriterEnds> writer_ends_;
  std::unique_ptr<Filesystem> filesystem_;
  std::optional<Reporter> reporter_;
  std::optional<Decisions> decisions_;
  std::optional<Controls> controls_;
  PageLink page_link_;
  std::optional<Commands> commands_;
  // These two are begun behind control_, with the mount. They stand here because the connection is
  // there until it has ended, and read_back_ tells the server of bytes.
  std::unique_ptr<FuseServer> server_;
  std::optional<MountedFilesystem> mounted_;

  // The end of the connection, when nothing below uses the rooms any more. Waits for the disk.
  std::optional<Ending> connection_end_;

  // What works in the rooms by itself, and what its end waits for.
  std::optional<Ending> publishing_end_;    ///< transfers, which are cancelled; settling, the disk
  std::unique_ptr<Watchers> watchers_;      ///< a look at the catalog
  std::unique_ptr<ControlServer> control_;  ///< commands that are being answered
  std::unique_ptr<ControlServer> group_control_;
  std::unique_ptr<HeartbeatSender> heartbeats_;  ///< null: none; its upload, which is cancelled
  std::unique_ptr<MetricsServer> metrics_;       ///< answers that are being given
  std::unique_ptr<PageServer> page_;             ///< likewise
  std::jthread watch_;                           ///< of the line: a look at the catalog
  std::optional<Reclaimer> reclaimer_;           ///< its round
  std::jthread sweep_;                           ///< the file that it is at
  std::jthread count_;                           ///< the file that it is at
  std::jthread announcer_;                       ///< the server's first answer, not for long
  std::jthread status_;                          ///< a look at the catalog
};

}  // namespace tusfs
