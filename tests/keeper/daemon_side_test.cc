#include "keeper/daemon_side.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <optional>

#include "testing/wait_for.h"

namespace tusfs {
namespace {

using tusfs_testing::WaitFor;

class DaemonSideTest : public testing::Test {
 protected:
  // As in a process that a keeper has started.
  std::optional<KeeperLine> Started(int url = -1) {
    auto ends = Link::Make().value();
    keeper_ = std::move(ends.first);
    int const link = ::dup(ends.second.fd());
    int const slots = ::open("/dev/null", O_RDONLY);
    auto const variable = DaemonVariable(link, slots, url);
    auto const equals = variable.find('=');
    ::setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
    return KeeperLine::FromEnvironment();
  }

  std::optional<Link> keeper_;
  std::atomic<int> handed_over_ = 0;
  std::atomic<int> alone_ = 0;
  std::atomic<std::uint64_t> left_ = 0;
  std::atomic<bool> alive_ = true;
  KeeperLine::Calls const calls_{
      .is_alive = [this] { return alive_.load(); },
      .hand_over = [this] { ++handed_over_; },
      .alone = [this] { ++alone_; },
      .beneath = [this](FilesBeneath const& told) { left_ = told.left; }};
};

TEST_F(DaemonSideTest, WithoutAKeeperThereIsNoLine) {
  ::unsetenv("TUSFS_DAEMON");
  EXPECT_FALSE(KeeperLine::FromEnvironment());
  for (auto const* const garbage : {"", "1", "a,b", "1000,1001"}) {
    ::setenv("TUSFS_DAEMON", garbage, 1);
    EXPECT_FALSE(KeeperLine::FromEnvironment()) << garbage;
  }
  ::unsetenv("TUSFS_DAEMON");
}

TEST_F(DaemonSideTest, TheLineIsFoundOnce) {
  EXPECT_TRUE(Started());
  EXPECT_FALSE(KeeperLine::FromEnvironment()) << "what it starts is no daemon";
}

TEST_F(DaemonSideTest, AUrlWithASecretComesInAFileOfItsOwn) {
  UniqueFd const file(::memfd_create("url", MFD_CLOEXEC));
  std::string const url = "https://tus/files/?token=s3cret";
  ASSERT_TRUE(WriteFully(file.get(), std::as_bytes(std::span(url)), 0));
  // Each daemon gets it, whatever the one before has read.
  for (int daemon = 0; daemon < 2; ++daemon) {
    auto const line = Started(::dup(file.get()));
    ASSERT_TRUE(line);
    EXPECT_EQ(line->url(), url);
  }
  EXPECT_EQ(Started()->url(), "");
}

TEST_F(DaemonSideTest, TheMountIsAskedForAndTaken) {
  auto line = Started();
  UniqueFd const null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(keeper_->Send(Word::kMount, null.get()));
  EXPECT_TRUE(line->TakeMount());
  EXPECT_EQ(keeper_->Receive()->word, Word::kWantMount);
}

TEST_F(DaemonSideTest, WhatLiesBeneathIsToldBeforeTheMountIsGivenAndWheneverItChanges) {
  auto line = Started();
  UniqueFd const null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  FilesBeneath const first{.waiting = 1, .failed = 2, .left = 3};
  ASSERT_TRUE(keeper_->Send(Word::kBeneath, ToText(first)));
  ASSERT_TRUE(keeper_->Send(Word::kMount, null.get()));
  ASSERT_TRUE(line->TakeMount());
  EXPECT_EQ(line->beneath(), first);
  auto const watch = line->Watch(calls_);
  ASSERT_TRUE(keeper_->Send(Word::kBeneath, ToText({.left = 7})));
  EXPECT_TRUE(WaitFor([&] { return left_ == 7; }));
}

TEST_F(DaemonSideTest, AMountThatIsNotGivenIsAnError) {
  auto line = Started();
  ASSERT_TRUE(keeper_->Send(Word::kNoMount));
  EXPECT_EQ(line->TakeMount().error().code, ECANCELED);
}

TEST_F(DaemonSideTest, APingIsAnsweredByADaemonThatWorks) {
  auto line = Started();
  auto const watch = line->Watch(calls_);
  ASSERT_TRUE(keeper_->Send(Word::kPing));
  EXPECT_EQ(keeper_->Receive()->word, Word::kPong);
}

TEST_F(DaemonSideTest, AWordOfANewerKeeperIsIgnored) {
  auto line = Started();
  auto const watch = line->Watch(calls_);
  ASSERT_TRUE(keeper_->Send(static_cast<Word>(200)));
  ASSERT_TRUE(keeper_->Send(Word::kHandOver));
  EXPECT_TRUE(WaitFor([&] { return handed_over_ == 1; }));
}

TEST_F(DaemonSideTest, TheKeepersDeathIsNoticedAndAStopIsNoDeath) {
  auto line = Started();
  { auto const watch = line->Watch(calls_); }
  EXPECT_EQ(alone_, 0);

  auto second = Started();
  auto const watch = second->Watch(calls_);
  keeper_.reset();
  EXPECT_TRUE(WaitFor([&] { return alone_ == 1; }));
}

}  // namespace
}  // namespace tusfs
