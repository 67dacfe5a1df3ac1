// The options about publishing: what they say together, and sentences for what is wrong.
#include "options/publish_settings.h"

#include <gmock/gmock.h>

#include "base/fakes.h"
#include "options/command_line.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PublishSettingsTest : public testing::Test {
 protected:
  static Invocation Parse(std::vector<std::string> words) {
    words.insert(words.begin(), {"tusfs", "http://tus/files/", "/mnt"});
    std::vector<char const*> argv;
    for (auto const& word : words) argv.push_back(word.c_str());
    return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
  }

  static Options Parsed(std::vector<std::string> const& words) {
    auto invocation = Parse(words);
    EXPECT_TRUE(invocation.options) << invocation.output;
    return invocation.options.value_or(Options{});
  }

  static PublishRules Rules(std::vector<std::string> const& words) {
    auto rules = PublishRulesOf(Parsed(words));
    EXPECT_TRUE(Ok(rules));
    return rules.value_or(PublishRules{});
  }

  static std::string Refusal(std::vector<std::string> const& words) {
    auto const invocation = Parse(words);
    EXPECT_FALSE(invocation.options);
    EXPECT_EQ(invocation.status, 2);
    return invocation.output;
  }

  // The words that a keeper gives its daemon mean the same to it.
  static void ExpectHandedOn(std::vector<std::string> const& words) {
    auto const said = CommandLineOf(Parsed(words));
    std::vector<char const*> argv{"tusfs"};
    for (auto const& word : said) argv.push_back(word.c_str());
    auto const parsed = ParseCommandLine(static_cast<int>(argv.size()), argv.data());
    ASSERT_TRUE(parsed.options) << parsed.output;
    EXPECT_EQ(CommandLineOf(*parsed.options), said);
    for (auto const& word : words) EXPECT_THAT(said, Contains(word));
  }

  std::string File(std::string const& text) {
    auto const path = dir_ / "tusfs.toml";
    tusfs_testing::WriteFile(path, text);
    return path.string();
  }

  tusfs_testing::TempDir const dir_;
};

TEST_F(PublishSettingsTest, IgnoredPatternsAreAddedToTheUsualOnes) {
  auto const rules = Rules({"--ignore=*.bak", "--ignore=/cache/"});
  EXPECT_TRUE(rules.IgnoredBy("x/a.bak"));
  EXPECT_TRUE(rules.IgnoredBy("cache/a"));
  EXPECT_TRUE(rules.IgnoredBy(".DS_Store"));
}

TEST_F(PublishSettingsTest, IgnoreNoneForgetsThoseBefore) {
  EXPECT_THAT(Parsed({"--ignore=none"}).ignore, IsEmpty());
  EXPECT_THAT(Parsed({"--ignore=*.a", "--ignore=none", "--ignore=*.b"}).ignore, ElementsAre("*.b"));
  EXPECT_FALSE(Rules({"-o", "ignore=none"}).IgnoredBy(".DS_Store"));
}

TEST_F(PublishSettingsTest, PatternsCanBeListsInAFile) {
  auto const options =
      Parsed({"--config", File("ignore = [\"none\", \"*.bak\"]\ntemporary = \"*.uploading\"\n")});
  EXPECT_THAT(options.ignore, ElementsAre("*.bak"));
  EXPECT_THAT(options.temporary, ElementsAre("*.uploading"));
  EXPECT_TRUE(PublishRulesOf(options)->IsTemporary("x/clip.uploading"));
}

TEST_F(PublishSettingsTest, WhatIsNotFinishedIsHeldUnlessItIsToBePublished) {
  EXPECT_FALSE(Rules({}).publish_unknown);
  EXPECT_FALSE(Rules({}).publish_interrupted);
  EXPECT_TRUE(Rules({"--unknown=publish"}).publish_unknown);
  EXPECT_TRUE(Rules({"-o", "interrupted=publish"}).publish_interrupted);
  EXPECT_THAT(Refusal({"--interrupted=never"}), HasSubstr("hold or publish"));
}

TEST_F(PublishSettingsTest, FinishTakesPatternsInTheirOrder) {
  auto const rules =
      Rules({"--finish=/a=b/=manual", "--finish=*.mov=command", "--finish-command=check --deep"});
  ASSERT_EQ(rules.finish.size(), 2U);
  EXPECT_EQ(rules.finish[0].files.text(), "/a=b/") << "the last = counts";
  EXPECT_EQ(rules.finish[0].by, FinishBy::kManual);
  EXPECT_EQ(rules.finish[1].by, FinishBy::kCommand);
  EXPECT_THAT(rules.finish_command, ElementsAre("check", "--deep"));
  EXPECT_EQ(rules.mount, "/mnt");
}

TEST_F(PublishSettingsTest, FinishIsAListBecauseItsOrderCounts) {
  auto const options = Parsed({"--config", File("finish = [\"b=close\", \"*=manual\"]\n")});
  ASSERT_EQ(options.finish.size(), 2U);
  EXPECT_EQ(options.finish[0].files.text(), "b");
  EXPECT_EQ(options.finish[1].by, FinishBy::kManual);
  EXPECT_THAT(Refusal({"--config", File("[finish]\n\"*\" = \"manual\"\n")}),
              HasSubstr("'finish' is of another type"));
}

TEST_F(PublishSettingsTest, ACommandAndTheFilesThatItIsAskedAboutGoTogether) {
  EXPECT_THAT(Refusal({"--finish=*.mov=command"}), HasSubstr("needs --finish-command"));
  EXPECT_THAT(Refusal({"--finish-command=check"}), HasSubstr("never asked"));
}

TEST_F(PublishSettingsTest, CheckTakesPatternsInTheirOrder) {
  auto const rules = Rules({"--check=/raw/=none", "--check=*=media"});
  EXPECT_EQ(rules.CheckOf({}, "raw/a.mov"), ContentCheck::kNone);
  EXPECT_EQ(rules.CheckOf({}, "day1/a.mov"), ContentCheck::kMedia);
  Inode approved;
  approved.approved = true;
  EXPECT_EQ(rules.CheckOf(approved, "day1/a.mov"), ContentCheck::kNone);
  EXPECT_EQ(Rules({}).CheckOf({}, "a.mov"), ContentCheck::kNone);
  EXPECT_EQ(Rules({"--config", File("check = [\"*.mov=media\"]\n")}).CheckOf({}, "a.mov"),
            ContentCheck::kMedia);
  EXPECT_THAT(Refusal({"--check=*.mov=deep"}),
              HasSubstr("it takes GLOB=WHAT, where WHAT is media or none"));
}

TEST_F(PublishSettingsTest, WhatIsInterruptedByACheckCannotBeWantedPublished) {
  EXPECT_THAT(Refusal({"--check=*=media", "--interrupted=publish"}), HasSubstr("use one of them"));
  EXPECT_TRUE(Rules({"--check=*=none", "--interrupted=publish"}).publish_interrupted);
}

TEST_F(PublishSettingsTest, CopiersAreAddedToTheUsualOnes) {
  EXPECT_THAT(Parsed({"--copiers=gcp"}).copiers, ElementsAre("cp", "mv", "install", "gcp"));
  EXPECT_THAT(Parsed({"--copiers=none"}).copiers, IsEmpty());
  EXPECT_THAT(Refusal({"--copiers=/bin/cp"}), HasSubstr("the name of a program"));
}

TEST_F(PublishSettingsTest, AWrongFinishIsRefusedWithWhatItTakes) {
  for (auto const* value : {"*.mov", "*.mov=soon", "=close", "manual", "*="}) {
    EXPECT_THAT(Refusal({"--finish", value}), HasSubstr("--finish is '")) << value;
  }
}

TEST_F(PublishSettingsTest, ADaemonGetsTheListsOfItsKeeper) {
  ExpectHandedOn({});
  ExpectHandedOn({"--ignore=*.bak"});
  ExpectHandedOn({"--ignore=none"});
  ExpectHandedOn({"--copiers=gcp"});
  ExpectHandedOn({"--copiers=none", "--copiers=cp"});
  ExpectHandedOn({"--ignore=none", "--ignore=*.bak", "--temporary=*.uploading"});
  ExpectHandedOn({"--check=a=b=none", "--check=*=media"});
  ExpectHandedOn({"--unknown=publish", "--interrupted=publish", "--finish=a b=rename",
                  "--finish=*=command", "--finish-command=check --deep"});
}

TEST_F(PublishSettingsTest, APatternThatNothingCanMatchIsRefusedByName) {
  EXPECT_THAT(Refusal({"--ignore=/"}), HasSubstr("--ignore is '/'"));
  EXPECT_THAT(Refusal({"-o", "ignore="}), HasSubstr("-o ignore is ''"));
  EXPECT_THAT(Refusal({"--temporary=../a"}), HasSubstr("--temporary is '../a'"));
}

}  // namespace
}  // namespace tusfs
