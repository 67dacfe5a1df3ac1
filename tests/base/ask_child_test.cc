#include "base/ask_child.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cerrno>

namespace tusfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(AskChild, GivesWhatTheWorkGives) {
  EXPECT_EQ(AskChild([] { return std::string("an answer"); }, seconds(10)), "an answer");
  EXPECT_EQ(AskChild([] { return std::string(); }, seconds(10)), "");
  std::string const longer(300'000, 'x');  // than a pipe takes at once
  EXPECT_EQ(AskChild([&] { return longer; }, seconds(10)), longer);
}

TEST(AskChild, TheWorkIsAnotherProcesss) {
  auto const self = std::to_string(::getpid());
  auto const other = AskChild([] { return std::to_string(::getpid()); }, seconds(10));
  EXPECT_NE(other, self);
}

TEST(AskChild, WorkThatDoesNotEndIsNotWaitedFor) {
  auto const start = std::chrono::steady_clock::now();
  auto const answer = AskChild(
      [] {
        while (true) ::pause();
        return std::string();
      },
      milliseconds(50));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ETIMEDOUT);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
}

TEST(AskChild, WorkThatDiesIsAnError) {
  auto const answer = AskChild(
      [] {
        ::_exit(3);
        return std::string();
      },
      seconds(10));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, EIO);
}

}  // namespace
}  // namespace tusfs
