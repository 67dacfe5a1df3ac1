#include "program/put_off.h"

#include <signal.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <optional>

#include "control/registry.h"
#include "keeper/failed_starts.h"
#include "program/signal_watch.h"

namespace tusfs {
namespace {

using std::chrono::milliseconds;

// Where there is no runtime directory, and so nothing that is remembered.
constexpr milliseconds kUnknown{30'000};

std::optional<FailedStarts> FailedStartsOf(Options const& options) {
  auto const runtime = RuntimeDirectory();
  if (!runtime) return std::nullopt;
  return FailedStarts(*runtime, std::filesystem::absolute(options.mountpoint).string());
}

/// Whether it came within `time`.
bool AwaitEndSignal(milliseconds time) {
  BlockEndSignals();
  sigset_t ends{};
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  auto const until = std::chrono::steady_clock::now() + time;
  for (auto left = time; left > milliseconds(0);
       left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now())) {
    timespec const wait{left.count() / 1000, left.count() % 1000 * 1'000'000};
    if (::sigtimedwait(&ends, nullptr, &wait) > 0) return true;
    if (errno != EINTR) break;
  }
  return false;
}

}  // namespace

bool PutOffRestart(Options const& options, std::string const& why, ServiceManager const& manager,
                   Logger const& logger) {
  if (!manager.IsThere()) return false;
  auto const starts = FailedStartsOf(options);
  auto const pause = starts ? starts->Add() : kUnknown;
  auto const what = "not mounted" + (why.empty() ? ", see the log" : ": " + why);
  manager.Status(what + "; the next try is in " + std::to_string(pause.count()) + " ms");
  logger->Error("{}; the next try is in {} ms mount={}", what, pause.count(), options.mountpoint);
  if (!AwaitEndSignal(pause)) return false;
  if (starts) starts->Forget();
  return true;
}

void ForgetFailedStarts(Options const& options) {
  if (auto const starts = FailedStartsOf(options)) starts->Forget();
}

}  // namespace tusfs
