// Uploads that a program makes (--create-command), through kills and a remount, on every server.
#include <sys/stat.h>

#include <regex>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kSecret = "s3cret-0815";

class CreateCommandTest : public EveryServerTest {
 protected:
  /// A script, for /bin/sh, as the create command.
  std::string Command(std::string const& script) {
    auto const file = dir_ / "make-upload";
    auto const fresh = dir_ / "make-upload.new";  // nobody runs half a script
    WriteFile(fresh, "#!/bin/sh\n" + script);
    ::chmod(fresh.c_str(), 0700);
    std::filesystem::rename(fresh, file);
    return file.string();
  }

  /// It creates the upload by itself, as a service's own API would.
  std::string MakesUploads() {
    auto const script = R"sh(set -e
asked=$(cat)
value() { printf %s "$asked" | jq -j "$1"; }
location=$(curl -sf -D - -o /dev/null -X POST -H 'Tus-Resumable: 1.0.0' \
  -H "Upload-Length: $(value .size)" \
  -H "Upload-Metadata: filename $(value .name | base64 -w0)" URL |
  tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
jq -n --arg url "$location" '{upload_url: $url, headers: {"X-Signature": "SECRET"}}'
)sh";
    auto const with_url = std::regex_replace(script, std::regex("URL \\|"), server_->Url() + " |");
    return Command(std::regex_replace(with_url, std::regex("SECRET"), kSecret));
  }
};

TEST_P(CreateCommandTest, AreFilledThroughADeadDaemonAndARemount) {
  StartServer(8 * kMiB);
  MountedTusfs mount(server_->Url(), {"--create-command", MakesUploads()});
  ASSERT_EQ(mount.Mount(), "");
  auto const large = Source("large", 12 * kMiB);
  auto const small = Source("small", 70'000);
  Copy(large, mount / "large.mov");
  Copy(small, mount / "small.mov");
  ASSERT_TRUE(WaitFor([&] {
    auto const upload = server_->Find("large.mov");
    return upload && upload->offset > kMiB;
  }));
  ASSERT_NE(mount.KillDaemon(), 0);
  ASSERT_TRUE(WaitFor([&] { return server_->Find("large.mov")->offset > 4 * kMiB; }));
  ASSERT_EQ(mount.Unmount(), 0);
  ASSERT_EQ(mount.Mount(), "");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("large.mov", large);
  ExpectArrived("small.mov", small);
  EXPECT_EQ(server_->Uploads().size(), 2U) << "none is made twice";
  EXPECT_THAT(mount.Log(), Not(HasSubstr(kSecret)));
}

TEST_P(CreateCommandTest, OneThatSaysNoFailsItsFileWithItsWords) {
  StartServer();
  MountedTusfs mount(server_->Url(),
                     {"--create-command", Command("echo 'the quota is spent' >&2\nexit 1\n")});
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "a.mov", "a take");
  EXPECT_EQ(TusfsCtl({"wait", mount.mountpoint()}).code, 1);
  EXPECT_EQ(mount.State("a.mov"), "failed");
  EXPECT_THAT(TusfsCtl({"list", mount.mountpoint()}).out, HasSubstr("the quota is spent"));
  // As soon as it says yes, the file goes its way.
  Command("echo '{}'\n");
  EXPECT_EQ(TusfsCtl({"retry", mount / "a.mov"}).code, 0);
  EXPECT_EQ(mount.WaitUploaded(), 0);
}

TUSFS_FOR_EVERY_SERVER(CreateCommandTest);

}  // namespace
}  // namespace tusfs_testing
