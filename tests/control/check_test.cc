// What monitoring is told, and what a person is advised.
#include "control/check.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/fakes.h"
#include "control/steering.h"

namespace tusfs {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

json Fine() {
  return {{"mount", "/mnt/ingest"},
          {"problem", nullptr},
          {"paused", false},
          {"oldest_unsent", nullptr},
          {"server", {{"reachable", true}, {"since", "2026-01-01T00:00:00Z"}, {"error", nullptr}}},
          {"files", {{"uploaded", 3}}},
          {"bytes", {{"remaining", 0}}},
          {"spool", {{"used", 10}, {"limit", 100}, {"waiting", 0}}}};
}

json With(json const& patch) {
  auto status = Fine();
  status.merge_patch(patch);
  return status;
}

Health HealthOf(json const& patch, std::optional<seconds> max_age = {}) {
  return CheckMount(With(patch), max_age).health;
}

TEST(CheckTest, WhatIsFineIsOk) {
  EXPECT_EQ(ShowCheck({CheckMount(Fine(), {})}),
            "TUSFS OK - '/mnt/ingest': everything is uploaded"
            "|left=0B stuck=0 oldest=0s;; spool=10B;;100\n");
  EXPECT_EQ(HealthOf({{"bytes", {{"remaining", 5}}}}), Health::kOk) << "files on their way";
}

TEST(CheckTest, WhatSomebodyShouldLookAtIsAWarning) {
  for (auto const* state : {"interrupted", "failed", "unconfirmed"}) {
    EXPECT_EQ(HealthOf({{"files", {{state, 1}}}}), Health::kWarning) << state;
  }
  EXPECT_EQ(HealthOf({{"server", {{"reachable", false}}}}), Health::kWarning);
  EXPECT_EQ(HealthOf({{"spool", {{"waiting", 1}}}}), Health::kWarning);
  EXPECT_EQ(HealthOf({{"paused", true}}), Health::kWarning);
  EXPECT_EQ(HealthOf({{"problem", "the keeper is old"}}), Health::kWarning);
}

TEST(CheckTest, WhatIsNotInTheMountYetIsNoSuccess) {
  auto const waiting = CheckMount(With({{"beneath", {{"waiting", 2}}}}), {});
  EXPECT_EQ(waiting.health, Health::kOk);
  EXPECT_THAT(waiting.sentence, HasSubstr("2 files beneath the mount are not taken in yet"));
  EXPECT_EQ(HealthOf({{"beneath", {{"failed", 1}}}}), Health::kWarning);
  EXPECT_EQ(HealthOf({{"beneath", {{"left", 1}}}}), Health::kWarning);
}

TEST(CheckTest, WhatWaitsForTooLongIsCritical) {
  json const old{{"oldest_unsent", {{"path", "clip"}, {"age", 7201}}}};
  EXPECT_EQ(HealthOf(old), Health::kOk) << "nobody has said what is too long";
  EXPECT_EQ(HealthOf(old, seconds(7201)), Health::kOk);
  EXPECT_EQ(HealthOf(old, seconds(7200)), Health::kCritical);
  EXPECT_THAT(CheckMount(With(old), seconds(7200)).sentence,
              HasSubstr("'clip' is not uploaded since 2 h 0 min"));
}

TEST(CheckTest, ADaemonThatDoesNotSayHowLongFilesWaitIsNotFine) {
  auto old = Fine();
  old.erase("oldest_unsent");
  EXPECT_EQ(CheckMount(old, {}).health, Health::kOk);
  EXPECT_EQ(CheckMount(old, seconds(7200)).health, Health::kWarning);
}

TEST(CheckTest, ADaemonThatDoesNotAnswerIsCritical) {
  auto const result = CheckMount({{"mount", "/mnt/ingest"}, {"problem", nullptr}}, {});
  EXPECT_EQ(result.health, Health::kCritical);
  EXPECT_EQ(ShowCheck({result}), "TUSFS CRITICAL - '/mnt/ingest': no daemon answers\n");
}

TEST(CheckTest, OfSeveralMountsTheWorstComesFirst) {
  auto const line = ShowCheck(
      {CheckMount(Fine(), {}), CheckMount(With({{"mount", "/b"}, {"paused", true}}), {})});
  EXPECT_THAT(line, StartsWith("TUSFS WARNING - '/b': sending is paused"));
  EXPECT_THAT(line, HasSubstr("|1_left=0B 1_stuck=0 "));
  EXPECT_THAT(line, HasSubstr(" 2_left=0B 2_stuck=0 "));
}

TEST(CheckTest, ANameCannotForgeALineOrANumber) {
  auto const line = ShowCheck({CheckMount(
      With({{"mount", "/a|stuck=9\nOK"}, {"oldest_unsent", {{"path", "x|y\n"}, {"age", 9}}}}),
      seconds(1))});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(std::count(line.begin(), line.end(), '|'), 1);
}

TEST(CheckTest, ATimeIsANumberAndAUnit) {
  EXPECT_EQ(ParseDuration("90"), seconds(90));
  EXPECT_EQ(ParseDuration("90s"), seconds(90));
  EXPECT_EQ(ParseDuration("15m"), seconds(900));
  EXPECT_EQ(ParseDuration("2h"), seconds(7200));
  EXPECT_EQ(ParseDuration("1d"), seconds(86400));
  EXPECT_EQ(ParseDuration("0"), seconds(0));
  for (auto const* text :
       {"", "h", "-1", "2 h", "2hours", "1.5h", "99999999999999999999", "9999999d"}) {
    auto const parsed = ParseDuration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().context, HasSubstr(text));
  }
}

TEST(CheckTest, ARateIsBytesPerSecondOrNone) {
  EXPECT_EQ(ParseRate("none"), 0U);
  EXPECT_EQ(ParseRate("1000"), 1000U);
  EXPECT_EQ(ParseRate("500KiB"), 500U * 1024);
  EXPECT_EQ(ParseRate("10MiB"), 10U << 20);
  for (auto const* text : {"", "0", "-1", "5XB", "MiB", "10 MiB", "99999999999999999999"}) {
    auto const parsed = ParseRate(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().context, HasSubstr("not " + std::string(text)));
  }
}

TEST(CheckTest, WhatNeedsSomebodyIsWhatDoesNotFinishByItself) {
  auto const needs = [](char const* state, bool finishes) {
    return NeedsSomebody({{"state", state}, {"finishes", finishes}});
  };
  EXPECT_TRUE(needs("interrupted", false));
  EXPECT_TRUE(needs("settling", false));
  EXPECT_FALSE(needs("settling", true));
  EXPECT_FALSE(needs("local-only", false));
  EXPECT_FALSE(needs("uploaded", false));
}

TEST(CheckTest, AnAdviceIsACommandThatCanBeRun) {
  auto const advice = [](char const* state) {
    return AdviceFor({{"state", state}}, "/mnt/it's here");
  };
  EXPECT_THAT(advice("interrupted"), HasSubstr(R"(tusfsctl publish '/mnt/it'\''s here')"));
  EXPECT_THAT(advice("interrupted"), HasSubstr("tusfsctl discard "));
  EXPECT_THAT(advice("failed"), HasSubstr("tusfsctl retry "));
  EXPECT_THAT(advice("unconfirmed"), HasSubstr("tusfsctl accept "));
  EXPECT_THAT(advice("settling"), HasSubstr("tusfsctl publish "));
  EXPECT_THAT(advice("settling"), Not(HasSubstr("discard")));
}

TEST(CheckTest, ANameThatATerminalWouldObeyIsAWordAllTheSame) {
  EXPECT_EQ(WaysOut({{"state", "failed"}}, "/mnt/it's\n\\\x1b[2J").front(),
            R"(mend what is said above, then: tusfsctl retry $'/mnt/it\'s\x0a\\\x1b[2J')");
}

}  // namespace
}  // namespace tusfs
