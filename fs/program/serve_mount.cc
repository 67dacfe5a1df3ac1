// The daemon's process: each room is made, given to the next, and ended in reverse order.
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <tusclient/client.h>
#include <tusclient/redact.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <optional>
#include <thread>

#include "base/thread_name.h"
#include "catalog/store.h"
#include "control/commands.h"
#include "control/registry.h"
#include "control/socket.h"
#include "filesystem/decisions.h"
#include "filesystem/describer.h"
#include "filesystem/filesystem.h"
#include "filesystem/orderly_end.h"
#include "filesystem/reclaim.h"
#include "filesystem/recovery.h"
#include "filesystem/report.h"
#include "fuse/mountpoint.h"
#include "fuse/request_slots.h"
#include "fuse/server.h"
#include "options/publish_settings.h"
#include "options/space_settings.h"
#include "options/upload_settings.h"
#include "program/daemon.h"
#include "program/open_state.h"
#include "program/wiring.h"
#include "uploader/read_back.h"
#include "uploader/uploader.h"

namespace tusfs {
namespace {

// How long a start waits to be able to say what the server is; the mount is live meanwhile.
constexpr std::chrono::seconds kFirstAnswer{3};

// SIGTERM and SIGINT end the daemon. They are blocked in every thread and waited for in one.
sigset_t BlockEndSignals() {
  sigset_t signals{};
  ::sigemptyset(&signals);
  for (int const number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Waits for SIGTERM and SIGINT, on a thread of its own, and calls `on_end(sender)` for each until
// that returns true; a SIGHUP of its own ends the watch.
class SignalWatch {
 public:
  SignalWatch(sigset_t const& signals, std::function<bool(pid_t)> on_end)
      : thread_([this, signals, on_end = std::move(on_end)] {
          while (!over_) {
            siginfo_t about{};
            int const number = ::sigwaitinfo(&signals, &about);
            // A hangup of the terminal is no reason to end a mount.
            bool const ends = number == SIGTERM || number == SIGINT;
            if (!over_ && ends && on_end(about.si_pid)) return;
          }
        }) {}
  ~SignalWatch() {
    over_ = true;
    ::pthread_kill(thread_.native_handle(), SIGHUP);
  }

 private:
  std::atomic<bool> over_ = false;
  std::jthread thread_;
};

// The rooms of one mount, from the bytes up.
struct Mount {
  explicit Mount(std::vector<std::string> copiers) : processes(std::move(copiers)) {}

  SystemClock clock;
  ProcProcessTable processes;
  State state;
  std::unique_ptr<Describer> describer;
  tus::BandwidthLimit bandwidth;
  std::unique_ptr<tus::Credentials> credentials;
  std::unique_ptr<Uploader> uploader;
  std::atomic<FuseServer*> server = nullptr;  ///< who is told of bytes that arrive
  std::unique_ptr<ReadBack> read_back;        ///< null: uploaded bytes are not read back
  std::unique_ptr<Filesystem> filesystem;
};

// Each file that is open in the mount is open in the spool too.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<UploaderOptions> UploaderOptionsOf(Options const& options, std::string const& url,
                                          Mount& mount) {
  auto const rules = UploadRulesOf(options);
  if (!rules) return Failure(rules.error());
  auto publishing = PublishRulesOf(options);
  if (!publishing) return Failure(publishing.error());
  mount.bandwidth.Set(options.limit_rate);
  mount.credentials = MakeCredentials(options);
  UploaderOptions wanted;
  wanted.client.endpoint = url;
  wanted.client.credentials = mount.credentials.get();
  wanted.client.trusted_origins = options.trust_origin;
  wanted.client.method_override = options.method_override;
  wanted.client.lenient = options.lenient;
  wanted.client.headers = rules->headers;
  wanted.chunks = rules->chunks;
  wanted.defer_length = rules->defer_length;
  wanted.transfers = options.transfers;
  wanted.settle = {.quiet = options.settle, .limit = options.settle_limit};
  wanted.rules = *std::move(publishing);
  wanted.transfer.metadata = rules->metadata;
  wanted.transfer.adopt_timeout = options.adopt_timeout;
  wanted.transfer.retry_refused = options.retry_refused;
  wanted.transfer.give_up = options.give_up;
  wanted.transfer.create = CreateCommandOf(options);
  wanted.transfer.checksums = options.checksums;
  wanted.transfer.verify = options.verify;
  wanted.make_transport = [transport = TransportOptionsOf(options, mount.bandwidth)] {
    return tus::MakeCurlTransport(transport);
  };
  return wanted;
}

Result<void> Build(Mount& mount, Options const& options, std::string const& url,
                   RequestSlots& slots, Logger const& logger) {
  auto const left = slots.connection();
  auto state = OpenState(options, url, left, mount.clock, logger);
  if (!state) return Failure(state.error());
  mount.state = *std::move(state);
  auto& [lock, spool, store, connection] = mount.state;
  slots.SetConnection(connection);
  auto uploading = UploaderOptionsOf(options, url, mount);
  if (!uploading) return Failure(uploading.error());
  auto const client = uploading->client;
  auto const make_transport = uploading->make_transport;
  mount.describer = std::make_unique<Describer>(*store, *spool, logger);
  mount.uploader =
      std::make_unique<Uploader>(*std::move(uploading), *store, *spool, mount.clock, logger);
  if (options.read_back) {
    ReadBackOptions reading{.client = client, .make_transport = make_transport};
    mount.read_back = std::make_unique<ReadBack>(std::move(reading), *store, *spool, mount.clock,
                                                 logger, [&mount](InodeId inode) {
                                                   // Nobody reads before there is a server.
                                                   mount.server.load()->BytesArrived(inode);
                                                 });
  }
  mount.filesystem =
      std::make_unique<Filesystem>(*store, *spool, *mount.uploader, mount.processes, mount.clock,
                                   connection, logger, TurnsOf(options), mount.read_back.get());
  if (left != 0) return mount.filesystem->TakeOver();
  return {};
}

Result<RequestSlots> MapSlots(KeeperLine& line, Logger const& logger) {
  auto slots = RequestSlots::Map(line.TakeSlots());
  if (!slots) return slots;
  if (auto locked = slots->Lock(); !locked) {
    logger->Warn(
        "the request slots cannot be locked into memory: if this daemon is killed while the "
        "machine swaps, a call may fail; allow it {} MiB of locked memory (LimitMEMLOCK=) "
        "error=\"{}\"",
        slots->locked_bytes() / (1024 * 1024) + 1, Describe(locked.error()));
  }
  return slots;
}

// Bytes that a predecessor had no time to remove.
std::jthread StartSweep(Mount& mount, Logger const& logger) {
  return std::jthread([&mount, logger](std::stop_token stop) {
    NameThread("sweep");
    auto const swept = SweepLeftovers(*mount.state.store, *mount.state.spool, stop);
    if (!swept) {
      logger->Warn("spool files that nothing refers to may be left error=\"{}\"",
                   Describe(swept.error()));
    } else if (*swept > 0) {
      logger->Info("removed spool files that nothing refers to count={}", *swept);
    }
  });
}

// A service manager has the mount's descriptors too.
bool IsService() { return std::getenv("INVOCATION_ID") != nullptr; }

// A daemon without a keeper ends the mount itself, unless a service manager has it.
void EndAlone(MountEntry const& entry, std::filesystem::path const& runtime) {
  if (IsService()) return;
  Unmount(entry.mount);
  UnregisterMount(runtime, entry.mount);
}

/// What a daemon knows of its keeper.
struct Keeper {
  pid_t process;
  std::atomic<bool> dead = false;
  std::atomic<bool> told = false;  ///< to end the mount
};

// A keeper that was told to end the mount, and died over it or was dead already, has left that to
// the daemon: it tells itself.
void OnKeeperDeath(Keeper& keeper) {
  keeper.dead = true;
  if (keeper.told) ::kill(::getpid(), SIGTERM);
}

// Whoever tells a daemon to end means the mount, which is its keeper's to end: where nobody uses
// it, it is unmounted, and that is seen as any umount is. Returns whether it was the last word.
bool OnEndSignal(pid_t sender, Keeper& keeper, MountEntry const& entry, FuseServer& server,
                 Logger const& logger) {
  keeper.told = true;
  if (!keeper.dead && sender != keeper.process) {
    if (::kill(keeper.process, SIGTERM) == 0) return false;
    keeper.dead = true;  // its line has not told yet
  }
  bool const alone = keeper.dead;
  logger->Info("ending mount={}", entry.mount);
  if (alone && IsService()) {
    server.Stop();
    return true;
  }
  if (alone && UnmountUnused(entry.mount)) return false;
  server.Finish();
  return true;
}

// What a connection that has ended leaves; nothing where it goes on.
std::optional<HandlesLeft> LeftBy(ServingEnd end, MountedFilesystem const& mounted) {
  switch (end) {
    case ServingEnd::kUnmounted:
      // One that was cut takes what it had to tell along.
      return mounted.HasGone() ? HandlesLeft::kClosed : HandlesLeft::kOpen;
    case ServingEnd::kFinished:
      return HandlesLeft::kOpen;
    case ServingEnd::kNotYet:
    case ServingEnd::kStopped:
    case ServingEnd::kFailed:
      break;
  }
  return std::nullopt;
}

void EndOrderly(Mount& mount, HandlesLeft left, bool publish_unknown, Logger const& logger) {
  auto const ended = EndConnection(*mount.state.store, *mount.state.spool,
                                   {.handles = left, .publish_unknown = publish_unknown}, logger);
  if (ended) return;
  logger->Error(
      "the mount could not be ended orderly: the next one has everything, but after a power cut "
      "some files may be interrupted error=\"{}\"",
      Describe(ended.error()));
}

}  // namespace

Result<void> ServeMount(Options const& options, std::string const& url, KeeperLine line,
                        Logger const& logger) {
  Keeper keeper{.process = ::getppid()};
  ::prctl(PR_SET_NAME, "tusfs");  // it was started by descriptor, so the kernel has named it by one
  auto const signals = BlockEndSignals();
  RaiseDescriptorLimit();
  auto slots = MapSlots(line, logger);
  if (!slots) return Failure(slots.error());
  bool const successor = slots->connection() != 0;
  Mount mount(options.copiers);
  if (auto built = Build(mount, options, url, *slots, logger); !built) return built;
  auto const runtime = RuntimeDirectory();
  if (!runtime) return Failure(runtime.error());
  MountEntry entry;
  entry.mount = options.mountpoint;
  entry.url = tus::RedactUrl(url);
  entry.state_dir = options.state_dir;
  entry.socket = SocketPath(*runtime, entry.mount).string();
  entry.daemon_pid = ::getpid();
  if (auto started = mount.uploader->Start(); !started) return started;
  Reporter const reporter(*mount.state.store, *mount.state.spool, *mount.uploader);
  Decisions decisions(*mount.state.store, mount.filesystem->open_files(),
                      mount.filesystem->shrinker(), *mount.uploader, mount.clock);
  Commands const commands(entry, reporter, decisions);
  auto control = ControlServer::Start(
      entry.socket, [&](std::string const& request) { return commands.Answer(request); }, logger);
  if (!control) return Failure(control.error());
  auto device = line.TakeMount();
  if (!device) return Failure(device.error());
  auto server = FuseServer::Attach(std::move(*device), *slots, *mount.filesystem, logger);
  if (!server) return Failure(server.error());
  mount.server = server->get();
  MountedFilesystem const mounted(entry.mount);
  (*server)->TakeOver();
  line.SayServing();

  auto watch = line.Watch(
      {.is_alive =
           [&] {
             return mount.state.store->Read([](View const&) -> Result<void> { return {}; })
                 .has_value();
           },
       .hand_over = [&] { (*server)->Stop(); },
       .alone =
           [&] {
             logger->Error(
                 "the keeper has died: the mount goes on, and ends with this daemon; mount it "
                 "again when nothing is being written mount={}",
                 entry.mount);
             OnKeeperDeath(keeper);
           }});
  Reclaimer reclaimer(*mount.state.store, *mount.state.spool, mount.filesystem->shrinker(),
                      mount.clock, ReclaimOptionsOf(options), logger);
  reclaimer.Start();
  auto sweep = StartSweep(mount, logger);
  std::jthread count([&](std::stop_token stop) {
    NameThread("spool count");
    if (auto counted = mount.state.spool->Count(std::move(stop)); !counted) {
      logger->Error("the spool cannot be counted error=\"{}\"", Describe(counted.error()));
    }
  });
  std::jthread announcer([&] {
    NameThread("announcer");
    auto const seen = mount.uploader->AwaitFirstAnswer(mount.clock.Steady() + kFirstAnswer);
    if (!seen.reachable && !successor) {
      Complain("mounted; uploads wait for the server: " +
               (seen.error.empty() ? "it has not answered yet" : seen.error));
    }
    logger->Info("{} url={} mount={} state_dir={} replayed={}",
                 successor ? "serving on" : "mounted", entry.url, entry.mount, entry.state_dir,
                 slots->replayed());
    line.SaySettled();
    if (!options.foreground) LeaveTerminal();
  });
  auto const end = [&] {
    SignalWatch const signal_watch(signals, [&](pid_t sender) {
      return OnEndSignal(sender, keeper, entry, **server, logger);
    });
    return (*server)->Serve();
  }();
  if (end != ServingEnd::kFailed) MarkEnding(mount.state.lock);
  announcer.join();
  sweep = {};
  count = {};
  reclaimer.Stop();
  watch = {};
  control->reset();
  mount.uploader->Stop();
  if (mount.read_back) mount.read_back->Stop();
  if (auto const left = LeftBy(end, mounted)) {
    EndOrderly(mount, *left, mount.uploader->rules().publish_unknown, logger);
  }
  if (keeper.dead) EndAlone(entry, *runtime);
  logger->Info("{} mount={}", end == ServingEnd::kUnmounted ? "unmounted" : "stopped", entry.mount);
  if (end == ServingEnd::kFailed) return Fail(EIO, "/dev/fuse cannot be read");
  return {};
}

}  // namespace tusfs
