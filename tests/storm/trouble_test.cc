// Trouble of the local disk and the clock, in the middle of work.
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "mount/mount_test.h"
#include "storm/loop_disk.h"
#include "storm/promises.h"
#include "storm/storm.h"
#include "testing/troubled_tusfs.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TroubleStorm : public MountTest {
 protected:
  std::string Error(MountedTusfs const& mount, std::string const& name) const {
    auto const listed = mount.Listed(name);
    return listed.is_object() && listed["error"].is_string() ? listed["error"].get<std::string>()
                                                             : std::string();
  }

  // What a person does when all is well again.
  void CopyAgain(MountedTusfs const& mount, fs::path const& source, std::string const& name) {
    Copy(source, mount / name);
    EXPECT_TRUE(WaitFor([&] { return server_->Published(name) >= 1; })) << Error(mount, name);
    ExpectArrived(name, source);
  }
};

// ---- the disk

class DiskStorm : public TroubleStorm {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: disks in files need root";
    if (auto const why = EnterMountNamespace(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    disk_ = std::make_unique<LoopDisk>(dir_ / "disk.img", "ext4", 160 * kMiB, dir_ / "disk");
    if (auto const why = disk_->Mount(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(
        server_->Url(), Command{"--state-dir", *disk_ / "state", "--chunk-size", "1MiB"});
  }
  void TearDown() override {
    mount_.reset();
    disk_.reset();
  }

  // One file waits for its server, and another is being copied for up to so long.
  void Begin(Storm& storm, int round, std::int64_t milliseconds) {
    before_ = "before" + std::to_string(round);
    during_ = "during" + std::to_string(round);
    ASSERT_EQ(mount_->Mount(), "");
    server_->Kill();
    Copy(Source(before_, 3 * kMiB), *mount_ / before_);
    ASSERT_TRUE(WaitFor([&] { return mount_->State(before_) == "queued"; }));
    copy_.Start({"cp", Source(during_, 40 * kMiB), *mount_ / during_}, dir_ / "out", dir_ / "err");
    std::this_thread::sleep_for(std::chrono::milliseconds(storm.Between(0, milliseconds)));
  }

  void ExpectBeforeArrives() {
    EXPECT_EQ(Sha256OfFile(*mount_ / before_), Sha256OfFile(dir_ / before_));
    server_->Restart();
    EXPECT_TRUE(WaitFor([&] { return server_->Published(before_) == 1; })) << mount_->Log();
    ExpectArrived(before_, dir_ / before_);
    EXPECT_TRUE(server_->Published(during_) == 0 || mount_->State(during_) == "uploaded");
  }

  void End() {
    if (server_->Published(during_) == 0) CopyAgain(*mount_, dir_ / during_, during_);
    ExpectArrived(during_, dir_ / during_);
    fs::remove(*mount_ / during_);
    fs::remove(*mount_ / before_);
    EXPECT_EQ(mount_->WaitUploaded(), 0);
    EXPECT_EQ(mount_->Unmount(), 0);
  }

  std::unique_ptr<LoopDisk> disk_;
  std::unique_ptr<MountedTusfs> mount_;
  ChildProcess copy_;
  std::string before_;
  std::string during_;
};

TEST_F(DiskStorm, AFullDiskHoldsWritersAndDoesNotStopAStart) {
  Storm storm("full disk", "disks", 3);
  for (int i = 0; i < storm.count(); ++i) {
    Begin(storm, i, 100);
    // Somebody else fills it.
    disk_->Fill("filler", static_cast<std::uint64_t>(storm.Between(0, 65536)));
    mount_->Kill9();
    (void)copy_.Wait(std::chrono::seconds(20));
    disk_->Fill("filler2", 0);

    ASSERT_EQ(mount_->Mount(), "") << "a full disk stops the start";
    // With the server the catalog has work, on a disk that has no room for it.
    ExpectBeforeArrives();

    fs::remove(*disk_ / "filler");
    fs::remove(*disk_ / "filler2");
    End();
    storm.Done();
  }
}

TEST_F(DiskStorm, AFullDiskHasNoRoomForANewMountWhichIsSaid) {
  disk_->Fill("filler", 1 << 20);  // for directories, but not for a journal
  EXPECT_THAT(mount_->Mount(), HasSubstr("make room there"));
}

TEST_F(DiskStorm, ADiskThatTurnsReadOnlyLosesNothingThatItHad) {
  Storm storm("read-only disk", "disks", 2);
  for (int i = 0; i < storm.count(); ++i) {
    Begin(storm, i, 60);
    ASSERT_EQ(disk_->Abort(), "");
    ASSERT_TRUE(copy_.Wait(std::chrono::seconds(60))) << "the copy hangs";
    std::error_code refused;
    EXPECT_FALSE(fs::create_directory(*mount_ / "directory", refused));
    mount_->Kill9();
    // As it is, everything can be copied out of it.
    auto const out = dir_ / ("out" + std::to_string(i));
    EXPECT_EQ(TusfsCtl({"rescue", *disk_ / "state", out}).code, 0);
    EXPECT_EQ(Sha256OfFile(out / before_), Sha256OfFile(dir_ / before_));
    // The next boot, with a disk that was repaired.
    while (IsMounted(mount_->mountpoint())) ::umount2(mount_->mountpoint().c_str(), MNT_DETACH);
    ASSERT_TRUE(disk_->Unmount());
    disk_->Repair();
    ASSERT_EQ(disk_->Mount(), "");
    ASSERT_EQ(mount_->Mount(), "");
    ExpectBeforeArrives();
    End();
    storm.Done();
  }
}

// ---- errors of the disk, one call at a time

class ErrorStorm : public TroubleStorm {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (auto const why = WhyNoTrouble(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<TroubledTusfs>(server_->Url(), Command{"--chunk-size", "1MiB"});
    ASSERT_EQ(mount_->Mount(), "");
  }

  std::unique_ptr<TroubledTusfs> mount_;
};

TEST_F(ErrorStorm, AWriteThatFailsIsToldAndNeverPublished) {
  Storm storm("write error", "errors", 5);
  for (int i = 0; i < storm.count(); ++i) {
    auto const name = "file" + std::to_string(i);
    auto const source = Source(name, 64 * kMiB);
    auto const good = static_cast<std::uint64_t>(storm.Between(0, 32 * kMiB));
    ChildProcess copy;
    copy.Start({"cp", source, *mount_ / name}, dir_ / "out", dir_ / "err");
    ASSERT_TRUE(WaitFor([&] {
      std::error_code none_yet;
      auto const size = fs::file_size(*mount_ / name, none_yet);
      return !none_yet && size >= good;
    }));
    mount_->trouble().write_error = EIO;
    auto const ended = copy.Wait(std::chrono::seconds(20));
    mount_->trouble().write_error = 0;
    ASSERT_TRUE(ended);
    if (ended->code != 0) {
      EXPECT_TRUE(WaitFor([&] { return mount_->State(name) == "interrupted"; }))
          << mount_->State(name);
      EXPECT_EQ(server_->Published(name), 0);
    }
    CopyAgain(*mount_, source, name);
    storm.Done();
  }
  EXPECT_GT(mount_->trouble().errors_given, 0U);
  storm.SetDetails("calls that failed " + std::to_string(mount_->trouble().errors_given));
}

TEST_F(ErrorStorm, ASyncThatFailsIsNeverForgotten) {
  Storm storm("sync error", "errors", 3);
  for (int i = 0; i < storm.count(); ++i) {
    auto const name = "file" + std::to_string(i);
    auto const source = Source(name, static_cast<std::uint64_t>(storm.Between(1, 4 * kMiB)));
    mount_->trouble().sync_error = EIO;
    Copy(source, *mount_ / name);
    EXPECT_TRUE(WaitFor([&] { return mount_->State(name) == "failed"; })) << mount_->State(name);
    mount_->trouble().sync_error = 0;
    EXPECT_NE(Error(*mount_, name), "");
    // The disk says that all is well now; what it lost stays lost, after a restart too.
    EXPECT_EQ(TusfsCtl({"retry", *mount_ / name}).code, 1);
    EXPECT_EQ(mount_->WaitUploaded(), 1);
    mount_->Kill9();
    ASSERT_EQ(mount_->Mount(), "");
    EXPECT_EQ(mount_->State(name), "failed");
    EXPECT_EQ(server_->Published(name), 0);
    CopyAgain(*mount_, source, name);
    storm.Done();
  }
}

TEST_F(ErrorStorm, BytesThatCannotBeReadFailTheirFileAlone) {
  Storm storm("read error", "errors", 3);
  for (int i = 0; i < storm.count(); ++i) {
    auto const name = "file" + std::to_string(i);
    auto const source = Source(name, static_cast<std::uint64_t>(storm.Between(1, 4 * kMiB)));
    server_->Kill();
    Copy(source, *mount_ / name);
    ASSERT_TRUE(WaitFor([&] { return mount_->State(name) == "queued"; })) << mount_->State(name);
    mount_->trouble().read_error = EIO;
    server_->Restart();
    EXPECT_TRUE(WaitFor([&] { return mount_->State(name) == "failed"; })) << mount_->State(name);
    mount_->trouble().read_error = 0;
    EXPECT_THAT(Error(*mount_, name), HasSubstr("Input/output error"));
    EXPECT_EQ(server_->Published(name), 0);
    SendMarker(*mount_, "marker" + std::to_string(i));
    CopyAgain(*mount_, source, name);
    storm.Done();
  }
}

// ---- the clock

TEST_F(ErrorStorm, TheClockMayJumpBothWays) {
  constexpr std::int64_t kDay = std::int64_t{86'400} * 1'000'000'000;
  constexpr std::int64_t kJumps[] = {-20'000 * kDay, -365 * kDay, -kDay,      -1'000'000'000, 0,
                                     1'000'000'000,  kDay,        365 * kDay, 3'650 * kDay};
  Storm storm("clock", "jumps", 12);
  Promises promises(storm.seed());
  promises.StartWriters(mount_->mountpoint(), 3);
  for (int i = 0; i < storm.count(); ++i) {
    mount_->trouble().clock_jump = kJumps[storm.Between(0, 8)];
    SendMarker(*mount_, "marker" + std::to_string(i));
    storm.Done();
  }
  // The writers end with the mount, which goes on in a time of its own.
  mount_->Kill9();
  promises.JoinWriters();
  ASSERT_EQ(mount_->Mount(), "");
  promises.CheckMount(*mount_, Death::kProcess);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  promises.CheckServer(*server_);
  storm.SetDetails("files " + std::to_string(promises.files()));
}

TEST_F(ErrorStorm, ALaptopThatSleepsGoesOn) {
  Storm storm("suspend", "nights", 2);
  Promises promises(storm.seed());
  constexpr std::int64_t kNight = std::int64_t{8 * 3600} * 1'000'000'000;
  for (int i = 0; i < storm.count(); ++i) {
    auto const name = "file" + std::to_string(i);
    auto const source = Source(name, 24 * kMiB);
    server_->SetRate(8'000'000);
    Copy(source, *mount_ / name);
    EXPECT_TRUE(WaitFor([&] { return server_->Find(name).has_value(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(storm.Between(0, 1000)));
    // Neither of its processes runs, its connections die, and it wakes up on another day.
    ::kill(-mount_->pid(), SIGSTOP);
    server_->Kill();
    mount_->trouble().clock_jump += kNight;
    server_->SetRate(0);
    server_->Restart();
    ::kill(-mount_->pid(), SIGCONT);
    EXPECT_EQ(mount_->WaitUploaded(), 0);
    ExpectArrived(name, source);
    storm.Done();
  }
}

}  // namespace
}  // namespace tusfs_testing
