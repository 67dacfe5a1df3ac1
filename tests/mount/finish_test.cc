// When a file is published, with real programs: who closed it, who is asked, what a person says.
#include <signal.h>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FinishTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }

  static std::string ErrorOf(MountedTusfs const& mount, std::string const& path) {
    auto const file = mount.Listed(path);
    auto const found = file.is_object() ? file.find("error") : file.end();
    return file.is_object() && found != file.end() && found->is_string() ? found->get<std::string>()
                                                                         : "";
  }

  static void Shell(std::string const& script) {
    auto const ran = RunProgram({"sh", "-c", script});
    EXPECT_EQ(ran.code, 0) << ran.err;
  }

  static std::string Quoted(std::filesystem::path const& path) { return "'" + path.string() + "'"; }
};

TEST_F(FinishTest, WaitIsSilentAboutWhatIsLocalOnlyUnlessItIsStrict) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "clip.mov", "whole");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(TusfsCtl({"wait", "--strict", mount.mountpoint()}).code, 0);

  WriteFile(mount / ".DS_Store", "trace");
  std::filesystem::create_directory(mount / "empty");
  std::filesystem::create_symlink("clip.mov", mount / "link");
  EXPECT_EQ(TusfsCtl({"wait", mount.mountpoint()}).code, 0);
  auto const strict = TusfsCtl({"wait", "--strict", mount.mountpoint()});
  EXPECT_EQ(strict.code, 1);
  EXPECT_THAT(strict.out, AllOf(HasSubstr(".DS_Store"), HasSubstr("empty"), HasSubstr("link"),
                                Not(HasSubstr("clip.mov "))));
  EXPECT_EQ(mount.Status()["files"].value("local-only", 0), 3);
  EXPECT_EQ(server_->Published(".DS_Store"), 0);
}

TEST_F(FinishTest, AFileThatWaitsForAPersonIsPublishedByTheirWord) {
  MountedTusfs mount(server_->Url(), {"--finish", "/inbox/=manual"});
  ASSERT_EQ(mount.Mount(), "");
  std::filesystem::create_directory(mount / "inbox");
  auto const source = Source("source", 2 * kMiB);
  Copy(source, mount / "inbox/clip.mov");
  SendMarker(mount, "marker");
  EXPECT_EQ(mount.State("inbox/clip.mov"), "settling");
  EXPECT_EQ(ErrorOf(mount, "inbox/clip.mov"), "waits for tusfsctl publish");
  auto const waited = TusfsCtl({"wait", mount.mountpoint()});
  EXPECT_EQ(waited.code, 1);
  EXPECT_THAT(waited.out, HasSubstr("inbox/clip.mov"));

  auto const published = TusfsCtl({"publish", mount / "inbox/clip.mov"});
  EXPECT_EQ(published.code, 0) << published.err;
  EXPECT_EQ(published.out, "inbox/clip.mov: will be published\n");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("clip.mov", source);

  auto const again = TusfsCtl({"publish", mount / "inbox/clip.mov"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("inbox/clip.mov: it is uploaded already"));
  EXPECT_EQ(TusfsCtl({"publish", mount / "no-such-file"}).code, 2);
  EXPECT_EQ(TusfsCtl({"publish"}).code, 2) << "which one is meant has to be said";
  auto const json = TusfsCtl({"retry", "--json", mount / "inbox/clip.mov"});
  EXPECT_EQ(json.code, 1);
  EXPECT_EQ(json.json["files"][0].value("done", true), false);
}

TEST_F(FinishTest, WhatAKilledWriterLeftIsPublishedByAPersonsWord) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  ChildProcess writer;
  writer.Start({"sh", "-c",
                "echo half > " + Quoted(mount / "tape") + "; exec 3>> " + Quoted(mount / "tape") +
                    "; echo more >&3; kill -KILL $$"},
               dir_ / "out", dir_ / "err");
  ASSERT_TRUE(writer.Wait(std::chrono::seconds(20)));
  ASSERT_TRUE(WaitFor([&] { return mount.State("tape") == "interrupted"; }));
  EXPECT_EQ(TusfsCtl({"publish", mount.mountpoint()}).out, "tape: will be published\n");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(ReadFile(server_->File(*server_->Find("tape"))), "half\nmore\n");
}

TEST_F(FinishTest, ARecordingThatIsCutIsInterruptedUntilSomebodyWantsItSo) {
  MountedTusfs mount(server_->Url(), {"--check", "/raw/=none", "--check", "*=media"});
  ASSERT_EQ(mount.Mount(), "");
  std::filesystem::create_directory(mount / "raw");
  using namespace std::string_literals;
  // Its sound goes on to byte 200,044.
  auto const head =
      "RIFF\x64\x0d\x03\0WAVEfmt \x10\0\0\0"s + std::string(16, '\1') + "data\x40\x0d\x03\0"s;
  WriteFile(dir_ / "whole.wav", head + std::string(200'000, 's'));
  WriteFile(dir_ / "cut.wav", head + std::string(100'000, 's'));
  Copy(dir_ / "whole.wav", mount / "whole.wav");
  Copy(dir_ / "cut.wav", mount / "cut.wav");
  Copy(dir_ / "cut.wav", mount / "raw/exempt.wav");
  ASSERT_TRUE(WaitFor([&] { return mount.State("cut.wav") == "interrupted"; }));
  EXPECT_EQ(ErrorOf(mount, "cut.wav"), "its data says 200.0 kB, the file has 100.0 kB");
  ASSERT_TRUE(WaitFor([&] { return mount.State("raw/exempt.wav") == "uploaded"; }));
  ASSERT_TRUE(WaitFor([&] { return mount.State("whole.wav") == "uploaded"; }));
  EXPECT_EQ(server_->Published("cut.wav"), 0);

  EXPECT_EQ(TusfsCtl({"publish", mount / "cut.wav"}).out, "cut.wav: will be published\n");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("cut.wav", dir_ / "cut.wav");
}

TEST_F(FinishTest, TheCommandReadsTheFileThroughTheMountAndSaysWhenItIsComplete) {
  auto const source = Source("source", 2 * kMiB);
  MountedTusfs mount(server_->Url(),
                     {"--finish", "*.mov=command", "--finish-command", "cmp " + source.string()});
  ASSERT_EQ(mount.Mount(), "");
  Shell("head -c 1000000 " + Quoted(source) + " > " + Quoted(mount / "clip.mov"));
  Shell("head -c 1000000 " + Quoted(source) + " > " + Quoted(mount / "clip.txt"));
  EXPECT_TRUE(WaitFor([&] { return mount.State("clip.txt") == "uploaded"; }));
  ASSERT_TRUE(WaitFor([&] {
    return ErrorOf(mount, "clip.mov").find("status 1") != std::string::npos;
  })) << ErrorOf(mount, "clip.mov");
  EXPECT_THAT(ErrorOf(mount, "clip.mov"), HasSubstr("waits for the command: it exited with"));
  EXPECT_EQ(mount.State("clip.mov"), "settling");

  Copy(source, mount / "clip.mov");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("clip.mov", source);
}

TEST_F(FinishTest, ACopyWhoseSourceWasNotReadToItsEndIsInterrupted) {
  MountedTusfs mount(server_->Url(), {"--copiers", "head"});
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("clip.mov", 2 * kMiB);
  std::filesystem::last_write_time(
      source, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  // Like a cp whose card was pulled: the source is open while the copy is closed.
  Shell("exec 3< " + Quoted(source) + "; head -c 1000000 <&3 > " + Quoted(mount / "clip.mov"));
  ASSERT_TRUE(WaitFor([&] { return mount.State("clip.mov") == "interrupted"; }));
  EXPECT_EQ(ErrorOf(mount, "clip.mov"),
            "source was not read to its end: clip.mov, 1000000 of 2097152 bytes");
  SendMarker(mount, "marker");
  EXPECT_EQ(server_->Published("clip.mov"), 0);
  Copy(source, mount / "clip.mov");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("clip.mov", source);
}

TEST_F(FinishTest, ASparseSourceIsCopiedAndPublishedWhole) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = dir_ / "sparse.img";
  WriteFile(source, "head");
  std::filesystem::resize_file(source, 3 * kMiB);
  std::filesystem::last_write_time(
      source, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  for (std::string const how : {"auto", "always", "never"}) {
    auto const copied = RunProgram({"cp", "--sparse=" + how, source, mount / "sparse.img"});
    EXPECT_EQ(copied.code, 0) << copied.err;
    EXPECT_EQ(mount.WaitUploaded(), 0) << how << ": " << ErrorOf(mount, "sparse.img");
  }
}

TEST_F(FinishTest, AnInterruptedRsyncThatKeepsItsPartIsInterrupted) {
  if (!HaveProgram("rsync")) GTEST_SKIP() << "SKIPPED: there is no rsync here";
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("clip.mov", 8 * kMiB);
  ChildProcess rsync;
  rsync.Start({"rsync", "-a", "--partial", "--bwlimit=2000", source, mount.mountpoint()},
              dir_ / "out", dir_ / "err");
  ASSERT_TRUE(WaitFor([&] {
    for (auto const& entry : std::filesystem::directory_iterator(mount.mountpoint())) {
      if (entry.file_size() > 500'000) return true;
    }
    return false;
  }));
  rsync.Signal(SIGINT);
  ASSERT_TRUE(rsync.Wait(std::chrono::seconds(20)));
  ASSERT_TRUE(WaitFor([&] { return mount.State("clip.mov") == "interrupted"; }))
      << mount.Listed("clip.mov");
  EXPECT_EQ(ErrorOf(mount, "clip.mov"), "rsync was interrupted (--partial)");
  SendMarker(mount, "marker");
  EXPECT_EQ(server_->Published("clip.mov"), 0);

  auto const again = RunProgram({"rsync", "-a", "--partial", source, mount.mountpoint()});
  ASSERT_EQ(again.code, 0) << again.err;
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("clip.mov", source);
}

}  // namespace
}  // namespace tusfs_testing
