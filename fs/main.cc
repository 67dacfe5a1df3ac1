// tusfs: wiring only. Each room is made, given to the next, and ended in reverse order.
#include <signal.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <tusclient/client.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "catalog/store.h"
#include "control/commands.h"
#include "control/socket.h"
#include "daemon.h"
#include "filesystem/filesystem.h"
#include "filesystem/recovery.h"
#include "filesystem/report.h"
#include "fuse/server.h"
#include "options.h"
#include "spool/spool.h"
#include "uploader/uploader.h"
#include "version.h"

namespace tusfs {
namespace {

// How long a start waits to be able to say what the server is; the mount is live meanwhile.
constexpr std::chrono::seconds kFirstAnswer{3};

void Complain(std::string const& sentence) {
  std::fprintf(stderr, "tusfs: %s\n", sentence.c_str());
}

bool IsBeneath(std::filesystem::path const& path, std::filesystem::path const& top) {
  auto const relative = path.lexically_relative(top);
  return !relative.empty() && *relative.begin() != "..";
}

// SIGTERM and SIGINT end the mount. They are blocked in every thread and waited for in one.
sigset_t BlockEndSignals() {
  sigset_t signals{};
  ::sigemptyset(&signals);
  for (int const number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Stops the server on SIGTERM or SIGINT; a SIGHUP of its own ends the watch.
class SignalWatch {
 public:
  SignalWatch(sigset_t const& signals, FuseServer& server, Logger const& logger)
      : thread_([this, signals, &server, logger] {
          int number = SIGHUP;
          // A hangup of the terminal is no reason to end a mount.
          while (number == SIGHUP && !over_) ::sigwait(&signals, &number);
          if (over_) return;
          logger->info("ending on signal number={}", number);
          server.Stop();
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
  UniqueFd lock;
  SystemClock clock;
  ProcProcessTable processes;
  std::unique_ptr<Spool> spool;
  std::unique_ptr<Store> store;
  std::unique_ptr<Uploader> uploader;
  std::unique_ptr<Filesystem> filesystem;
};

// Each file that is open in the mount is open in the spool too.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

UploaderOptions UploaderOptionsOf(Options const& options, std::string const& url) {
  UploaderOptions wanted;
  wanted.url = url;
  wanted.transfers = options.transfers;
  wanted.settle = options.settle;
  wanted.transfer.chunk_size = options.chunk_size;
  wanted.make_transport = [] {
    tus::CurlTransportOptions transport;
    transport.user_agent = std::string("tusfs/") + kVersion;
    return tus::MakeCurlTransport(transport);
  };
  return wanted;
}

Result<void> Build(Mount& mount, Options const& options, std::string const& url,
                   std::filesystem::path const& state_dir, Logger const& logger) {
  if (auto made = MakePrivateDirectory(state_dir); !made) {
    return Fail(made.error().code, "the state directory cannot be made: " + made.error().context +
                                       "; name another one with --state-dir");
  }
  auto lock = LockStateDirectory(state_dir);
  if (!lock && lock.error().code != EBUSY) {
    return Fail(lock.error().code,
                "the state directory cannot be written: " + lock.error().context +
                    "; name another one with --state-dir");
  }
  if (!lock) return Failure(lock.error());
  mount.lock = std::move(*lock);
  auto store = Store::Open(state_dir / "catalog", {}, logger);
  if (!store) return Failure(store.error());
  mount.store = std::move(*store);
  auto const aside = SetLostSpoolAside(*mount.store, mount.clock, state_dir / "spool");
  if (!aside) return Failure(aside.error());
  if (!aside->empty()) {
    Complain("the catalog is new, but the spool is not: its bytes are kept in " + aside->string());
    logger->error("spool without a catalog is set aside path={}", aside->string());
  }
  auto spool = Spool::Open(state_dir / "spool");
  if (!spool) return Failure(spool.error());
  mount.spool = std::move(*spool);
  auto boot = ReadBootId();
  if (!boot) return Failure(boot.error());
  auto const connection =
      Recover(*mount.store, *mount.spool, mount.clock,
              {.endpoint = url, .boot_id = *boot, .uid = ::geteuid(), .gid = ::getegid()}, logger);
  if (!connection && connection.error().code == EUCLEAN) {
    return Fail(EUCLEAN, DamagedCatalog(state_dir / "catalog", connection.error().context));
  }
  if (!connection) return Failure(connection.error());
  mount.uploader = std::make_unique<Uploader>(UploaderOptionsOf(options, url), *mount.store,
                                              *mount.spool, mount.clock, logger);
  mount.filesystem =
      std::make_unique<Filesystem>(*mount.store, *mount.spool, *mount.uploader, mount.processes,
                                   mount.clock, *connection, logger);
  return {};
}

Result<void> Run(Options const& options, std::string const& url, Background* background,
                 Logger const& logger) {
  auto const signals = BlockEndSignals();
  RaiseDescriptorLimit();
  auto const mountpoint = PrepareMountpoint(options.mountpoint, options.nonempty, logger);
  if (!mountpoint) return Failure(mountpoint.error());
  auto chosen = options.state_dir.empty() ? DefaultStateDirectory(*mountpoint)
                                          : std::filesystem::path(options.state_dir);
  if (!chosen) return Failure(chosen.error());
  auto const state_dir = std::filesystem::weakly_canonical(std::filesystem::absolute(*chosen));
  auto const runtime = RuntimeDirectory();
  if (!runtime) return Failure(runtime.error());
  for (auto const& own : {state_dir, *runtime}) {
    if (!IsBeneath(own, *mountpoint)) continue;
    return Fail(EINVAL, "'" + own.string() + "' would lie in the mount that it serves: name a " +
                            "place outside '" + *mountpoint +
                            "' with --state-dir (or TUSFS_RUNTIME_DIR)");
  }

  Mount mount;
  if (auto built = Build(mount, options, url, state_dir, logger); !built) return built;
  auto server = FuseServer::Mount({.mountpoint = *mountpoint,
                                   .source = url,
                                   .allow_other = options.allow_other,
                                   .kernel = options.kernel},
                                  *mount.filesystem, logger);
  if (!server) return Failure(server.error());
  MountEntry const entry{.mount = *mountpoint,
                         .url = url,
                         .state_dir = state_dir.string(),
                         .socket = SocketPath(*runtime, *mountpoint).string(),
                         .daemon_pid = ::getpid()};
  if (auto started = mount.uploader->Start(); !started) return started;
  Reporter const reporter(*mount.store, *mount.spool, *mount.uploader);
  Commands const commands(entry, reporter);
  auto control = ControlServer::Start(
      entry.socket, [&](std::string const& request) { return commands.Answer(request); }, logger);
  if (!control) return Failure(control.error());
  if (auto registered = RegisterMount(*runtime, entry); !registered) return registered;

  std::jthread announcer([&] {
    auto const seen = mount.uploader->AwaitFirstAnswer(mount.clock.Steady() + kFirstAnswer);
    if (!seen.reachable) {
      Complain("mounted; uploads wait for the server: " +
               (seen.error.empty() ? "it has not answered yet" : seen.error));
    }
    logger->info("mounted url={} mount={} state_dir={}", url, *mountpoint, state_dir.string());
    ::sd_notify(0, "READY=1");
    if (background != nullptr) background->Ready();
  });
  {
    SignalWatch const watch(signals, **server, logger);
    (*server)->Serve();
  }
  MarkEnding(mount.lock);
  announcer.join();
  UnregisterMount(*runtime, *mountpoint);
  control->reset();
  mount.uploader->Stop();
  logger->info("unmounted mount={}", *mountpoint);
  return {};
}

int Main(int argc, char const* const* argv) {
  auto const invocation = ParseCommandLine(argc, argv);
  if (!invocation.options) {
    std::fputs(invocation.output.c_str(), invocation.status == 0 ? stdout : stderr);
    return invocation.status;
  }
  auto const& options = *invocation.options;
  auto const url = tus::NormalizeEndpoint(options.url);
  if (!url) {
    // What has a user name in it is not repeated: a password may follow.
    bool const secret = options.url.find('@') != std::string::npos;
    Complain("cannot mount " + (secret ? "that URL" : "'" + options.url + "'") + ": " +
             url.error().message + "; write it like https://host/files/");
    return 2;
  }
  std::optional<Background> background;
  if (!options.foreground) {
    auto entered = Background::Enter();
    if (!entered) {
      Complain(entered.error().context);
      return 1;
    }
    background = std::move(*entered);
  }
  auto const logger = MakeLogger(options.log_level, options.foreground);
  auto const ran = Run(options, *url, background ? &*background : nullptr, logger);
  if (!ran) {
    Complain(Describe(ran.error()));
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace tusfs

int main(int argc, char** argv) { return tusfs::Main(argc, argv); }
