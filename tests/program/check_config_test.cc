// --check-config: each setting with the value that a mount would have, and where that is from.
#include "program/check_config.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "options/command_line.h"
#include "options/settings.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ShowOptionsTest : public testing::Test {
 protected:
  void TearDown() override { ::unsetenv("https_proxy"); }

  static std::string Show(std::vector<std::string> const& words) {
    std::vector<char const*> argv{"tusfs", "--check-config"};
    for (auto const& word : words) argv.push_back(word.c_str());
    auto const invocation = ParseCommandLine(static_cast<int>(argv.size()), argv.data());
    EXPECT_TRUE(invocation.options) << invocation.output;
    return invocation.options ? ShowOptions(*invocation.options, invocation.given) : "";
  }

  /// The line of `name`.
  static std::string LineOf(std::string const& name, std::string const& shown) {
    std::istringstream lines(shown);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(name + " ")) return line;
    }
    return {};
  }

  static std::string LineWith(std::string const& name, std::vector<std::string> words) {
    words.insert(words.begin(), {"http://tus/files/", "/mnt"});
    return LineOf(name, Show(words));
  }

  std::string File(std::string const& text) {
    tusfs_testing::WriteFile(dir_ / "rig.toml", text);
    return (dir_ / "rig.toml").string();
  }

  tusfs_testing::TempDir const dir_;
};

TEST_F(ShowOptionsTest, EveryRuleHasALineWithItsOwn) {
  auto const shown = Show({"--config",
                           File("[[rule]]\npath = [\"*.xml\", \"*.mhl\"]\nstart = \"closed\"\n"
                                "[[rule]]\npath = \"*\"\nsettle = 5\n"),
                           "http://tus/files/", "/mnt"});
  EXPECT_THAT(LineOf("rule 1", shown),
              AllOf(HasSubstr("path=*.xml, path=*.mhl, start=closed "), EndsWith("rig.toml:1")));
  EXPECT_THAT(LineOf("rule 2", shown), AllOf(HasSubstr("settle=5 "), EndsWith("rig.toml:4")));
}

TEST_F(ShowOptionsTest, EverySettingHasALineWithItsOrigin) {
  auto const shown = Show({"http://tus/files/", "/mnt"});
  for (auto const& setting : Settings()) {
    auto const line = LineOf(setting.name, shown);
    EXPECT_THAT(line, testing::AnyOf(EndsWith(" default"), HasSubstr(" environment: ")))
        << setting.name;
    if (!setting.by_default.empty() && std::string(setting.name) != "state-dir") {
      EXPECT_THAT(line, HasSubstr(" " + setting.by_default + " "));
    }
  }
  EXPECT_THAT(LineOf("url", shown), HasSubstr("http://tus/files/"));
  EXPECT_THAT(LineOf("mountpoint", shown), EndsWith(" command line"));
}

TEST_F(ShowOptionsTest, AValueIsWhatWonAndSaysWhereItStands) {
  auto const file = File("url = \"https://tus/files/\"\nmountpoint = \"/mnt\"\nsettle = 0.5\n");
  auto const shown = Show({file, "--transfers=7", "-o", "keep=1GiB,noexec"});
  EXPECT_THAT(LineOf("url", shown), EndsWith(file + ":1"));
  EXPECT_THAT(LineOf("settle", shown), AllOf(HasSubstr(" 0.500 "), EndsWith(file + ":3")));
  EXPECT_THAT(LineOf("transfers", shown), AllOf(HasSubstr(" 7 "), EndsWith(" command line")));
  EXPECT_THAT(LineOf("keep", shown), AllOf(HasSubstr(" 1GiB "), EndsWith(" -o")));
  EXPECT_THAT(LineOf("noexec", shown), EndsWith(" -o"));
}

TEST_F(ShowOptionsTest, ListsAreShownWithWhatTheyAreAddedTo) {
  EXPECT_THAT(LineWith("copiers", {"--copiers=gcp"}), HasSubstr(" cp, mv, install, gcp "));
  EXPECT_THAT(LineWith("copiers", {"--copiers=none", "--copiers=gcp"}), HasSubstr(" none, gcp "));
  EXPECT_THAT(LineWith("ignore", {"--ignore=*.bak"}), HasSubstr(" the usual ones, *.bak "));
  EXPECT_THAT(LineWith("metadata", {"--metadata=project=dune"}),
              AllOf(HasSubstr("filename={name}"), HasSubstr("project=dune")));
}

TEST_F(ShowOptionsTest, APresetsRulesAreShownAsItsOwn) {
  std::vector<std::string> const preset{"--preset=supabase", "--metadata=bucketName=rigs"};
  EXPECT_THAT(LineWith("chunk-size", preset),
              AllOf(HasSubstr(" 6MiB "), EndsWith("preset supabase")));
  EXPECT_THAT(LineWith("exact-chunks", preset), AllOf(HasSubstr(" true "), HasSubstr("preset")));
  EXPECT_THAT(LineWith("metadata", preset), HasSubstr("bucketName=rigs"));
}

TEST_F(ShowOptionsTest, SecretsAreNotShown) {
  tusfs_testing::WriteFile(dir_ / "url", "https://tus/files/?s3cret\n");
  ::setenv("https_proxy", "me:s3cret@proxy:3128", 1);
  auto const shown = Show(
      {"--url-file", (dir_ / "url").string(), "/mnt", "--token-command=get-token --key s3cret"});
  EXPECT_THAT(shown, Not(HasSubstr("s3cret")));
  EXPECT_THAT(LineOf("url", shown), AllOf(HasSubstr("?***"), EndsWith((dir_ / "url").string())));
  EXPECT_THAT(LineOf("token-command", shown), HasSubstr(" get-token *** "));
  EXPECT_THAT(LineOf("https_proxy", shown),
              AllOf(HasSubstr("@proxy:3128"), EndsWith("environment")));
  ::setenv("https_proxy", "http://me:s3cret@proxy:3128", 1);
  EXPECT_THAT(Show({"http://tus/", "/mnt"}), Not(HasSubstr("s3cret")));
}

TEST_F(ShowOptionsTest, OfARunningMountWhatIsNotTheDefaultWasGiven) {
  Options options;
  options.url = "http://me:s3cret@tus/files/?s3cret";
  options.mountpoint = "/mnt";
  options.transfers = 7;
  options.token_command = {"get-token", "s3cret"};
  auto const shown = ShowOptions(options);
  EXPECT_THAT(LineOf("transfers", shown), AllOf(HasSubstr(" 7 "), EndsWith(" given")));
  EXPECT_THAT(LineOf("token-command", shown),
              AllOf(HasSubstr(" get-token *** "), EndsWith(" given")));
  EXPECT_THAT(LineOf("settle", shown), EndsWith(" default"));
  EXPECT_THAT(shown, Not(HasSubstr("s3cret")));
}

TEST_F(ShowOptionsTest, TheStateDirectoryIsTheOneThatAMountWouldTake) {
  auto const line = LineWith("state-dir", {});
  if (::geteuid() == 0) {
    EXPECT_THAT(line, AllOf(HasSubstr(" /var/lib/tusfs/mnt "), EndsWith(" default")));
  } else {
    EXPECT_THAT(line, AllOf(HasSubstr("/tusfs/mnt "), HasSubstr(" environment: ")));
  }
}

}  // namespace
}  // namespace tusfs
