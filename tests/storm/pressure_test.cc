// Too little of everything: descriptors, memory, time; too many writers, a catalog that outgrows
// its map.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "mount/mount_test.h"
#include "mount/open_file.h"
#include "storm/storm.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

class PressureStorm : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--chunk-size", "4MiB"});
    ASSERT_EQ(mount_->Mount(), "");
  }

  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(PressureStorm, AThousandWritersAtOnce) {
  constexpr std::size_t kPiece = 16 * 1024;
  Storm storm("many writers", "writers", 1000);
  std::mutex mutex;
  std::vector<std::string> complaints;
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < storm.count(); ++i) {
      writers.emplace_back([&, i] {
        try {
          OpenFile file(*mount_ / ("f" + std::to_string(i)));
          auto const bytes = RandomBytes(4 * kPiece, static_cast<std::uint64_t>(i));
          for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
            file.Write(std::string_view(bytes).substr(at, kPiece));
          }
          if (int const error = file.Close(); error != 0) {
            throw std::system_error(error, std::generic_category(), "close");
          }
        } catch (std::system_error const& error) {
          std::lock_guard const lock(mutex);
          complaints.emplace_back(error.what());
        }
      });
    }
  }
  EXPECT_THAT(complaints, ::testing::IsEmpty());
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  std::map<std::string, UploadView> uploads;
  for (auto const& upload : server_->Uploads()) {
    if (upload.complete) uploads[upload.metadata.at("filename")] = upload;
  }
  for (int i = 0; i < storm.count(); ++i) {
    auto const name = "f" + std::to_string(i);
    EXPECT_TRUE(uploads.contains(name)) << name;
    if (uploads.contains(name)) {
      EXPECT_EQ(Sha256OfFile(server_->File(uploads[name])),
                Sha256(RandomBytes(4 * kPiece, static_cast<std::uint64_t>(i))));
    }
    storm.Done();
  }
  EXPECT_EQ(server_->Uploads().size(), static_cast<std::size_t>(storm.count()));
}

TEST_F(PressureStorm, WithoutDescriptorsFilesAreRefusedAndTheOthersGoOn) {
  constexpr rlim_t kDescriptors = 100;
  Storm storm("descriptors", "files", 400);
  rlimit const limit{kDescriptors, kDescriptors};
  ASSERT_EQ(::prlimit(mount_->DaemonPid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  std::map<std::string, std::unique_ptr<OpenFile>> open;
  std::set<int> refusals;
  for (int i = 0; i < storm.count(); ++i) {
    auto const name = "f" + std::to_string(i);
    try {
      auto file = std::make_unique<OpenFile>(*mount_ / name);
      file->Write(name);
      open[name] = std::move(file);
    } catch (std::system_error const& error) {
      refusals.insert(error.code().value());
    }
    storm.Done();
  }
  EXPECT_FALSE(refusals.empty()) << "the limit was not reached";
  for (int const refusal : refusals) {
    EXPECT_TRUE(refusal == EMFILE || refusal == ENFILE) << std::generic_category().message(refusal);
  }
  EXPECT_GT(open.size(), 10U);
  auto const opened = open.size();
  for (auto& [name, file] : open) {
    file->Write(" more");
    EXPECT_EQ(file->Close(), 0);
  }
  WriteFile(*mount_ / "after", "all is well again");
  // What was refused left nothing behind that would not be uploaded.
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(server_->Published("after"), 1);
  for (auto const& [name, file] : open) {
    auto const upload = server_->Find(name);
    ASSERT_TRUE(upload && upload->complete) << name;
    EXPECT_EQ(ReadFile(server_->File(*upload)), name + " more");
  }
  EXPECT_EQ(mount_->Restarts(), 0);
  storm.SetDetails("open at once " + std::to_string(opened));
}

// A control group of its own with a limit of memory, of either version.
class MemoryGroup {
 public:
  explicit MemoryGroup(std::uint64_t bytes) {
    bool const first = fs::exists("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    directory_ = std::string(first ? "/sys/fs/cgroup/memory/" : "/sys/fs/cgroup/") +
                 "tusfs-storm-" + std::to_string(::getpid());
    std::error_code failed;
    fs::create_directory(directory_, failed);
    if (failed) {
      why_ = "no control group can be made: " + failed.message();
      return;
    }
    auto const limit = first ? "memory.limit_in_bytes" : "memory.max";
    if (!Write(limit, std::to_string(bytes))) why_ = "control groups limit no memory here";
  }
  ~MemoryGroup() { ::rmdir(directory_.c_str()); }

  [[nodiscard]] std::string const& why_not() const { return why_; }
  bool Add(pid_t pid) { return Write("cgroup.procs", std::to_string(pid)); }

 private:
  bool Write(std::string const& name, std::string const& text) {
    std::ofstream file(directory_ / name);
    file << text << std::flush;
    return file.good();
  }

  fs::path directory_;
  std::string why_;
};

TEST_F(PressureStorm, SixtyFourMebibytesAreEnough) {
  MemoryGroup group(64 * kMiB);
  if (!group.why_not().empty()) GTEST_SKIP() << "SKIPPED: " << group.why_not();
  Storm storm("64 MiB of memory", "files", 208);
  ASSERT_TRUE(group.Add(mount_->KeeperPid()));
  ASSERT_GT(mount_->KillDaemon(), 0);  // the next one is born into it
  ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() == 1 && mount_->DaemonPid() > 0; }));
  std::map<std::string, fs::path> sources;
  for (int i = 0; i < 8; ++i) {
    auto const name = "big" + std::to_string(i);
    sources[name] = Source(name, 48 * kMiB);
  }
  {
    std::vector<std::jthread> copies;
    for (auto const& [name, source] : sources) {
      copies.emplace_back([this, name = name, source = source] { Copy(source, *mount_ / name); });
    }
    for (int i = 8; i < storm.count(); ++i) {
      WriteFile(*mount_ / ("small" + std::to_string(i)), "small " + std::to_string(i));
    }
  }
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (auto const& [name, source] : sources) ExpectArrived(name, source);
  EXPECT_EQ(server_->Uploads().size(), static_cast<std::size_t>(storm.count()));
  for (int i = 0; i < storm.count(); ++i) storm.Done();
  EXPECT_EQ(mount_->Restarts(), 1) << "it was killed for its memory";
  mount_.reset();
}

TEST_F(PressureStorm, ADaemonThatStandsStillHoldsItsWritersAndLosesNothing) {
  // By hand: 60 seconds.
  Storm storm("standstill", "seconds", 3);
  auto const source = Source("file", 64 * kMiB);
  ChildProcess copy;
  copy.Start({"cp", source, *mount_ / "file"}, dir_ / "out", dir_ / "err");
  auto const daemon = mount_->DaemonPid();
  ASSERT_GT(daemon, 0);
  ASSERT_EQ(::kill(daemon, SIGSTOP), 0);
  for (int i = 0; i < storm.count(); ++i) {
    std::this_thread::sleep_for(std::chrono::seconds(1));  // it is the time that is tested
    storm.Done();
  }
  ASSERT_EQ(::kill(daemon, SIGCONT), 0);
  auto const ended = copy.Wait(std::chrono::seconds(60));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 0) << ReadFile(dir_ / "err");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("file", source);
  EXPECT_EQ(mount_->Restarts(), 0);
}

TEST_F(PressureStorm, ACatalogThatOutgrowsItsMapGoesOn) {
  // 60 KiB each, of the first map's 1 GiB.
  Storm storm("full map", "names", 18'000);
  auto const value = RandomBytes(60'000);
  auto const catalog = mount_->state_dir() / "catalog/data.mdb";
  for (int i = 0; i < storm.count(); ++i) {
    auto const directory = *mount_ / ("d" + std::to_string(i));
    ASSERT_TRUE(fs::create_directory(directory));
    ASSERT_EQ(::setxattr(directory.c_str(), "user.big", value.data(), value.size(), 0), 0)
        << i << ": " << std::generic_category().message(errno);
    storm.Done();
  }
  EXPECT_GT(fs::file_size(catalog), storm.count() < 18'000 ? 0 : 1024 * kMiB);
  SendMarker(*mount_, "marker");
  mount_->Kill9();
  ASSERT_EQ(mount_->Mount(), "");
  std::string got(value.size(), '\0');
  for (int const i : {0, storm.count() / 2, storm.count() - 1}) {
    auto const directory = *mount_ / ("d" + std::to_string(i));
    EXPECT_EQ(::getxattr(directory.c_str(), "user.big", got.data(), got.size()),
              static_cast<ssize_t>(value.size()));
    EXPECT_EQ(got, value);
  }
}

}  // namespace
}  // namespace tusfs_testing
