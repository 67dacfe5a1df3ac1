// The configuration file: what is wrong with it is said with its name, the line, and the way out.
#include "options/config_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;

class ConfigFileTest : public testing::Test {
 protected:
  std::string Refusal(std::string const& text) {
    auto const path = dir_ / "tusfs.toml";
    tusfs_testing::WriteFile(path, text);
    return RefusalOf(path);
  }
  static std::string RefusalOf(std::string const& path) {
    Options options;
    Given given;
    ApplyConfigFile(options, path, given);
    std::string all;
    for (auto const& mistake : given.mistakes()) all += (all.empty() ? "" : "\n") + mistake;
    return all.empty() ? "it was taken" : all;
  }
  tusfs_testing::TempDir const dir_;
};

TEST_F(ConfigFileTest, AFileThatIsNotThereOrADirectoryIsSaid) {
  EXPECT_EQ(RefusalOf("/no/such.toml"),
            "the configuration file '/no/such.toml' cannot be read: No such file or directory");
  EXPECT_THAT(RefusalOf(dir_ / ""), HasSubstr("is a directory"));
}

TEST_F(ConfigFileTest, EveryMistakeIsSaidWithItsLine) {
  EXPECT_THAT(Refusal("settle = 1\n[x\n"), HasSubstr("tusfs.toml:2: "));
  EXPECT_THAT(Refusal("settle = 1\n\nnonsense = 1\n"),
              HasSubstr("tusfs.toml:3: unknown setting 'nonsense'"));
  EXPECT_THAT(Refusal("transfers = 99\n"),
              HasSubstr("tusfs.toml:1: transfers is '99': it takes a number from 1 to 64"));
}

TEST_F(ConfigFileTest, SeveralMistakesAreSaidAtOnceInTheOrderOfTheirLines) {
  auto const said =
      Refusal("transfers = 99\nsetle = 1\nadopt-timeout = 0.5\nread-back = \"yes\"\n");
  auto at = said.find("tusfs.toml:1: transfers is '99'");
  for (std::string const next :
       {"tusfs.toml:2: unknown setting 'setle'",
        "tusfs.toml:3: adopt-timeout is '0.5': it takes seconds from 0 to 2592000",
        "tusfs.toml:4: read-back is 'yes': it takes true or false"}) {
    ASSERT_NE(at, std::string::npos) << next << " in " << said;
    at = said.find(next, at);
  }
  EXPECT_NE(at, std::string::npos) << said;
}

TEST_F(ConfigFileTest, NoSentenceHasTheSecretOfAUrl) {
  auto const said = Refusal("trust-origin = [\"ftp://me:s3cret@host/\"]\n");
  EXPECT_THAT(said, HasSubstr("trust-origin is"));
  EXPECT_THAT(said, testing::Not(HasSubstr("s3cret")));
}

TEST_F(ConfigFileTest, AnotherTypeThanTheSettingHasIsRefused) {
  EXPECT_THAT(Refusal("token-file = 5\n"), HasSubstr("'token-file' is of another type"));
  EXPECT_THAT(Refusal("token-file = 5\n"), HasSubstr("text in quotes"));
  EXPECT_THAT(Refusal("read-back = 1\n"), HasSubstr("true or false"));
  EXPECT_THAT(Refusal("settle = [1]\n"), HasSubstr("a number or text: seconds from 0 to 86400"));
  EXPECT_THAT(Refusal("ignore = { a = 1 }\n"), HasSubstr("a list of texts"));
  EXPECT_THAT(Refusal("mountpoint = 5\n"), HasSubstr("'mountpoint' takes text"));
}

TEST_F(ConfigFileTest, ASettingThatIsGivenInBothSpellingsIsRefused) {
  EXPECT_THAT(Refusal("settle-limit = 60\nsettle = 1\nsettle_limit = 90\n"),
              HasSubstr("tusfs.toml:3: settle_limit is given twice, in line 1 as settle-limit"));
}

TEST_F(ConfigFileTest, APipeIsReadToItsEndAndNotWaitedForInVain) {
  auto const pipe = dir_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(RefusalOf(pipe), HasSubstr("is a pipe that nobody writes to"));
  std::thread writer([&] { std::ofstream(pipe) << "settle = 1\n" << std::flush << "setle = 2\n"; });
  EXPECT_THAT(RefusalOf(pipe), HasSubstr("pipe:2: unknown setting 'setle'"));
  writer.join();
}

TEST_F(ConfigFileTest, NumbersMayBeWrittenAsTextAndTheOtherWayRound) {
  EXPECT_EQ(Refusal("settle = \"1.5\"\nspool-size = 67108864\nip-version = 4\n"), "it was taken");
}

}  // namespace
}  // namespace tusfs
