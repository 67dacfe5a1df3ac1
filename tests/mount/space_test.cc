// A small spool: files larger than it, writers that wait for room and harm nobody, what goes when
// room is needed, and what is said when there is none.
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "mount/space_rig.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// ---- larger than the spool

TEST_F(SpaceTest, AFileLargerThanTheSpoolArrivesWhereConfirmedBytesMayGo) {
  server_->SetRate(60'000'000);
  Mount(32, {"--trim", "confirmed"});
  auto const source = Source("source", 160 * kMiB);
  ChildProcess copy;
  Start(copy, {"cp", source, *mount_ / "large.mov"});
  std::uint64_t peak = 0;
  EXPECT_TRUE(WaitFor([&] {
    peak = std::max(peak, SpoolBytes());
    return !copy.Running();
  }));
  EXPECT_EQ(copy.Wait(std::chrono::seconds(1))->code, 0);
  EXPECT_LE(peak, 34 * kMiB);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("large.mov", source);
  EXPECT_EQ(server_->SentBytes(), 160 * kMiB);
  EXPECT_TRUE(WaitFor([&] { return SpoolBytes() == 0; }));
}

TEST_F(SpaceTest, AnInterruptedCopyOfSuchAFileGoesOnFromItsOffset) {
  server_->SetRate(40'000'000);
  Mount(32, {"--trim", "confirmed"});
  auto const source = Source("source", 96 * kMiB);
  ChildProcess copy;
  Start(copy, {"cp", source, *mount_ / "large.mov"});
  ASSERT_TRUE(WaitFor([&] { return server_->SentBytes() >= 40 * kMiB; }));
  copy.Signal(SIGKILL);
  EXPECT_TRUE(copy.Wait(std::chrono::seconds(5)));
  Copy(source, *mount_ / "large.mov");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("large.mov", source);
}

TEST_F(SpaceTest, AFileThatCannotFitIsRefusedAndNotPublished) {
  Mount(32);
  auto const source = Source("source", 64 * kMiB);
  auto const copied = RunProgram({"cp", source, *mount_ / "large.mov"});
  EXPECT_EQ(copied.code, 1);
  EXPECT_THAT(copied.err, HasSubstr("No space left on device"));
  EXPECT_EQ(mount_->State("large.mov"), "interrupted");
  EXPECT_THAT(mount_->Listed("large.mov")["error"].dump(), HasSubstr("the spool is full"));
  fs::remove(*mount_ / "large.mov");
  SendMarker(*mount_, "marker");
  EXPECT_EQ(server_->Published("large.mov"), 0);
}

TEST_F(SpaceTest, UnfinishedFilesLargerThanTheirShareCompleteOneAfterAnother) {
  server_->SetRate(60'000'000);
  Mount(96);
  constexpr int kFiles = 8;
  std::vector<fs::path> sources;
  std::vector<ChildProcess> copies(kFiles);
  for (int i = 0; i < kFiles; ++i) {
    auto const name = std::to_string(i);
    sources.push_back(Source("source" + name, 24 * kMiB));
    Start(copies[static_cast<std::size_t>(i)], {"cp", sources.back(), *mount_ / name});
  }
  for (auto& copy : copies) {
    auto const ending = copy.Wait(std::chrono::seconds(60));
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->code, 0);
  }
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (int i = 0; i < kFiles; ++i) {
    ExpectArrived(std::to_string(i), sources[static_cast<std::size_t>(i)]);
  }
}

// ---- full of what is not going to be sent

TEST_F(SpaceTest, ThreeCopiesAtOnceOfWhichOneFitsArriveOneAfterAnother) {
  server_->SetRate(60'000'000);
  Mount(64);
  constexpr std::size_t kFiles = 3;
  std::vector<ChildProcess> copies(kFiles);
  for (std::size_t i = 0; i < kFiles; ++i) {
    auto const name = std::to_string(i);
    Start(copies[i], {"cp", Source("source" + name, 40 * kMiB), *mount_ / name});
  }
  for (auto& copy : copies) {
    auto const ending = copy.Wait(std::chrono::seconds(60));
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->code, 0);
  }
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (std::size_t i = 0; i < kFiles; ++i) {
    auto const name = std::to_string(i);
    ExpectArrived(name, dir_ / ("source" + name));
  }
}

class StuckSpoolTest : public SpaceTest {
 protected:
  /// Two copies that were killed fill the spool.
  void FillWithInterruptedFiles(Command const& options = {}) {
    Mount(64, options);
    for (auto const* name : {"older", "younger"}) {
      auto const killed =
          RunProgram({"sh", "-c",
                      "exec 3> '" + (*mount_ / name).string() +
                          "'; head -c 33000000 /dev/urandom >&3; printf x >&3; kill -9 $$"});
      EXPECT_EQ(killed.code, -1);
      ASSERT_TRUE(WaitFor([&] { return mount_->State(name) == "interrupted"; }));
    }
  }
};

TEST_F(StuckSpoolTest, SaysAtOnceWhatIsInTheWayAndHowToGetRidOfIt) {
  FillWithInterruptedFiles();
  auto const source = Source("source", 40 * kMiB);
  auto const copied = RunProgram({"cp", source, *mount_ / "next"}, std::chrono::seconds(30));
  EXPECT_EQ(copied.code, 1);
  EXPECT_THAT(copied.err, HasSubstr("No space left on device"));
  EXPECT_THAT(mount_->Log(), HasSubstr("tusfsctl discard"));
  auto const status = TusfsCtl({"status", mount_->mountpoint()}, std::chrono::seconds(5));
  EXPECT_THAT(status.out, HasSubstr("the oldest is older"));
  EXPECT_EQ(mount_->State("older"), "interrupted") << "nothing goes without being asked";
  for (auto const* name : {"older", "next"}) {
    EXPECT_EQ(TusfsCtl({"discard", *mount_ / name}, std::chrono::seconds(5)).code, 0);
  }
  auto const small = Source("small", 20 * kMiB);
  Copy(small, *mount_ / "small");
  EXPECT_TRUE(WaitFor([&] { return mount_->State("small") == "uploaded"; }));
  ExpectArrived("small", small);
}

TEST_F(StuckSpoolTest, MakesRoomByItselfWhereItIsToldTo) {
  FillWithInterruptedFiles({"--full", "drop-interrupted"});
  auto const source = Source("source", 40 * kMiB);
  Copy(source, *mount_ / "next");
  EXPECT_TRUE(WaitFor([&] { return mount_->State("next") == "uploaded"; }));
  ExpectArrived("next", source);
  EXPECT_THAT(mount_->Log(), HasSubstr("given up"));
  EXPECT_GE(mount_->Status()["spool"]["dropped_files"].get<std::uint64_t>(), 1U);
}

// ---- those who wait

class WaitingTest : public SpaceTest {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    if (IsSkipped()) return;
    Mount(64, {"--trim", "confirmed"});
    server_->Kill();
  }
};

TEST_F(WaitingTest, AWriterThatIsKilledDiesAtOnceAndItsFileCanBeRemoved) {
  ChildProcess copy;
  StartStuckCopy(copy, "stuck");
  ASSERT_TRUE(AwaitWaiting(1));
  copy.Signal(SIGKILL);
  auto const ending = copy.Wait(std::chrono::seconds(3));
  ASSERT_TRUE(ending) << "it cannot be killed";
  EXPECT_EQ(ending->signal, SIGKILL);
  EXPECT_EQ(RunProgram({"rm", *mount_ / "stuck"}, std::chrono::seconds(5)).code, 0);
  EXPECT_TRUE(WaitFor([&] { return SpoolBytes() == 0; }));
}

TEST_F(WaitingTest, AnInterruptFromTheTerminalEndsItToo) {
  ChildProcess copy;
  StartStuckCopy(copy, "stuck");
  ASSERT_TRUE(AwaitWaiting(1));
  copy.Signal(SIGINT);
  EXPECT_TRUE(copy.Wait(std::chrono::seconds(3))) << "it cannot be interrupted";
}

TEST_F(WaitingTest, FourWritersWhoWaitBlockNobodyElse) {
  WriteFile(*mount_ / "small", "here");
  std::vector<ChildProcess> copies(4);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    StartStuckCopy(copies[i], "stuck" + std::to_string(i));
  }
  ASSERT_TRUE(AwaitWaiting(copies.size()));
  auto const limit = std::chrono::seconds(5);
  EXPECT_EQ(RunProgram({"ls", "-la", mount_->mountpoint()}, limit).code, 0);
  EXPECT_EQ(RunProgram({"cat", *mount_ / "small"}, limit).out, "here");
  EXPECT_EQ(RunProgram({"mkdir", *mount_ / "directory"}, limit).code, 0);
  EXPECT_EQ(RunProgram({"mv", *mount_ / "small", *mount_ / "directory"}, limit).code, 0);
  auto const status = TusfsCtl({"status", mount_->mountpoint()}, limit);
  EXPECT_EQ(status.code, 0);
  EXPECT_THAT(status.out, HasSubstr("4 files wait for room"));
  for (auto& copy : copies) copy.Signal(SIGKILL);
  for (auto& copy : copies) EXPECT_TRUE(copy.Wait(std::chrono::seconds(3)));
}

TEST_F(WaitingTest, TheyGoOnWhenTheServerIsBack) {
  ChildProcess copy;
  StartStuckCopy(copy, "stuck");
  ASSERT_TRUE(AwaitWaiting(1));
  server_->Restart();
  auto const ending = copy.Wait(std::chrono::seconds(60));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->code, 0);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("stuck", dir_ / "source of stuck");
}

TEST_F(WaitingTest, TheyDoNotNoticeThatTheDaemonDies) {
  std::vector<ChildProcess> copies(3);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    StartStuckCopy(copies[i], "stuck" + std::to_string(i));
  }
  ASSERT_TRUE(AwaitWaiting(copies.size()));
  for (int kills = 0; kills < 3; ++kills) {
    ASSERT_GT(mount_->KillDaemon(), 0);
    ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() == kills + 1; }));
  }
  server_->Restart();
  for (auto& copy : copies) {
    auto const ending = copy.Wait(std::chrono::seconds(60));
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->code, 0);
  }
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    auto const name = "stuck" + std::to_string(i);
    ExpectArrived(name, dir_ / ("source of " + name));
  }
}

TEST_F(WaitingTest, DiscardFreesThem) {
  ChildProcess copy;
  StartStuckCopy(copy, "stuck");
  ASSERT_TRUE(AwaitWaiting(1));
  auto const discarded = TusfsCtl({"discard", *mount_ / "stuck"}, std::chrono::seconds(5));
  EXPECT_EQ(discarded.code, 0) << discarded.err;
  auto const ending = copy.Wait(std::chrono::seconds(5));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->code, 1);
  EXPECT_TRUE(WaitFor([&] { return SpoolBytes() == 0; }));
}

TEST_F(SpaceTest, AWriteFailsWhenNothingGoesOnForTheTimeThatWasSaid) {
  Mount(64, {"--trim", "confirmed", "--full-timeout", "1"});
  server_->Kill();
  auto const source = Source("source", 80 * kMiB);
  auto const copied = RunProgram({"cp", source, *mount_ / "large.mov"});
  EXPECT_EQ(copied.code, 1);
  EXPECT_THAT(copied.err, HasSubstr("No space left on device"));
  server_->Restart();
  ASSERT_TRUE(WaitFor([&] { return mount_->Status()["server"]["reachable"].get<bool>(); }));
  EXPECT_EQ(mount_->State("large.mov"), "interrupted");
  Copy(source, *mount_ / "large.mov");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("large.mov", source);
}

// ---- what goes

TEST_F(SpaceTest, UploadedBytesGoWhenRoomIsNeededAndTheirNamesStay) {
  Mount(48);
  std::vector<fs::path> sources;
  for (int i = 0; i < 6; ++i) {
    auto const name = "take " + std::to_string(i);
    sources.push_back(Source(name, 16 * kMiB));
    EXPECT_EQ(RunProgram({"cp", "-p", sources.back(), mount_->mountpoint()}).code, 0);
    ASSERT_EQ(mount_->WaitUploaded(), 0);
  }
  EXPECT_LE(SpoolBytes(), 48 * kMiB);
  auto const first = *mount_ / "take 0";
  EXPECT_EQ(fs::file_size(first), 16 * kMiB);
  EXPECT_EQ(fs::last_write_time(first), fs::last_write_time(sources[0]));
  EXPECT_EQ(mount_->State("take 0"), "uploaded");
  auto const sent = server_->SentBytes();
  Command again{"rsync", "-a"};
  again.insert(again.end(), sources.begin(), sources.end());
  again.push_back(mount_->mountpoint().string() + "/");
  EXPECT_EQ(RunProgram(again).code, 0);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(server_->SentBytes(), sent) << "rsync went by size and time";
  EXPECT_EQ(Sha256OfFile(*mount_ / "take 5"), Sha256OfFile(sources[5])) << "the last one is here";
}

TEST_F(SpaceTest, BytesThatAreNotKeptCannotBeReadUnlessTheServerMayBeAsked) {
  Mount(48, {"--keep", "none"});
  Copy(Source("source", kMiB), *mount_ / "gone");
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  ASSERT_TRUE(WaitFor([&] { return SpoolBytes() == 0; }));
  auto const read = RunProgram({"cat", *mount_ / "gone"});
  EXPECT_EQ(read.code, 1);
  EXPECT_THAT(read.err, HasSubstr("Input/output error"));
  EXPECT_THAT(mount_->Log(), HasSubstr("--read-back"));
  // It can be written anew, and removed.
  WriteFile(*mount_ / "gone", "new");
  EXPECT_EQ(ReadFile(*mount_ / "gone"), "new");
  EXPECT_TRUE(fs::remove(*mount_ / "gone"));
}

TEST_F(SpaceTest, NoMoreIsKeptThanWasSaid) {
  Mount(96, {"--keep", "8MiB"});
  for (int i = 0; i < 6; ++i) {
    Copy(Source("source" + std::to_string(i), 4 * kMiB), *mount_ / std::to_string(i));
    ASSERT_EQ(mount_->WaitUploaded(), 0);
  }
  // Each may take a block more, for what it says of itself.
  EXPECT_TRUE(WaitFor([&] { return SpoolBytes() <= 8 * kMiB + 64 * 1024; }));
  EXPECT_GE(SpoolBytes(), 8 * kMiB);
  EXPECT_EQ(Sha256OfFile(*mount_ / "5"), Sha256OfFile(dir_ / "source5"));
}

TEST_F(SpaceTest, DfShowsTheSpool) {
  Mount(96);
  struct statvfs status {};
  ASSERT_EQ(::statvfs(mount_->mountpoint().c_str(), &status), 0);
  EXPECT_EQ(status.f_blocks * status.f_frsize, 96 * kMiB);
  EXPECT_EQ(status.f_bavail * status.f_frsize, 96 * kMiB);
  server_->Kill();
  Copy(Source("source", 10 * kMiB), *mount_ / "some");
  ASSERT_EQ(::statvfs(mount_->mountpoint().c_str(), &status), 0);
  auto const free = status.f_bavail * status.f_frsize;
  EXPECT_LE(free, 86 * kMiB);
  EXPECT_GE(free, 85 * kMiB);
}

TEST_F(SpaceTest, NamesOfUploadedFilesGoAfterTheRetention) {
  Mount(96, {"--retention", "1"});
  Copy(Source("source", kMiB), *mount_ / "old");
  ASSERT_TRUE(WaitFor([&] { return server_->Published("old") == 1; }));
  EXPECT_TRUE(WaitFor(
      [&] { return fs::directory_iterator(mount_->mountpoint()) == fs::directory_iterator(); }));
  EXPECT_TRUE(WaitFor([&] { return SpoolBytes() == 0; }));
  WriteFile(*mount_ / "old", "the name can be used again");
  EXPECT_TRUE(WaitFor([&] { return server_->Published("old") == 2; }));
}

TEST_F(SpaceTest, WhatTheSpoolTakesIsKnownAfterARemount) {
  Mount(64);
  server_->Kill();
  Copy(Source("source", 20 * kMiB), *mount_ / "some");
  EXPECT_EQ(mount_->Unmount(), 0);
  ASSERT_EQ(mount_->Mount(), "");
  EXPECT_TRUE(
      WaitFor([&] { return mount_->Status()["spool"]["used"].get<std::uint64_t>() == 20 * kMiB; }));
}

// ---- disks that are full, read-only, or no disks

class SmallDiskTest : public SpaceTest {
 protected:
  void SetUp() override {
    SpaceTest::SetUp();
    if (IsSkipped()) return;
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: mounting a small disk needs root";
    fs::create_directory(dir_ / "disk");
    ASSERT_EQ(::mount("tmpfs", (dir_ / "disk").c_str(), "tmpfs", 0, "size=96m"), 0);
  }
  void TearDown() override {
    mount_.reset();
    ::umount2((dir_ / "disk").c_str(), MNT_DETACH);
  }

  /// Without a size for the spool: the disk's own counts.
  void MountThere(Command const& more = {}) {
    Command options{"--state-dir", dir_ / "disk" / "state", "--chunk-size", "4MiB", "--settle",
                    "0.2"};
    options.insert(options.end(), more.begin(), more.end());
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), options);
    ASSERT_EQ(mount_->Mount(), "");
  }
};

TEST_F(SmallDiskTest, FilesOneAfterAnotherGoThroughADiskThatHoldsOne) {
  server_->SetRate(100'000'000);
  MountThere();
  for (int i = 0; i < 4; ++i) {
    auto const name = std::to_string(i);
    Copy(Source("source" + name, 40 * kMiB), *mount_ / name);
  }
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (int i = 0; i < 4; ++i) {
    auto const name = std::to_string(i);
    ExpectArrived(name, dir_ / ("source" + name));
  }
}

TEST_F(SmallDiskTest, WritersWaitWhenOthersFillTheDiskAndGoOnWhenTheyDoNot) {
  MountThere();
  server_->Kill();
  WriteRandomFile(dir_ / "disk" / "of others", 60 * kMiB);
  auto const source = Source("source", 40 * kMiB);
  ChildProcess copy;
  Start(copy, {"cp", source, *mount_ / "file"});
  ASSERT_TRUE(AwaitWaiting(1));
  EXPECT_EQ(RunProgram({"ls", "-l", mount_->mountpoint()}, std::chrono::seconds(5)).code, 0);
  fs::remove(dir_ / "disk" / "of others");
  auto const ending = copy.Wait(std::chrono::seconds(30));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->code, 0);
  server_->Restart();
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("file", source);
}

TEST_F(SmallDiskTest, AFullDiskIsSaidAndNothingIsPublishedThatIsNotWhole) {
  MountThere({"--reserve", "0", "--full-timeout", "1"});
  server_->Kill();
  std::error_code full;
  WriteRandomFile(dir_ / "disk" / "of others", 40 * kMiB);
  auto const source = Source("source", 60 * kMiB);
  auto const copied = RunProgram({"cp", source, *mount_ / "file"});
  EXPECT_EQ(copied.code, 1);
  EXPECT_THAT(copied.err, HasSubstr("No space left on device"));
  fs::remove(dir_ / "disk" / "of others", full);
  server_->Restart();
  SendMarker(*mount_, "marker");
  EXPECT_EQ(server_->Published("file"), 0);
  EXPECT_EQ(mount_->State("file"), "interrupted");
  Copy(source, *mount_ / "file");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("file", source);
}

TEST_F(SmallDiskTest, ADiskThatBecomesReadOnlyFailsWritesAndPublishesNothingWrong) {
  MountThere();
  auto const before = Source("before", kMiB);
  Copy(before, *mount_ / "before");
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  // Files that are open for writing keep a disk from becoming read-only, so the mount ends first.
  EXPECT_EQ(mount_->Unmount(), 0);
  ASSERT_EQ(::mount("", (dir_ / "disk").c_str(), "", MS_REMOUNT | MS_RDONLY, "size=96m"), 0);
  auto const refused = mount_->Mount();
  EXPECT_THAT(refused, HasSubstr("Read-only file system"));
  EXPECT_THAT(refused, HasSubstr("--state-dir"));
  ASSERT_EQ(::mount("", (dir_ / "disk").c_str(), "", MS_REMOUNT, "size=96m"), 0);
  ASSERT_EQ(mount_->Mount(), "");
  EXPECT_EQ(Sha256OfFile(*mount_ / "before"), Sha256OfFile(before));
}

TEST_F(SpaceTest, ANetworkFilesystemIsNoPlaceForTheSpool) {
  Mount(64);
  fs::create_directory(dir_ / "second");
  auto const refused = RunProgram({TusfsProgram(), server_->Url(), dir_ / "second", "--state-dir",
                                   *mount_ / "state", "--foreground"});
  EXPECT_GT(refused.code, 0);
  EXPECT_THAT(refused.err, HasSubstr("network filesystem (fuse.tusfs)"));
}

TEST_F(SpaceTest, ASpoolThatIsSmallerThanAChunkIsRefused) {
  fs::create_directory(dir_ / "mnt");
  auto const refused = RunProgram({TusfsProgram(), server_->Url(), dir_ / "mnt", "--spool-size",
                                   "16MiB", "--chunk-size", "32MiB"});
  EXPECT_GT(refused.code, 0);
  EXPECT_THAT(refused.err, HasSubstr("--spool-size"));
  EXPECT_THAT(refused.err, HasSubstr("--chunk-size"));
}

// ---- all of it, with a daemon that is killed

TEST_F(SpaceTest, DaemonsThatAreKilledWhileEverybodyWaitsForRoomLoseNothing) {
  server_->SetRate(60'000'000);
  Mount(48, {"--trim", "confirmed"});
  constexpr std::size_t kFiles = 5;
  std::vector<ChildProcess> copies(kFiles);
  for (std::size_t i = 0; i < kFiles; ++i) {
    auto const name = std::to_string(i);
    Start(copies[i], {"cp", Source("source" + name, (16 + 8 * i) * kMiB), *mount_ / name});
  }
  int kills = 0;
  auto const all_ended = [&] {
    return std::ranges::none_of(copies, [](ChildProcess& copy) { return copy.Running(); });
  };
  while (!all_ended() && kills < 6) {
    auto const sent = server_->SentBytes();
    // Another moment each time: as many bytes later as a small prime says.
    auto const next = sent + static_cast<std::uint64_t>(kills * 7 % 11 + 1) * kMiB;
    if (!WaitFor([&] { return server_->SentBytes() >= next || all_ended(); })) break;
    if (all_ended()) break;
    if (mount_->KillDaemon() > 0) ++kills;
  }
  EXPECT_GE(kills, 4);
  for (auto& copy : copies) {
    auto const ending = copy.Wait(std::chrono::seconds(60));
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->code, 0);
  }
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (std::size_t i = 0; i < kFiles; ++i) {
    auto const name = std::to_string(i);
    ExpectArrived(name, dir_ / ("source" + name));
  }
}

}  // namespace
}  // namespace tusfs_testing
