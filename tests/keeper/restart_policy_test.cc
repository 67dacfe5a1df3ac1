// The table at the head of keeper/restart_policy.h, walked, and the pauses between daemons.
#include "keeper/restart_policy.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <string_view>

#include "keeper/daemon_side.h"

namespace tusfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// As wait(2) has them.
constexpr int Exit(int code) { return code << 8; }
constexpr int Killed(int signal) { return signal; }

struct Row {
  std::string_view name;
  DaemonPhase phase;
  bool established;
  AfterEnd orderly, lost, failed, killed;
};

constexpr Row kTable[] = {
    {"was ending", DaemonPhase::kEnding, true, AfterEnd::kEndMount, AfterEnd::kEndMount,
     AfterEnd::kEndMount, AfterEnd::kEndMount},
    {"was handing over", DaemonPhase::kLeaving, true, AfterEnd::kNext, AfterEnd::kNext,
     AfterEnd::kNext, AfterEnd::kNext},
    {"had not served yet", DaemonPhase::kStarting, false, AfterEnd::kEndMount, AfterEnd::kGiveUp,
     AfterEnd::kGiveUp, AfterEnd::kGiveUp},
    {"started", DaemonPhase::kStarting, true, AfterEnd::kEndMount, AfterEnd::kEndMountAsLost,
     AfterEnd::kAgain, AfterEnd::kAgain},
    {"served", DaemonPhase::kServing, true, AfterEnd::kEndMount, AfterEnd::kEndMountAsLost,
     AfterEnd::kAgain, AfterEnd::kAgain},
};

TEST(RestartPolicy, EachEndHasTheConsequenceThatTheTableSays) {
  for (auto const& row : kTable) {
    EXPECT_EQ(WhatFollows(row.phase, row.established, Exit(0)), row.orderly) << row.name;
    EXPECT_EQ(WhatFollows(row.phase, row.established, Exit(kMountIsLost)), row.lost) << row.name;
    for (int const code : {1, 2, kCatalogFailed, kCatalogIsDamaged, 255}) {
      EXPECT_EQ(WhatFollows(row.phase, row.established, Exit(code)), row.failed)
          << row.name << code;
    }
    for (int const signal : {SIGKILL, SIGSEGV, SIGTERM}) {
      EXPECT_EQ(WhatFollows(row.phase, row.established, Killed(signal)), row.killed)
          << row.name << signal;
    }
  }
}

TEST(RestartPolicy, OnlyACrashAndDamageAreReasonsToLookAtTheCatalog) {
  EXPECT_TRUE(LeavesCatalogInDoubt(Killed(SIGSEGV)));
  EXPECT_TRUE(LeavesCatalogInDoubt(Exit(kCatalogIsDamaged)));
  for (int const code : {0, 1, kMountIsLost, kCatalogFailed}) {
    EXPECT_FALSE(LeavesCatalogInDoubt(Exit(code))) << code;
  }
  EXPECT_FALSE(LeavesCatalogInDoubt(Killed(SIGKILL)));
}

TEST(RestartPauses, TheFirstThreeAreForgivenThenThePausesDouble) {
  RestartPauses pauses;
  for (int const expected :
       {0, 0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}) {
    EXPECT_EQ(pauses.After(std::nullopt), milliseconds(expected));
  }
}

TEST(RestartPauses, OnlyWhatEndsQuicklyCounts) {
  RestartPauses pauses;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(pauses.After(milliseconds(250)), milliseconds(0));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pauses.After(milliseconds(249)), milliseconds(0));
  EXPECT_EQ(pauses.After(milliseconds(0)), milliseconds(100));
  EXPECT_EQ(pauses.After(seconds(1)), milliseconds(0)) << "it had lasted";
  EXPECT_EQ(pauses.After(std::nullopt), milliseconds(0));
}

TEST(RestartPauses, WhoAsksForAnotherOneDoesNotWait) {
  RestartPauses pauses;
  for (int i = 0; i < 8; ++i) EXPECT_GE(pauses.After(std::nullopt), milliseconds(0));
  pauses.Forget();
  EXPECT_EQ(pauses.StartPatience(), minutes(1));
  EXPECT_EQ(pauses.After(std::nullopt), milliseconds(0));
}

TEST(RestartPauses, ASlowDiskGetsMoreTimeEachTime) {
  RestartPauses pauses;
  for (int const expected : {1, 2, 4, 8, 16, 32, 64, 64, 64}) {
    EXPECT_EQ(pauses.StartPatience(), minutes(expected));
    static_cast<void>(pauses.After(std::nullopt));
  }
}

}  // namespace
}  // namespace tusfs
