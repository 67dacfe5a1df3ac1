// The configuration file: what is wrong with it is said with its name, the line, and the way out.
#include "options/config_file.h"

#include <gmock/gmock.h>

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
    auto const applied = ApplyConfigFile(options, path);
    return applied ? "it was taken" : applied.error().context;
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
  EXPECT_THAT(Refusal("transfers = 99\n"), HasSubstr("tusfs.toml:1: --transfers is '99'"));
}

TEST_F(ConfigFileTest, AnotherTypeThanTheSettingHasIsRefused) {
  EXPECT_THAT(Refusal("token-file = 5\n"), HasSubstr("'token-file' is of another type"));
  EXPECT_THAT(Refusal("token-file = 5\n"), HasSubstr("text in quotes"));
  EXPECT_THAT(Refusal("read-back = 1\n"), HasSubstr("true or false"));
  EXPECT_THAT(Refusal("settle = [1]\n"), HasSubstr("a number or text"));
  EXPECT_THAT(Refusal("ignore = { a = 1 }\n"), HasSubstr("a list of texts"));
  EXPECT_THAT(Refusal("mountpoint = 5\n"), HasSubstr("'mountpoint' takes text"));
}

TEST_F(ConfigFileTest, NumbersMayBeWrittenAsTextAndTheOtherWayRound) {
  EXPECT_EQ(Refusal("settle = \"1.5\"\nspool-size = 67108864\nip-version = 4\n"), "it was taken");
}

}  // namespace
}  // namespace tusfs
