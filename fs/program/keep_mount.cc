// The keeper's process: checks, then the keeper room.
#include <fcntl.h>
#include <sys/mman.h>
#include <tusclient/redact.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/ask_child.h"
#include "base/file.h"
#include "fuse/request_slots.h"
#include "keeper/keeper.h"
#include "options/check_files.h"
#include "options/command_line.h"
#include "options/places.h"
#include "program/open_state.h"
#include "program/process.h"
#include "program/state_directory.h"
#include "program/wiring.h"

namespace tusfs {
namespace {

constexpr std::chrono::seconds kReadPatience{5};

bool IsBeneath(std::filesystem::path const& path, std::filesystem::path const& top) {
  auto const relative = path.lexically_relative(top);
  return !relative.empty() && *relative.begin() != "..";
}

// The mount that the service manager has kept, with its mount point; nothing where it is gone.
struct KeptMount {
  ServiceManager::Kept descriptors;
  std::string mountpoint;
};

std::optional<KeptMount> FindKept(ServiceManager const& manager, Logger const& logger) {
  auto kept = manager.TakeKept();
  if (!kept || !IsConnected(kept->device)) return std::nullopt;
  auto const slots = RequestSlots::Map(UniqueFd(::dup(kept->slots.get())));
  if (!slots || slots->mountpoint().empty()) {
    logger->Error("the mount that the service manager has kept cannot go on error=\"{}\"",
                  slots ? "it does not say where it is" : Describe(slots.error()));
    return std::nullopt;
  }
  return KeptMount{std::move(*kept), slots->mountpoint()};
}

// Command lines and environments have more readers than a file without a name.
Result<UniqueFd> InMemory(std::string const& text) {
  UniqueFd fd(::memfd_create("url", MFD_CLOEXEC));
  if (!fd) return FailErrno("memfd_create");
  if (auto written = WriteFully(fd.get(), std::as_bytes(std::span(text)), 0); !written) {
    return Failure(written.error());
  }
  return fd;
}

Result<void> CheckFiles(Options const& options) {
  std::string all;
  for (auto const& [setting, what] : WhatIsMissing(options)) {
    all += (all.empty() ? "--" : "; --") + setting + " " + what;
  }
  return all.empty() ? Result<void>() : Fail(ENOENT, all);
}

// Before it is covered. None where there is nothing to take in.
Result<UniqueFd> OpenBeneath(Options const& options, std::string const& mountpoint) {
  std::error_code unreadable;
  if (!options.import_beneath || std::filesystem::is_empty(mountpoint, unreadable)) {
    return UniqueFd();
  }
  UniqueFd fd(::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return FailErrno("the mount point '" + mountpoint + "'");
  return fd;
}

/// What each daemon of a mount is started with besides its options.
struct Resolved {
  std::string url;  ///< as it may be shown
  std::string mountpoint;
  std::string state_dir;
};

DaemonSettings SettingsOf(Options options, Resolved const& resolved) {
  auto to_keep = PackOptions(options);
  options.url = resolved.url;
  options.url_file.clear();
  options.make_mountpoint = false;
  options.mountpoint = resolved.mountpoint;
  options.state_dir = resolved.state_dir;
  return {CommandLineOf(options), std::move(to_keep)};
}

// Files are read there, of disks that may hang: the keeper waits for none.
Result<Options> ParseAgain(CommandLine const& command_line, Options const& started) {
  auto const invocation = command_line.Parse();
  if (!invocation.options) return Fail(EINVAL, SentencesIn(invocation.output));
  auto next = Reconfigure(started, *invocation.options);
  if (!next) return next;
  if (auto const there = CheckFiles(*next); !there) return Failure(there.error());
  return next;
}

Result<DaemonSettings> ReadAgain(CommandLine const& command_line, Options const& started,
                                 Resolved const& resolved) {
  constexpr char kGood = '+';
  auto const answer = AskChild(
      [&] {
        auto const next = ParseAgain(command_line, started);
        return next ? kGood + PackOptions(*next) : "-" + next.error().context;
      },
      kReadPatience);
  if (!answer && answer.error().code == ETIMEDOUT) {
    return Fail(ETIMEDOUT, "it cannot be read within " + std::to_string(kReadPatience.count()) +
                               " seconds: does the disk of its files answer?");
  }
  if (!answer) return Failure(answer.error());
  if (!answer->starts_with(kGood))
    return Fail(EINVAL, answer->substr(std::min<std::size_t>(1, answer->size())));
  auto const next = UnpackOptions(answer->substr(1));
  if (!next) return Fail(EINVAL, "it cannot be handed on");
  return SettingsOf(*next, resolved);
}

}  // namespace

Result<int> KeepMount(CommandLine const& command_line, Options const& options,
                      std::string const& url, std::function<void()> on_ready,
                      ServiceManager const& manager, Logger const& logger) {
  auto kept = FindKept(manager, logger);
  // A mount that is alive goes on without them, as it does when they go later.
  if (auto const there = kept ? Result<void>() : CheckFiles(options); !there) {
    return Failure(there.error());
  }
  auto const mountpoint =
      kept ? Result<std::string>(kept->mountpoint)
           : PrepareMountpoint(options.mountpoint,
                               {.nonempty = options.nonempty || options.import_beneath,
                                .make = options.make_mountpoint},
                               logger);
  if (!mountpoint) return Failure(mountpoint.error());
  auto const state_dir = StateDirectoryOf(options, *mountpoint);
  if (!state_dir) return Failure(state_dir.error());
  auto const runtime = RuntimeDirectory();
  if (!runtime) return Failure(runtime.error());
  for (auto const& own : {*state_dir, *runtime}) {
    if (!IsBeneath(own, *mountpoint)) continue;
    return Fail(EINVAL, "'" + own.string() + "' would lie in the mount that it serves: name a " +
                            "place outside '" + *mountpoint +
                            "' with --state-dir (or TUSFS_RUNTIME_DIR)");
  }
  auto program = Program::Own();
  if (!program) return Failure(program.error());

  auto const shown = tus::RedactUrl(url);
  auto secret = shown == url ? Result<UniqueFd>(UniqueFd()) : InMemory(url);
  if (!secret) return Failure(secret.error());
  Resolved const resolved{shown, *mountpoint, state_dir->string()};
  KeeperOptions wanted;
  wanted.mount = {.mountpoint = *mountpoint,
                  .source = SourceOf(options),
                  .allow_other = options.allow_other,
                  .kernel = options.kernel};
  if (kept) {
    wanted.beneath = std::move(kept->descriptors.beneath);
    wanted.kept = std::move(kept->descriptors);
  } else {
    auto beneath = OpenBeneath(options, *mountpoint);
    if (!beneath) return Failure(beneath.error());
    wanted.beneath = *std::move(beneath);
  }
  wanted.entry.mount = *mountpoint;
  wanted.entry.url = shown;
  wanted.entry.state_dir = state_dir->string();
  wanted.entry.socket = SocketPath(*runtime, *mountpoint).string();
  wanted.runtime_dir = *runtime;
  wanted.settings = SettingsOf(options, resolved);
  wanted.read_again = [&] { return ReadAgain(command_line, options, resolved); };
  wanted.url = *std::move(secret);
  wanted.crash_marker = SuspicionOf(*state_dir);
  wanted.on_wait = [&](pid_t keeper) {
    Complain("waiting for process " + std::to_string(keeper) + ", which still keeps '" +
             *mountpoint + "': it ends when its files are on disk, and may be killed");
  };
  wanted.on_ready = std::move(on_ready);
  return Keeper(std::move(wanted), std::move(*program), manager, logger).Run();
}

}  // namespace tusfs
