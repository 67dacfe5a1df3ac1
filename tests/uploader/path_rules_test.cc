// PathRules: which rule decides what of a path.
#include "uploader/path_rules.h"

#include <gmock/gmock.h>

#include "uploader/publish_rules.h"

namespace tusfs {
namespace {

using namespace std::chrono_literals;

class PathRulesTest : public testing::Test {
 protected:
  static PathRule For(std::vector<std::string> const& globs) {
    PathRule rule;
    rule.files = GlobsOf(globs);
    return rule;
  }

  static std::string Shown(std::vector<tus::MetadataTemplate> const& templates) {
    std::string all;
    for (auto const& [key, value] : templates) all += key + "=" + value + " ";
    return all;
  }
};

TEST_F(PathRulesTest, WithoutRulesNothingIsSaid) {
  PathRules const rules;
  EXPECT_EQ(rules.SettleOf("a"), std::nullopt);
  EXPECT_EQ(rules.FinishOf("a"), std::nullopt);
  EXPECT_EQ(Shown(rules.MetadataOf({{"k", "v"}}, "a")), "k=v ");
  EXPECT_EQ(rules.ShortestSettle(2s), 2s);
  EXPECT_EQ(rules.LongestSettle(2s), 2s);
}

TEST_F(PathRulesTest, TheFirstThatSaysSomethingOfAKeyDecidesIt) {
  auto first = For({"*.mov", "/cards/"});
  first.settle = 5s;
  auto second = For({"*"});
  second.settle = 0s;
  second.verify = Verification::kHead;
  second.start = StartOf::kClosed;
  PathRules const rules({first, second});
  EXPECT_EQ(rules.SettleOf("day/a.mov"), 5s);
  EXPECT_EQ(rules.SettleOf("cards/a.xml"), 5s);
  EXPECT_EQ(rules.SettleOf("a.xml"), 0s);
  EXPECT_EQ(rules.VerifyOf("a.mov"), Verification::kHead) << "the first says nothing of it";
  EXPECT_EQ(rules.StartOfFile("a.mov"), StartOf::kClosed);
  EXPECT_EQ(rules.FinishOf("a.mov"), std::nullopt);
  EXPECT_EQ(rules.ShortestSettle(2s), 0s);
  EXPECT_EQ(rules.LongestSettle(2s), 5s);
}

TEST_F(PathRulesTest, PrioritiesAreAskedForOnlyWhereThereAreSome) {
  auto rule = For({"*.xml"});
  EXPECT_FALSE(PathRules({rule}).SaysPriorities());
  rule.priority = Priority::kLow;
  PathRules const rules({rule});
  EXPECT_TRUE(rules.SaysPriorities());
  EXPECT_EQ(rules.PriorityOf("a/b.xml"), Priority::kLow);
  EXPECT_EQ(rules.PriorityOf("a/b.mov"), std::nullopt);
}

TEST_F(PathRulesTest, OfMetadataEachKeyIsDecidedByItself) {
  auto first = For({"*.mov"});
  first.metadata = {{"kind", "movie"}, {"mtime", ""}};
  auto second = For({"*"});
  second.metadata = {{"kind", "file"}, {"project", "dune"}, {"mtime", "{mtime}"}};
  PathRules const rules({first, second});
  std::vector<tus::MetadataTemplate> const own{{"filename", "{name}"}, {"mtime", "{mtime}"}};
  EXPECT_EQ(Shown(rules.MetadataOf(own, "a.mov")), "filename={name} kind=movie project=dune ");
  EXPECT_EQ(Shown(rules.MetadataOf(own, "a.xml")),
            "filename={name} kind=file project=dune mtime={mtime} ");
}

TEST_F(PathRulesTest, ARuleStandsAboveTheMountsOwnFinish) {
  PublishRules rules;
  rules.finish.push_back({Glob::Parse("*").value(), FinishBy::kManual});
  auto rule = For({"*.xml"});
  rule.finish = FinishBy::kClose;
  rules.by_path = PathRules({rule});
  EXPECT_EQ(rules.HoldOf({}, "a.mov"), Hold::kManual);
  EXPECT_EQ(rules.HoldOf({}, "a.xml"), Hold::kNone);
}

}  // namespace
}  // namespace tusfs
