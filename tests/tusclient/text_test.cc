#include "text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tus {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ParseDecimal, TakesWholeNumbersUpToWhatAFileOffsetHolds) {
  EXPECT_EQ(ParseDecimal("0"), 0U);
  EXPECT_EQ(ParseDecimal("9223372036854775807"), 9223372036854775807U);
}

TEST(ParseDecimal, RefusesEverythingElse) {
  for (auto const* const text : {"", " 1", "1 ", "+1", "-1", "1.0", "0x10", "1e3", "12,13", "NaN",
                                 "9223372036854775808", "18446744073709551616"}) {
    EXPECT_EQ(ParseDecimal(text), std::nullopt) << text;
  }
}

TEST(TimeOf, IsTheClocksLastSecondForWhatIsLater) {
  using std::chrono::hours;
  using std::chrono::system_clock;
  EXPECT_EQ(TimeOf(1'700'000'000), system_clock::from_time_t(1'700'000'000));
  for (std::uint64_t const seconds : {std::uint64_t{253'402'300'799}, ~std::uint64_t{0}}) {
    EXPECT_GT(TimeOf(seconds), system_clock::now() + hours(24 * 365 * 100)) << seconds;
    auto const whole = system_clock::to_time_t(TimeOf(seconds));
    EXPECT_EQ(TimeOf(static_cast<std::uint64_t>(whole)), TimeOf(seconds)) << seconds;
  }
}

TEST(SplitList, TrimsElementsAndDropsEmptyOnes) {
  EXPECT_THAT(SplitList("creation, termination ,,checksum"),
              ElementsAre("creation", "termination", "checksum"));
  EXPECT_THAT(SplitList(" "), IsEmpty());
}

TEST(FindIgnoreCase, FindsAsciiInAnyCase) {
  EXPECT_EQ(FindIgnoreCase("<TITLE>", "title"), 1U);
  EXPECT_EQ(FindIgnoreCase("title", "titles"), std::string_view::npos);
}

TEST(FirstWords, AreTheFirstLineThatIsNotBlank) {
  EXPECT_EQ(FirstWords("\r\n  ERR_X: no\nmore", 200), "ERR_X: no");
  EXPECT_EQ(FirstWords(" \n ", 200), "");
}

TEST(FirstWords, HaveNoControlCharacters) {
  EXPECT_EQ(FirstWords("a\x1b[31mb\x7f\tc", 200), "a[31mbc");
  EXPECT_EQ(FirstWords("a\xc2\x9b"
                       "b",
                       200),
            "ab");
}

TEST(FirstWords, AreValidUtf8EvenWhenCut) {
  EXPECT_EQ(FirstWords("caf\xe9 \xc3\xa9\xed\xa0\x80", 200), "caf? \xc3\xa9???");
  EXPECT_EQ(FirstWords("12345\xe2\x80\xa6", 7), "12345");
  EXPECT_EQ(FirstWords("12345\xe2\x80\xa6", 8), "12345\xe2\x80\xa6");
}

}  // namespace
}  // namespace tus
