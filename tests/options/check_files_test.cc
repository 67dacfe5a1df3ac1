// What a mount would miss is said before there is one.
#include "options/check_files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "testing/files.h"

namespace tusfs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

auto Is(std::string const& setting) { return testing::Field(&Missing::setting, setting); }
auto Says(std::string const& text) { return testing::Field(&Missing::what, HasSubstr(text)); }

TEST(WhatIsMissing, IsNothingWhereNothingIsNamed) {
  EXPECT_THAT(WhatIsMissing(Options()), IsEmpty());
}

TEST(WhatIsMissing, NamesEachFileWithItsSettingAndTheReason) {
  tusfs_testing::TempDir const dir;
  tusfs_testing::WriteFile(dir / "token", "t");
  Options options;
  options.token_file = dir / "token";
  EXPECT_THAT(WhatIsMissing(options), IsEmpty());
  options.token_file = dir / "nowhere";
  options.ca_file = dir.path();
  EXPECT_THAT(WhatIsMissing(options),
              ElementsAre(AllOf(Is("token-file"), Says(dir / "nowhere"), Says("No such file")),
                          AllOf(Is("ca-file"), Says("Is a directory"))));
}

TEST(WhatIsMissing, DoesNotWaitForAPipe) {
  tusfs_testing::TempDir const dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  Options options;
  options.header_file = dir / "pipe";
  EXPECT_THAT(WhatIsMissing(options), IsEmpty());
}

TEST(WhatIsMissing, FindsProgramsAsTheDaemonWill) {
  tusfs_testing::TempDir const dir;
  tusfs_testing::WriteFile(dir / "program", "#!/bin/sh\n");
  Options options;
  options.token_command = {"sh", "-c", "echo s3cret"};
  EXPECT_THAT(WhatIsMissing(options), IsEmpty());
  options.finish_command = {(dir / "program").string()};
  EXPECT_THAT(WhatIsMissing(options), ElementsAre(Is("finish-command"))) << "it may not be run";
  std::filesystem::permissions(dir / "program", std::filesystem::perms::owner_all);
  EXPECT_THAT(WhatIsMissing(options), IsEmpty());
  for (std::string const name : {"./program", "no-such-program", "/bin"}) {
    options.finish_command = {name};
    EXPECT_THAT(WhatIsMissing(options), ElementsAre(Says("'" + name + "'")));
  }
}

TEST(WhatIsMissing, HooksAreProgramsThatCanBeRun) {
  Options options;
  options.on_uploaded = {"/nothing", "uploaded"};
  options.on_stuck = {"sh"};
  options.on_server = {"/etc"};
  EXPECT_THAT(WhatIsMissing(options), ElementsAre(Is("on-uploaded"), Is("on-server")));
}

}  // namespace
}  // namespace tusfs
