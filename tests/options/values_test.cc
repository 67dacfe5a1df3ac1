// What settings take, and how they say it again.
#include "options/values.h"

#include <gmock/gmock.h>

#include "base/fakes.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ParseSize, TakesBytesAndBinaryUnits) {
  EXPECT_EQ(ParseSize("0"), 0U);
  EXPECT_EQ(ParseSize("1000"), 1000U);
  EXPECT_EQ(ParseSize("64KiB"), 65'536U);
  EXPECT_EQ(ParseSize("32MiB"), 33'554'432U);
  EXPECT_EQ(ParseSize("1GiB"), 1'073'741'824U);
}

TEST(ParseSize, RefusesEverythingElseWithASentence) {
  for (auto const* text : {"", "KiB", "-1", "+1", "1.5MiB", "1 MiB", "1mib", "1MB", "0x10", "1MiBx",
                           "18446744073709551616", "9999999999GiB", "99999999999999999999"}) {
    auto const size = ParseSize(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code, EINVAL);
    EXPECT_THAT(size.error().context, HasSubstr(text));
  }
}

TEST(FormatSize, SaysWhatParseSizeTakes) {
  EXPECT_EQ(FormatSize(0), "0");
  EXPECT_EQ(FormatSize(1000), "1000");
  EXPECT_EQ(FormatSize(1536), "1536");
  EXPECT_EQ(FormatSize(std::uint64_t{256} << 10), "256KiB");
  EXPECT_EQ(FormatSize(std::uint64_t{5} << 40), "5TiB");
  EXPECT_EQ(FormatSize(std::uint64_t{1} << 62), "4194304TiB");
  EXPECT_EQ(ParseSize("4194304TiB"), std::uint64_t{1} << 62);
}

TEST(Seconds, HaveAFractionWhereMillisecondsAreMeant) {
  std::chrono::milliseconds fine{};
  std::chrono::seconds whole{};
  value::Seconds const seconds(std::chrono::hours(24));
  EXPECT_TRUE(Ok(seconds.Set(fine, "0.25")));
  EXPECT_EQ(fine, std::chrono::milliseconds(250));
  EXPECT_FALSE(seconds.Set(whole, "0.25"));
  EXPECT_THAT(value::Seconds::Get(std::chrono::milliseconds(1001)), ElementsAre("1.001"));
  EXPECT_THAT(value::Seconds::Get(std::chrono::milliseconds(2000)), ElementsAre("2"));
}

TEST(PartSize, IsOfWholeBlocksOfDigests) {
  std::uint64_t size = 7;
  for (auto const& [text, bytes] : {std::pair{"off", std::uint64_t{0}},
                                    {"auto", std::uint64_t{16} << 20},
                                    {"4MiB", std::uint64_t{4} << 20},
                                    {"5MiB", std::uint64_t{8} << 20},
                                    {"1TiB", std::uint64_t{1} << 40}}) {
    EXPECT_TRUE(Ok(value::PartSize::Set(size, text)));
    EXPECT_EQ(size, bytes) << text;
    auto again = size;
    EXPECT_TRUE(Ok(value::PartSize::Set(again, value::PartSize::Get(size).at(0))));
    EXPECT_EQ(again, size);
  }
  for (auto const* text : {"", "0", "1MiB", "2TiB", "on", "-4MiB"}) {
    auto const set = value::PartSize::Set(size, text);
    ASSERT_FALSE(set) << text;
    EXPECT_THAT(set.error().context, HasSubstr("auto, off or a size"));
  }
}

TEST(Size, SaysItsRange) {
  std::uint64_t size = 7;
  auto const refusal = [&](value::Size const& kind) {
    auto const set = kind.Set(size, "3");
    return set ? "" : set.error().context;
  };
  EXPECT_EQ(refusal(value::Size("8MiB", 262'144, 262'144)),
            "it takes a multiple of 256KiB, such as 8MiB");
  EXPECT_EQ(refusal(value::Size("1GiB", 1 << 20)), "it takes a size of 1MiB or more, such as 1GiB");
  EXPECT_EQ(size, 7U);
}

TEST(Command, IsWordsBetweenBlanks) {
  std::vector<std::string> words;
  EXPECT_TRUE(Ok(value::Command::Set(words, "  get-token --for  rig ")));
  EXPECT_THAT(words, ElementsAre("get-token", "--for", "rig"));
  EXPECT_THAT(value::Command::Get(words), ElementsAre("get-token --for rig"));
  EXPECT_FALSE(value::Command::Set(words, "  "));
  EXPECT_THAT(value::Command::Get({}), IsEmpty());
}

TEST(List, NoneForgetsTheUsualOnesAlone) {
  std::vector<std::string> list{"a"};
  value::List const with_usual{"a pattern", value::CheckGlob, {"a"}};
  EXPECT_TRUE(Ok(with_usual.Set(list, "b")));
  EXPECT_THAT(with_usual.Get(list), ElementsAre("b"));
  EXPECT_TRUE(Ok(with_usual.Set(list, "none")));
  EXPECT_THAT(with_usual.Get(list), ElementsAre("none"));
  EXPECT_TRUE(Ok(value::List{"a pattern", value::CheckGlob}.Set(list, "none")));
  EXPECT_THAT(list, ElementsAre("none"));
}

}  // namespace
}  // namespace tusfs
