// Queue: who is next, and who must not run now.
#include "uploader/queue.h"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "base/fakes.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using tusfs_testing::WaitFor;

JobKey File(InodeId inode) { return {.inode = inode, .upload = {}}; }

class QueueTest : public testing::Test {
 protected:
  // What is due now: the file's number, 0 for nothing.
  std::optional<Queue::Running> TakeNow() { return queue_.Take({}, clock_.Steady()); }
  InodeId NextFile() {
    auto const running = TakeNow();
    return running ? running->key.inode : 0;
  }
  void Schedule(InodeId inode, std::chrono::milliseconds later = {}, std::uint64_t bytes = 0) {
    queue_.Schedule(File(inode), clock_.Steady() + later, bytes);
  }

  FakeClock clock_;
  Queue queue_{clock_};
};

TEST_F(QueueTest, NothingIsDueInAnEmptyQueue) { EXPECT_EQ(NextFile(), 0U); }

TEST_F(QueueTest, AJobIsTakenOnce) {
  Schedule(1);
  Schedule(1);
  EXPECT_EQ(NextFile(), 1U);
  EXPECT_EQ(NextFile(), 0U);
  EXPECT_TRUE(queue_.IsRunning(File(1)));
}

TEST_F(QueueTest, WhatIsPreferredGoesBeforeAllOthersInTheUsualOrder) {
  Schedule(1);
  Schedule(2, {}, std::uint64_t{1} << 30);
  Schedule(3, {}, 1000);
  queue_.Prefer(File(2), Priority::kHigh);
  queue_.Prefer(File(3), Priority::kHigh);
  queue_.Prefer(File(4), Priority::kHigh);  // there is none
  EXPECT_EQ(NextFile(), 3U);
  EXPECT_EQ(NextFile(), 2U);
  EXPECT_EQ(NextFile(), 1U);
  EXPECT_EQ(NextFile(), 0U);
}

TEST_F(QueueTest, WhatCanWaitGoesBehindAllOthers) {
  Schedule(1);
  queue_.Prefer(File(1), Priority::kLow);
  Schedule(2, {}, std::uint64_t{1} << 30);
  Schedule(3);
  queue_.Prefer(File(3), Priority::kHigh);
  EXPECT_EQ(NextFile(), 3U);
  EXPECT_EQ(NextFile(), 2U);
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, WhatIsPreferredIsSoAfterEachStepUntilItIsTakenBack) {
  Schedule(1);
  queue_.Prefer(File(1), Priority::kHigh);
  auto const running = TakeNow();
  Schedule(2);
  queue_.Finish(*running, {.next = clock_.Steady(), .bytes_left = std::uint64_t{1} << 30});
  auto const again = TakeNow();
  EXPECT_EQ(again->key, File(1));
  queue_.Finish(*again, {.next = clock_.Steady(), .bytes_left = std::uint64_t{1} << 30});
  queue_.Prefer(File(1), Priority::kNormal);
  EXPECT_EQ(NextFile(), 2U);
}

TEST_F(QueueTest, WhatIsPreferredWhileItWaitsOrIsDueMayBeTakenBack) {
  Schedule(1, std::chrono::seconds(10), 1000);
  Schedule(2, std::chrono::seconds(10));
  queue_.Prefer(File(1), Priority::kHigh);
  clock_.Advance(std::chrono::seconds(11));
  Schedule(3);
  auto const first = TakeNow();
  EXPECT_EQ(first->key, File(1));
  queue_.Finish(*first, {.next = clock_.Steady(), .bytes_left = std::uint64_t{1} << 30});
  queue_.Prefer(File(1), Priority::kNormal);
  EXPECT_EQ(NextFile(), 2U);
  EXPECT_EQ(NextFile(), 3U);
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, WhatIsHastenedIsDueBeforeThoseThatHaveComeAfterIt) {
  Schedule(1);
  auto const running = TakeNow();
  clock_.Advance(std::chrono::seconds(1));
  Schedule(2);
  queue_.Finish(*running, {.next = clock_.Steady() + std::chrono::seconds(10), .keeps_turn = true});
  clock_.Advance(std::chrono::seconds(1));
  queue_.Hasten(File(1));
  EXPECT_EQ(NextFile(), 1U);
  EXPECT_EQ(NextFile(), 2U);
}

TEST_F(QueueTest, WhatIsHastenedWhileItRunsKeepsItsTurnToo) {
  Schedule(1);
  auto const running = TakeNow();
  clock_.Advance(std::chrono::seconds(1));
  Schedule(2);
  queue_.Hasten(File(1));
  queue_.Finish(*running, {.next = clock_.Steady() + std::chrono::seconds(10), .keeps_turn = true});
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, WhatIsIdleOrUnknownIsNotHastened) {
  Schedule(1);
  queue_.Finish(*TakeNow(), {});
  queue_.Hasten(File(1));
  queue_.Hasten(File(2));
  EXPECT_EQ(NextFile(), 0U);
}

TEST_F(QueueTest, WhileItIsPausedNobodyGetsAJob) {
  Schedule(1);
  auto const running = TakeNow();
  Schedule(2);
  queue_.Pause(true);
  EXPECT_EQ(NextFile(), 0U);
  EXPECT_TRUE(queue_.IsRunning(File(1))) << "what runs goes on";
  queue_.Finish(*running, {.next = clock_.Steady(), .bytes_left = 0});
  EXPECT_EQ(NextFile(), 0U);
  queue_.Pause(false);
  EXPECT_NE(NextFile(), 0U);
  EXPECT_NE(NextFile(), 0U);
}

TEST_F(QueueTest, WhoeverWaitsForAJobIsWokenWhenThePauseEnds) {
  queue_.Pause(true);
  Schedule(1);
  std::atomic<InodeId> taken = 0;
  std::jthread waiting([&](std::stop_token stop) {
    auto const running = queue_.Take(stop, clock_.Steady() + std::chrono::hours(1));
    taken = running ? running->key.inode : 0;
  });
  queue_.Pause(false);
  EXPECT_TRUE(WaitFor([&] { return taken == 1U; }));
  waiting.request_stop();
  queue_.Wake();
}

TEST_F(QueueTest, AJobWaitsForItsTime) {
  Schedule(1, std::chrono::milliseconds(100));
  EXPECT_EQ(NextFile(), 0U);
  clock_.Advance(std::chrono::milliseconds(100));
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, TheEarlierTimeCounts) {
  Schedule(1, std::chrono::hours(1));
  Schedule(1);
  Schedule(1, std::chrono::hours(2));
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, SmallFilesGoFirst) {
  Schedule(1, {}, std::uint64_t{1} << 30);
  Schedule(2, {}, 1000);
  EXPECT_EQ(NextFile(), 2U);
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, OldFilesGoFirst) {
  Schedule(1);
  clock_.Advance(std::chrono::milliseconds(1));
  Schedule(2);
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, NoFileStarvesHoweverManySmallOnesCome) {
  Schedule(1, {}, std::uint64_t{1} << 50);
  InodeId taken = 0;
  for (InodeId small = 2; small < 200 && taken != 1; ++small) {
    clock_.Advance(std::chrono::seconds(1));
    Schedule(small, {}, 10);
    taken = NextFile();
  }
  EXPECT_EQ(taken, 1U);
}

TEST_F(QueueTest, AJobThatIsScheduledWhileItRunsRunsAgain) {
  Schedule(1);
  auto const running = TakeNow();
  ASSERT_TRUE(running);
  Schedule(1);
  EXPECT_EQ(NextFile(), 0U) << "not twice at the same time";
  queue_.Finish(*running, {});
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, AJobThatIsScheduledWhileItRunsIsNotLostWhenItSaysItIsOver) {
  Schedule(1);
  auto const running = TakeNow();
  Schedule(1);
  queue_.Finish(*running, {.over = true});
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, AJobWithoutANextTimeIsIdle) {
  Schedule(1);
  queue_.Finish(*TakeNow(), {});
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(NextFile(), 0U);
  EXPECT_FALSE(queue_.IsRunning(File(1)));
}

TEST_F(QueueTest, AJobRemembersUntilItIsForgotten) {
  Schedule(1);
  auto running = *TakeNow();
  EXPECT_TRUE(running.memory.recheck) << "the server is asked first";
  running.memory.recheck = false;
  running.memory.trouble.failures = 7;
  queue_.Finish(running, {.next = clock_.Steady(), .bytes_left = 0});
  running = *TakeNow();
  EXPECT_EQ(running.memory.trouble.failures, 7);
  queue_.Finish(running, {});
  queue_.Forget(File(1));
  Schedule(1);
  EXPECT_EQ(TakeNow()->memory.trouble.failures, 0);
}

TEST_F(QueueTest, AForgottenJobIsNotRunAnyMore) {
  Schedule(1);
  queue_.Forget(File(1));
  EXPECT_EQ(NextFile(), 0U);
  Schedule(2, std::chrono::hours(1));
  queue_.Forget(File(2));
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(NextFile(), 0U);
}

TEST_F(QueueTest, CancelStopsARunningJobAndRunsItAgain) {
  Schedule(1);
  auto const running = TakeNow();
  queue_.Cancel(File(1));
  EXPECT_TRUE(running->stop.stop_requested());
  queue_.Finish(*running, {});
  auto const again = TakeNow();
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->stop.stop_requested()) << "a fresh start";
}

TEST_F(QueueTest, WhatFollowsACancelledJobWaitsUntilItsThreadHasGivenItBack) {
  JobKey const termination{.inode = 0, .upload = Uuid::Random()};
  Schedule(1);
  auto const running = TakeNow();
  queue_.Cancel(File(1), termination);
  EXPECT_FALSE(TakeNow()) << "its PATCH is still open";
  queue_.Finish(*running, {.over = true});
  auto const first = TakeNow();
  auto const second = TakeNow();
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->key == termination || second->key == termination);
}

TEST_F(QueueTest, WhatFollowsAJobThatDoesNotRunIsDueAtOnce) {
  JobKey const termination{.inode = 0, .upload = Uuid::Random()};
  queue_.Cancel(File(1), termination);
  auto const next = TakeNow();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->key, termination);
}

TEST_F(QueueTest, CancelOfAJobThatDoesNotRunDoesNothing) {
  queue_.Cancel(File(1));
  EXPECT_EQ(NextFile(), 0U);
}

TEST_F(QueueTest, BlockCancelsARunningJobAndWaitsForItsThread) {
  Schedule(1);
  auto const running = TakeNow();
  std::atomic<bool> blocked = false;
  std::jthread const blocker([&] {
    queue_.Block(File(1));
    blocked = true;
  });
  ASSERT_TRUE(WaitFor([&] { return running->stop.stop_requested(); }));
  EXPECT_FALSE(blocked) << "the thread still has the bytes";
  queue_.Finish(*running, {.next = clock_.Steady(), .bytes_left = 0});
  EXPECT_TRUE(WaitFor([&] { return blocked.load(); }));
  EXPECT_EQ(NextFile(), 0U) << "nobody runs it while it is blocked";
  queue_.Unblock(File(1), true);
  auto const again = TakeNow();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->memory.after_finish);
}

TEST_F(QueueTest, ABlockedJobDoesNotKeepOthersFromRunning) {
  queue_.Block(File(1));
  Schedule(1);
  clock_.Advance(std::chrono::milliseconds(1));
  Schedule(2);
  EXPECT_EQ(NextFile(), 2U);
  EXPECT_EQ(NextFile(), 0U);
}

TEST_F(QueueTest, TwoBlocksNeedTwoUnblocks) {
  queue_.Block(File(1));
  queue_.Block(File(1));
  queue_.Unblock(File(1), false);
  EXPECT_EQ(NextFile(), 0U);
  queue_.Unblock(File(1), false);
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, ABlockedJobThatIsOverKeepsItsBlock) {
  Schedule(1);
  auto const running = TakeNow();
  std::atomic<bool> blocked = false;
  std::jthread const blocker([&] {
    queue_.Block(File(1));
    blocked = true;
  });
  ASSERT_TRUE(WaitFor([&] { return running->stop.stop_requested(); }));
  queue_.Finish(*running, {.over = true});
  ASSERT_TRUE(WaitFor([&] { return blocked.load(); }));
  queue_.Forget(File(1));
  Schedule(1);
  EXPECT_EQ(NextFile(), 0U);
  queue_.Unblock(File(1), false);
  EXPECT_EQ(NextFile(), 1U);
}

TEST_F(QueueTest, ATakerWakesForNewWork) {
  std::atomic<InodeId> taken = 0;
  std::jthread const taker([&] {
    auto const running = queue_.Take({}, std::chrono::steady_clock::now() + std::chrono::hours(1));
    taken = running ? running->key.inode : 99;
  });
  Schedule(1);
  EXPECT_TRUE(WaitFor([&] { return taken == 1; }));
}

TEST_F(QueueTest, NewWorkReachesATakerThoughOthersWaitForSomethingElse) {
  // A sleeper (outage) and a blocker wait at the same place as the taker.
  SystemClock clock;
  Queue queue(clock);
  auto const later = clock.Steady() + std::chrono::hours(1);
  queue.Schedule(File(7), clock.Steady(), 0);
  auto const held = queue.Take({}, later);
  ASSERT_TRUE(held);
  std::stop_source stop;
  std::atomic<InodeId> taken = 0;
  std::jthread const sleeper([&] { queue.Sleep(stop.get_token(), later); });
  std::jthread const blocker([&] { queue.Block(File(7)); });
  ASSERT_TRUE(WaitFor([&] { return held->stop.stop_requested(); }));
  std::jthread const taker([&] {
    auto const running = queue.Take({}, later);
    taken = running ? running->key.inode : 99;
  });
  queue.Schedule(File(1), clock.Steady(), 0);
  EXPECT_TRUE(WaitFor([&] { return taken == 1; }, std::chrono::seconds(5)));
  queue.Finish(*held, {});
  stop.request_stop();
  while (taken == 0) queue.Schedule(File(1), clock.Steady(), 0);  // so that a failure ends too
  queue.Wake();
}

TEST_F(QueueTest, WhoeverTakesAJobLeavesTheNextOneToSomebodyElse) {
  SystemClock clock;
  Queue queue(clock);
  std::array<std::atomic<bool>, 3> taken{};
  auto const take = [&] {
    auto const job = queue.Take({}, clock.Steady() + std::chrono::seconds(60));
    if (job) taken[job->key.inode] = true;
  };
  std::jthread const first(take);
  std::jthread const second(take);
  // Both wait by now, or come to it: one of them for the first job, and nobody for the second.
  queue.Schedule(File(1), clock.Steady() + std::chrono::milliseconds(50), 0);
  queue.Schedule(File(2), clock.Steady() + std::chrono::milliseconds(100), 0);
  EXPECT_TRUE(WaitFor([&] { return taken[1] && taken[2]; }));
}

TEST_F(QueueTest, ABlockedJobThatWasDueAllTheTimeIsTakenWhenItIsUnblocked) {
  SystemClock clock;
  Queue queue(clock);
  queue.Schedule(File(1), clock.Steady(), 0);
  queue.Block(File(1));
  std::atomic<bool> taken = false;
  std::jthread const taker(
      [&] { taken = queue.Take({}, clock.Steady() + std::chrono::seconds(60)).has_value(); });
  queue.Unblock(File(1), false);
  EXPECT_TRUE(WaitFor([&] { return taken.load(); }));
}

TEST_F(QueueTest, CancelAllStopsWhatRuns) {
  Schedule(1);
  Schedule(2);
  auto const first = TakeNow();
  auto const second = TakeNow();
  queue_.CancelAll();
  EXPECT_TRUE(first->stop.stop_requested());
  EXPECT_TRUE(second->stop.stop_requested());
}

TEST_F(QueueTest, ManyThreadsRunEveryJobAndNoneTwiceAtOnce) {
  SystemClock clock;
  Queue queue(clock);
  std::stop_source stop;
  std::array<std::atomic<int>, 50> running{};
  std::array<std::atomic<int>, 50> runs{};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop.stop_requested()) {
        auto job = queue.Take(stop.get_token(), clock.Steady() + std::chrono::milliseconds(50));
        if (!job) continue;
        EXPECT_EQ(++running[job->key.inode], 1);
        auto const count = ++runs[job->key.inode];
        --running[job->key.inode];
        queue.Finish(*job, {.next = count < 20 ? std::optional(clock.Steady()) : std::nullopt,
                            .bytes_left = 0});
      }
    });
  }
  for (InodeId inode = 1; inode < 50; ++inode) queue.Schedule(File(inode), clock.Steady(), inode);
  EXPECT_TRUE(WaitFor([&] {
    for (std::size_t inode = 1; inode < 50; ++inode) {
      if (runs[inode] < 20) return false;
    }
    return true;
  }));
  stop.request_stop();
  queue.Wake();
}

}  // namespace
}  // namespace tusfs
