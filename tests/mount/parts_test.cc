// --parts: files go in parts, several at a time, and are published once when these are joined.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::uint64_t kPart = 4 * kMiB;

Command InParts(Command more = {}) {
  Command options{"--parts", "4MiB", "--settle", "0.5"};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

class PartsOnEveryServer : public EveryServerTest {
 protected:
  [[nodiscard]] std::size_t Parts() const {
    std::size_t parts = 0;
    for (auto const& upload : server_->Uploads()) parts += upload.partial;
    return parts;
  }
};

TEST_P(PartsOnEveryServer, ALargeFileArrivesOnceWithSmallOnesBesideIt) {
  StartServer();
  MountedTusfs mount(server_->Url(), InParts({"--verify", "download"}));
  ASSERT_EQ(mount.Mount(), "");
  auto const large = Source("large", 30 * kMiB + 17);
  auto const small = Source("small", 100'000);
  Copy(large, mount / "large");
  Copy(small, mount / "small");
  EXPECT_EQ(mount.WaitUploaded(), 0) << mount.Log();
  ExpectArrived("large", large);
  ExpectArrived("small", small);
  bool const joins = GetParam() != ServerKind::kNode;
  EXPECT_EQ(Parts(), joins ? 8U : 0U);
}

TEST_P(PartsOnEveryServer, ADaemonThatIsKilledAgainAndAgainSendsNothingTwice) {
  StartServer(20'000'000);
  MountedTusfs mount(server_->Url(), InParts({"--chunk-size", "1MiB"}));
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 30 * kMiB);
  auto const before = server_->SentBytes();
  Copy(source, mount / "file");
  for (std::uint64_t const mib : {3, 10, 20}) {
    ASSERT_TRUE(WaitFor([&] { return server_->SentBytes() - before >= mib * kMiB; }));
    ASSERT_NE(mount.KillDaemon(), 0);
  }
  EXPECT_EQ(mount.WaitUploaded(), 0) << mount.Log();
  ExpectArrived("file", source);
  if (server_->fixture() == nullptr) return;  // a proxy counts what never reached a real server
  EXPECT_LE(server_->SentBytes() - before, 30 * kMiB + 3 * 4 * kMiB) << "what was in flight";
}

TUSFS_FOR_EVERY_SERVER(PartsOnEveryServer);

class PartsTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }
  [[nodiscard]] FixtureServer& fixture() const { return *server_->fixture(); }
  [[nodiscard]] std::uint64_t Received() const { return fixture().Stats().received_bytes; }
  /// Nothing of it is read before it is there.
  void WaitForBytes(std::uint64_t bytes) const {
    ASSERT_TRUE(WaitFor([&] { return Received() >= bytes; })) << Received();
  }
  /// Mounts, and copies a file whose join the server holds up. Returns its source.
  std::filesystem::path CopyToTheJoin(MountedTusfs& mount) {
    fixture().AddFault(
        {.method = "POST", .matches = IsJoin, .action = Fault::StallUntilReleased()});
    EXPECT_EQ(mount.Mount(), "");
    auto const source = Source("source", 14 * kMiB);
    Copy(source, mount / "file");
    EXPECT_TRUE(WaitFor([&] { return fixture().Stalled() == 1; }));
    return source;
  }
  static void ChangeAt(std::filesystem::path const& path, std::uint64_t offset,
                       std::string const& bytes) {
    int const fd = ::open(path.c_str(), O_WRONLY);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(::close(fd), 0);
  }
};

TEST_F(PartsTest, PartsGoBesideEachOther) {
  fixture().AddFault({.method = "PATCH", .nth = 0, .action = Fault::StallUntilReleased()});
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 20 * kMiB);
  Copy(source, mount / "file");
  EXPECT_TRUE(WaitFor([&] { return fixture().Stalled() == 4; })) << fixture().Stalled();
  EXPECT_TRUE(WaitFor([&] { return mount.State("file") == "uploading"; }));
  fixture().ClearFaults();
  fixture().ReleaseStalled();
  EXPECT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("file", source);
  EXPECT_EQ(fixture().Stats().overlapping_patches, 0);
}

TEST_F(PartsTest, ASmallFileDoesNotWaitForTheEndOfALargeOne) {
  fixture().SetRate(20'000'000);
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto const large = Source("large", 80 * kMiB);
  auto const small = Source("small", 1000);
  Copy(large, mount / "large");
  WaitForBytes(8 * kMiB);
  Copy(small, mount / "small");
  EXPECT_TRUE(WaitFor([&] { return mount.State("small") == "uploaded"; }));
  EXPECT_EQ(server_->Published("large"), 0);
  fixture().SetRate(0);
  EXPECT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("large", large);
}

TEST_F(PartsTest, AFileGoesUpWhileItIsWrittenAndIsCalledAsItIsAtItsEnd) {
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto const bytes = RandomBytes(18 * kMiB);
  {
    OpenFile file(mount / "name.part");
    file.Write(bytes);
    WaitForBytes(16 * kMiB);
  }
  std::filesystem::rename(mount / "name.part", mount / "name.mov");
  EXPECT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(server_->Published("name.mov"), 1);
  EXPECT_EQ(server_->Published("name.part"), 0);
  EXPECT_EQ(Received(), bytes.size());
  auto const upload = server_->Find("name.mov");
  ASSERT_TRUE(upload);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(bytes));
}

TEST_F(PartsTest, AHeadThatIsPatchedAgainAndAgainSendsOnePartOnceMore) {
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto bytes = RandomBytes(17 * kMiB);
  {
    OpenFile file(mount / "movie.mp4");
    file.Write(bytes);
    WaitForBytes(16 * kMiB);
    for (int i = 0; i < 5; ++i) {
      auto const head = "head " + std::to_string(i);
      bytes.replace(4, head.size(), head);
      ChangeAt(mount / "movie.mp4", 4, head);
    }
  }
  EXPECT_EQ(mount.WaitUploaded(), 0);
  auto const upload = server_->Find("movie.mp4");
  ASSERT_TRUE(upload);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(bytes));
  EXPECT_EQ(server_->Published("movie.mp4"), 1);
  EXPECT_EQ(Received(), bytes.size() + kPart);
}

TEST_F(PartsTest, AWriterDoesNotWaitForThePartThatHeChangesWhileItIsOnItsWay) {
  fixture().AddFault({.method = "PATCH", .nth = 0, .action = Fault::StallUntilReleased(100'000)});
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto bytes = RandomBytes(17 * kMiB);
  OpenFile file(mount / "file");
  file.Write(bytes);
  ASSERT_TRUE(WaitFor([&] { return fixture().Stalled() == 4; })) << fixture().Stalled();
  auto const begun = std::chrono::steady_clock::now();
  ChangeAt(mount / "file", 5 * kMiB, "changed");
  bytes.replace(5 * kMiB, 7, "changed");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  EXPECT_EQ(file.Close(), 0);
  fixture().ClearFaults();
  fixture().ReleaseStalled();
  EXPECT_EQ(mount.WaitUploaded(), 0) << mount.Log();
  auto const upload = server_->Find("file");
  ASSERT_TRUE(upload);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(bytes));
  EXPECT_EQ(server_->Published("file"), 1);
}

TEST_F(PartsTest, WhatIsWrittenToARemovedFileIsNotTakenForWhatWasSentOfIt) {
  fixture().AddFault({.method = "PATCH", .nth = 0, .action = Fault::StallUntilReleased(100'000)});
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto const bytes = RandomBytes(17 * kMiB);
  auto const source = dir_ / "source";
  WriteFile(source, bytes);
  using Clock = std::filesystem::file_time_type::clock;
  std::filesystem::last_write_time(source, Clock::now() - std::chrono::hours(1));
  Copy(source, mount / "file");
  int const fd = ::open((mount / "file").c_str(), O_WRONLY);
  ASSERT_GE(fd, 0);
  ASSERT_TRUE(WaitFor([&] { return fixture().Stalled() == 4; })) << fixture().Stalled();
  ASSERT_EQ(::unlink((mount / "file").c_str()), 0);
  auto const other = RandomBytes(16 * kMiB, 99);
  EXPECT_EQ(::pwrite(fd, other.data(), other.size(), 0), static_cast<ssize_t>(other.size()));
  fixture().ClearFaults();
  fixture().ReleaseStalled();
  Copy(source, mount / "file");
  EXPECT_EQ(mount.WaitUploaded(), 0) << mount.Log();
  EXPECT_EQ(::close(fd), 0);
  ExpectArrived("file", source);
}

TEST_F(PartsTest, WhatLiesBehindAGapGoesBeforeIt) {
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto bytes = RandomBytes(20 * kMiB);
  {
    OpenFile file(mount / "file");
    file.Write(bytes.substr(0, kPart + 100));
    ChangeAt(mount / "file", 2 * kPart, bytes.substr(2 * kPart, 2 * kPart));
    WaitForBytes(3 * kPart);
    ChangeAt(mount / "file", kPart + 100, bytes.substr(kPart + 100, kPart - 100));
    WaitForBytes(4 * kPart);
    ChangeAt(mount / "file", 4 * kPart, bytes.substr(4 * kPart));
  }
  EXPECT_EQ(mount.WaitUploaded(), 0);
  auto const upload = server_->Find("file");
  ASSERT_TRUE(upload);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(bytes));
  EXPECT_EQ(Received(), bytes.size());
}

TEST_F(PartsTest, WhatIsCutOrGrowsSendsItsLastPartAgain) {
  MountedTusfs mount(server_->Url(), InParts({"--settle", "3"}));
  ASSERT_EQ(mount.Mount(), "");
  auto bytes = RandomBytes(14 * kMiB);
  {
    OpenFile file(mount / "cut");
    file.Write(bytes);
    WaitForBytes(12 * kMiB);
  }
  std::filesystem::resize_file(mount / "cut", 9 * kMiB);
  bytes.resize(9 * kMiB);
  EXPECT_EQ(mount.WaitUploaded(), 0);
  auto const upload = server_->Find("cut");
  ASSERT_TRUE(upload);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(bytes));
  EXPECT_EQ(server_->Published("cut"), 1);
  EXPECT_LE(Received(), 13 * kMiB) << "the cut part, as far as it is left";
}

TEST_F(PartsTest, ASparseFileArrivesWithItsHoles) {
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = dir_ / "sparse";
  WriteFile(source, "begin");
  std::filesystem::resize_file(source, 20 * kMiB);
  ChangeAt(source, 13 * kMiB, "middle");
  using Clock = std::filesystem::file_time_type::clock;
  std::filesystem::last_write_time(source, Clock::now() - std::chrono::hours(1));
  auto const copied = RunProgram({"cp", "--sparse=always", source, mount / "sparse"});
  ASSERT_EQ(copied.code, 0) << copied.err;
  EXPECT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("sparse", source);
}

// ---- again

TEST_F(PartsTest, ACopyThatIsRunAgainSendsWhatIsMissingAndWhatHasChanged) {
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 24 * kMiB);
  auto const bytes = ReadFile(source);
  {
    OpenFile file(mount / "file");
    file.Write(bytes.substr(0, 17 * kMiB));
    WaitForBytes(16 * kMiB);
    mount.Kill9();
  }
  ASSERT_EQ(mount.Mount(), "");
  ChangeAt(source, 5 * kMiB, "another block");
  using Clock = std::filesystem::file_time_type::clock;
  std::filesystem::last_write_time(source, Clock::now() - std::chrono::hours(1));
  Copy(source, mount / "file");
  EXPECT_EQ(mount.WaitUploaded(), 0) << mount.Log();
  ExpectArrived("file", source);
  EXPECT_EQ(Received(), 24 * kMiB + kPart) << "of what was sent before, the changed part";
  Copy(source, mount / "file");
  EXPECT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(Received(), 24 * kMiB + kPart) << "it is there";
  EXPECT_EQ(server_->Published("file"), 1);
}

TEST_F(PartsTest, PartsThatNobodyNeedsAreTerminated) {
  MountedTusfs mount(server_->Url(), InParts({"--adopt-timeout", "1"}));
  ASSERT_EQ(mount.Mount(), "");
  {
    OpenFile file(mount / "file");
    file.Write(RandomBytes(13 * kMiB));
    WaitForBytes(12 * kMiB);
    EXPECT_EQ(::unlink((mount / "file").c_str()), 0);
  }
  EXPECT_TRUE(WaitFor([&] { return fixture().Uploads().empty(); }));
  EXPECT_EQ(fixture().Stats().published, 0);
}

TEST_F(PartsTest, PartsAreDeletedWhenTheyAreJoinedWhereThatIsWanted) {
  MountedTusfs mount(server_->Url(), InParts({"--delete-parts"}));
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 14 * kMiB);
  Copy(source, mount / "file");
  EXPECT_EQ(mount.WaitUploaded(), 0);
  EXPECT_TRUE(WaitFor([&] { return fixture().Uploads().size() == 1; }));
  ExpectArrived("file", source);
}

// ---- the join

TEST_F(PartsTest, ADaemonThatIsKilledOverTheJoinLeavesItToAPerson) {
  MountedTusfs mount(server_->Url(), InParts());
  auto const source = CopyToTheJoin(mount);
  ASSERT_NE(mount.KillDaemon(), 0);
  ASSERT_TRUE(WaitFor([&] { return mount.State("file") == "unconfirmed"; }));
  EXPECT_EQ(mount.WaitUploaded(), 1);
  EXPECT_THAT(mount.Listed("file")["error"].get<std::string>(), HasSubstr("may have been joined"));
  EXPECT_EQ(ReadFile(mount / "file"), ReadFile(source)) << "its bytes stay here";
  EXPECT_EQ(TusfsCtl({"retry", mount / "file"}).code, 0);
  EXPECT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(mount.State("file"), "uploaded");
  EXPECT_EQ(Received(), 14 * kMiB) << "the parts are joined once more";
}

TEST_F(PartsTest, AnAnswerToAJoinThatIsLostEndsPartsForThisDaemon) {
  fixture().AddFault({.method = "POST", .matches = IsJoin, .action = Fault::LoseAnswer()});
  MountedTusfs mount(server_->Url(), InParts());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 14 * kMiB);
  Copy(source, mount / "file");
  ASSERT_TRUE(WaitFor([&] { return mount.State("file") == "unconfirmed"; }));
  EXPECT_THAT(mount.Status()["server"].value("no_parts", ""), Not(IsEmpty()));
  EXPECT_THAT(TusfsCtl({"status", mount.mountpoint()}).out, HasSubstr("parts   none"));
  auto const uploads = fixture().Uploads().size();
  Copy(source, mount / "next");
  ASSERT_TRUE(WaitFor([&] { return mount.State("next") == "uploaded"; }));
  EXPECT_EQ(fixture().Uploads().size(), uploads + 1) << "it went in one";
  EXPECT_EQ(TusfsCtl({"accept", mount / "file"}).code, 0);
  EXPECT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(server_->Published("file"), 1);
  EXPECT_EQ(fixture().Stats().deletes, 0);
}

TEST_F(PartsTest, AFileThatIsChangedWhileItIsJoinedIsNotHeldUpAndArrivesChanged) {
  MountedTusfs mount(server_->Url(), InParts());
  auto const source = CopyToTheJoin(mount);
  auto bytes = ReadFile(source);
  auto const begun = std::chrono::steady_clock::now();
  ChangeAt(mount / "file", 5 * kMiB, "changed");
  bytes.replace(5 * kMiB, 7, "changed");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  fixture().ReleaseStalled();
  EXPECT_EQ(mount.WaitUploaded(), 0);
  auto const upload = server_->Find("file");
  ASSERT_TRUE(upload);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(bytes));
}

TEST_F(PartsTest, AServerThatHasLostAPartGetsThatAgain) {
  MountedTusfs mount(server_->Url(), InParts());
  auto const source = CopyToTheJoin(mount);
  EXPECT_TRUE(fixture().Forget(fixture().Uploads().front().id));
  fixture().ReleaseStalled();
  EXPECT_EQ(mount.WaitUploaded(), 0) << mount.Log();
  ExpectArrived("file", source);
  EXPECT_EQ(Received(), 18 * kMiB);
}

}  // namespace
}  // namespace tusfs_testing
