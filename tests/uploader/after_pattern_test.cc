// FillIn: the parts of a file's own path in a pattern of those that it waits for.
#include "uploader/after_pattern.h"

#include <gtest/gtest.h>

namespace tusfs {
namespace {

bool Awaits(std::string const& pattern, std::string_view path, std::string const& other) {
  return FillIn(pattern, path).value().Matches(NamesOfPath(other));
}

TEST(FillIn, HasTheDirectoryTheNameAndTheStem) {
  EXPECT_EQ(FillIn("{dir}/{stem}.mov", "day1/A001/clip.2.xml").value().text(),
            "day1/A001/clip.2.mov");
  EXPECT_EQ(FillIn("{name}.part*", "day1/clip.xml").value().text(), "clip.xml.part*");
  EXPECT_EQ(FillIn("{stem}", "day1/.hidden").value().text(), ".hidden") << "it has no extension";
  EXPECT_EQ(FillIn("*.mov", "a").value().text(), "*.mov");
}

TEST(FillIn, MeansTheRootWhereTheFileIsInNoDirectory) {
  EXPECT_TRUE(Awaits("{dir}/{stem}.mov", "clip.xml", "clip.mov"));
  EXPECT_FALSE(Awaits("{dir}/{stem}.mov", "clip.xml", "day1/clip.mov"));
}

TEST(FillIn, TakesWhatAnotherNameHasForItself) {
  EXPECT_TRUE(Awaits("{dir}/{stem}.*", "a[1]*/b?\\{name}.xml", "a[1]*/b?\\{name}.mov"));
  EXPECT_FALSE(Awaits("{dir}/{stem}.*", "a[1]*/b?.xml", "a1x/bx.mov"));
  EXPECT_FALSE(Awaits("{dir}/x", "**/a", "b/x")) << "two asterisks are a name here";
}

TEST(FillIn, RefusesOtherBraces) {
  for (auto const* pattern : {"{stam}.mov", "{stem", "a}", "{}", "", "../{stem}"}) {
    EXPECT_FALSE(FillIn(pattern, "dir/stem.ext")) << pattern;
  }
}

}  // namespace
}  // namespace tusfs
