#include "answer_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace tus {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AnswerHeadLines : public testing::Test {
 protected:
  HttpResponse response_;
  AnswerHead head_{response_};

  void Take(std::initializer_list<std::string_view> lines) {
    for (auto const line : lines) EXPECT_TRUE(head_.Take(line)) << line;
  }
};

TEST_F(AnswerHeadLines, BecomeStatusAndHeaders) {
  Take({"HTTP/1.1 204 No Content\r\n", "Upload-Offset: 5\r\n", "x:\t y z \r\n"});
  EXPECT_FALSE(head_.complete());
  Take({"\r\n"});
  EXPECT_TRUE(head_.complete());
  EXPECT_EQ(response_.status, 204);
  EXPECT_THAT(response_.headers, ElementsAre(Header{"Upload-Offset", "5"}, Header{"x", "y z"}));
}

TEST_F(AnswerHeadLines, OfInterimAnswersAreReplacedByTheRealOnes) {
  Take({"HTTP/1.1 102 Processing\r\n", "Upload-Offset: 1\r\n", "\r\n", "HTTP/1.1 200 OK\r\n"});
  EXPECT_FALSE(head_.complete());
  Take({"\r\n"});
  EXPECT_EQ(response_.status, 200);
  EXPECT_THAT(response_.headers, IsEmpty());
}

TEST_F(AnswerHeadLines, AfterTheEndAreNotKept) {
  Take({"HTTP/2 200\r\n", "\r\n", "Upload-Offset: 7\r\n", "HTTP/1.1 500 No\r\n"});
  EXPECT_EQ(response_.status, 200);
  EXPECT_THAT(response_.headers, IsEmpty());
}

TEST_F(AnswerHeadLines, ThatAreNoHeadersArePassedOver) {
  Take({"HTTP/1.1 200 OK\r\n", "nothing\r\n", "Upload-Length: 1\n"});
  EXPECT_THAT(response_.headers, ElementsAre(Header{"Upload-Length", "1"}));
}

TEST_F(AnswerHeadLines, WithoutAStatusNeverMakeAnAnswer) {
  for (auto const* const line :
       {"HTTP/1.1\r\n", "HTTP/1.1 OK\r\n", "HTTP/1.1 -20\r\n", "nonsense\r\n"}) {
    Take({line, "\r\n"});
    EXPECT_FALSE(head_.complete()) << line;
    EXPECT_EQ(response_.status, 0) << line;
  }
}

TEST_F(AnswerHeadLines, AreTogetherAtMost64KiB) {
  std::string const line(AnswerHead::kMaxSize / 2, 'x');
  Take({line, line});
  EXPECT_FALSE(head_.Take("x"));
}

}  // namespace
}  // namespace tus
