// The options about local disk: what they say together, and sentences for what is wrong.
#include "options/space_settings.h"

#include <gmock/gmock.h>

#include "base/fakes.h"
#include "options/command_line.h"

namespace tusfs {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

Invocation Parse(std::vector<std::string> words) {
  words.insert(words.begin(), {"tusfs", "http://tus/files/", "/mnt"});
  std::vector<char const*> argv;
  for (auto const& word : words) argv.push_back(word.c_str());
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
}

Options Parsed(std::vector<std::string> const& words) {
  auto invocation = Parse(words);
  EXPECT_TRUE(invocation.options) << invocation.output;
  return invocation.options.value_or(Options{});
}

std::string Refusal(std::string const& word) {
  auto const invocation = Parse({word});
  EXPECT_FALSE(invocation.options) << word;
  EXPECT_EQ(invocation.status, 2);
  return invocation.output;
}

TEST(SpaceSettings, ByDefaultTheDiskIsTheLimitAndEverythingIsKept) {
  auto const options = Parsed({});
  EXPECT_EQ(SpoolLimitsOf(options, 10 * kGiB).size, 0U);
  EXPECT_EQ(SpoolLimitsOf(options, 10 * kGiB).reserve, kGiB / 2);
  EXPECT_EQ(SpoolLimitsOf(options, 10'000 * kGiB).reserve, kGiB);
  EXPECT_EQ(ReclaimOptionsOf(options).keep, std::nullopt);
  EXPECT_FALSE(ReclaimOptionsOf(options).trim);
  EXPECT_FALSE(ReclaimOptionsOf(options).drop_interrupted);
  EXPECT_EQ(ReclaimOptionsOf(options).retention, std::chrono::seconds(0));
  EXPECT_EQ(TurnsOf(options).full_timeout, std::chrono::hours(1));
  EXPECT_FALSE(options.read_back);
}

TEST(SpaceSettings, EachIsTakenAtItsWord) {
  auto const options =
      Parsed({"--spool-size=64MiB", "--reserve=3GiB", "--keep=1MiB", "--trim=confirmed",
              "--full=drop-interrupted", "--full-timeout=5", "--retention=86400", "--read-back"});
  EXPECT_EQ(SpoolLimitsOf(options, 10 * kGiB).size, 64U << 20);
  EXPECT_EQ(SpoolLimitsOf(options, 10 * kGiB).reserve, 3 * kGiB);
  EXPECT_EQ(ReclaimOptionsOf(options).keep, 1U << 20);
  EXPECT_TRUE(ReclaimOptionsOf(options).trim);
  EXPECT_TRUE(TurnsOf(options).trims);
  EXPECT_TRUE(ReclaimOptionsOf(options).drop_interrupted);
  EXPECT_EQ(TurnsOf(options).full_timeout, std::chrono::seconds(5));
  EXPECT_EQ(ReclaimOptionsOf(options).retention, std::chrono::hours(24));
  EXPECT_TRUE(options.read_back);
}

TEST(SpaceSettings, AllAndNoneAreSizesToKeep) {
  EXPECT_EQ(Parsed({"--keep=all"}).keep, std::nullopt);
  EXPECT_EQ(Parsed({"--keep=none"}).keep, 0U);
}

TEST(SpaceSettings, RefusesWhatMakesNoSenseWithASentence) {
  EXPECT_THAT(Refusal("--spool-size=8MiB"), HasSubstr("16MiB or more"));
  EXPECT_THAT(Refusal("--spool-size=much"), HasSubstr("'much'"));
  EXPECT_THAT(Refusal("--reserve=-1"), HasSubstr("--reserve"));
  EXPECT_THAT(Refusal("--keep=some"), HasSubstr("a size, all or none"));
  EXPECT_THAT(Refusal("--trim=all"), HasSubstr("never or confirmed"));
  EXPECT_FALSE(Parsed({"--full=wait"}).drop_interrupted);
  EXPECT_THAT(Refusal("--full=drop"), HasSubstr("wait or drop-interrupted"));
  EXPECT_THAT(Refusal("--full-timeout=1.5"), HasSubstr("seconds from 0"));
  EXPECT_THAT(Refusal("--retention=-1"), HasSubstr("seconds from 0"));
}

TEST(SpaceSettings, ASpoolIsNotSmallerThanAChunk) {
  EXPECT_THAT(Refusal("--spool-size=16MiB"), HasSubstr("--chunk-size"));
  EXPECT_EQ(Parsed({"--spool-size=16MiB", "--chunk-size=16MiB"}).spool_size, 16U << 20);
}

}  // namespace
}  // namespace tusfs
