// Access tokens: made once, read as they are, compared as a whole.
#include "base/access_token.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cerrno>

#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class AccessTokenTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path Path() const { return dir_ / "token"; }
  tusfs_testing::TempDir const dir_;
};

TEST_F(AccessTokenTest, OneIsMadeOnceAndForItsUserAlone) {
  auto const made = ReadOrMakeAccessToken(Path());
  ASSERT_TRUE(made);
  EXPECT_THAT(*made, MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(ReadOrMakeAccessToken(Path()).value(), *made);
  struct stat status {};
  ASSERT_EQ(::stat(Path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(AccessTokenTest, NoTwoAreTheSame) {
  EXPECT_NE(ReadOrMakeAccessToken(Path()).value(), ReadOrMakeAccessToken(dir_ / "other").value());
}

TEST_F(AccessTokenTest, WhatAPowerCutHasEmptiedIsMadeAnew) {
  tusfs_testing::WriteFile(Path(), "");
  EXPECT_TRUE(ReadOrMakeAccessToken(Path()));
  EXPECT_FALSE(tusfs_testing::ReadFile(Path()).empty());
}

TEST_F(AccessTokenTest, OnesOwnIsTakenWithoutItsLineEnd) {
  tusfs_testing::WriteFile(Path(), "a-token.of_mine~17\r\n");
  EXPECT_EQ(ReadAccessToken(Path()).value(), "a-token.of_mine~17");
}

TEST_F(AccessTokenTest, WhatIsNoneIsRefusedAndNotRepeated) {
  EXPECT_EQ(ReadAccessToken(dir_ / "none").error().code, ENOENT);
  for (auto const& text : {std::string("too-short"), std::string("sixteen letters!"),
                           std::string(257, 'a'), std::string("sixteen;letters;\n")}) {
    tusfs_testing::WriteFile(Path(), text);
    auto const read = ReadOrMakeAccessToken(Path());
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().context, HasSubstr("holds no token"));
    EXPECT_THAT(read.error().context, Not(HasSubstr(text)));
    EXPECT_EQ(tusfs_testing::ReadFile(Path()), text) << "and it is left as it is";
  }
}

TEST_F(AccessTokenTest, OnlyAllOfItIsTheSame) {
  EXPECT_TRUE(IsSameToken("0123456789abcdef", "0123456789abcdef"));
  for (std::string const other : {"", "0123456789abcdeg", "0123456789abcde",
                                  "0123456789abcdef0123456789abcdef", "1123456789abcdef"}) {
    EXPECT_FALSE(IsSameToken(other, "0123456789abcdef")) << other;
  }
  EXPECT_FALSE(IsSameToken("", "")) << "no token lets nobody in";
}

}  // namespace
}  // namespace tusfs
