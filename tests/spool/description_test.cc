// Descriptions: what a spool file says of itself comes back, and anything else is not believed.
#include "spool/description.h"

#include <gtest/gtest.h>

#include "testing/files.h"

namespace tusfs {
namespace {

Description Some() {
  return {.state = Description::State::kFinished,
          .path = "day 1/f\n\xff\n",
          .mode = 0640,
          .uid = 1000,
          .gid = 0xfffffffe,
          .modified = -5,
          .trimmed = 4096,
          .url = "http://tus/files/secret"};
}

TEST(DescriptionTest, ComesBack) {
  EXPECT_EQ(DecodeDescription(Encode(Some())), Some());
  auto plain = Some();
  plain.url.clear();
  for (auto const state : {Description::State::kUnfinished, Description::State::kUploaded}) {
    plain.state = state;
    EXPECT_EQ(DecodeDescription(Encode(plain)), plain);
  }
}

TEST(DescriptionTest, PathsThatLeadElsewhereAreNotBelieved) {
  for (std::string const path :
       {"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a/./b"}) {
    EXPECT_FALSE(IsPlainPath(path)) << path;
    auto description = Some();
    description.path = path;
    EXPECT_FALSE(DecodeDescription(Encode(description))) << path;
  }
  EXPECT_FALSE(IsPlainPath(std::string("a\0b", 3)));
  EXPECT_FALSE(IsPlainPath(std::string(256, 'x')));
  EXPECT_TRUE(IsPlainPath("a/..b/c.."));
}

TEST(DescriptionTest, DamageIsNotBelievedAndDoesNoHarm) {
  auto const text = Encode(Some());
  for (std::size_t size = 0; size + 9 < text.size(); ++size) {
    auto const cut = DecodeDescription(text.substr(0, size));
    EXPECT_FALSE(cut && cut->url == Some().url && cut->path == Some().path);
  }
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    EXPECT_FALSE(DecodeDescription(tusfs_testing::RandomBytes(seed % 100, seed)));
  }
}

}  // namespace
}  // namespace tusfs
