// A server that writes for others never dies: sftp-server closes a file alike whether its client
// has finished it or has vanished. --finish says who knows better.
#include <signal.h>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = 4 * kMiB + 321;
constexpr std::uint64_t kHalf = 2 * kMiB;

std::string SftpServer() {
  for (std::string const path : {"/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server",
                                 "/usr/libexec/openssh/sftp-server"}) {
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

class FinishTest : public ProgramsTest {
 protected:
  void SetUp() override {
    if (auto const why = WithoutProgram({"sftp"}); !why.empty()) GTEST_SKIP() << why;
    if (SftpServer().empty()) GTEST_SKIP() << "SKIPPED: there is no sftp-server";
    ProgramsTest::SetUp();
  }

  void MountWith(Command options) {
    Mount(std::move(options));
    fs::create_directory(In("in"));
  }

  /// An sftp client of a server of its own, which is behind pipes as sshd has it: it ends well
  /// however its client has ended.
  Command Sftp(std::string const& commands) {
    WriteFile(dir_ / "batch", commands);
    auto const server = dir_ / "sftp-server";
    WriteFile(server, "#!/bin/sh\ncat | " + SftpServer() + " | { cat; cat >/dev/null; }\n");
    fs::permissions(server, fs::perms::owner_all);
    return {"sftp", "-q", "-b", dir_ / "batch", "-D", server};
  }
  static std::string Put(fs::path const& source, fs::path const& to) {
    return "put " + source.string() + " " + to.string() + "\n";
  }
  static std::string Rename(fs::path const& from, fs::path const& to) {
    return "rename " + from.string() + " " + to.string() + "\n";
  }

  /// The client dies half-way through its source, and its server ends as servers do.
  void PutHalf(fs::path const& source, std::string const& name) {
    // A client has several requests under way, and sends none that is not full.
    StartUntil(WithBadSource(source, kHalf, Bad::kStalls, Sftp(Put(source, In(name)))), name,
               kHalf / 2);
    ASSERT_EQ(::kill(program_.pid(), SIGKILL), 0);
    ASSERT_TRUE(program_.Wait(std::chrono::seconds(10)));
    ASSERT_TRUE(WaitFor([&] { return mount_->State(name) != "writing"; }));
  }

  /// Half of `name` is there and stays unpublished while a later file arrives.
  void ExpectWaiting(std::string const& program, std::string const& name) {
    SendMarker(*mount_, "marker-" + std::to_string(++markers_));
    EXPECT_EQ(PublishedSince(), 1) << program << ", beside the marker";
    EXPECT_EQ(mount_->State(name), "settling") << mount_->Listed(name);
    AddRow(program + ", and a marker", mount_->State(name), SizeIn(name));
    CountFromHere();
  }

 private:
  int markers_ = 0;
};

TEST_F(FinishTest, AFinishedFileOfAnSftpClientArrives) {
  MountWith({});
  auto const source = Source("clip.mov", kSize);
  Run(Sftp(Put(source, In("in/clip.mov"))));
  ExpectArrival("sftp put", "in/clip.mov", source);
}

TEST_F(FinishTest, ByRenameAFileIsPublishedWhenTheClientHasRenamedIt) {
  MountWith({"--finish", "/in/=rename"});
  auto const source = Source("clip.mov", kSize);
  PutHalf(source, "in/clip.mov.uploading");
  ExpectWaiting("finish=rename, the sftp client vanishes", "in/clip.mov.uploading");
  Run(Sftp(Put(source, In("in/clip.mov.uploading")) +
           Rename(In("in/clip.mov.uploading"), In("in/clip.mov"))));
  ExpectArrival("finish=rename, sftp put and rename", "in/clip.mov", source, 2.0);
}

TEST_F(FinishTest, ByHandAFileIsPublishedWhenAPersonSaysSo) {
  MountWith({"--finish", "/in/=manual"});
  auto const source = Source("clip.mov", kSize);
  PutHalf(source, "in/clip.mov");
  ExpectWaiting("finish=manual, the sftp client vanishes", "in/clip.mov");
  Run(Sftp(Put(source, In("in/clip.mov"))));
  ExpectWaiting("finish=manual, sftp put", "in/clip.mov");
  auto const published = TusfsCtl({"publish", In("in/clip.mov")});
  EXPECT_EQ(published.code, 0) << published.err;
  ExpectArrival("finish=manual, then tusfsctl publish", "in/clip.mov", source);
}

TEST_F(FinishTest, ByCommandAFileIsPublishedWhenTheProgramSaysYes) {
  auto const asked = dir_ / "is-complete";
  WriteFile(asked, "#!/bin/sh\n[ \"$(stat -c %s \"$1\")\" -eq " + std::to_string(kSize) + " ]\n");
  fs::permissions(asked, fs::perms::owner_all);
  MountWith({"--finish", "/in/=command", "--finish-command", asked});
  auto const source = Source("clip.mov", kSize);
  PutHalf(source, "in/clip.mov");
  ExpectWaiting("finish=command, the sftp client vanishes", "in/clip.mov");
  Run(Sftp(Put(source, In("in/clip.mov"))));
  ExpectArrival("finish=command, sftp put", "in/clip.mov", source);
}

TEST_F(FinishTest, ThePatternDecidesFileByFile) {
  MountWith({"--finish", "*.mov=rename"});
  auto const clip = Source("clip", kSize);
  auto const list = Source("list", 1000);
  Run(Sftp(Put(clip, In("clip.mov")) + Put(list, In("list.txt"))));
  ASSERT_TRUE(WaitFor([&] { return server_->Published("list.txt") == 1; }));
  ExpectArrived("list.txt", list);
  SendMarker(*mount_, "marker");
  EXPECT_EQ(server_->Published("clip.mov"), 0);
}

}  // namespace
}  // namespace tusfs_testing
