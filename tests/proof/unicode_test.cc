// Composed: the forms of one name are one, and what is no text stays as it is.
#include "proof/unicode.h"

#include <gtest/gtest.h>

namespace tusfs {
namespace {

TEST(UnicodeTest, TheTwoFormsOfANameAreOne) {
  EXPECT_EQ(Composed("Cafe\xcc\x81.mov"), "Caf\xc3\xa9.mov");
  EXPECT_EQ(Composed("Caf\xc3\xa9.mov"), "Caf\xc3\xa9.mov");
  EXPECT_EQ(Composed("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), "\xed\x95\x9c") << "Hangul";
}

TEST(UnicodeTest, WhatIsNoTextStaysAsItIs) {
  EXPECT_EQ(Composed("plain"), "plain");
  EXPECT_EQ(Composed(""), "");
  EXPECT_EQ(Composed("e\xcc\x81\xff"), "e\xcc\x81\xff");
}

TEST(UnicodeTest, NamesThatOnlyLookAlikeAreTwo) {
  EXPECT_NE(Composed("\xe2\x84\xab"), Composed("A")) << "the sign of angstrom is no A";
  EXPECT_NE(Composed("\xef\xac\x81"), Composed("fi")) << "a ligature is no two letters";
}

}  // namespace
}  // namespace tusfs
