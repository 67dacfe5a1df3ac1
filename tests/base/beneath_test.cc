// What lies beneath a mount, between two processes and for a person.
#include "base/beneath.h"

#include <gtest/gtest.h>

namespace tusfs {
namespace {

TEST(FilesBeneathTest, ArriveAtTheOtherProcessAsTheyWere) {
  FilesBeneath const counts{.waiting = 1, .failed = 20, .left = 18446744073709551615U};
  EXPECT_EQ(BeneathOf(ToText(counts)), counts);
}

TEST(FilesBeneathTest, WhatIsNoSuchTextSaysNothing) {
  for (auto const* const text : {"", "1", "1 2", "a b c"}) {
    EXPECT_EQ(BeneathOf(text), FilesBeneath()) << text;
  }
}

TEST(FilesBeneathTest, APersonIsToldOfWhatThereIs) {
  EXPECT_EQ(Describe(FilesBeneath{}), "");
  EXPECT_EQ(Describe(FilesBeneath{.waiting = 1, .failed = 1}),
            "2 files beneath the mount are not taken in yet");
  EXPECT_EQ(Describe(FilesBeneath{.waiting = 1, .left = 2}),
            "1 file beneath the mount is not taken in yet, 2 files are left beneath the mount");
}

}  // namespace
}  // namespace tusfs
