#include "keeper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fuse/request_slots.h"
#include "keeper/daemon_side.h"

namespace tusfs {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{30'000};
constexpr std::chrono::seconds kHandOverPatience{10};
// A daemon sees at once that its mount has gone.
constexpr std::chrono::seconds kSeesUnmount{2};
// A process that was killed ends at once, but where the daemon is stuck.
constexpr std::chrono::seconds kImportEnds{2};
constexpr char const* kProcessName = "tusfs-keeper";

std::string HowItEnded(int status) {
  if (WIFEXITED(status)) {
    auto const code = WEXITSTATUS(status);
    if (code == kCatalogFailed) return "ended, because the disk failed its catalog";
    if (code == kCatalogIsDamaged) return "ended, because its catalog is damaged";
    return "ended with status " + std::to_string(code);
  }
  auto const number = WTERMSIG(status);
  return "killed by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
}

Result<UniqueFd> BlockSignals() {
  sigset_t signals{};
  ::sigemptyset(&signals);
  for (int const number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR2}) {
    ::sigaddset(&signals, number);
  }
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return FailErrno("signalfd");
  return fd;
}

}  // namespace

Keeper::Keeper(KeeperOptions options, Program program, ServiceManager const& manager, Logger logger)
    : options_(std::move(options)),
      manager_(manager),
      logger_(std::move(logger)),
      program_(std::move(program)),
      import_(std::move(options_.beneath), logger_) {}

Result<void> Keeper::Prepare() {
  auto lock = LockMount(options_.runtime_dir, options_.mount.mountpoint, options_.on_wait);
  if (!lock) return Failure(lock.error());
  lock_ = std::move(*lock);
  auto signals = BlockSignals();
  if (!signals) return Failure(signals.error());
  signals_ = std::move(*signals);
  if (options_.kept) {
    device_ = std::move(options_.kept->device);
    slots_ = std::move(options_.kept->slots);
    established_ = true;
    manager_.KeepSettings(options_.settings.to_keep);
    logger_->Warn("going on with the mount that an earlier keeper left mount={}",
                  options_.mount.mountpoint);
  } else {
    auto slots = RequestSlots::Create();
    if (!slots) return Failure(slots.error());
    slots_ = std::move(*slots);
    auto mapped = RequestSlots::Map(UniqueFd(::dup(slots_.get())));
    if (!mapped) return Failure(mapped.error());
    mapped->SetMountpoint(options_.mount.mountpoint);
  }
  if (auto const interval = manager_.WatchInterval()) watch_at_ = Clock::now() + *interval;
  return {};
}

Result<int> Keeper::Run() {
  ::prctl(PR_SET_NAME, kProcessName);
  ::signal(SIGPIPE, SIG_IGN);  // the log's reader may be gone
  if (auto prepared = Prepare(); !prepared) return Failure(prepared.error());
  while (!outcome_) Turn();
  return *outcome_;
}

void Keeper::Turn() {
  OnTime();
  if (outcome_) return;
  pollfd waiting[4] = {
      {signals_.get(), POLLIN, 0},
      {link_ ? link_->fd() : -1, POLLIN, 0},
      // A mount that goes while nobody serves it is seen here; POLLERR needs no asking.
      {daemon_ == 0 ? device_.get() : -1, 0, 0},
      {import_.fd(), POLLIN, 0}};
  if (::poll(waiting, std::size(waiting), PollTimeout()) < 0) return;
  if ((waiting[2].revents & POLLERR) != 0) return Finish(0);
  // Messages first: what a daemon said before it ended counts.
  if (waiting[1].revents != 0) OnMessage();
  if (!outcome_ && waiting[3].revents != 0) OnImport();
  if (!outcome_ && waiting[0].revents != 0) OnSignal();
}

int Keeper::PollTimeout() const {
  auto next = Clock::time_point::max();
  if (phase_ == DaemonPhase::kWaiting) next = std::min(next, start_at_);
  if (IsAwaited()) next = std::min(next, give_up_at_);
  if (tell_end_at_) next = std::min(next, *tell_end_at_);
  if (watch_at_) next = std::min(next, *watch_at_);
  if (import_.start_at()) next = std::min(next, *import_.start_at());
  if (import_ends_by_) next = std::min(next, *import_ends_by_);
  if (next == Clock::time_point::max()) return -1;
  auto const left = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kLongestWait.count()));
}

bool Keeper::IsAwaited() const {
  return phase_ == DaemonPhase::kLeaving || (phase_ == DaemonPhase::kStarting && established_);
}

void Keeper::OnTime() {
  auto const now = Clock::now();
  if (phase_ == DaemonPhase::kWaiting && now >= start_at_) StartDaemon();
  if (IsAwaited() && now >= give_up_at_) {
    logger_->Error("the daemon does not {}, it is killed pid={}",
                   phase_ == DaemonPhase::kLeaving ? "hand over" : "come to serving", daemon_);
    ::kill(daemon_, SIGKILL);
    give_up_at_ = Clock::time_point::max();
  }
  if (tell_end_at_ && now >= *tell_end_at_) {
    tell_end_at_.reset();
    // Another mount namespace has a copy of the mount.
    if (phase_ == DaemonPhase::kEnding && IsConnected(device_)) ::kill(daemon_, SIGTERM);
  }
  if (watch_at_ && now >= *watch_at_) Watch();
  if (auto const due = import_.start_at(); due && now >= *due) {
    import_.Start(program_, options_.settings.arguments);
  }
  if (import_ends_by_ && now >= *import_ends_by_) EndMount();
}

void Keeper::Watch() {
  // Without a daemon it is the keeper that is watched: it tries again, and again.
  if (phase_ != DaemonPhase::kServing || ping_answered_) manager_.StillAlive();
  if (phase_ == DaemonPhase::kServing) {
    ping_answered_ = false;
    Tell(Word::kPing);
  }
  watch_at_ = Clock::now() + manager_.WatchInterval().value_or(kLongestWait);
}

// ---- the daemon's life

void Keeper::StartDaemon() {
  auto ends = Link::Make();
  if (!ends) return OnNoStart(ends.error());
  auto& [own, theirs] = *ends;
  auto const& program = candidate_ ? *candidate_ : program_;
  std::vector<int> kept{theirs.fd(), slots_.get()};
  if (options_.url) kept.push_back(options_.url.get());
  auto const started =
      program.Start(candidate_settings_.value_or(options_.settings).arguments,
                    {DaemonVariable(theirs.fd(), slots_.get(), options_.url.get())}, kept);
  if (!started) return OnNoStart(started.error());
  daemon_ = *started;
  link_ = std::move(own);
  phase_ = DaemonPhase::kStarting;
  give_up_at_ = Clock::now() + pauses_.StartPatience();
  logger_->Info("daemon started pid={} program={}", daemon_, program.path().string());
}

void Keeper::OnNoStart(Error const& error) {
  if (established_) return OnCrash("could not be started: " + Describe(error));
  failure_ = error;
  Finish(1);
}

void Keeper::OnMessage() {
  auto const message = link_->Receive();
  if (!message) {
    link_.reset();  // its end is told by SIGCHLD
    return;
  }
  switch (message->word) {
    case Word::kWantMount:
      return OfferMount();
    case Word::kServing:
      return OnServing();
    case Word::kAnnounced:
      manager_.Ready();
      if (auto const ready = std::exchange(options_.on_ready, nullptr)) ready();
      return;
    case Word::kStatus:
      if (phase_ == DaemonPhase::kServing) manager_.Status(message->text);
      return;
    case Word::kPong:
      ping_answered_ = true;
      return;
    default:
      return;
  }
}

void Keeper::OfferMount() {
  if (!device_ && phase_ == DaemonPhase::kStarting) {
    auto device = MountFuse(options_.mount);
    if (!device) {
      failure_ = device.error();
    } else {
      device_ = std::move(*device);
      manager_.Keep(device_, slots_, options_.settings.to_keep);
      if (import_.IsWanted()) manager_.KeepBeneath(import_.beneath());
    }
  }
  if (!device_ || phase_ != DaemonPhase::kStarting) {
    return Tell(Word::kNoMount);
  }
  if (!established_) Register();  // before anybody can see the mount
  TellBeneath();
  Tell(Word::kMount, device_.get());
}

void Keeper::Tell(Word word, int fd) {
  // Where this fails the daemon is dead, and SIGCHLD tells of it.
  if (link_) (void)link_->Send(word, fd);
}

void Keeper::OnServing() {
  if (phase_ != DaemonPhase::kStarting) return;
  phase_ = DaemonPhase::kServing;
  serving_since_ = Clock::now();
  ping_answered_ = true;
  established_ = true;
  auto& entry = options_.entry;
  ++entry.starts;
  if (candidate_) {
    logger_->Info("the installed program serves now program={}", candidate_->path().string());
    program_ = std::move(*candidate_);
    candidate_.reset();
    entry.problem.clear();
  }
  if (candidate_settings_) {
    logger_->Info("the configuration that was read again is in force mount={}", entry.mount);
    options_.settings = *std::exchange(candidate_settings_, std::nullopt);
    manager_.KeepSettings(options_.settings.to_keep);
    // Who asked meanwhile waits for what is read then.
    if (!reload_wanted_) ++entry.reloads;
    entry.problem.clear();
  }
  import_.OnServing();
  Register();
  if (std::exchange(reload_wanted_, false)) {
    restart_wanted_ = false;
    BeginReload();
  } else if (std::exchange(restart_wanted_, false)) {
    BeginRestart();
  }
}

void Keeper::OnDaemonEnd(int status) {
  auto const phase = std::exchange(phase_, DaemonPhase::kWaiting);
  auto const pid = std::exchange(daemon_, 0);
  link_.reset();
  start_at_ = Clock::now();
  auto const next = WhatFollows(phase, established_, status);
  if (next != AfterEnd::kEndMount && next != AfterEnd::kNext && LeavesCatalogInDoubt(status)) {
    // A disk without room for it has told of that in the log.
    [[maybe_unused]] auto const marked =
        OpenFile(options_.crash_marker, O_WRONLY | O_CREAT | O_NOFOLLOW);
  }
  switch (next) {
    case AfterEnd::kEndMount:
      if (status != 0) {
        logger_->Error("the daemon did not end orderly how=\"{}\" pid={}", HowItEnded(status), pid);
      }
      return Finish(0);
    case AfterEnd::kEndMountAsLost:
      logger_->Error("the mount cannot go on, and ends; mount it again mount={}",
                     options_.mount.mountpoint);
      return Finish(1);
    case AfterEnd::kGiveUp:
      if (WIFSIGNALED(status)) failure_ = Error{EIO, "the daemon was " + HowItEnded(status)};
      return Finish(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    case AfterEnd::kNext:
      logger_->Info("the daemon has handed over pid={}", pid);
      return;
    case AfterEnd::kAgain:
      return OnCrash(HowItEnded(status));
  }
}

void Keeper::OnCrash(std::string const& how) {
  auto& entry = options_.entry;
  bool const served = serving_since_ != Clock::time_point();
  if (!served && (candidate_ || candidate_settings_)) {
    DropCandidates(how);
  } else {
    entry.last_end = how;
  }
  auto const pause = pauses_.After(
      served ? std::optional(std::chrono::floor<milliseconds>(Clock::now() - serving_since_))
             : std::nullopt);
  serving_since_ = {};
  start_at_ = Clock::now() + pause;
  manager_.Status("the daemon " + how + "; the next one starts in " +
                  std::to_string(pause.count()) + " ms, writers wait");
  logger_->Error(
      "the daemon ended, the mount is kept, the next one starts in {} ms how=\"{}\" mount={}",
      pause.count(), how, options_.mount.mountpoint);
  // A slow disk under the registry must not hold up the next one, which is registered when it
  // serves.
  if (pause.count() > 0) Register();
}

void Keeper::DropCandidates(std::string const& how) {
  auto& entry = options_.entry;
  if (std::exchange(candidate_settings_, std::nullopt)) {
    ++entry.reloads;
    entry.problem = "with the configuration that was read again the daemon did not start (" + how +
                    "; the log has its reason): the one before it goes on";
    logger_->Error("{}", entry.problem);
  } else {
    entry.problem = "the installed program did not start (" + how + "): the one before it goes on";
    logger_->Error("{} program={}", entry.problem, candidate_->path().string());
  }
  candidate_.reset();
}

// ---- what others want

void Keeper::OnSignal() {
  signalfd_siginfo signal{};
  while (!outcome_ && ::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    int status = 0;
    switch (signal.ssi_signo) {
      case SIGCHLD:
        if (daemon_ != 0 && ::waitpid(daemon_, &status, WNOHANG) == daemon_) OnDaemonEnd(status);
        if (import_.HasEnded()) OnImportEnd();
        break;
      case SIGTERM:
      case SIGINT:
        logger_->Info("ending on signal number={}", signal.ssi_signo);
        BeginEnd();
        break;
      case SIGUSR2:
        BeginRestart();
        break;
      case SIGHUP:  // of the terminal, too: that is no reason to end a mount
        BeginReload();
        break;
      default:
        break;
    }
  }
}

void Keeper::BeginEnd() {
  manager_.Stopping();
  manager_.ForgetKept();  // nobody goes on with a mount whose end has begun
  if (daemon_ == 0) return Finish(0);
  phase_ = DaemonPhase::kEnding;
  if (tell_end_at_ || import_ends_by_) return;  // it is unmounted already, or will be
  import_.End();
  if (!import_.IsRunning()) return EndMount();
  import_ends_by_ = Clock::now() + kImportEnds;
}

void Keeper::EndMount() {
  import_ends_by_.reset();
  if (daemon_ == 0) return Finish(0);
  if (device_ && UnmountUnused(options_.mount.mountpoint)) {
    tell_end_at_ = Clock::now() + kSeesUnmount;
  } else {
    ::kill(daemon_, SIGTERM);
  }
}

void Keeper::OnImport() {
  auto told = import_.Receive();
  TellBeneath();
  if (!told) return;
  options_.entry.import = *std::move(told);
  Register();
}

void Keeper::TellBeneath() {
  if (link_) (void)link_->Send(Word::kBeneath, ToText(import_.Counts()));
}

void Keeper::OnImportEnd() {
  // What it said before it ended counts, and its line has an end now.
  while (import_.fd() >= 0) OnImport();
  TellBeneath();
  if (import_ends_by_) return EndMount();
  if (!import_.IsWanted()) manager_.ForgetBeneath();
}

void Keeper::BeginRestart() {
  if (phase_ == DaemonPhase::kEnding) return;
  restart_wanted_ = phase_ == DaemonPhase::kStarting;
  if (restart_wanted_) return;
  auto installed = program_.Installed();
  if (installed) {
    candidate_ = std::move(*installed);
  } else {
    options_.entry.problem = "the installed program cannot be used (" +
                             Describe(installed.error()) + "): the running one is started again";
    logger_->Error("{}", options_.entry.problem);
  }
  if (phase_ == DaemonPhase::kLeaving) return;
  pauses_.Forget();
  start_at_ = Clock::now();
  if (phase_ == DaemonPhase::kWaiting) return;
  logger_->Info("the daemon is asked to hand over pid={}", daemon_);
  phase_ = DaemonPhase::kLeaving;
  serving_since_ = {};
  give_up_at_ = Clock::now() + kHandOverPatience;
  Tell(Word::kHandOver);
}

void Keeper::BeginReload() {
  if (phase_ == DaemonPhase::kEnding) return;
  // What starts now has the arguments of before.
  reload_wanted_ = phase_ == DaemonPhase::kStarting;
  if (reload_wanted_) return;
  auto& entry = options_.entry;
  auto settings = options_.read_again();
  if (settings) {
    entry.problem.clear();
    candidate_settings_ = *std::move(settings);
    return BeginRestart();
  }
  ++entry.reloads;
  entry.problem = "the configuration stays as it was: " + settings.error().context;
  logger_->Error("{}", entry.problem);
  Register();
}

void Keeper::Finish(int status) {
  import_.End();
  manager_.ForgetKept();
  if (device_ && IsConnected(device_) && !Unmount(options_.mount.mountpoint)) {
    logger_->Error("cannot unmount, what is open there fails from now on mount={}",
                   options_.mount.mountpoint);
  }
  device_.Reset();
  UnregisterMount(options_.runtime_dir, options_.mount.mountpoint);
  if (failure_) {
    outcome_ = Failure(*failure_);
  } else {
    outcome_ = status;
  }
}

void Keeper::Register() {
  options_.entry.daemon_pid = daemon_;
  if (auto done = RegisterMount(options_.runtime_dir, options_.entry); !done) {
    logger_->Error("tusfsctl will not find this mount error=\"{}\"", Describe(done.error()));
  }
}

}  // namespace tusfs
