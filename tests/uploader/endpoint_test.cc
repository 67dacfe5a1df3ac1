// Endpoint: an outage, the one that asks, and what is learnt of the server.
#include "uploader/endpoint.h"

#include <gmock/gmock.h>
#include <tusclient/judge.h>

#include <atomic>
#include <thread>

#include "base/fakes.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using Gate = Endpoint::Gate;
using tusfs_testing::WaitFor;

tus::Error Outage(std::string const& message = "no route") {
  return {.code = tus::ErrorCode::kUnreachable,
          .http_status = 0,
          .retry_after = {},
          .message = message};
}

class EndpointTest : public testing::Test {
 protected:
  static tus::ServerInfo Deferring() {
    tus::ServerInfo info;
    info.creation = info.creation_defer_length = true;
    return info;
  }
  void Reach(tus::ServerInfo const& info = Deferring()) {
    ASSERT_EQ(endpoint_.Enter().gate, Gate::kProbe);
    endpoint_.Probed(info);
  }

  FakeClock clock_;
  Endpoint endpoint_{{.url = "http://tus/"}, [] { return 0.5; }, clock_, QuietLogger()};
};

TEST_F(EndpointTest, TheServerIsAskedFirst) {
  EXPECT_FALSE(endpoint_.state().answered);
  EXPECT_EQ(endpoint_.Enter().gate, Gate::kProbe);
  EXPECT_EQ(endpoint_.Enter().gate, Gate::kWait) << "by one only";
  endpoint_.Probed(Deferring());
  EXPECT_EQ(endpoint_.Enter().gate, Gate::kOpen);
  EXPECT_TRUE(endpoint_.state().reachable);
}

TEST_F(EndpointTest, WhoeverWantsToKnowIsToldOfEachChange) {
  int changes = 0;
  Endpoint endpoint(
      {.url = "http://tus/", .on_change = [&](auto const&) { ++changes; }}, [] { return 0.5; },
      clock_, QuietLogger());
  ASSERT_EQ(endpoint.Enter().gate, Gate::kProbe);
  endpoint.Probed(Deferring());
  EXPECT_EQ(changes, 1);
  endpoint.Succeeded();
  EXPECT_EQ(changes, 1) << "it is as it was";
  endpoint.Failed(Outage());
  EXPECT_EQ(changes, 2);
}

TEST_F(EndpointTest, AnOutageClosesItForAllAndOneAsksLater) {
  Reach();
  clock_.Advance(std::chrono::seconds(7));
  endpoint_.Failed(Outage());
  auto const state = endpoint_.state();
  EXPECT_FALSE(state.reachable);
  EXPECT_EQ(state.error, "no route");
  EXPECT_EQ(state.since, clock_.Wall());
  auto const admission = endpoint_.Enter();
  ASSERT_EQ(admission.gate, Gate::kWait);
  EXPECT_GT(admission.until, clock_.Steady());
  clock_.Advance(admission.until - clock_.Steady());
  EXPECT_EQ(endpoint_.Enter().gate, Gate::kProbe);
  EXPECT_EQ(endpoint_.Enter().gate, Gate::kWait);
}

TEST_F(EndpointTest, ItAsksMoreAndMoreSeldomUpToALimit) {
  SteadyTime::duration last{};
  for (int i = 0; i < 12; ++i) {
    auto admission = endpoint_.Enter();
    if (admission.gate == Gate::kWait) {
      auto const pause = admission.until - clock_.Steady();
      EXPECT_GE(pause, last);
      EXPECT_LE(pause, tus::RetryPolicy{}.max);
      last = pause;
      clock_.Advance(pause);
      admission = endpoint_.Enter();
    }
    ASSERT_EQ(admission.gate, Gate::kProbe);
    endpoint_.Probed(tl::unexpected(Outage()));
  }
  EXPECT_GT(last, std::chrono::seconds(20));
}

TEST_F(EndpointTest, AnotherWayThereIsAskedAtOnce) {
  Reach();
  endpoint_.Failed(Outage());
  ASSERT_EQ(endpoint_.Enter().gate, Gate::kWait);
  endpoint_.AskAnew();
  EXPECT_EQ(endpoint_.Enter().gate, Gate::kProbe);
}

TEST_F(EndpointTest, NoUploadFindsOutWhatIsThereWhereSomebodyKnowsBetter) {
  tus::Error forbidden;
  forbidden.code = tus::ErrorCode::kUnauthorized;
  forbidden.http_status = 403;
  ASSERT_TRUE(tus::SaysNothing(forbidden));
  for (bool const may_try : {true, false}) {
    Endpoint endpoint(
        {.url = "http://tus/", .may_try = [=] { return may_try; }}, [] { return 0.5; }, clock_,
        QuietLogger());
    ASSERT_EQ(endpoint.Enter().gate, Gate::kProbe);
    endpoint.Probed(tl::unexpected(forbidden));
    EXPECT_EQ(endpoint.Enter().gate, may_try ? Gate::kTry : Gate::kWait);
  }
}

TEST_F(EndpointTest, ThreadsThatFailTogetherSpeakOfOneOutage) {
  Reach();
  endpoint_.Failed(Outage());
  auto const until = endpoint_.Enter().until;
  for (int i = 0; i < 10; ++i) endpoint_.Failed(Outage());
  EXPECT_EQ(endpoint_.Enter().until, until);
}

TEST_F(EndpointTest, RecoveryOpensItAndSuccessForgetsTheFailures) {
  for (int i = 0; i < 5; ++i) {
    auto const admission = endpoint_.Enter();
    if (admission.gate == Gate::kWait) clock_.Advance(admission.until - clock_.Steady());
    if (admission.gate == Gate::kProbe) endpoint_.Probed(tl::unexpected(Outage()));
  }
  auto const admission = endpoint_.Enter();
  if (admission.gate == Gate::kWait) {
    clock_.Advance(admission.until - clock_.Steady());
    ASSERT_EQ(endpoint_.Enter().gate, Gate::kProbe);
  }
  endpoint_.Probed(Deferring());
  EXPECT_EQ(endpoint_.Enter().gate, Gate::kOpen);
  EXPECT_EQ(endpoint_.state().error, "");
  endpoint_.Succeeded();
  endpoint_.Failed(Outage());
  EXPECT_LE(endpoint_.Enter().until - clock_.Steady(), tus::RetryPolicy{}.base);
}

TEST_F(EndpointTest, ACancelledQuestionIsNoAnswerAndIsAskedAgain) {
  ASSERT_EQ(endpoint_.Enter().gate, Gate::kProbe);
  auto cancelled = Outage();
  cancelled.code = tus::ErrorCode::kCancelled;
  endpoint_.Probed(tl::unexpected(cancelled));
  EXPECT_FALSE(endpoint_.state().answered);
  EXPECT_EQ(endpoint_.Enter().gate, Gate::kProbe);
}

TEST_F(EndpointTest, DeferringIsUsedWhereItIsAnnounced) {
  EXPECT_FALSE(endpoint_.MayDefer()) << "not before the server was asked";
  Reach();
  EXPECT_TRUE(endpoint_.MayDefer());
}

TEST_F(EndpointTest, DeferringIsGivenUpWhereItIsRefused) {
  Reach();
  endpoint_.LearnNoDefer();
  EXPECT_FALSE(endpoint_.MayDefer());
}

TEST_F(EndpointTest, OneRefusalOfAServerThatHasDeferredBeforeSaysNothing) {
  Reach();
  endpoint_.profile().DeferWorked();
  endpoint_.LearnNoDefer();
  EXPECT_TRUE(endpoint_.MayDefer());
}

TEST_F(EndpointTest, BodiesShrinkOn413AndNeverBelowALimit) {
  std::uint64_t length = std::uint64_t{32} << 20;
  int lessons = 0;
  while (endpoint_.LearnTooLarge(length)) {
    ASSERT_LT(endpoint_.profile().MaxBody(), length);
    length = endpoint_.profile().MaxBody();
    ASSERT_LT(++lessons, 100);
  }
  EXPECT_EQ(endpoint_.profile().MaxBody(), 64U * 1024);
}

TEST_F(EndpointTest, ALateRefusalOfALargeBodyTeachesNothingNew) {
  ASSERT_TRUE(endpoint_.LearnTooLarge(1 << 20));
  auto const learnt = endpoint_.profile().MaxBody();
  EXPECT_TRUE(endpoint_.LearnTooLarge(8 << 20));
  EXPECT_EQ(endpoint_.profile().MaxBody(), learnt);
}

TEST_F(EndpointTest, DeferringCanBeForbidden) {
  Endpoint endpoint{
      {.url = "http://tus/", .defer_length = false}, [] { return 0.5; }, clock_, QuietLogger()};
  endpoint.Probed(Deferring());
  EXPECT_FALSE(endpoint.MayDefer());
}

TEST_F(EndpointTest, AChecksumIsGivenUpOnce) {
  EXPECT_TRUE(endpoint_.LearnNoChecksum());
  EXPECT_FALSE(endpoint_.LearnNoChecksum());
}

TEST_F(EndpointTest, TheLargestUploadIsAsAnnounced) {
  auto info = Deferring();
  info.max_size = 4711;
  EXPECT_EQ(endpoint_.profile().MaxSize(), std::nullopt);
  Reach(info);
  EXPECT_EQ(endpoint_.profile().MaxSize(), 4711U);
}

TEST_F(EndpointTest, WhereOptionsSaysNothingAnUploadFindsOut) {
  for (int const status : {200, 204, 401, 404, 405, 501}) {
    Endpoint endpoint{{.url = "http://tus/"}, [] { return 0.5; }, clock_, QuietLogger()};
    ASSERT_EQ(endpoint.Enter().gate, Endpoint::Gate::kProbe);
    endpoint.Probed(tl::unexpected(
        tus::Error{.code = tus::ErrorCode::kNotTus, .http_status = status, .message = "CORS"}));
    EXPECT_FALSE(endpoint.state().reachable);
    ASSERT_EQ(endpoint.Enter().gate, Endpoint::Gate::kTry) << status;
    EXPECT_EQ(endpoint.Enter().gate, Endpoint::Gate::kWait) << "one at a time";
    endpoint.Succeeded();
    endpoint.Tried();
    EXPECT_TRUE(endpoint.state().reachable);
    EXPECT_EQ(endpoint.Enter().gate, Endpoint::Gate::kOpen);
  }
}

TEST_F(EndpointTest, AnUploadThatFindsNothingEitherMeansGrowingPauses) {
  tus::Error const portal{.code = tus::ErrorCode::kNotTus, .http_status = 200, .message = "log in"};
  auto pause = SteadyTime::duration::zero();
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(endpoint_.Enter().gate, Endpoint::Gate::kProbe);
    endpoint_.Probed(tl::unexpected(portal));
    ASSERT_EQ(endpoint_.Enter().gate, Endpoint::Gate::kTry);
    endpoint_.Failed(portal);
    endpoint_.Tried();
    auto const admission = endpoint_.Enter();
    ASSERT_EQ(admission.gate, Endpoint::Gate::kWait);
    EXPECT_GT(admission.until - clock_.Steady(), pause);
    pause = admission.until - clock_.Steady();
    clock_.Advance(pause);
  }
  EXPECT_FALSE(endpoint_.state().reachable);
}

TEST_F(EndpointTest, TroubleOfManyUploadsInARowIsTheEndpoints) {
  tus::Error const broken{.code = tus::ErrorCode::kInterrupted, .message = "it broke"};
  Reach();
  for (int i = 0; i < 7; ++i) endpoint_.Doubted(broken);
  endpoint_.Succeeded();
  for (int i = 0; i < 7; ++i) endpoint_.Doubted(broken);
  EXPECT_TRUE(endpoint_.state().reachable);
  endpoint_.Doubted(broken);
  EXPECT_FALSE(endpoint_.state().reachable);
}

TEST_F(EndpointTest, WhoeverAwaitsTheFirstAnswerIsWoken) {
  std::atomic<bool> reachable = false;
  std::jthread const waiter([&] {
    reachable =
        endpoint_.AwaitAnswer(std::chrono::steady_clock::now() + std::chrono::hours(1)).reachable;
  });
  Reach();
  EXPECT_TRUE(WaitFor([&] { return reachable.load(); }));
}

TEST_F(EndpointTest, AwaitingEndsAtItsDeadline) {
  EXPECT_FALSE(endpoint_.AwaitAnswer(std::chrono::steady_clock::now()).answered);
}

}  // namespace
}  // namespace tusfs
