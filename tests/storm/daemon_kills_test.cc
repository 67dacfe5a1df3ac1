// SIGKILL after SIGKILL to the daemon while eleven programs use the mount: none of them notices,
// and what they wrote arrives.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <regex>
#include <thread>
#include <utility>

#include "mount/mount_test.h"
#include "storm/parts.h"
#include "storm/storm.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kBigFile = 16 * kMiB;

/// What went wrong for the programs, by what they said.
class Complaints {
 public:
  void Add(std::string const& what) {
    std::lock_guard const lock(mutex_);
    all_.push_back(what);
  }
  std::vector<std::string> All() {
    std::lock_guard const lock(mutex_);
    return all_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

class DaemonKillsStorm : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    big_ = Source("big", kBigFile);
    MakeTree(dir_ / "tree");
    ASSERT_EQ(RunProgram({"tar", "-C", dir_ / "tree", "-cf", dir_ / "tree.tar", "."}).code, 0);
  }

  void Mount(bool in_parts) {
    Command options{"--chunk-size", "4MiB"};
    if (in_parts) options = WithParts(std::move(options));
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), options);
    ASSERT_EQ(mount_->Mount(), "");
  }

  void MakeTree(fs::path const& top) {
    for (std::uint64_t d = 0; d < 4; ++d) {
      auto const directory = top / ("dir" + std::to_string(d));
      fs::create_directories(directory);
      for (std::uint64_t f = 0; f < 6; ++f) {
        WriteRandomFile(directory / ("file" + std::to_string(f)), 3000 + 7000 * f, 100 * d + f);
      }
    }
  }

  void Expect(bool right, std::string const& what) {
    if (!right) complaints_.Add(what + ": " + std::generic_category().message(errno));
  }
  void ExpectRun(Command const& command) {
    auto const finished = RunProgram(command);
    if (finished.code != 0) {
      complaints_.Add(command.front() + " " + command.back() + ": status " +
                      std::to_string(finished.code) + " " + finished.out + finished.err);
    }
  }

  // Repeats `turn(number)` until the storm is over.
  std::jthread Repeat(std::function<void(std::string const&)> turn) {
    return std::jthread([this, turn = std::move(turn)](std::stop_token stop) {
      for (int i = 0; !stop.stop_requested(); ++i) {
        turn(std::to_string(i % 3));
        ++turns_;
      }
    });
  }

  void NamesTurn(std::string const& number) {
    auto const directory = *mount_ / ("names" + number);
    auto const one = directory / "one";
    auto const two = directory / "two";
    Expect(::mkdir(directory.c_str(), 0755) == 0, "mkdir");
    int const fd = ::open(one.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    Expect(fd >= 0, "create");
    Expect(::write(fd, "name", 4) == 4, "write");
    Expect(::close(fd) == 0, "close");
    Expect(::link(one.c_str(), two.c_str()) == 0, "link");
    Expect(::unlink(one.c_str()) == 0, "unlink");
    Expect(::rename(two.c_str(), one.c_str()) == 0, "rename");
    Expect(::access(two.c_str(), F_OK) != 0 && errno == ENOENT, "a renamed file is still there");
    Expect(::symlink("one", two.c_str()) == 0, "symlink");
    Expect(::truncate(one.c_str(), 2) == 0, "truncate");
    struct stat status {};
    Expect(::stat(two.c_str(), &status) == 0 && status.st_size == 2 && status.st_nlink == 1,
           "stat");
    Expect(::unlink(two.c_str()) == 0, "unlink");
    Expect(::unlink(one.c_str()) == 0, "unlink");
    Expect(::rmdir(directory.c_str()) == 0, "rmdir");
  }

  void TreeTurn(Command command, fs::path const& target) {
    fs::remove_all(target);
    fs::create_directory(target);
    ExpectRun(command);
    ExpectRun({"diff", "-r", dir_ / "tree", target});
  }

  // Appends numbers, and notes how long each took.
  std::jthread StartRecorder() {
    return std::jthread([this](std::stop_token stop) {
      int const fd = ::open((*mount_ / "recording").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      Expect(fd >= 0, "create recording");
      for (; !stop.stop_requested(); ++recorded_) {
        std::uint64_t const number = recorded_;
        auto const start = steady_clock::now();
        Expect(::write(fd, &number, sizeof number) == sizeof number, "record");
        {
          std::lock_guard const lock(stalls_mutex_);
          stalls_.emplace_back(start, steady_clock::now() - start);
        }
        std::this_thread::sleep_for(milliseconds(5));  // a recorder has its pace
      }
      Expect(::close(fd) == 0, "close recording");
    });
  }

  // The longest wait of the recorder after each kill, in order of size.
  std::vector<milliseconds> StallsAfter(std::vector<steady_clock::time_point> const& kills) {
    std::vector<milliseconds> longest(kills.size());
    for (auto const& [start, took] : stalls_) {
      auto const next = std::ranges::upper_bound(kills, start + took);
      if (next == kills.begin()) continue;
      auto& stall = longest[static_cast<std::size_t>(next - kills.begin() - 1)];
      stall = std::max(stall, std::chrono::ceil<milliseconds>(took));
    }
    std::ranges::sort(longest);
    return longest;
  }

  void ExpectRecording() {
    auto const bytes = ReadFile(*mount_ / "recording");
    ASSERT_EQ(bytes.size(), recorded_ * sizeof(std::uint64_t));
    auto const* const numbers = reinterpret_cast<std::uint64_t const*>(bytes.data());
    for (std::uint64_t i = 0; i < recorded_; ++i) ASSERT_EQ(numbers[i], i);
  }

  // Every file that the mount calls uploaded is on the server as it is in the mount; how many.
  int ExpectArrivedAsTheyAre() {
    auto const listed = TusfsCtl({"list", "--json", mount_->mountpoint()});
    int uploaded = 0;
    for (auto const& file : listed.json.value("files", nlohmann::json::array())) {
      if (file.value("state", "") != "uploaded") {
        EXPECT_EQ(file.value("state", ""), "local-only") << file.dump();
        continue;
      }
      auto const path = file.value("path", "");
      auto const upload = server_->Find(path);
      EXPECT_TRUE(upload && upload->complete) << path;
      if (!upload) continue;
      EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256OfFile(*mount_ / path)) << path;
      ++uploaded;
    }
    EXPECT_GT(uploaded, 0) << listed.err;
    return uploaded;
  }

  [[nodiscard]] int Replayed() const {
    auto const log = mount_->Log();
    static std::regex const number("replayed=([0-9]+)");
    int replayed = 0;
    for (std::sregex_iterator at(log.begin(), log.end(), number), end; at != end; ++at) {
      replayed = std::stoi((*at)[1]);
    }
    return replayed;
  }

  std::unique_ptr<MountedTusfs> mount_;
  fs::path big_;
  Complaints complaints_;
  std::atomic<int> turns_ = 0;
  std::uint64_t recorded_ = 0;
  std::mutex stalls_mutex_;
  std::vector<std::pair<steady_clock::time_point, steady_clock::duration>> stalls_;
};

TEST_F(DaemonKillsStorm, NoProgramNotices) {
  Storm storm("daemon_kills", "kills", 100);
  int const kills = storm.count();
  bool const in_parts = storm.InParts();
  Mount(in_parts);
  if (HasFatalFailure()) return;
  std::vector<steady_clock::time_point> times;

  ChildProcess idle;
  auto const over = dir_ / "over";
  idle.Start({"sh", "-c",
              "cd '" + mount_->mountpoint().string() + "' && until [ -e '" + over.string() +
                  "' ]; do sleep 0.1; done; ls >/dev/null && pwd && echo idle >idle-file"},
             dir_ / "idle.out", dir_ / "idle.err");
  {
    std::vector<std::jthread> programs;
    programs.push_back(StartRecorder());
    programs.push_back(Repeat([this](std::string const& number) {
      auto const target = *mount_ / ("cp" + number);
      ExpectRun({"cp", big_, target});
      ExpectRun({"cmp", big_, target});
    }));
    programs.push_back(Repeat([this](std::string const& number) {
      auto const target = *mount_ / ("dd" + number);
      ExpectRun({"dd", "if=" + big_.string(), "bs=64k", "conv=fsync", "status=none",
                 "of=" + target.string()});
      ExpectRun({"cmp", big_, target});
    }));
    programs.push_back(Repeat([this](std::string const& number) {
      auto const target = *mount_ / ("tar" + number);
      TreeTurn({"tar", "-C", target, "-xf", dir_ / "tree.tar"}, target);
    }));
    if (HaveProgram("rsync")) {
      programs.push_back(Repeat([this](std::string const& number) {
        auto const target = *mount_ / ("rsync" + number);
        TreeTurn({"rsync", "-a", (dir_ / "tree").string() + "/", target}, target);
      }));
    } else {
      std::printf("SKIPPED: rsync in the storm: there is no rsync\n");
    }
    if (HaveProgram("fio")) {
      programs.push_back(Repeat([this](std::string const& number) {
        ExpectRun({"fio", "--name=verify", "--verify_state_save=0", "--rw=randwrite", "--bs=4k",
                   "--size=4m", "--verify=crc32c", "--minimal",
                   "--filename=" + (*mount_ / ("fio" + number)).string()});
      }));
    } else {
      std::printf("SKIPPED: fio in the storm: there is no fio\n");
    }
    programs.push_back(Repeat([this](std::string const& number) {
      auto const target = *mount_ / ("install" + number);
      ExpectRun({"install", "-m", "600", big_, target});
      ExpectRun({"cmp", big_, target});
    }));
    programs.push_back(Repeat([this](std::string const& number) { NamesTurn(number); }));
    programs.push_back(Repeat([this](std::string const& number) {
      auto const target = *mount_ / ("moved" + number);
      auto const before = target.string() + ".new";
      ExpectRun({"cp", big_, before});
      ExpectRun({"mv", before, target});
      ExpectRun({"cmp", big_, target});
    }));
    // Directories come and go under it, which it may say; it must not hang or find errors of I/O.
    programs.push_back(Repeat([this](std::string const&) {
      auto const listed = RunProgram({"ls", "-R", mount_->mountpoint()});
      if (listed.err.find("rror") != std::string::npos) complaints_.Add("ls: " + listed.err);
    }));
    pid_t daemon = 0;
    for (int i = 0; i < kills; ++i) {
      auto const last = std::exchange(daemon, 0);
      ASSERT_TRUE(WaitFor([&] {
        daemon = mount_->DaemonPid();
        return daemon != 0 && daemon != last;
      })) << "no daemon serves after kill "
          << i;
      std::this_thread::sleep_for(
          milliseconds(storm.Between(0, 500)));  // the moment is what varies
      ASSERT_EQ(::kill(daemon, SIGKILL), 0);
      times.push_back(steady_clock::now());
      storm.Done();
    }
  }
  WriteFile(over, "");
  auto const ended = idle.Wait(std::chrono::seconds(20));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 0) << ReadFile(dir_ / "idle.err");
  EXPECT_THAT(complaints_.All(), ::testing::IsEmpty());
  ExpectRecording();
  if (in_parts) {
    AwaitArrivalOfParts(*mount_, *server_);
    ExpectNoLooseParts(*server_, UnknownCompletions(*mount_) * kBigFile / (4 * kMiB));
  } else {
    EXPECT_EQ(mount_->WaitUploaded(), 0);
  }
  auto const arrived = ExpectArrivedAsTheyAre();
  auto const stalls = StallsAfter(times);
  storm.SetDetails("turns of programs " + std::to_string(turns_) + ", that noticed " +
                   std::to_string(complaints_.All().size()) + ", requests replayed " +
                   std::to_string(Replayed()) + ", files compared " + std::to_string(arrived) +
                   ", longest stall median " + std::to_string(stalls[stalls.size() / 2].count()) +
                   " ms, maximum " + std::to_string(stalls.back().count()) + " ms");
  EXPECT_EQ(mount_->Unmount(), 0);
}

}  // namespace
}  // namespace tusfs_testing
