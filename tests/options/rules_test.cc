// The rules of the configuration file: what they say, what is wrong with them, and how a daemon
// gets them.
#include <gmock/gmock.h>

#include "options/command_line.h"
#include "options/publish_settings.h"
#include "options/rule_keys.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;

constexpr char const* kAllKeys =
    "settle = 5\n"
    "[[rule]]\n"
    "path = [\"*.mov\", \"/day \\\"1\\\"/\"]\n"
    "metadata = { kind = \"däilies\", mtime = \"\" }\n"
    "settle = 0.5\n"
    "finish = \"manual\"\n"
    "verify = \"head\"\n"
    "start = \"closed\"\n"
    "priority = \"low\"\n"
    "after = [\"{dir}/{stem}.mov\", \"*.wav\"]\n"
    "\n"
    "[[rule]]\n"
    "path = \"*\"\n"
    "start = \"streaming\"\n";

class RulesTest : public testing::Test {
 protected:
  static Invocation Parse(std::vector<std::string> words) {
    words.insert(words.begin(), "tusfs");
    std::vector<char const*> argv;
    for (auto const& word : words) argv.push_back(word.c_str());
    return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
  }

  Invocation OfFile(std::string const& text) {
    tusfs_testing::WriteFile(dir_ / "rig.toml", text);
    return Parse({"--config", (dir_ / "rig.toml").string(), "http://tus/files/", "/mnt"});
  }

  Options Parsed(std::string const& text) {
    auto invocation = OfFile(text);
    EXPECT_TRUE(invocation.options) << invocation.output;
    return invocation.options.value_or(Options{});
  }

  std::string Refusal(std::string const& text) {
    auto const invocation = OfFile(text);
    EXPECT_EQ(invocation.status, 2);
    return invocation.output;
  }

  tusfs_testing::TempDir const dir_;
};

TEST_F(RulesTest, EveryKeyIsTakenWithTheLineOfItsRule) {
  auto const rules = Parsed(kAllKeys).rules;
  ASSERT_THAT(rules, SizeIs(2));
  auto const& first = rules[0];
  ASSERT_THAT(first.files, SizeIs(2));
  EXPECT_EQ(first.files[1].text(), "/day \"1\"/");
  EXPECT_EQ(first.settle, 500ms);
  EXPECT_EQ(first.finish, FinishBy::kManual);
  EXPECT_EQ(first.verify, Verification::kHead);
  EXPECT_EQ(first.start, StartOf::kClosed);
  EXPECT_EQ(first.priority, Priority::kLow);
  EXPECT_THAT(first.after, ElementsAre("{dir}/{stem}.mov", "*.wav"));
  ASSERT_THAT(first.metadata, SizeIs(2));
  EXPECT_EQ(first.metadata[0].value, "däilies");
  EXPECT_THAT(first.place, EndsWith("rig.toml:2"));
  EXPECT_EQ(rules[1].start, StartOf::kStreaming);
  EXPECT_EQ(rules[1].settle, std::nullopt) << "what is not said is nothing";
  EXPECT_THAT(rules[1].place, EndsWith("rig.toml:12"));
}

TEST_F(RulesTest, ADaemonGetsThemAsTheyWereWritten) {
  auto const options = Parsed(kAllKeys);
  auto const again = Parse(CommandLineOf(options));
  ASSERT_TRUE(again.options) << again.output;
  ASSERT_EQ(again.options->rules.size(), options.rules.size());
  for (std::size_t i = 0; i < options.rules.size(); ++i) {
    for (auto const& key : RuleKeys()) {
      EXPECT_EQ(key.get(again.options->rules[i]), key.get(options.rules[i])) << key.name;
    }
  }
}

TEST_F(RulesTest, AMistakeNamesItsLineItsKeyAndWhatThatTakes) {
  for (auto const& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {"[[rule]]\npath = \"*\"\nafter = [\"*\", \"{stam}\"]\n",
            "rig.toml:3: after of a rule is '{stam}': braces are for {dir}, {stem} and {name}"},
           {"[[rule]]\npath = \"*\"\nafer = \"x\"\n",
            "rig.toml:3: unknown key 'afer' of a rule: it has path, metadata, settle"},
           {"[[rule]]\npath = \"*\"\nsettle = -1\n",
            "rig.toml:3: settle of a rule is '-1': it takes seconds from 0 to 86400"},
           {"[[rule]]\npath = \"*\"\nsettle = [1]\n",
            "rig.toml:3: 'settle' of a rule is of another type: it takes a number or text"},
           {"[[rule]]\npath = \"*\"\nfinish = \"*.mov=manual\"\n",
            "rig.toml:3: finish of a rule is '*.mov=manual': it takes close, rename, command"},
           {"[[rule]]\npath = \"*\"\nverify = \"yes\"\n",
            "rig.toml:3: verify of a rule is 'yes': it takes off, head or download"},
           {"[[rule]]\npath = \"*\"\nstart = \"now\"\n",
            "rig.toml:3: start of a rule is 'now': it takes streaming or closed"},
           {"[[rule]]\npath = \"*\"\npriority = 1\n",
            "rig.toml:3: 'priority' of a rule is of another type: it takes text in quotes: high, "
            "normal or low"},
           {"[[rule]]\npath = 5\nsettle = 1\n", "rig.toml:2: 'path' of a rule is of another type"},
           {"[[rule]]\npath = \"\"\nsettle = 1\n", "rig.toml:2: path of a rule is '': "},
           {"[[rule]]\npath = \"*\"\nmetadata = { \"a b\" = \"x\" }\n",
            "rig.toml:3: metadata of a rule is 'a b=x': "},
           {"settle = 1\n\n[[rule]]\nsettle = 1\n", "rig.toml:3: a rule has no path"},
           {"[[rule]]\npath = \"*\"\n", "rig.toml:1: a rule says nothing of its files"},
           {"[rule]\npath = \"*\"\n", "rig.toml:1: rules are tables in a list: write [[rule]]"},
           {"rule = [1]\n", "rig.toml:1: rules are tables in a list"}}) {
    EXPECT_THAT(Refusal(text), HasSubstr(said)) << text;
  }
}

TEST_F(RulesTest, SeveralMistakesAreSaidAtOnce) {
  EXPECT_THAT(Refusal("[[rule]]\nstart = \"x\"\n[[rule]]\nverify = \"y\"\npath = \"*\"\n"),
              AllOf(HasSubstr("rig.toml:2: start"), HasSubstr("rig.toml:4: verify")));
}

TEST_F(RulesTest, TogetherTheyHaveToFitIntoACommandLine) {
  auto const long_one = "[[rule]]\nsettle = 1\npath = \"" + std::string(60 * 1024, 'x') + "\"\n";
  EXPECT_THAT(Parsed(long_one).rules, SizeIs(1));
  EXPECT_THAT(Refusal(long_one + long_one), HasSubstr("rig.toml:1: the rules are longer than 100"));
}

TEST_F(RulesTest, WhatIsNoRuleIsRefusedAsAWord) {
  for (auto const* word : {"*.mov=5", "[]", "{}", "[[\"path\"]]", "[[\"settle\",\"1\"]]",
                           "[[\"path\",\"*\"],[\"x\",\"1\"]]", "[[\"path\",5]]", "5", ""}) {
    EXPECT_FALSE(UnpackRule(word)) << word;
  }
  auto const refused = Parse({"--rule=*.mov", "http://tus/files/", "/mnt"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.output, HasSubstr("rules are for the file of --config"));
}

TEST_F(RulesTest, ARuleWithTheCommandNeedsOneToAsk) {
  std::string const rule = "[[rule]]\npath = \"*.mov\"\nfinish = \"command\"\n";
  EXPECT_THAT(Refusal(rule), HasSubstr("rig.toml:1: a rule with finish = \"command\" needs"));
  EXPECT_THAT(Parsed("finish-command = \"check\"\n" + rule).finish_command, ElementsAre("check"));
}

TEST_F(RulesTest, RulesWhosePatternsAreACircleAreRefused) {
  EXPECT_THAT(Refusal("[[rule]]\npath = \"*.xml\"\nafter = \"*.xml\"\n"),
              HasSubstr("rig.toml:1: the files of these rules wait for each other (after)"));
  EXPECT_THAT(Refusal("[[rule]]\npath = \"*.xml\"\nafter = [\"x\", \"*.mov\"]\n"
                      "[[rule]]\npath = [\"*.wav\", \"*.mov\"]\nafter = \"*.mhl\"\n"
                      "[[rule]]\npath = \"*.mhl\"\nafter = \"*.xml\"\n"),
              AllOf(HasSubstr("rig.toml:4, "), HasSubstr("rig.toml:7, back to "),
                    HasSubstr("leave one of them out")));
  EXPECT_THAT(Parsed("[[rule]]\npath = \"*.xml\"\nafter = \"*.mov\"\n"
                     "[[rule]]\npath = \"*.mhl\"\nafter = [\"*.xml\", \"*.mov\"]\n")
                  .rules,
              SizeIs(2));
}

TEST_F(RulesTest, NoRuleLeavesOutWhatThePresetNeeds) {
  EXPECT_THAT(Refusal("preset = \"supabase\"\nmetadata = { bucketName = \"b\" }\n[[rule]]\n"
                      "path = \"*\"\nmetadata = { bucketName = \"\" }\n"),
              HasSubstr("rig.toml:3: a rule leaves the metadata bucketName out"));
}

TEST_F(RulesTest, WhoeverClosedAFileIsWatchedAsLongAsTheLongestOfThemSettles) {
  auto const options = Parsed(
      "settle = 0\n[[rule]]\npath = \"*.mov\"\nsettle = 7\n[[rule]]\npath = \"*\"\nsettle = 3\n");
  EXPECT_EQ(WriterEndsOptionsOf(options).watched, 8s);
}

}  // namespace
}  // namespace tusfs
