// What lies in the mount point when the mount comes up (--import) arrives at the server, once, and
// whoever was writing to it there loses nothing.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ImportTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--import", "--settle", "0.2"});
  }

  /// A file beneath the mount to be, of which there is a copy outside.
  fs::path Beneath(std::string const& name, std::uint64_t size) {
    auto source = Source("source-" + std::to_string(count_++), size);
    fs::create_directories((*mount_ / name).parent_path());
    fs::copy_file(source, *mount_ / name);
    return source;
  }

  [[nodiscard]] std::string Told() const {
    auto const status = mount_->Status();
    auto const told = status.find("import");
    return told != status.end() && told->is_string() ? told->get<std::string>() : "";
  }
  [[nodiscard]] bool IsTold(std::string const& words) const {
    return WaitFor([&] { return Told().find(words) != std::string::npos; });
  }

  /// Without the mount.
  [[nodiscard]] std::set<std::string> NamesBeneath() const {
    std::set<std::string> names;
    for (auto const& entry : fs::directory_iterator(mount_->mountpoint())) {
      names.insert(entry.path().filename());
    }
    return names;
  }

  /// The process that takes in, while there is one.
  [[nodiscard]] static pid_t Importer(pid_t keeper) {
    auto const children = ReadFile("/proc/" + std::to_string(keeper) + "/task/" +
                                   std::to_string(keeper) + "/children");
    std::istringstream pids(children);
    for (pid_t pid = 0; pids >> pid;) {
      if (ReadFile("/proc/" + std::to_string(pid) + "/comm") == "tusfs-import\n") return pid;
    }
    return 0;
  }

  std::unique_ptr<MountedTusfs> mount_;
  int count_ = 0;
};

TEST_F(ImportTest, WhatLiesInTheMountPointArrivesOnceUnderItsName) {
  auto const one = Beneath("one.mov", 3 * kMiB);
  auto const two = Beneath("card/two.mov", 300'000);
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_TRUE(IsTold("2 files (3445728 B) taken in")) << Told() << mount_->Log();
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("one.mov", one);
  ExpectArrived("card/two.mov", two);
  EXPECT_THAT(TusfsCtl({"status", mount_->mountpoint()}).out, HasSubstr("  import  2 files"));
  EXPECT_EQ(mount_->Unmount(), 0);
  EXPECT_THAT(NamesBeneath(), IsEmpty());
}

TEST_F(ImportTest, AFileThatIsBeingWrittenBeneathWaitsAndArrivesWhole) {
  auto const first = RandomBytes(1'000'000);
  auto const last = RandomBytes(500'000, 2);
  fs::create_directories(mount_->mountpoint());
  OpenFile recorder(*mount_ / "take.mxf");
  recorder.Write(first);
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_TRUE(IsTold("1 waits for whoever writes to it")) << Told();
  EXPECT_FALSE(fs::exists(*mount_ / "take.mxf"));
  recorder.Write(last);
  EXPECT_EQ(recorder.Close(), 0);
  ASSERT_TRUE(IsTold("1 file (1500000 B) taken in")) << Told();
  EXPECT_EQ(ReadFile(*mount_ / "take.mxf"), first + last);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(server_->Published("take.mxf"), 1);
}

TEST_F(ImportTest, NothingIsSentUnderTheNameThatACopyHasWhileItIsMade) {
  mount_->SetOptions({"--import", "--settle", "0"});
  std::vector<fs::path> sources{Beneath("huge.mov", 24 * kMiB)};
  for (int at = 1; at <= 12; ++at) {
    sources.push_back(Beneath("f" + std::to_string(at), 100'000));
  }
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_TRUE(IsTold("13 files")) << Told() << mount_->Log();
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  ExpectArrived("huge.mov", sources[0]);
  for (std::size_t at = 1; at < sources.size(); ++at) {
    ExpectArrived("f" + std::to_string(at), sources[at]);
  }
  EXPECT_EQ(server_->Uploads().size(), sources.size());
  EXPECT_EQ(mount_->Status().at("bytes").at("resent"), 0);
}

TEST_F(ImportTest, WhoeverAsksIsToldOfWhatIsNotInTheMountYet) {
  auto const source = Beneath("first.mov", 100'000);
  OpenFile recorder(*mount_ / "take.mxf");
  recorder.Write("bytes");
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_TRUE(IsTold("1 waits for whoever writes to it")) << Told();
  ASSERT_TRUE(WaitFor([&] { return server_->Published("first.mov") == 1; }));
  auto const mountpoint = mount_->mountpoint().string();
  auto const* const sentence = "1 file beneath the mount is not taken in yet";
  for (auto const* command : {"wait", "drain"}) {
    auto const waited = TusfsCtl({command, mountpoint, "--timeout", "1"});
    EXPECT_EQ(waited.code, 3) << command << waited.err;
    EXPECT_THAT(waited.err, HasSubstr(sentence)) << command;
  }
  EXPECT_EQ(TusfsCtl({"wait", mountpoint, "--timeout", "0"}).code, 3) << "before it is told";
  EXPECT_THAT(TusfsCtl({"status", mountpoint}).out,
              ::testing::AllOf(HasSubstr(sentence), HasSubstr("99%")));
  EXPECT_THAT(TusfsCtl({"status", "--check", mountpoint}).out, HasSubstr(sentence));
  EXPECT_EQ(TusfsCtl({"wait", mountpoint + "/first.mov"}).code, 0) << "of a file that is there";
  mount_->KillDaemon();
  EXPECT_EQ(TusfsCtl({"wait", mountpoint, "--timeout", "1"}).code, 3) << "the next one knows, too";
  auto const unmounted = TusfsCtl({"umount", mountpoint});
  EXPECT_EQ(unmounted.code, 1);
  EXPECT_THAT(unmounted.err, HasSubstr("what lies beneath it is being taken in (--import: 1 file"));
  EXPECT_EQ(recorder.Close(), 0);
  EXPECT_EQ(TusfsCtl({"wait", mountpoint}).code, 0);
  EXPECT_EQ(server_->Published("take.mxf"), 1) << "it has waited for that";
  EXPECT_EQ(TusfsCtl({"umount", "--drain", mountpoint}).code, 0);
}

TEST_F(ImportTest, WhatIsLeftBeneathNeedsSomebody) {
  auto const source = Beneath("first.mov", 100'000);
  ASSERT_EQ(::mkfifo((*mount_ / "pipe").c_str(), 0600), 0);
  ASSERT_EQ(mount_->Mount(), "");
  auto const mountpoint = mount_->mountpoint().string();
  auto const waited = TusfsCtl({"wait", mountpoint});
  EXPECT_EQ(waited.code, 1) << waited.err;
  EXPECT_THAT(waited.err, HasSubstr("1 file is left beneath the mount"));
  EXPECT_EQ(server_->Published("first.mov"), 1);
  auto const checked = TusfsCtl({"status", "--check", mountpoint});
  EXPECT_EQ(checked.code, 1);
  EXPECT_THAT(checked.out,
              HasSubstr("WARNING - '" + mountpoint + "': 1 file is left beneath the mount"));
  EXPECT_THAT(checked.out, HasSubstr("'pipe'"));
  EXPECT_EQ(mount_->Unmount(), 0);
}

TEST_F(ImportTest, OfAFileThatIsLargerThanTheSpoolNothingIsSent) {
  mount_->SetOptions(
      {"--import", "--settle", "0.2", "--spool-size", "16MiB", "--chunk-size", "4MiB"});
  Beneath("huge.mov", 24 * kMiB);
  auto const small = Beneath("small.mov", 1 * kMiB);
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_TRUE(IsTold("could not be and is tried again: 'huge.mov' it has 25165824 B")) << Told();
  ASSERT_TRUE(WaitFor([&] { return server_->Published("small.mov") == 1; }));
  ExpectArrived("small.mov", small);
  EXPECT_EQ(server_->Uploads().size(), 1u);
  auto const checked = TusfsCtl({"status", "--check", mount_->mountpoint()});
  EXPECT_EQ(checked.code, 1);
  EXPECT_THAT(checked.out, HasSubstr("--spool-size"));
  ::kill(mount_->KeeperPid(), SIGTERM);
  EXPECT_EQ(mount_->WaitForEnd(), 0) << mount_->Log();
  EXPECT_EQ(NamesBeneath(), std::set<std::string>{"huge.mov"});
}

TEST_F(ImportTest, WhatTheMountHasUnderThatNameStays) {
  ASSERT_EQ(mount_->Mount(), "");
  EXPECT_EQ(Told(), "");
  WriteFile(*mount_ / "clip.mov", "in the mount");
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(mount_->Unmount(), 0);
  auto const source = Beneath("clip.mov", 10'000);
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_TRUE(IsTold("1 file (10000 B) taken in")) << Told();
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(ReadFile(*mount_ / "clip.mov"), "in the mount");
  ExpectArrived("clip.imported-1.mov", source);
}

TEST_F(ImportTest, KilledAgainAndAgainItGoesOn) {
  std::vector<fs::path> sources;
  for (int at = 0; at < 12; ++at) {
    sources.push_back(Beneath("f" + std::to_string(at), 4 * kMiB));
  }
  ASSERT_EQ(mount_->Mount(), "");
  for (int kills = 0; kills < 4; ++kills) {
    pid_t importer = 0;
    ASSERT_TRUE(WaitFor([&] {
      importer = Importer(mount_->KeeperPid());
      return importer != 0 || Told().find("12 files") == 0;
    }));
    if (importer != 0) ::kill(importer, SIGKILL);
    if (kills == 1) mount_->KillDaemon();
  }
  ASSERT_TRUE(WaitFor([&] {
    return Importer(mount_->KeeperPid()) == 0 && !Told().empty() && fs::exists(*mount_ / "f11");
  }));
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (std::size_t at = 0; at < sources.size(); ++at) {
    ExpectArrived("f" + std::to_string(at), sources[at]);
  }
  EXPECT_EQ(mount_->Unmount(), 0);
  EXPECT_THAT(NamesBeneath(), IsEmpty());
}

TEST_F(ImportTest, AMountWhoseProcessesAllDieGoesOnWithTheNext) {
  std::vector<fs::path> sources;
  for (int at = 0; at < 8; ++at) {
    sources.push_back(Beneath("f" + std::to_string(at), 8 * kMiB));
  }
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(mount_->Mount(), "");
    auto const name = "f" + std::to_string(round);
    ASSERT_TRUE(WaitFor([&] {
      return fs::exists(*mount_ / name) || fs::exists(*mount_ / ("." + name + ".tusfs-import")) ||
             Importer(mount_->KeeperPid()) == 0;
    }));
    mount_->Kill9();
  }
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_TRUE(WaitFor([&] { return !Told().empty() || Importer(mount_->KeeperPid()) == 0; }));
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  for (std::size_t at = 0; at < sources.size(); ++at) {
    auto const name = "f" + std::to_string(at);
    EXPECT_EQ(Sha256OfFile(*mount_ / name), Sha256OfFile(sources[at])) << name;
    EXPECT_EQ(server_->Published(name), 1) << name;
  }
  EXPECT_EQ(mount_->Unmount(), 0);
  EXPECT_THAT(NamesBeneath(), IsEmpty());
}

TEST_F(ImportTest, AMountThatEndsDuringTheImportEndsOrderly) {
  auto const source = Beneath("first", 100'000);
  OpenFile recorder(*mount_ / "take.mxf");
  recorder.Write("bytes");
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_TRUE(IsTold("1 waits"));
  ::kill(mount_->KeeperPid(), SIGTERM);
  EXPECT_EQ(mount_->WaitForEnd(), 0) << mount_->Log();
  EXPECT_FALSE(IsMounted(mount_->mountpoint()));
  EXPECT_EQ(ReadFile(*mount_ / "take.mxf"), "bytes");
}

TEST_F(ImportTest, WhoeverMountsInTheBackgroundDoesNotWaitForIt) {
  OpenFile recorder(*mount_ / "take.mxf");
  recorder.Write("bytes");
  // The second program ends when all have ended that the first one's output is open in.
  auto const started = RunProgram(
      {"sh", "-c", "\"$@\" 2>&1 | cat", "sh", TusfsProgram(), "--import", "--volatile", "--settle",
       "0.2", server_->Url(), mount_->mountpoint(), "--state-dir", mount_->state_dir()},
      std::chrono::seconds(20));
  EXPECT_EQ(started.code, 0) << started.out;
  ASSERT_TRUE(IsTold("1 waits"));
  EXPECT_EQ(recorder.Close(), 0);
  ASSERT_TRUE(IsTold("1 file (5 B) taken in"));
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(RunProgram({"umount", mount_->mountpoint()}).code, 0);
}

TEST_F(ImportTest, WithoutItAMountPointWithFilesIsRefusedAndSaysSo) {
  Beneath("file", 1);
  mount_->SetOptions({});
  auto const refused = mount_->Mount();
  EXPECT_THAT(refused, HasSubstr("--import"));
  EXPECT_TRUE(fs::exists(*mount_ / "file"));
}

}  // namespace
}  // namespace tusfs_testing
