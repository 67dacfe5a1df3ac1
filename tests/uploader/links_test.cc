// Links: which of several ways to the server carries what, by a time of the test's own.
#include "uploader/links.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/fakes.h"
#include "catalog/store_harness.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using tusfs_testing::WaitFor;

constexpr auto kPatience = 10min;
constexpr std::size_t kWifi = 0;
constexpr std::size_t kLte = 1;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

/// A free link, and one that costs.
std::vector<LinkOptions> WifiAndLte() {
  return {{.name = "wifi", .interface = "wlan0"}, {.name = "lte", .interface = "wwan0", .cost = 5}};
}

class LinksTest : public testing::Test {
 protected:
  void Make(std::vector<LinkOptions> options) {
    auto const count = options.size();
    links_ = std::make_unique<Links>(
        Links::Options{
            .links = std::move(options), .patience = kPatience, .transfers = 2, .url = "u"},
        clock_, QuietLogger());
    for (std::size_t i = 0; i < count; ++i) Raise(i);
  }
  void Raise(std::size_t link) {
    links_->SetInterface(link, "");
    Answers(link, true);
  }
  void Answers(std::size_t link, bool reachable) {
    links_->SetServer(link, {.answered = true,
                             .reachable = reachable,
                             .since = 0,
                             .changed = {},
                             .error = reachable ? "" : "no route"});
  }

  /// Whether the link gets a job that has waited for so long.
  bool Gets(std::size_t link, std::chrono::nanoseconds waited = 0s,
            Priority priority = Priority::kNormal) {
    auto const now = clock_.Steady();
    auto const from = links_->at(link).MayTake(priority, now - waited);
    return from && *from <= now;
  }
  std::string_view State(std::size_t link) { return links_->Report()[link].state; }
  std::string Why(std::size_t link) { return links_->Report()[link].why; }

  Result<void> Count(std::size_t link, std::uint64_t bytes) {
    return store_->Update(
        [&](Transaction& transaction) { return links_->at(link).Count(transaction, bytes); });
  }

  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> const store_ = OpenStore(dir_ / "catalog");
  FakeClock clock_;
  std::unique_ptr<Links> links_;
};

TEST_F(LinksTest, ADearerLinkTakesOnlyWhatHasWaitedForLong) {
  Make(WifiAndLte());
  EXPECT_TRUE(Gets(kWifi));
  EXPECT_FALSE(Gets(kLte));
  EXPECT_EQ(State(kLte), "waiting");
  EXPECT_THAT(Why(kLte), HasSubstr("what has waited 600 s for a cheaper one"));
  links_->at(kWifi).Took();
  auto const now = clock_.Steady();
  EXPECT_EQ(links_->at(kLte).MayTake(Priority::kNormal, now - 1min), now + 9min);
  EXPECT_TRUE(Gets(kLte, kPatience));
}

TEST_F(LinksTest, WhatIsUrgentGoesThroughADearerLinkAtOnceWhereTheCheaperIsBusy) {
  Make(WifiAndLte());
  EXPECT_TRUE(Gets(kWifi, 0s, Priority::kHigh));
  EXPECT_FALSE(Gets(kLte, 0s, Priority::kHigh)) << "the free one is as good";
  links_->at(kWifi).Took();
  EXPECT_TRUE(Gets(kLte, 0s, Priority::kHigh));
  EXPECT_FALSE(Gets(kWifi, 0s, Priority::kHigh));
}

TEST_F(LinksTest, ADearerLinkTakesAnythingOnceTheCheaperWasDownForLong) {
  Make(WifiAndLte());
  clock_.Advance(1h);
  EXPECT_EQ(links_->SetInterface(kWifi, "it is down"), Links::Change::kWentDown);
  EXPECT_FALSE(Gets(kWifi));
  EXPECT_FALSE(Gets(kLte));
  clock_.Advance(kPatience - 1s);
  EXPECT_FALSE(Gets(kLte));
  clock_.Advance(1s);
  EXPECT_TRUE(Gets(kLte));
  EXPECT_EQ(State(kLte), "idle");
  Raise(kWifi);
  EXPECT_FALSE(Gets(kLte));
  EXPECT_TRUE(Gets(kWifi));
}

TEST_F(LinksTest, AServerThatALinkDoesNotReachIsAsGoodAsNoLink) {
  Make(WifiAndLte());
  Answers(kWifi, false);
  EXPECT_EQ(State(kWifi), "unreachable");
  EXPECT_EQ(Why(kWifi), "no route");
  EXPECT_FALSE(Gets(kWifi));
  links_->at(kWifi).SetTrying(true);
  EXPECT_TRUE(Gets(kWifi)) << "somebody has to find out";
  links_->at(kWifi).SetTrying(false);
  clock_.Advance(kPatience);
  EXPECT_TRUE(Gets(kLte));
}

TEST_F(LinksTest, EachLinkGetsSomethingToCarry) {
  Make({{.name = "a", .interface = "eth0"}, {.name = "b", .interface = "eth1"}});
  EXPECT_NE(Gets(0), Gets(1)) << "one of them";
  links_->at(0).Took();
  EXPECT_FALSE(Gets(0));
  EXPECT_TRUE(Gets(1));
  links_->at(1).Took();
  EXPECT_TRUE(Gets(0));
  links_->at(0).Took();
  EXPECT_TRUE(Gets(1));
  links_->at(1).Took();
  EXPECT_TRUE(Gets(0)) << "nobody else has a thread left";
  EXPECT_TRUE(Gets(1));
  links_->at(0).Gave();
  EXPECT_FALSE(Gets(1));
}

TEST_F(LinksTest, TheFasterLinkIsPreferredWhereNeitherCarriesAnything) {
  Make({{.name = "slow", .interface = "eth0"}, {.name = "fast", .interface = "eth1"}});
  for (std::size_t link : {0U, 1U}) {
    links_->at(link).Took();
    links_->at(link).Sent(link == 0 ? kMiB : 10 * kMiB);
    links_->at(link).Gave();
  }
  EXPECT_FALSE(Gets(0));
  EXPECT_TRUE(Gets(1));
  EXPECT_EQ(links_->Report()[1].rate, 10 * kMiB);
  clock_.Advance(20s);
  EXPECT_EQ(links_->Report()[1].rate, 0U);
  EXPECT_TRUE(Gets(1)) << "what it was once is remembered";
}

TEST_F(LinksTest, ASpentBudgetEndsWithTheMonth) {
  auto options = WifiAndLte();
  options[kWifi].budget = {.bytes = 21 * kMiB, .per = LinkOptions::Budget::Per::kMonth};
  Make(options);
  ASSERT_TRUE(Ok(Count(kWifi, 10 * kMiB)));
  EXPECT_TRUE(Gets(kWifi));
  EXPECT_EQ(links_->at(kWifi).Hold(100 * kMiB), 10 * kMiB) << "a twentieth is for headers";
  EXPECT_EQ(links_->at(kWifi).Hold(1), 0U) << "what is held for one is not there for another";
  EXPECT_FALSE(Gets(kWifi)) << "who gets nothing of it need not begin";
  links_->at(kWifi).LetGo(10 * kMiB);
  ASSERT_TRUE(Ok(Count(kWifi, 10 * kMiB)));
  EXPECT_FALSE(Gets(kWifi));
  EXPECT_FALSE(links_->IsUsable(kWifi));
  EXPECT_EQ(State(kWifi), "spent");
  EXPECT_EQ(Why(kWifi), "its budget for this month is spent");
  EXPECT_EQ(links_->Report()[kWifi].usage.today, 21 * kMiB);
  EXPECT_TRUE(links_->Server().reachable) << "the other one reaches it";
  clock_.Advance(kPatience);
  EXPECT_TRUE(Gets(kLte)) << "the cheaper is spent for so long";
  clock_.Advance(24h);
  EXPECT_EQ(links_->Report()[kWifi].usage.today, 0U);
  EXPECT_EQ(State(kWifi), "spent");
  clock_.Advance(31 * 24h);
  EXPECT_TRUE(Gets(kWifi));
  EXPECT_TRUE(links_->IsUsable(kWifi));
}

TEST_F(LinksTest, ABudgetOfADayEndsWithTheDayAndSurvivesARestart) {
  auto options = WifiAndLte();
  options[kWifi].budget = {.bytes = kMiB, .per = LinkOptions::Budget::Per::kDay};
  Make(options);
  ASSERT_TRUE(Ok(Count(kWifi, kMiB)));
  Make(options);
  EXPECT_EQ(State(kWifi), "idle") << "it was not looked up yet";
  auto const loaded = store_->Read([&](View const& view) { return links_->Load(view); });
  ASSERT_TRUE(Ok(loaded));
  EXPECT_EQ(State(kWifi), "spent");
  EXPECT_EQ(links_->Report()[kWifi].usage.total, kMiB + kMiB / 20);
  clock_.Advance(24h);
  EXPECT_TRUE(Gets(kWifi));
}

TEST_F(LinksTest, WhoIsNotAskedForWantOfABudgetIsNotReachedForThatReason) {
  auto options = WifiAndLte();
  options[kWifi].budget = {.bytes = kMiB, .per = LinkOptions::Budget::Per::kDay};
  options.resize(1);
  Make(options);
  ASSERT_TRUE(Ok(Count(kWifi, kMiB)));
  links_ = std::make_unique<Links>(
      Links::Options{.links = options, .patience = kPatience, .transfers = 2, .url = "u"}, clock_,
      QuietLogger());  // as after a restart
  ASSERT_TRUE(Ok(store_->Read([&](View const& view) { return links_->Load(view); })));
  links_->SetInterface(kWifi, "");
  EXPECT_FALSE(links_->Server().reachable);
  EXPECT_EQ(links_->Server().error, "through wifi: its budget for this day is spent");
}

TEST_F(LinksTest, TheServerIsReachableWhereAnyLinkReachesIt) {
  Make(WifiAndLte());
  EXPECT_TRUE(links_->Server().reachable);
  auto const since = links_->Server().since;
  clock_.Advance(1min);
  links_->SetInterface(kWifi, "there is no interface 'wlan0' now");
  EXPECT_TRUE(links_->Server().reachable);
  EXPECT_EQ(links_->Server().since, since);
  Answers(kLte, false);
  auto const server = links_->Server();
  EXPECT_FALSE(server.reachable);
  EXPECT_EQ(server.since, clock_.Wall());
  EXPECT_EQ(server.error, "through wifi: there is no interface 'wlan0' now; through lte: no route");
  Raise(kWifi);
  EXPECT_TRUE(links_->Server().reachable);
  EXPECT_EQ(links_->Server().error, "");
}

TEST_F(LinksTest, NothingIsSaidOfTheServerBeforeEachLinkWasTried) {
  links_ = std::make_unique<Links>(
      Links::Options{.links = WifiAndLte(), .patience = kPatience, .transfers = 2, .url = "u"},
      clock_, QuietLogger());
  links_->SetInterface(kWifi, "it is down");
  EXPECT_FALSE(links_->Server().answered) << "the other one was not looked at";
  links_->SetInterface(kLte, "");
  EXPECT_FALSE(links_->Server().answered);
  Answers(kLte, false);
  EXPECT_TRUE(links_->AwaitAnswer(clock_.Steady() + 1h).answered);
}

TEST_F(LinksTest, WhoeverWaitsForALinkGetsItWhenItIsUpAndLosesItWhenItGoesDown) {
  Make(WifiAndLte());
  auto const first = links_->AwaitUsable(kWifi);
  EXPECT_FALSE(first.stop_requested());
  links_->SetInterface(kWifi, "it is down");
  EXPECT_TRUE(first.stop_requested());
  std::atomic<bool> has = false;
  std::jthread const waiting([&] { has = !links_->AwaitUsable(kWifi).stop_requested(); });
  links_->SetInterface(kWifi, "");
  EXPECT_TRUE(WaitFor([&] { return has.load(); }));
  auto const last = links_->AwaitUsable(kWifi);
  links_->End();
  EXPECT_TRUE(last.stop_requested());
  EXPECT_TRUE(links_->AwaitUsable(kWifi).stop_requested()) << "nobody waits after the end";
  EXPECT_EQ(links_->SetInterface(kLte, "down"), Links::Change::kNone);
}

// ---- with the queue

TEST_F(LinksTest, AJobStaysWithTheDearerLinkThatHasBegunIt) {
  Make(WifiAndLte());
  Queue queue(clock_);
  JobKey const file{.inode = 1, .upload = {}};
  auto const take = [&](std::size_t link) {
    return queue.Take({}, clock_.Steady(), &links_->at(link));
  };
  queue.Schedule(file, clock_.Steady(), 0);
  links_->SetInterface(kWifi, "it is down");
  EXPECT_FALSE(take(kLte));
  clock_.Advance(kPatience);
  auto job = take(kLte);
  ASSERT_TRUE(job);
  queue.Finish(*job, {.next = clock_.Steady()});
  Raise(kWifi);
  links_->at(kWifi).Took();  // it is busy
  job = take(kLte);
  ASSERT_TRUE(job) << "it has waited all the time";
  links_->at(kWifi).Gave();
  queue.Finish(*job, {.next = clock_.Steady()});
  EXPECT_FALSE(take(kLte)) << "the free one has nothing to do";
  job = take(kWifi);
  ASSERT_TRUE(job);
  queue.Finish(*job, {.next = clock_.Steady()});
  links_->at(kWifi).Took();
  EXPECT_FALSE(take(kLte)) << "it was carried on for nothing";
}

TEST_F(LinksTest, WhatALinkWasCarryingIsDueAtOnceWhenItGoesDown) {
  Make({{.name = "a", .interface = "eth0"}, {.name = "b", .interface = "eth1"}});
  Queue queue(clock_);
  for (InodeId inode : {1U, 2U}) {
    queue.Schedule({.inode = inode, .upload = {}}, clock_.Steady(), 0);
  }
  auto const on_a = queue.Take({}, clock_.Steady(), &links_->at(0));
  auto const on_b = queue.Take({}, clock_.Steady(), &links_->at(1));
  ASSERT_TRUE(on_a && on_b);
  links_->SetInterface(0, "it is down");
  queue.CancelOf(links_->at(0), {on_a->key.inode});
  EXPECT_FALSE(on_a->stop.stop_requested()) << "it was spared";
  queue.CancelOf(links_->at(0));
  EXPECT_TRUE(on_a->stop.stop_requested());
  EXPECT_FALSE(on_b->stop.stop_requested());
  queue.Finish(*on_a, {});
  auto const again = queue.Take({}, clock_.Steady(), &links_->at(1));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->key, on_a->key);
}

TEST_F(LinksTest, ALinkThatWaitsForPatienceTakesItsJobWhenThatIsOver) {
  SystemClock clock;
  Links links({.links = WifiAndLte(), .patience = 50ms, .transfers = 1, .url = "u"}, clock,
              QuietLogger());
  for (std::size_t link : {kWifi, kLte}) {
    links.SetInterface(link, "");
    links.SetServer(link,
                    {.answered = true, .reachable = true, .since = 0, .changed = {}, .error = ""});
  }
  links.at(kWifi).Took();
  Queue queue(clock);
  std::atomic<bool> taken = false;
  std::jthread const taker(
      [&] { taken = queue.Take({}, clock.Steady() + 60s, &links.at(kLte)).has_value(); });
  queue.Schedule({.inode = 1, .upload = {}}, clock.Steady(), 0);
  EXPECT_TRUE(WaitFor([&] { return taken.load(); }));
}

}  // namespace
}  // namespace tusfs
