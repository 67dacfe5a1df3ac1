// Uploaded files whose bytes are not here any more: read from the server, and brought back whole.
#include <csignal>

#include "mount/space_rig.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ReadBackTest : public SpaceTest {
 protected:
  /// Mounts, uploads a file and sees its bytes go.
  void UploadAndForget(std::uint64_t size) {
    Mount(96, {"--keep", "none", "--read-back"});
    source_ = Source("source", size);
    Copy(source_, *mount_ / "file");
    ASSERT_EQ(mount_->WaitUploaded(), 0);
    ASSERT_TRUE(WaitFor([&] { return SpoolBytes() == 0; }));
  }
  fs::path source_;
};

TEST_F(ReadBackTest, AnEvictedFileIsReadFromTheServer) {
  UploadAndForget(40 * kMiB);
  auto const sum = RunProgram({"sha256sum", *mount_ / "file"});
  EXPECT_EQ(sum.out.substr(0, 64), Sha256OfFile(source_));
  auto const tail = RunProgram({"tail", "-c", "100", *mount_ / "file"});
  auto const bytes = ReadFile(source_);
  EXPECT_EQ(tail.out, bytes.substr(bytes.size() - 100));
}

TEST_F(ReadBackTest, AnEvictedFileThatIsRenamedStaysUploadedAndReadable) {
  UploadAndForget(5 * kMiB);
  EXPECT_EQ(RunProgram({"mv", *mount_ / "file", *mount_ / "renamed"}).code, 0);
  SendMarker(*mount_, "marker");
  EXPECT_EQ(mount_->State("renamed"), "uploaded");
  EXPECT_THAT(mount_->Listed("renamed")["error"].dump(), HasSubstr("uploaded as file"));
  EXPECT_EQ(RunProgram({"sha256sum", *mount_ / "renamed"}).out.substr(0, 64),
            Sha256OfFile(source_));
}

TEST_F(ReadBackTest, AFileLargerThanTheSpoolIsReadThroughAWindow) {
  server_->SetRate(0);
  Mount(64, {"--trim", "confirmed", "--read-back"});
  auto const source = Source("source", 128 * kMiB);
  Copy(source, *mount_ / "large");
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  auto const sum = RunProgram({"sha256sum", *mount_ / "large"});
  EXPECT_EQ(sum.out.substr(0, 64), Sha256OfFile(source));
}

TEST_F(ReadBackTest, AppendedToItGetsItsBytesBackAndIsUploadedAnew) {
  UploadAndForget(5 * kMiB);
  auto const appended =
      RunProgram({"sh", "-c", "printf more >> '" + (*mount_ / "file").string() + "'"});
  EXPECT_EQ(appended.code, 0) << appended.err;
  EXPECT_TRUE(WaitFor([&] { return server_->Published("file") == 2; }));
  auto const upload = server_->Find("file");
  ASSERT_TRUE(upload);
  EXPECT_EQ(ReadFile(server_->File(*upload)), ReadFile(source_) + "more");
}

TEST_F(ReadBackTest, WhoeverWaitsForAServerThatIsAwayCanBeKilledAndBlocksNobody) {
  UploadAndForget(5 * kMiB);
  server_->Kill();
  ChildProcess reader;
  Start(reader, {"cat", *mount_ / "file"});
  EXPECT_EQ(RunProgram({"ls", "-l", mount_->mountpoint()}, std::chrono::seconds(5)).code, 0);
  EXPECT_TRUE(reader.Running());
  reader.Signal(SIGKILL);
  EXPECT_TRUE(reader.Wait(std::chrono::seconds(5)));
  ChildProcess writer;
  Start(writer, {"sh", "-c", "printf more >> '" + (*mount_ / "file").string() + "'"});
  WriteFile(*mount_ / "other", "x");
  EXPECT_TRUE(writer.Running());
  server_->Restart();
  auto const ending = writer.Wait(std::chrono::seconds(30));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->code, 0);
}

TEST_F(ReadBackTest, AReaderDoesNotNoticeThatTheDaemonDies) {
  UploadAndForget(48 * kMiB);
  server_->SetRate(20'000'000);
  ChildProcess reader;
  reader.Start({"sha256sum", *mount_ / "file"}, dir_ / "sum", dir_ / "err");
  for (int kills = 0; kills < 3; ++kills) {
    ASSERT_GT(mount_->KillDaemon(), 0);
    ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() == kills + 1; }));
  }
  auto const ending = reader.Wait(std::chrono::seconds(60));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->code, 0);
  EXPECT_EQ(ReadFile(dir_ / "sum").substr(0, 64), Sha256OfFile(source_));
}

TEST_F(ReadBackTest, OtherBytesThanWereSentAreNotGivenOut) {
  UploadAndForget(6 * kMiB);
  auto const stored = server_->File(*server_->Find("file"));
  auto bytes = ReadFile(stored);
  bytes[5 * kMiB] = static_cast<char>(bytes[5 * kMiB] ^ 1);
  WriteFile(stored, bytes);
  auto const read = RunProgram({"cat", *mount_ / "file"});
  EXPECT_EQ(read.code, 1);
  EXPECT_THAT(read.err, HasSubstr("Input/output error"));
}

/// With ranges or without, whatever each server does.
class ReadBackFromTest : public EveryServerTest {};

TEST_P(ReadBackFromTest, AnEvictedFileIsReadWholeAndInPart) {
  StartServer();
  MountedTusfs mount(server_->Url(), {"--keep", "none", "--read-back", "--settle", "0.2"});
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 21 * kMiB + 7);
  Copy(source, mount / "file");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ASSERT_TRUE(WaitFor([&] { return mount.Status()["spool"]["used"].get<std::uint64_t>() == 0; }));
  auto const bytes = ReadFile(source);
  EXPECT_TRUE(RunProgram({"tail", "-c", "1000", mount / "file"}).out ==
              bytes.substr(bytes.size() - 1000));
  EXPECT_EQ(RunProgram({"sha256sum", mount / "file"}).out.substr(0, 64), Sha256(bytes));
}

TUSFS_FOR_EVERY_SERVER(ReadBackFromTest);

}  // namespace
}  // namespace tusfs_testing
