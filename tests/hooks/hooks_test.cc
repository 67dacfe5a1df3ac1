// Hooks: every event reaches its program, whatever that does, and nothing else is harmed.
#include "hooks/hooks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>

#include <fstream>
#include <set>
#include <sstream>

#include "catalog/store_harness.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using tusfs_testing::WaitFor;

class HooksTest : public testing::Test {
 protected:
  HooksTest() {
    options_.mount = "/mnt";
    options_.first_pause = 10ms;
    options_.longest_pause = 50ms;
  }
  ~HooksTest() override { End(); }

  /// A shell script; $OUT is a file of the test's.
  void Program(Lane lane, std::string const& script) {
    options_.programs[lane] = {"sh", "-c", "OUT='" + out_.string() + "'; " + script};
  }

  void Begin() {
    hooks_.emplace(options_, clock_, logger_);
    if (!store_) store_ = OpenStore(dir_ / "catalog");
    ASSERT_TRUE(Ok(hooks_->Start(*store_)));
  }
  void End() {
    if (hooks_) hooks_->Stop();
    store_.reset();
    hooks_.reset();
  }

  Event Happens(EventKind kind, std::string const& path = "clip", std::string reason = {}) {
    Event event{.id = Uuid::Random(),
                .kind = kind,
                .time = clock_.Wall(),
                .path = path,
                .reason = std::move(reason)};
    EXPECT_TRUE(Ok(store_->Update([&](Transaction& transaction) -> Result<void> {
      hooks_->Add(transaction, event);
      return {};
    })));
    return event;
  }

  [[nodiscard]] std::vector<std::string> Out() const {
    std::vector<std::string> lines;
    std::ifstream in(out_);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  /// So many were told, and nothing waits.
  [[nodiscard]] bool WereTold(std::uint64_t count) const {
    return WaitFor([&] { return hooks_->report().told == count && Waiting() == 0; }, 100s);
  }
  [[nodiscard]] std::size_t Waiting() const { return hooks_->report().waiting; }
  [[nodiscard]] std::string Log() const {
    MutexLock lock(mutex_);
    return log_;
  }

  tusfs_testing::TempDir const dir_;
  std::filesystem::path const out_ = dir_ / "out";
  SystemClock const clock_;
  mutable Mutex mutex_;
  std::string log_;
  Logger const logger_ = std::make_shared<tusfs::Log>(
      tusfs::Log::FieldSink{[this](LogLevel, std::string_view text, LogSubject const&) {
        MutexLock lock(mutex_);
        log_ += std::string(text) + "\n";
      }});
  HookOptions options_;
  std::optional<Hooks> hooks_;
  std::unique_ptr<Store> store_;
};

TEST_F(HooksTest, AProgramIsToldTheFactsOnItsInputAndInItsEnvironment) {
  Program(Lane::kUploaded, "echo \"$TUSFS_EVENT $TUSFS_EVENT_ID $TUSFS_FILE\" >>$OUT; cat >>$OUT");
  Begin();
  auto const event = Happens(EventKind::kUploaded);
  ASSERT_TRUE(WereTold(1));
  EXPECT_THAT(Out(), ElementsAre("uploaded " + event.id.ToString() + " /mnt/clip",
                                 HasSubstr("\"path\":\"clip\"")));
}

TEST_F(HooksTest, WhatFailsIsTriedAgainUnderTheSameId) {
  Program(Lane::kStuck, "echo $TUSFS_EVENT_ID $TUSFS_ATTEMPT >>$OUT; test $TUSFS_ATTEMPT = 3");
  Begin();
  auto const event = Happens(EventKind::kInterrupted);
  ASSERT_TRUE(WereTold(1));
  auto const id = event.id.ToString();
  EXPECT_THAT(Out(), ElementsAre(id + " 1", id + " 2", id + " 3"));
  EXPECT_THAT(hooks_->report().failure, HasSubstr("exited with status 1"));
  EXPECT_EQ(hooks_->report().failed_event, "interrupted clip");
}

TEST_F(HooksTest, WhatHangsIsKilledWithItsChildren) {
  options_.timeout = 200ms;
  Program(Lane::kUploaded, "sleep 1000 & echo $! >>$OUT; wait");
  Begin();
  Happens(EventKind::kUploaded);
  ASSERT_TRUE(WaitFor([&] { return !hooks_->report().failure.empty(); }));
  EXPECT_THAT(hooks_->report().failure, HasSubstr("did not end within"));
  auto const child = static_cast<pid_t>(std::stol(Out().at(0)));
  EXPECT_TRUE(WaitFor([&] {
    // Reaped by whoever adopts it, or a zombie until then.
    return ::kill(child, 0) != 0 ||
           tusfs_testing::ReadFile("/proc/" + std::to_string(child) + "/stat").find(") Z") !=
               std::string::npos;
  }));
}

TEST_F(HooksTest, AProgramThatIsNotThereKeepsItsEventsWaiting) {
  options_.programs[Lane::kUploaded] = {(dir_ / "nothing").string()};
  Begin();
  for (int i = 0; i < 10; ++i) Happens(EventKind::kUploaded);
  ASSERT_TRUE(WaitFor([&] { return !hooks_->report().failure.empty(); }));
  EXPECT_THAT(hooks_->report().failure, HasSubstr("cannot be started"));
  EXPECT_TRUE(WaitFor([&] { return Waiting() == 10; }));
  End();
  Program(Lane::kUploaded, "echo $TUSFS_EVENT_ID >>$OUT");
  Begin();
  ASSERT_TRUE(WereTold(10));
  EXPECT_THAT(Out(), SizeIs(10));
}

TEST_F(HooksTest, AProgramThatReadsNothingAndSaysMuchHarmsNothing) {
  Program(Lane::kUploaded,
          "printf 'one\\n\\033[31mtwo\\n'; yes | head -c 1000000 >&2; echo >>$OUT");
  Begin();
  Happens(EventKind::kUploaded);
  ASSERT_TRUE(WereTold(1));
  EXPECT_THAT(Log(), AllOf(HasSubstr("text=\"one\""), HasSubstr("text=\"\\x1b[31mtwo\""),
                           Not(HasSubstr("\033"))));
  EXPECT_LT(Log().size(), 1'000'000U);
}

TEST_F(HooksTest, AProgramGetsNothingOfTheDaemons) {
  ::setenv("CREDENTIALS_DIRECTORY", "/run/s3cret", 1);
  UniqueFd const descriptor(::open("/", O_RDONLY));  // no O_CLOEXEC
  Program(Lane::kUploaded,
          "env >>$OUT; for fd in /proc/self/fd/*; do readlink $fd; done >>$OUT; true");
  Begin();
  Happens(EventKind::kUploaded);
  ASSERT_TRUE(WereTold(1));
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_THAT(Out(), Not(Contains(HasSubstr("s3cret"))));
  EXPECT_THAT(Out(), Not(Contains("/")));
  EXPECT_THAT(Out(), Contains(testing::StartsWith("PATH=")));
}

TEST_F(HooksTest, WhatWasNotToldIsToldByTheNextDaemon) {
  options_.timeout = 100s;
  Program(Lane::kUploaded, "echo begun $TUSFS_EVENT_ID >>$OUT; exec sleep 1000");
  Begin();
  auto const event = Happens(EventKind::kUploaded);
  ASSERT_TRUE(WaitFor([&] { return Out().size() == 1; }));
  End();
  Program(Lane::kUploaded, "echo again $TUSFS_EVENT_ID >>$OUT");
  Begin();
  ASSERT_TRUE(WereTold(1));
  auto const id = event.id.ToString();
  EXPECT_THAT(Out(), ElementsAre("begun " + id, "again " + id));
}

TEST_F(HooksTest, OneEventThatFailsKeepsNoOtherBackAndIsGivenUpInTheEnd) {
  options_.patience = 300ms;
  Program(Lane::kUploaded, "test $TUSFS_PATH != poison && echo $TUSFS_PATH >>$OUT");
  Begin();
  Happens(EventKind::kUploaded, "poison");
  int sent = 0;
  ASSERT_TRUE(WaitFor([&] {
    Happens(EventKind::kUploaded, std::to_string(sent++));
    return hooks_->report().lost == 1;
  }));
  ASSERT_TRUE(WereTold(static_cast<std::uint64_t>(sent)));
  EXPECT_EQ(Out().size(), static_cast<std::size_t>(sent));
  EXPECT_THAT(Log(), HasSubstr("it is not told any more"));
}

TEST_F(HooksTest, AHookThatTakesNothingLosesNothing) {
  options_.patience = 1ms;
  Program(Lane::kUploaded, "test -e $OUT.mended && echo $TUSFS_PATH >>$OUT");
  Begin();
  for (int i = 0; i < 5; ++i) Happens(EventKind::kUploaded, std::to_string(i));
  ASSERT_TRUE(WaitFor([&] {
    auto const log = Log();
    return log.find("attempt=3") != std::string::npos;
  }));
  EXPECT_EQ(hooks_->report().lost, 0U);
  tusfs_testing::WriteFile(out_.string() + ".mended", "");
  ASSERT_TRUE(WereTold(5));
  EXPECT_THAT(Out(), SizeIs(5));
}

TEST_F(HooksTest, MoreThanTheBoundIsNotWrittenDownAndCounted) {
  options_.most_waiting = 3;
  options_.programs[Lane::kUploaded] = {"false"};
  Begin();
  for (int i = 0; i < 3; ++i) Happens(EventKind::kUploaded);
  ASSERT_TRUE(WaitFor([&] { return Waiting() == 3; }));
  Happens(EventKind::kUploaded);
  ASSERT_TRUE(WaitFor([&] { return hooks_->report().lost == 1; }));
  EXPECT_EQ(Waiting(), 3U);
  // It is counted before it is said.
  EXPECT_TRUE(WaitFor([&] { return Log().find("too many events wait") != std::string::npos; }))
      << Log();
}

TEST_F(HooksTest, EventsOfAHookThatIsNotSetAnyMoreAreForgotten) {
  options_.programs[Lane::kUploaded] = {"false"};
  Begin();
  Happens(EventKind::kUploaded);
  ASSERT_TRUE(WaitFor([&] { return Waiting() == 1; }));
  End();
  options_.programs.clear();
  Begin();
  EXPECT_EQ(Waiting(), 0U);
  EXPECT_THAT(Log(), HasSubstr("forgotten hook=on-uploaded count=1"));
  Happens(EventKind::kUploaded);
  EXPECT_TRUE(Ok(store_->Sync()));
  auto const rows =
      store_->Read([](View const& view) { return ListEvents(view, Lane::kUploaded, 10); });
  EXPECT_THAT(*rows, SizeIs(0)) << "nothing is written where nobody is told";
}

TEST_F(HooksTest, ThousandsAreToldEachOnce) {
  constexpr std::size_t kMany = 2000;
  Program(Lane::kUploaded, "echo $TUSFS_EVENT_ID >>$OUT");
  Begin();
  auto const start = std::chrono::steady_clock::now();
  std::set<std::string> ids;
  for (std::size_t i = 0; i < kMany; ++i) {
    ids.insert(Happens(EventKind::kUploaded, std::to_string(i)).id.ToString());
  }
  ASSERT_TRUE(WereTold(kMany));
  auto const took = std::chrono::steady_clock::now() - start;
  RecordProperty("milliseconds", static_cast<int>(took / 1ms));
  auto const told = Out();
  EXPECT_THAT(told, SizeIs(kMany));
  EXPECT_EQ(std::set<std::string>(told.begin(), told.end()), ids);
}

}  // namespace
}  // namespace tusfs
