#include "control/steering.h"

#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/run_program.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/outcome.h"
#include "control/place.h"
#include "control/waiting.h"

namespace tusfs {
namespace {

constexpr std::chrono::milliseconds kRestartInterval{20};
constexpr std::chrono::seconds kLongestRestart{30};
constexpr std::chrono::milliseconds kEndInterval{20};
constexpr std::chrono::minutes kLongestEnd{10};  // its daemon may have much to sync
constexpr std::chrono::seconds kUnmountPatience{30};
constexpr char const* kKeeperName = "tusfs-keeper";

// Whether the process is what its lock says: a signal to another one could end it.
bool IsKeeper(pid_t pid) {
  auto const name = ReadSmallFile("/proc/" + std::to_string(pid) + "/comm");
  return name && *name == std::string(kKeeperName) + "\n";
}

// As umount(8) does: not where somebody uses it.
Result<void> TakeAway(std::string const& mount) {
  if (::geteuid() == 0) {
    if (::umount2(mount.c_str(), UMOUNT_NOFOLLOW) == 0) return {};
    return Fail(errno, std::generic_category().message(errno));
  }
  auto const ran =
      RunProgram({.argv = {"fusermount3", "-u", "--", mount}, .timeout = kUnmountPatience}, {});
  if (!ran) return Failure(ran.error());
  return {};
}

// What a person can do about a mount that cannot be unmounted.
std::string WayOutOfUse(MountEntry const& mount, Error const& error) {
  auto const backlog = Request({mount, ""}, "backlog");
  if (!backlog || BeneathIn(*backlog).Going() == 0) {
    return error.code == EBUSY ? "; end the programs that use it (fuser -vm)" : "";
  }
  auto const import = Refreshed(mount).import;
  return "; what lies beneath it is being taken in (--import" +
         (import.empty() ? "" : ": " + Printable(import)) +
         "): wait for that, close what is still written there, or end the mount with 'kill " +
         std::to_string(KeeperOf(mount)) + "', and the next one goes on";
}

// When its keeper has ended, everything that was closed is on disk.
int AwaitEnd(MountEntry const& mount) {
  auto const deadline = std::chrono::steady_clock::now() + kLongestEnd;
  while (KeeperOf(mount) != 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      std::fprintf(stderr, "tusfsctl: '%s' is unmounted, and its daemon is not done yet\n",
                   Printable(mount.mount).c_str());
      return kTimeout;
    }
    std::this_thread::sleep_for(kEndInterval);
  }
  return kDone;
}

/// What a keeper is asked for: by which signal, and whether it is done, or refused.
struct Renewal {
  int signal;
  bool (*is_over)(MountEntry const& before, MountEntry const& now);
};

constexpr Renewal kRestart{SIGUSR2, [](MountEntry const& before, MountEntry const& now) {
                             return now.starts > before.starts && now.daemon_pid != 0;
                           }};
constexpr Renewal kReload{SIGHUP, [](MountEntry const& before, MountEntry const& now) {
                            return now.reloads > before.reloads && now.daemon_pid != 0;
                          }};

int Renew(MountEntry const& mount, Renewal const& renewal) {
  auto const before = Refreshed(mount);
  auto const keeper = KeeperOf(before);
  if (!IsKeeper(keeper)) {
    return Complain("'" + before.mount + "' has no keeper that could start a daemon: unmount, " +
                    "and mount it again");
  }
  if (::kill(keeper, renewal.signal) != 0) {
    return Complain("the keeper (process " + std::to_string(keeper) +
                    ") cannot be told: " + std::generic_category().message(errno));
  }
  auto const deadline = std::chrono::steady_clock::now() + kLongestRestart;
  while (std::chrono::steady_clock::now() < deadline) {
    auto const now = Refreshed(before);
    if (renewal.is_over(before, now)) {
      if (now.problem.empty()) return kDone;
      std::fprintf(stderr, "tusfsctl: %s\n", Printable(now.problem).c_str());
      return kStuck;
    }
    std::this_thread::sleep_for(kRestartInterval);
  }
  std::fprintf(stderr, "tusfsctl: no new daemon serves '%s' yet: see 'tusfsctl status %s'\n",
               before.mount.c_str(), before.mount.c_str());
  return kTimeout;
}

}  // namespace

int Restart(std::string const& path) {
  auto const place = FindPlace(path);
  return place ? Renew(place->mount, kRestart) : Complain(place.error().context);
}

int Reload(std::string const& path) {
  auto const place = FindPlace(path);
  return place ? Renew(place->mount, kReload) : Complain(place.error().context);
}

int ReloadOfKeeper(pid_t keeper) {
  for (auto const& mount : ListMounts()) {
    if (KeeperOf(mount) == keeper) return Renew(mount, kReload);
  }
  return Complain("process " + std::to_string(keeper) + " is no keeper of a mount");
}

int Steer(std::string const& path, char const* command, nlohmann::json const& more) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  auto const answer = Request(*place, command, more);
  return answer ? kDone : Complain(answer.error().context);
}

int Drain(std::string const& path, std::optional<double> timeout) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  Place const whole{place->mount, ""};
  auto const backlog = Request(whole, "backlog");
  if (!backlog) return Complain(backlog.error().context);
  if (backlog->value("paused", false) && NumberOf(*backlog, "going") > 0) {
    return Complain("sending is paused, nothing would be uploaded: say 'tusfsctl resume' first");
  }
  return WaitFor({whole}, {.timeout = timeout});
}

int Unmount(std::string const& path, bool drain, std::optional<double> timeout) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  auto const& mount = place->mount;
  if (drain) {
    if (auto const drained = Drain(mount.mount, timeout); drained != kDone) {
      std::fprintf(stderr, "tusfsctl: '%s' stays mounted\n", Printable(mount.mount).c_str());
      return drained;
    }
  }
  if (auto const taken = TakeAway(mount.mount); !taken) {
    std::fprintf(stderr, "tusfsctl: '%s' stays mounted: %s%s\n", Printable(mount.mount).c_str(),
                 Printable(Describe(taken.error())).c_str(),
                 WayOutOfUse(mount, taken.error()).c_str());
    return kStuck;
  }
  return AwaitEnd(mount);
}

Result<std::uint64_t> ParseRate(std::string const& text) {
  if (text == "none") return 0;
  std::uint64_t number = 0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, number);
  std::string_view const unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  int const shift = unit.empty() || unit == "B" ? 0
                    : unit == "KiB"             ? 10
                    : unit == "MiB"             ? 20
                    : unit == "GiB"             ? 30
                                                : -1;
  bool const is_rate = parsed.ec == std::errc() && number > 0 && shift >= 0;
  if (!is_rate || number > (std::uint64_t{1} << 32)) {
    return Fail(EINVAL, "it takes bytes per second, such as 500KiB or 10MiB, or none, not " + text);
  }
  return number << shift;
}

}  // namespace tusfs
