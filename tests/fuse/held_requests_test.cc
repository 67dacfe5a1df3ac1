// Held requests: what is answered later, in memory that a successor finds as it was left.
#include "fuse/held_requests.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

#include "testing/wait_for.h"

namespace tusfs {
namespace {

class HeldRequestsTest : public testing::Test {
 protected:
  bool Hold(std::uint64_t unique, std::string_view bytes = "reply") {
    return held_.Hold({.index = 0,
                       .kind = HeldRequests::Kind::kReply,
                       .unique = unique,
                       .inode = 7,
                       .thread = 42,
                       .interrupted = false,
                       .write = {.handle = 3, .offset = 4096},
                       .bytes = std::as_bytes(std::span(bytes))});
  }

  std::vector<std::byte> memory_ = std::vector<std::byte>(HeldRequests::MemorySize());
  HeldRequests held_{memory_};
};

TEST_F(HeldRequestsTest, WhatIsHeldComesBackToASuccessor) {
  EXPECT_TRUE(Hold(9));
  EXPECT_TRUE(Hold(5));
  HeldRequests successor(memory_);
  successor.Recover();
  auto const all = successor.All();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].unique, 5U) << "in order";
  EXPECT_EQ(all[1].inode, 7U);
  EXPECT_EQ(all[1].thread, 42);
  EXPECT_EQ(all[1].write.handle, 3U);
  EXPECT_EQ(all[1].write.offset, 4096U);
  EXPECT_EQ(
      std::string_view(reinterpret_cast<char const*>(all[1].bytes.data()), all[1].bytes.size()),
      "reply");
  EXPECT_TRUE(successor.Has(9));
}

TEST_F(HeldRequestsTest, WhatIsNeitherHeldNorFreeIsFreedByASuccessor) {
  EXPECT_TRUE(Hold(9));
  memory_[0] = std::byte{9};  // the state of the first one
  HeldRequests successor(memory_);
  successor.Recover();
  EXPECT_EQ(successor.count(), 0U);
  EXPECT_TRUE(successor.All().empty());
}

TEST_F(HeldRequestsTest, WhatIsFreedIsGone) {
  EXPECT_TRUE(Hold(1));
  held_.Free(held_.All().front().index);
  EXPECT_TRUE(held_.All().empty());
  EXPECT_FALSE(held_.Has(1));
}

TEST_F(HeldRequestsTest, AnInterruptIsNotedForWhatIsHeldOnly) {
  EXPECT_TRUE(Hold(1));
  EXPECT_FALSE(held_.NoteInterrupt(2));
  EXPECT_FALSE(held_.All().front().interrupted);
  EXPECT_TRUE(held_.NoteInterrupt(1));
  EXPECT_TRUE(held_.All().front().interrupted);
}

TEST_F(HeldRequestsTest, TheirNumberAndLengthAreBounded) {
  EXPECT_FALSE(Hold(1, std::string(HeldRequests::kLongest + 1, 'x')));
  for (std::uint64_t i = 0; i < HeldRequests::kCount; ++i) ASSERT_TRUE(Hold(i + 1));
  EXPECT_FALSE(Hold(99'999));
  held_.Free(500);
  EXPECT_TRUE(Hold(99'999));
}

TEST(IsBeingKilledTest, AThreadThatIsGoneIs) {
  auto const child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(IsBeingKilled(child));
}

TEST(IsBeingKilledTest, ALivingOneIsNot) { EXPECT_FALSE(IsBeingKilled(::gettid())); }

}  // namespace
}  // namespace tusfs
