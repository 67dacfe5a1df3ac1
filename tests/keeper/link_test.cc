#include "keeper/link.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tusfs {
namespace {

TEST(LinkTest, WordsArriveInTheirOrder) {
  auto const ends = Link::Make().value();
  ASSERT_TRUE(ends.first.Send(Word::kPing));
  ASSERT_TRUE(ends.first.Send(Word::kHandOver));
  EXPECT_EQ(ends.second.Receive()->word, Word::kPing);
  EXPECT_EQ(ends.second.Receive()->word, Word::kHandOver);
}

TEST(LinkTest, ADescriptorComesWithItsWordAndIsClosedOnExec) {
  auto const ends = Link::Make().value();
  UniqueFd const null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(ends.first.Send(Word::kMount, null.get()));
  auto const message = ends.second.Receive();
  ASSERT_TRUE(message && message->fd);
  struct stat sent {};
  struct stat received {};
  ASSERT_EQ(::fstat(null.get(), &sent), 0);
  ASSERT_EQ(::fstat(message->fd.get(), &received), 0);
  EXPECT_EQ(sent.st_rdev, received.st_rdev);
  EXPECT_EQ(::fcntl(message->fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST(LinkTest, ATextComesWithItsWordAndIsCutWhereItIsTooLong) {
  auto const ends = Link::Make().value();
  ASSERT_TRUE(ends.first.Send(Word::kStatus, "61% safe"));
  ASSERT_TRUE(ends.first.Send(Word::kStatus, std::string(5000, 'x')));
  ASSERT_TRUE(ends.first.Send(Word::kPing));
  auto const message = ends.second.Receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->word, Word::kStatus);
  EXPECT_EQ(message->text, "61% safe");
  EXPECT_EQ(ends.second.Receive()->text, std::string(kLongestText, 'x'));
  EXPECT_EQ(ends.second.Receive()->text, "");
}

TEST(LinkTest, AnEndThatIsGoneIsNoticedOnBothWays) {
  auto ends = Link::Make().value();
  { Link const gone = std::move(ends.second); }
  EXPECT_FALSE(ends.first.Receive());
  EXPECT_FALSE(ends.first.Send(Word::kPing));
}

}  // namespace
}  // namespace tusfs
