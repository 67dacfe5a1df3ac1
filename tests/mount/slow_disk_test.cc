// A disk that is slow, or fails under the catalog: nobody waits for another file's work.
//
// Prints the latencies that it has seen; tests/bench/slow_disk.sh makes a table of them, with the
// delays of real cards (TUSFS_SLOW_DISK=full).
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "mount/mount_test.h"
#include "testing/troubled_tusfs.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// As slow as what was reported, or a fourth of it.
bool IsFull() { return std::getenv("TUSFS_SLOW_DISK") != nullptr; }
int Delay(int full) { return IsFull() ? full : full / 4; }

double Milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

class Latencies {
 public:
  void Time(std::function<void()> const& work) {
    auto const begin = Clock::now();
    work();
    all_.push_back(Milliseconds(Clock::now() - begin));
  }
  [[nodiscard]] double At(double part) {
    std::sort(all_.begin(), all_.end());
    return all_.empty()
               ? 0
               : all_[static_cast<std::size_t>(part * static_cast<double>(all_.size() - 1))];
  }
  void Print(char const* what) {
    std::printf("slow disk: %-58s p50 %7.1f  p95 %7.1f  max %7.1f ms  (%zu)\n", what, At(0.5),
                At(0.95), At(1), all_.size());
  }

 private:
  std::vector<double> all_;
};

class SlowDisk : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (auto const why = WhyNoTrouble(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<TroubledTusfs>(server_->Url(), Command{"--settle", "0.1"});
    ASSERT_EQ(mount_->Mount(), "");
  }

  LocalTrouble& trouble() { return mount_->trouble(); }

  // Runs `work` on threads of its own, each with a file that it has written to, until all of them
  // are held up by the disk.
  void HoldUp(int count, std::function<void(int fd)> const& work) {
    auto const before = trouble().delays_begun.load();
    for (int i = 0; i < count; ++i) {
      held_up_.emplace_back([this, i, work] {
        auto const path = *mount_ / ("slow" + std::to_string(i));
        int const fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
        EXPECT_GE(fd, 0);
        EXPECT_EQ(::write(fd, "0123", 4), 4);
        work(fd);
        ::close(fd);
      });
    }
    ASSERT_TRUE(WaitFor(
        [&] { return trouble().delays_begun >= before + static_cast<std::uint64_t>(count); }));
  }

  // What a person does with other files meanwhile.
  Latencies CreateFor(milliseconds time, std::string const& body = "") {
    Latencies latencies;
    auto const end = Clock::now() + time;
    for (int i = 0; Clock::now() < end; ++i) {
      auto const path = *mount_ / ("other" + std::to_string(made_++));
      latencies.Time([&] {
        int const fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        EXPECT_GE(fd, 0) << std::generic_category().message(errno);
        EXPECT_EQ(::write(fd, body.data(), body.size()), static_cast<ssize_t>(body.size()));
        ::close(fd);
        EXPECT_TRUE(fs::exists(path));
      });
      std::this_thread::yield();
    }
    return latencies;
  }

  std::unique_ptr<TroubledTusfs> mount_;
  std::vector<std::jthread> held_up_;
  int made_ = 0;
};

TEST_F(SlowDisk, SyncsThatWaitKeepNobodyElseWaiting) {
  int const delay = Delay(8000);
  trouble().sync_delay = delay;
  HoldUp(12, [](int fd) { EXPECT_EQ(::fsync(fd), 0); });
  trouble().sync_delay = 0;
  auto latencies = CreateFor(milliseconds(delay / 2));
  latencies.Print("create, while 12 fsyncs wait");
  EXPECT_LT(latencies.At(1), delay / 4);
  EXPECT_LT(latencies.At(0.95), 50);
}

TEST_F(SlowDisk, AWriteThatWaitsHoldsUpNeitherItsStatNorOthers) {
  int const delay = Delay(6000);
  trouble().write_delay = delay;
  auto const before = trouble().delays_begun.load();
  // Another process: what this one had open, its children would close.
  ChildProcess writer;
  writer.Start({"cp", Source("source", 4096), *mount_ / "written"}, dir_ / "out", dir_ / "err");
  ASSERT_TRUE(WaitFor([&] { return trouble().delays_begun > before; }));
  trouble().write_delay = 0;
  Latencies stats;
  auto const end = Clock::now() + milliseconds(delay / 2);
  int round = 0;
  while (Clock::now() < end) {
    stats.Time([&] {
      // The kernel asks for each name anew: a listing with attributes, and the name by another one.
      auto const other = *mount_ / ("listed" + std::to_string(round++));
      EXPECT_TRUE(fs::create_directory(other));
      std::size_t entries = 0;
      for (auto const& entry : fs::directory_iterator(mount_->mountpoint())) {
        entries += entry.path().empty() ? 0U : 1U;
      }
      EXPECT_GT(entries, 0U);
      EXPECT_NE(mount_->Listed("written"), nullptr);
    });
  }
  stats.Print("mkdir, ls and tusfsctl list, while a write waits");
  EXPECT_LT(stats.At(1), delay / 3);
  auto const ended = writer.Wait(std::chrono::seconds(20));
  EXPECT_TRUE(ended && ended->code == 0);
}

TEST_F(SlowDisk, SlowCommitsDoNotSlowSmallFilesWhileABacklogIsSent) {
  for (int const delay : {20, 500}) {
    trouble().catalog_sync_delay = delay;
    auto latencies = CreateFor(milliseconds(IsFull() ? 8000 : 3000), std::string(4096, 'b'));
    auto const what = "4 KiB file, each sync of the catalog +" + std::to_string(delay) + " ms";
    latencies.Print(what.c_str());
    EXPECT_LT(latencies.At(0.95), 20 * 5) << delay;
    EXPECT_LT(latencies.At(1), 500) << delay;
  }
  trouble().catalog_sync_delay = 0;
  EXPECT_EQ(mount_->WaitUploaded(), 0);
}

TEST_F(SlowDisk, ALargeFileThatGoesHoldsUpNeitherCreatesNorSyncs) {
  int const delay = Delay(4000);
  WriteFile(*mount_ / "large", "large");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  trouble().unlink_delay = delay;
  auto const before = trouble().delays_begun.load();
  ASSERT_EQ(::unlink((*mount_ / "large").c_str()), 0);
  ASSERT_TRUE(WaitFor([&] { return trouble().delays_begun > before; }));
  trouble().unlink_delay = 0;
  Latencies syncs;
  auto const end = Clock::now() + milliseconds(delay / 2);
  while (Clock::now() < end) {
    auto const path = *mount_ / ("synced" + std::to_string(made_++));
    syncs.Time([&] {
      int const fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
      EXPECT_EQ(::write(fd, "1", 1), 1);
      EXPECT_EQ(::fsync(fd), 0);
      ::close(fd);
    });
  }
  syncs.Print("create and fsync, while a large file is removed");
  EXPECT_LT(syncs.At(0.5), delay / 4);
}

TEST_F(SlowDisk, ASlowVerdictOnOneFileHoldsUpNoOther) {
  int const delay = Delay(8000);
  trouble().sync_delay = delay;
  auto const before = trouble().delays_begun.load();
  WriteFile(*mount_ / "slow", "slow");
  ASSERT_TRUE(WaitFor([&] { return trouble().delays_begun > before; }));
  trouble().sync_delay = 0;
  auto const begin = Clock::now();
  WriteFile(*mount_ / "quick", "quick");
  EXPECT_TRUE(WaitFor([&] { return server_->Published("quick") == 1; }));
  auto const took = Milliseconds(Clock::now() - begin);
  std::printf("slow disk: %-58s %7.1f ms\n", "a file from its close to published, another settles",
              took);
  EXPECT_LT(took, 0.75 * delay);
}

TEST_F(SlowDisk, ReadingSyncsNothing) {
  constexpr int kFiles = 20;
  for (int i = 0; i < kFiles; ++i) WriteFile(*mount_ / ("read" + std::to_string(i)), "read");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  // What the writing has left is on disk when nothing was synced for two seconds.
  auto last = trouble().syncs.load();
  auto since = Clock::now();
  ASSERT_TRUE(WaitFor([&] {
    auto const now = trouble().syncs.load();
    if (now != last) since = Clock::now();
    last = now;
    return Clock::now() - since > std::chrono::seconds(2);
  }));
  auto const before = trouble().syncs.load();
  auto const begin = Clock::now();
  int reads = 0;
  while (Clock::now() < begin + milliseconds(3000)) {
    EXPECT_EQ(ReadFile(*mount_ / ("read" + std::to_string(reads++ % kFiles))), "read");
  }
  auto const seconds = Milliseconds(Clock::now() - begin) / 1000;
  auto const each = static_cast<double>(trouble().syncs - before) / seconds;
  std::printf("slow disk: %-58s %7.1f a second (%.0f reads a second)\n",
              "fdatasync, while files are opened and read", each, reads / seconds);
  EXPECT_LT(each, 2);
}

// ---- a catalog that fails

TEST_F(SlowDisk, AnErrorUnderTheCatalogEndsTheDaemonAndItsSuccessorGoesOn) {
  WriteFile(*mount_ / "before", "before");
  trouble().catalog_error = EIO;
  auto const given = trouble().errors_given.load();
  WriteFile(*mount_ / "during", "during");
  ASSERT_TRUE(WaitFor([&] { return trouble().errors_given > given; }));
  // Whether or not a successor has met it too: it is over now.
  trouble().catalog_error = 0;
  ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() >= 1; }));
  EXPECT_EQ(ReadFile(*mount_ / "before"), "before");
  EXPECT_EQ(ReadFile(*mount_ / "during"), "during");
  WriteFile(*mount_ / "after", "after");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (auto const* name : {"before", "during", "after"}) EXPECT_EQ(server_->Published(name), 1);
  EXPECT_THAT(mount_->Log(), ::testing::HasSubstr("the disk failed its catalog"));
}

}  // namespace
}  // namespace tusfs_testing
