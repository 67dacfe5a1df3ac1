#include "keeper/restart_policy.h"

#include <sys/wait.h>

#include <algorithm>

#include "keeper/daemon_side.h"
#include "keeper/program.h"

namespace tusfs {
namespace {

using std::chrono::milliseconds;

// A daemon that ends so soon after it began to serve is not simply started again and again.
constexpr milliseconds kQuickEnd{250};
constexpr int kQuickEndsForgiven = 3;
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{30'000};
constexpr std::chrono::seconds kStartPatience{60};
constexpr int kStartPatienceDoublings = 6;

bool EndedWith(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }

}  // namespace

AfterEnd WhatFollows(DaemonPhase phase, bool established, int status) {
  switch (phase) {
    case DaemonPhase::kEnding:
      return AfterEnd::kEndMount;
    case DaemonPhase::kLeaving:
      return AfterEnd::kNext;
    case DaemonPhase::kWaiting:
    case DaemonPhase::kStarting:
    case DaemonPhase::kServing:
      break;
  }
  if (EndedWith(status, 0)) return AfterEnd::kEndMount;
  if (!established) return AfterEnd::kGiveUp;
  return EndedWith(status, kMountIsLost) ? AfterEnd::kEndMountAsLost : AfterEnd::kAgain;
}

bool LeavesCatalogInDoubt(int status) {
  return HasCrashed(status) || EndedWith(status, kCatalogIsDamaged);
}

milliseconds PauseAfter(int failures) {
  auto pause = kFirstPause;
  for (int i = 1; i < failures && pause < kLongestPause; ++i) pause *= 2;
  return std::min(pause, kLongestPause);
}

milliseconds RestartPauses::After(std::optional<milliseconds> served) {
  bool const quick = !served || *served < kQuickEnd;
  quick_ends_ = quick ? quick_ends_ + 1 : 0;
  if (quick_ends_ <= kQuickEndsForgiven) return milliseconds(0);
  return PauseAfter(quick_ends_ - kQuickEndsForgiven);
}

std::chrono::seconds RestartPauses::StartPatience() const {
  return kStartPatience * (1 << std::min(quick_ends_, kStartPatienceDoublings));
}

}  // namespace tusfs
