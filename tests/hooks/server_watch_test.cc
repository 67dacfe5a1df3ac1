// ServerWatch: away for so long, and back: each told once.
#include "hooks/server_watch.h"

#include <gmock/gmock.h>

#include "catalog/store_harness.h"

namespace tusfs {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class ServerWatchTest : public testing::Test {
 protected:
  void SetState(bool reachable) {
    state_ = {.answered = true,
              .reachable = reachable,
              .since = clock_.Wall(),
              .changed = clock_.Steady(),
              .error = reachable ? "" : "refused"};
  }

  [[nodiscard]] ServerWatch Watch() {
    return {600s,   "http://host/", [this] { return state_; }, *store_, hooks_,
            clock_, QuietLogger()};
  }

  [[nodiscard]] std::vector<std::string> Told() const {
    std::vector<std::string> names;
    auto const rows =
        store_->Read([](View const& view) { return ListEvents(view, Lane::kServer, 10); });
    for (auto const& row : *rows) names.emplace_back(WordOf(row.event.kind));
    return names;
  }

  FakeClock clock_;
  tusfs_testing::TempDir const dir_;
  Hooks hooks_{{.programs = {{Lane::kServer, {"true"}}}}, clock_, QuietLogger()};
  std::unique_ptr<Store> store_ = OpenStore(dir_ / "catalog", WithoutThreads());
  Endpoint::State state_;
};

TEST_F(ServerWatchTest, AShortOutageIsNotTold) {
  auto watch = Watch();
  EXPECT_EQ(watch.Look(), std::nullopt) << "it has not answered yet";
  SetState(false);
  auto const due = watch.Look();
  ASSERT_TRUE(due);
  EXPECT_EQ(*due, clock_.Steady() + 600s);
  clock_.Advance(599s);
  EXPECT_EQ(watch.Look(), due);
  SetState(true);
  EXPECT_EQ(watch.Look(), std::nullopt);
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(ServerWatchTest, ALongOneIsToldOnceAndSoIsItsEnd) {
  auto watch = Watch();
  SetState(false);
  clock_.Advance(600s);
  EXPECT_EQ(watch.Look(), std::nullopt);
  EXPECT_EQ(watch.Look(), std::nullopt);
  EXPECT_THAT(Told(), ElementsAre("server-away"));
  clock_.Advance(60s);
  SetState(true);
  EXPECT_EQ(watch.Look(), std::nullopt);
  EXPECT_EQ(watch.Look(), std::nullopt);
  EXPECT_THAT(Told(), ElementsAre("server-away", "server-back"));
}

TEST_F(ServerWatchTest, TheNextDaemonKnowsWhatWasTold) {
  SetState(false);
  clock_.Advance(600s);
  Watch().Look();
  clock_.Advance(700s);
  Watch().Look();
  EXPECT_THAT(Told(), ElementsAre("server-away"));
  SetState(true);
  Watch().Look();
  EXPECT_THAT(Told(), ElementsAre("server-away", "server-back"));
}

}  // namespace
}  // namespace tusfs
