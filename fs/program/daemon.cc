#include "program/daemon.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <tusclient/redact.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/access_token.h"
#include "base/thread_name.h"
#include "catalog/tables.h"
#include "control/group_access.h"
#include "filesystem/orderly_end.h"
#include "filesystem/recovery.h"
#include "hooks/passings.h"
#include "metrics/mount_metrics.h"
#include "options/hook_settings.h"
#include "options/publish_settings.h"
#include "options/space_settings.h"
#include "options/upload_settings.h"
#include "program/check_config.h"
#include "program/heartbeats.h"
#include "program/process.h"
#include "program/signal_watch.h"
#include "proof/rest_note.h"
#include "version.h"

namespace tusfs {
namespace {

// How long a start waits to be able to say what the server is; the mount is live meanwhile.
constexpr std::chrono::seconds kFirstAnswer{3};
// Less than the keeper's patience with who hands over.
constexpr std::chrono::seconds kJoinsBeforeHandOver{6};
constexpr std::chrono::seconds kJoinsBeforeEnd{20};
// Shorter than tusfsctl waits for an answer.
constexpr std::chrono::seconds kLedgerPatience{8};

// A service manager has the mount's descriptors too.
bool IsService() { return std::getenv("INVOCATION_ID") != nullptr; }

std::string InterfacesOf(Options const& options) {
  auto interfaces = options.interface;
  for (auto const& link : options.links) {
    interfaces += (interfaces.empty() ? "" : ", ") + link.name + " (" + link.interface + ")";
  }
  return interfaces;
}

}  // namespace

Daemon::Daemon(Options const& options, std::string url, KeeperLine line, Logger logger)
    : options_(options),
      url_(std::move(url)),
      logger_(std::move(logger)),
      keeper_(::getppid()),
      line_(std::move(line)),
      manager_(logger_),
      started_at_(static_cast<double>(clock_.Wall()) / 1e9),
      processes_(options.copiers),
      hooks_(HookOptionsOf(options), clock_, logger_) {}

// ---- the beginning

Result<void> Daemon::Begin() {
  if (auto mapped = MapSlots(); !mapped) return mapped;
  if (auto made = MakeRooms(); !made) return made;
  connection_end_.emplace([this] { EndConnection(); });
  publishing_end_.emplace([this] { EndPublishing(); });
  if (auto started = finishing_->Start(); !started) return started;
  writer_ends_->Start();
  if (auto started = uploader_->Start(); !started) return started;
  if (auto started = StartControl(); !started) return started;
  if (auto taken = TakeMount(); !taken) return taken;
  if (auto started = StartHooks(); !started) return started;
  if (auto started = StartHeartbeats(); !started) return started;
  StartWatch();
  StartMetrics();
  if (auto started = StartPage(); !started) return started;
  reclaimer_.emplace(*state_.store, *state_.spool, filesystem_->shrinker(), clock_,
                     ReclaimOptionsOf(options_), logger_);
  reclaimer_->Start();
  StartSweep();
  StartCount();
  StartAnnouncer();
  StartStatus();
  return {};
}

Result<void> Daemon::MapSlots() {
  auto slots = RequestSlots::Map(line_.TakeSlots());
  if (!slots) return Failure(slots.error());
  slots_.emplace(std::move(*slots));
  is_successor_ = slots_->connection() != 0;
  if (auto locked = slots_->Lock(); !locked) {
    logger_->Warn(
        "the request slots cannot be locked into memory: if this daemon is killed while the "
        "machine swaps, a call may fail; allow it {} MiB of locked memory (LimitMEMLOCK=) "
        "error=\"{}\"",
        slots_->locked_bytes() / (1024 * 1024) + 1, Describe(locked.error()));
  }
  return {};
}

Result<void> Daemon::MakeRooms() {
  auto rules = PublishRulesOf(options_);
  if (!rules) return Failure(rules.error());
  rules_ = *std::move(rules);
  auto state = OpenState(options_, url_, slots_->connection(), clock_, logger_,
                         [this](Transaction& transaction) { Attend(transaction); });
  if (!state) return Failure(state.error());
  state_ = *std::move(state);
  auto& store = *state_.store;
  auto& spool = *state_.spool;
  slots_->SetConnection(state_.connection);
  describer_ = std::make_unique<Describer>(store, spool, logger_);
  ledger_ = std::make_unique<LedgerKeeper>(
      store, LedgerDirectory(options_.state_dir),
      LedgerWriter::Options{.keep = options_.ledger_keep.count()}, clock_, logger_);
  ledger_->Start();
  bandwidth_.Set(options_.limit_rate);
  credentials_ = MakeCredentials(options_);
  auto uploading = UploaderOptionsOf(options_, url_, credentials_.get(), bandwidth_);
  if (!uploading) return Failure(uploading.error());
  uploading->make_transport = [this, make = std::move(uploading->make_transport)] {
    return requests_.Measure(make());
  };
  for (auto& way : uploading->links) {
    way.make_transport = [this, make = std::move(way.make_transport)] {
      return requests_.Measure(make());
    };
  }
  server_news_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!server_news_) return FailErrno("eventfd");
  uploading->on_server_change = [this] {
    news_.Note();
    ::eventfd_write(server_news_.get(), 1);
    if (server_watch_) server_watch_->Note();
  };
  ReadBackOptions reading{.client = uploading->client, .make_transport = uploading->make_transport};
  uploader_ =
      std::make_unique<Uploader>(*std::move(uploading), rules_, store, spool, clock_, logger_);
  if (!options_.on_server.empty()) {
    server_watch_ = std::make_unique<ServerWatch>(
        options_.server_away, tus::RedactUrl(url_), [this] { return uploader_->Server(); }, store,
        hooks_, clock_, logger_);
  }
  if (options_.read_back) {
    // Nobody reads before there is a server.
    read_back_ =
        std::make_unique<ReadBack>(std::move(reading), store, spool, clock_, logger_,
                                   [this](InodeId inode) { server_->BytesArrived(inode); });
  }
  if (auto started = StartHistory(); !started) return started;
  controls_.emplace(store, *uploader_, bandwidth_, logger_);
  if (auto restored = controls_->Restore(is_successor_); !restored) return restored;
  finishing_ = std::make_unique<Finishing>(
      FinishingOptionsOf(options_), rules_, store, spool, clock_,
      [this](InodeId inode) { uploader_->Nudge(inode); }, logger_);
  writer_ends_ = std::make_unique<WriterEnds>(store, processes_, process_ends_, clock_,
                                              WriterEndsOptionsOf(options_), logger_);
  filesystem_ = std::make_unique<Filesystem>(
      store, spool, *uploader_, *finishing_, WriterSight(processes_, writer_ends_.get()), clock_,
      state_.connection, logger_, TurnsOf(options_), read_back_.get());
  if (!is_successor_) return {};
  return filesystem_->TakeOver();
}

// The log is told when it is durable: what a power cut takes back has not happened.
void Daemon::Attend(Transaction& transaction) {
  for (auto& passing : PassingsOf(transaction, rules_)) {
    hooks_.Add(transaction, passing);
    transaction.WhenDurable(
        [logger = logger_, told = std::move(passing)] { LogPassing(*logger, told); });
  }
}

Result<void> Daemon::StartControl() {
  auto runtime = RuntimeDirectory();
  if (!runtime) return Failure(runtime.error());
  runtime_ = *std::move(runtime);
  entry_.mount = options_.mountpoint;
  entry_.url = tus::RedactUrl(url_);
  entry_.state_dir = options_.state_dir;
  entry_.socket = SocketPath(runtime_, entry_.mount).string();
  entry_.daemon_pid = ::getpid();
  entry_.keeper_pid = keeper_;
  entry_.writer_ends = NameOf(process_ends_.teller());
  reporter_.emplace(*state_.store, *state_.spool, *uploader_, *finishing_);
  // Who asks before the keeper has told of it must not hear that all is well.
  if (options_.import_beneath) reporter_->NoteBeneath({.waiting = 1});
  decisions_.emplace(*state_.store, filesystem_->open_files(), filesystem_->shrinker(), *uploader_,
                     *finishing_, clock_);
  ReadPageToken();
  commands_.emplace(
      entry_, *reporter_, *decisions_, *controls_,
      [this] { return ledger_->Flush(kLedgerPatience); }, hooks_, page_link_,
      [this] { return Metrics(); }, [this] { return ShowOptions(options_); });
  auto watchers = Watchers::Start(*state_.store, *reporter_, *uploader_,
                                  UniqueFd(::fcntl(server_news_.get(), F_DUPFD_CLOEXEC, 0)));
  if (!watchers) return Failure(watchers.error());
  watchers_ = *std::move(watchers);
  auto control = ControlServer::Start(
      entry_.socket,
      [this](std::string const& request, Peer& peer) { AnswerControl(request, peer); }, logger_);
  if (!control) return Failure(control.error());
  control_ = *std::move(control);
  return StartGroupControl();
}

Result<void> Daemon::StartGroupControl() {
  if (options_.control_group.empty()) return {};
  auto const group = FindGroup(options_.control_group);
  if (!group) return Fail(EINVAL, "--control-group: " + group.error().context);
  if (auto made = MakeGroupDirectory(); !made) return made;
  auto control = ControlServer::Start(
      GroupSocketPath(::geteuid(), entry_.mount),
      [this](std::string const& request, Peer& peer) {
        if (Commands::IsHarmless(request)) return AnswerControl(request, peer);
        peer.Send(
            "{\"error\":\"members of its --control-group may ask how the mount is, and nothing "
            "else\"}");
      },
      logger_, [members = *group](int connection) { return IsOfGroup(connection, members); });
  if (!control) return Failure(control.error());
  group_control_ = *std::move(control);
  return {};
}

void Daemon::AnswerControl(std::string const& request, Peer& peer) {
  if (auto watched = Commands::WatchedBy(request)) {
    auto connection = peer.Take();
    if (watchers_->Add(std::move(watched->path), connection, watched->live)) return;
    Peer(connection, peer.stop()).Send("{\"error\":\"too many wait already\"}\n");
    return;
  }
  commands_->Answer(
      request, [&](std::string_view piece) { return peer.Send(piece); }, peer.stop());
}

Result<void> Daemon::TakeMount() {
  auto device = line_.TakeMount();
  if (!device) return Failure(device.error());
  NoteBeneath(line_.beneath());
  auto server = FuseServer::Attach(std::move(*device), *slots_, *filesystem_, logger_);
  if (!server) return Failure(server.error());
  server_ = *std::move(server);
  mounted_.emplace(entry_.mount);
  server_->TakeOver();
  line_.SayServing();
  return {};
}

Result<void> Daemon::StartHooks() {
  if (auto started = hooks_.Start(*state_.store); !started) return started;
  if (server_watch_) server_watch_->Start();
  return {};
}

Result<void> Daemon::StartHeartbeats() {
  auto made = MakeHeartbeats({.options = options_,
                              .url = url_,
                              .credentials = credentials_.get(),
                              .bandwidth = bandwidth_,
                              .reporter = *reporter_,
                              .controls = *controls_,
                              .clock = clock_},
                             logger_);
  if (!made) return Failure(made.error());
  heartbeats_ = *std::move(made);
  if (heartbeats_) heartbeats_->Start();
  return {};
}

void Daemon::StartWatch() {
  watch_ = line_.Watch({.is_alive = [this] { return IsAlive(); },
                        .hand_over = [this] { HandOver(); },
                        .alone = [this] { OnKeeperDeath(); },
                        .beneath = [this](FilesBeneath const& beneath) { NoteBeneath(beneath); }});
}

// What joins parts would be unconfirmed, if its answer were not waited for: the mount serves on
// meanwhile.
void Daemon::HandOver() {
  uploader_->AwaitJoins(clock_.Steady() + kJoinsBeforeHandOver);
  server_->Stop();
}

void Daemon::NoteBeneath(FilesBeneath const& beneath) {
  reporter_->NoteBeneath(beneath);
  news_.Note();
  ::eventfd_write(server_news_.get(), 1);
}

void Daemon::StartMetrics() {
  auto address = ParseListenAddress(options_.metrics);
  if (options_.metrics.empty() || !address) return;  // the options have been checked
  metrics_ = std::make_unique<MetricsServer>(
      *std::move(address), [this] { return Metrics(); }, logger_);
}

std::string Daemon::Metrics() const {
  auto const status = reporter_->Status();
  if (!status) return {};
  return MountMetrics({entry_.mount, kVersion, started_at_}, *status, requests_, clock_.Wall());
}

Result<void> Daemon::StartHistory() {
  if (options_.page.empty()) return {};
  auto const totals = state_.store->Read([](View const& view) { return GetTotals(view); });
  if (!totals) return Failure(totals.error());
  history_ = std::make_unique<RateHistory>(totals->sent);
  auto const observer = state_.store->Observe(
      [this](Table table, std::string_view key, std::optional<std::string_view> value) {
        auto const changed = TotalsIn(table, key, value);
        if (changed) history_->Note(changed->sent, clock_.Steady());
      });
  history_end_.emplace([this, observer] { state_.store->EndObserving(observer); });
  return {};
}

// A token that cannot be had costs the page, and not the mount.
void Daemon::ReadPageToken() {
  auto const address = ParseListenAddress(options_.page);
  if (options_.page.empty() || !address) return;  // the options have been checked
  auto const& file = options_.page_token_file;
  auto token = file.empty()
                   ? ReadOrMakeAccessToken(std::filesystem::path(options_.state_dir) / "page-token")
                   : ReadAccessToken(file);
  if (!token) {
    logger_->Error("there is no page: its token cannot be had error=\"{}\"",
                   Describe(token.error()));
    return;
  }
  page_link_ = {.address = AddressForBrowsers(*address),
                .token = *std::move(token),
                .is_open = std::make_shared<std::atomic<bool>>(false)};
}

Result<void> Daemon::StartPage() {
  auto address = ParseListenAddress(options_.page);
  if (page_link_.address.empty() || !address) return {};
  auto page = PageServer::Start(
      {.address = *std::move(address),
       .token = page_link_.token,
       .facts = {.mount = entry_.mount,
                 .url = entry_.url,
                 .interface = InterfacesOf(options_),
                 .version = kVersion,
                 .has_actions = options_.page_actions},
       .is_open = page_link_.is_open},
      {.watch = [this](UniqueFd& connection) { return watchers_->Add("", connection, true); },
       .ask =
           [this](std::string const& request) {
             std::string answer;
             commands_->Answer(request, [&](std::string_view piece) {
               answer += piece;
               return true;
             });
             return answer;
           }},
      *history_, logger_);
  if (!page) return Failure(page.error());
  page_ = *std::move(page);
  return {};
}

bool Daemon::IsAlive() const {
  return state_.store->Read([](View const&) -> Result<void> { return {}; }).has_value();
}

// Bytes that a predecessor had no time to remove.
void Daemon::StartSweep() {
  sweep_ = std::jthread([this](std::stop_token stop) {
    NameThread("sweep");
    auto const swept = SweepLeftovers(*state_.store, *state_.spool, std::move(stop));
    if (!swept) {
      logger_->Warn("spool files that nothing refers to may be left error=\"{}\"",
                    Describe(swept.error()));
    } else if (*swept > 0) {
      logger_->Info("removed spool files that nothing refers to count={}", *swept);
    }
  });
}

void Daemon::StartCount() {
  count_ = std::jthread([this](std::stop_token stop) {
    NameThread("spool count");
    if (auto counted = state_.spool->Count(std::move(stop)); !counted) {
      logger_->Error("the spool cannot be counted error=\"{}\"", Describe(counted.error()));
    }
  });
}

void Daemon::StartAnnouncer() {
  announcer_ = std::jthread([this] {
    NameThread("announcer");
    Announce();
  });
}

void Daemon::Announce() {
  auto const seen = uploader_->AwaitFirstAnswer(clock_.Steady() + kFirstAnswer);
  if (!seen.reachable && !is_successor_) {
    Complain("mounted; uploads wait for the server: " +
             (seen.error.empty() ? "it has not answered yet" : seen.error));
  }
  logger_->Info("{} url={} mount={} state_dir={} replayed={}",
                is_successor_ ? "serving on" : "mounted", entry_.url, entry_.mount,
                entry_.state_dir, slots_->replayed());
  line_.SayAnnounced();
  if (!options_.foreground) LeaveTerminal();
}

// What the keeper tells the service manager, which listens to it alone.
void Daemon::StartStatus() {
  if (!manager_.IsThere()) return;
  status_ = std::jthread([this](std::stop_token const& stop) {
    NameThread("status");
    state_.store->WhenChanged([this] { news_.Note(); });
    news_.Run(stop, {.line = [this] { return commands_->Summary(); },
                     .tell = [this](std::string const& line) { return line_.SayStatus(line); }});
    state_.store->WhenChanged({});
  });
}

// ---- serving

ServingEnd Daemon::Serve(sigset_t const& signals) {
  {
    SignalWatch const signal_watch(signals, [this](pid_t sender) { return OnEndSignal(sender); });
    end_ = server_->Serve();
  }
  if (end_ != ServingEnd::kFailed) MarkEnding(state_.lock);
  return end_;
}

// A keeper that was told to end the mount, and died over it or was dead already, has left that to
// the daemon: it tells itself.
void Daemon::OnKeeperDeath() {
  logger_->Error(
      "the keeper has died: the mount goes on, and ends with this daemon; mount it again when "
      "nothing is being written mount={}",
      entry_.mount);
  keeper_is_dead_ = true;
  if (keeper_was_told_) ::kill(::getpid(), SIGTERM);
}

// Whoever tells a daemon to end means the mount, which is its keeper's to end: where nobody uses
// it, it is unmounted, and that is seen as any umount is.
bool Daemon::OnEndSignal(pid_t sender) {
  keeper_was_told_ = true;
  if (!keeper_is_dead_ && sender != keeper_) {
    if (::kill(keeper_, SIGTERM) == 0) return false;
    keeper_is_dead_ = true;  // its line has not told yet
  }
  bool const alone = keeper_is_dead_;
  logger_->Info("ending mount={}", entry_.mount);
  if (alone && IsService()) {
    server_->Stop();
    return true;
  }
  if (alone && UnmountUnused(entry_.mount)) return false;
  server_->Finish();
  return true;
}

// ---- the end

// Transfers end while the settler waits for the disk.
void Daemon::EndPublishing() {
  bool const is_end_of_mount = end_ == ServingEnd::kUnmounted || end_ == ServingEnd::kFinished;
  if (is_end_of_mount) uploader_->AwaitJoins(clock_.Steady() + kJoinsBeforeEnd);
  uploader_->RequestStop();
  hooks_.Stop();
  if (server_watch_) server_watch_->Stop();
  writer_ends_->Stop();
  finishing_->Stop();
  uploader_->Stop();
  if (read_back_) read_back_->Stop();
}

void Daemon::EndConnection() {
  if (end_ == ServingEnd::kNotYet) return;  // it was never served
  if (auto const left = Left()) {
    auto const ended =
        tusfs::EndConnection(*state_.store, *state_.spool,
                             {.handles = *left, .publish_unknown = options_.publish_unknown});
    if (ended) {
      NoteOrderlyEnd();
    } else {
      logger_->Error(
          "the mount could not be ended orderly: the next one has everything, but after a power "
          "cut some files may be interrupted error=\"{}\"",
          Describe(ended.error()));
    }
  }
  if (keeper_is_dead_) EndAlone();
  logger_->Info("{} mount={}", end_ == ServingEnd::kUnmounted ? "unmounted" : "stopped",
                entry_.mount);
}

// Without it nobody takes the ledger for the last word, before the next mount.
void Daemon::NoteOrderlyEnd() {
  auto noted = ledger_->Flush(kLedgerPatience);
  if (noted) noted = NoteRest(options_.state_dir, ServerOf(url_));
  if (noted) return;
  logger_->Warn("the ledger is not complete before the next mount error=\"{}\"",
                Describe(noted.error()));
}

std::optional<HandlesLeft> Daemon::Left() const {
  switch (end_) {
    case ServingEnd::kUnmounted:
      // One that was cut takes what it had to tell along.
      return mounted_->HasGone() ? HandlesLeft::kClosed : HandlesLeft::kOpen;
    case ServingEnd::kFinished:
      return HandlesLeft::kOpen;
    case ServingEnd::kNotYet:
    case ServingEnd::kStopped:
    case ServingEnd::kFailed:
      break;
  }
  return std::nullopt;
}

// A daemon without a keeper ends the mount itself, unless a service manager has it.
void Daemon::EndAlone() const {
  if (IsService()) return;
  Unmount(entry_.mount);
  UnregisterMount(runtime_, entry_.mount);
}

}  // namespace tusfs
