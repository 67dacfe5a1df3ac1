// What cannot work is refused at once: one sentence on stderr that names the thing, exit code not
// 0.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

class BadInputTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    fs::create_directory(dir_ / "mnt");
  }

  /// tusfs with these arguments, in the background as a person would start it.
  Finished Start(Command arguments) const {
    arguments.insert(arguments.begin(), {TusfsProgram(), "--volatile"});
    return RunProgram(arguments, std::chrono::seconds(20));
  }

  /// The usual command line with `more` at its end.
  Finished StartWith(Command more) const {
    Command arguments{server_->Url(), dir_ / "mnt", "--state-dir", dir_ / "state"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Start(arguments);
  }

  /// `code`: 2 for what a person has to change, 1 for what may mend itself.
  void ExpectRefused(Finished const& finished, std::string const& named, int code = 2) const {
    EXPECT_EQ(finished.code, code) << "by itself, not by a signal or a timeout";
    EXPECT_THAT(finished.err, HasSubstr(named));
    EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << "not one sentence: " << finished.err;
    EXPECT_EQ(finished.out, "");
    EXPECT_FALSE(IsMounted(dir_ / "mnt"));
  }

  /// The catalog's own file, wherever it is in the state directory.
  static fs::path CatalogFile(fs::path const& state_dir) {
    for (auto const& entry : fs::recursive_directory_iterator(state_dir)) {
      if (entry.path().extension() == ".mdb" &&
          entry.path().filename().string().find("lock") == std::string::npos) {
        return entry.path();
      }
    }
    return {};
  }
};

TEST_F(BadInputTest, AConfigurationThatIsADirectoryIsNotAnEmptyOne) {
  ExpectRefused(Start({"--config", dir_.path(), "http://127.0.0.1:9/files/", dir_ / "mnt"}),
                "is a directory");
}

TEST_F(BadInputTest, AKeyCannotMoveTheCursorOfATerminal) {
  WriteFile(dir_ / "rig.toml", "\"a\\u001b[31m\" = 1\n");
  auto const started = Start({"--config", dir_ / "rig.toml", "http://127.0.0.1:9/", dir_ / "mnt"});
  EXPECT_EQ(started.code, 2);
  EXPECT_THAT(started.err, ::testing::HasSubstr("\\x1b[31m"));
  EXPECT_EQ(started.err.find('\x1b'), std::string::npos);
}

TEST_F(BadInputTest, WhatTusfsctlDoesNotKnow) {
  auto const command = TusfsCtl({"lst"});
  EXPECT_EQ(command.code, 2);
  EXPECT_THAT(command.err, ::testing::HasSubstr("unknown command 'lst'"));
  auto const seconds = TusfsCtl({"wait", "--timeout", "x"});
  EXPECT_EQ(seconds.code, 2);
  EXPECT_THAT(seconds.err, ::testing::HasSubstr("it takes seconds, 0 or more, not x"));
}

TEST_F(BadInputTest, AUrlThatCannotBeOne) {
  for (std::string const url : {"not a url", "ftp://host/files/", "http://", "/files/"}) {
    SCOPED_TRACE(url);
    ExpectRefused(Start({url, dir_ / "mnt", "--state-dir", dir_ / "state"}), url);
  }
}

TEST_F(BadInputTest, AMountpointThatIsMissingOrIsNoDirectory) {
  auto const missing = (dir_ / "missing").string();
  ExpectRefused(Start({server_->Url(), missing, "--state-dir", dir_ / "state"}), missing);
  WriteFile(dir_ / "file", "x");
  ExpectRefused(Start({server_->Url(), dir_ / "file", "--state-dir", dir_ / "state"}),
                (dir_ / "file").string());
}

TEST_F(BadInputTest, AMountpointThatIsNotEmptyUnlessSaidSo) {
  MountedTusfs mount(server_->Url(), {"--nonempty"});
  WriteFile(mount / "treasure", "x");
  auto const refused =
      Start({server_->Url(), mount.mountpoint(), "--state-dir", mount.state_dir()});
  ExpectRefused(refused, mount.mountpoint());
  EXPECT_THAT(refused.err, HasSubstr("--nonempty")) << "the way out";
  ASSERT_EQ(mount.Mount(), "");
  EXPECT_FALSE(fs::exists(mount / "treasure"));
  EXPECT_EQ(mount.Unmount(), 0);
  EXPECT_EQ(ReadFile(mount / "treasure"), "x");
}

TEST_F(BadInputTest, AMountpointThatIsMountedAlready) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  ExpectRefused(Start({server_->Url(), mount.mountpoint(), "--state-dir", dir_ / "other"}),
                mount.mountpoint(), 1);
  WriteFile(mount / "file", "hello");
  EXPECT_EQ(mount.WaitUploaded(), 0) << "the mount that was there lives on";
}

TEST_F(BadInputTest, AMountThatAKilledTusfsLeftBehindIsCleared) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "file", "hello");
  // What the kernel still remembers of the root must not be taken for a living daemon.
  ASSERT_TRUE(fs::is_directory(mount.mountpoint()));
  mount.Kill9();
  ASSERT_TRUE(IsMounted(mount.mountpoint())) << "the kernel keeps it";
  ASSERT_EQ(mount.Mount(), "");
  EXPECT_EQ(ReadFile(mount / "file"), "hello");
  EXPECT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(mount.Unmount(), 0);
  EXPECT_FALSE(IsMounted(mount.mountpoint())) << "the dead mount was still underneath";
}

TEST_F(BadInputTest, AStateDirectoryThatCannotBeWritten) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: a read-only directory needs root here";
  fs::create_directory(dir_ / "state");
  ASSERT_EQ(::mount("tmpfs", (dir_ / "state").c_str(), "tmpfs", MS_RDONLY, nullptr), 0);
  auto const refused = StartWith({});
  EXPECT_EQ(::umount((dir_ / "state").c_str()), 0);
  ExpectRefused(refused, dir_ / "state");
}

TEST_F(BadInputTest, AStateDirectoryOfSomebodyElseWhoseFilesLeadElsewhere) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: giving a directory away needs root";
  auto const state = dir_ / "state";
  fs::create_directory(state);
  WriteFile(dir_ / "treasure", "a text that is longer than a number");
  fs::create_symlink(dir_ / "treasure", state / "lock");
  ASSERT_EQ(::chown(state.c_str(), kNobody, kNobody), 0);
  auto const refused = StartWith({});
  ExpectRefused(refused, state);
  EXPECT_THAT(refused.err, HasSubstr("--state-dir")) << "the way out";
  EXPECT_EQ(ReadFile(dir_ / "treasure"), "a text that is longer than a number");
}

TEST_F(BadInputTest, AStateDirectoryThatOthersCanWriteTo) {
  auto const state = dir_ / "state";
  fs::create_directory(state);
  WriteFile(state / "somebodys", "x");
  fs::permissions(state, fs::perms::all);
  auto const refused = StartWith({});
  ExpectRefused(refused, state);
  EXPECT_THAT(refused.err, HasSubstr("chmod go-w")) << "the way out";
}

TEST_F(BadInputTest, AStateDirectoryWhoseFilesAreLinks) {
  WriteFile(dir_ / "treasure", "x");
  for (fs::path const name : {"lock", "catalog/data.mdb"}) {
    SCOPED_TRACE(name);
    auto const state = dir_ / "state";
    fs::create_directories((state / name).parent_path());
    fs::create_symlink(dir_ / "treasure", state / name);
    ExpectRefused(StartWith({}), name);
    EXPECT_EQ(ReadFile(dir_ / "treasure"), "x");
    fs::remove_all(state);
  }
}

TEST_F(BadInputTest, LinksInPlaceOfFilesThatAreMadeAnewAreTakenAwayAndNotFollowed) {
  MountedTusfs mount(server_->Url());
  for (fs::path const name : {"suspect", "catalog/journal"}) {
    fs::create_directories((mount.state_dir() / name).parent_path());
    fs::create_symlink(dir_ / "treasure", mount.state_dir() / name);
  }
  ASSERT_EQ(mount.Mount(), "");
  EXPECT_FALSE(fs::exists(dir_ / "treasure"));
  EXPECT_FALSE(fs::is_symlink(mount.state_dir() / "suspect"));
  EXPECT_FALSE(fs::is_symlink(mount.state_dir() / "catalog/journal"));
}

TEST_F(BadInputTest, AStateDirectoryThatALinkOfSomebodyElseNames) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: giving a link away needs root";
  auto const own = dir_ / "own";
  fs::create_directory(own);
  fs::create_directory_symlink(own, dir_ / "state");
  ASSERT_EQ(::lchown((dir_ / "state").c_str(), kNobody, kNobody), 0);
  ExpectRefused(StartWith({}), dir_ / "state");
  EXPECT_TRUE(fs::is_empty(own));
}

TEST_F(BadInputTest, AStateDirectoryThatAnotherDaemonUses) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  ExpectRefused(Start({server_->Url(), dir_ / "mnt", "--state-dir", mount.state_dir()}),
                mount.state_dir(), 1);
  WriteFile(mount / "file", "hello");
  EXPECT_EQ(mount.WaitUploaded(), 0) << "the daemon that was there lives on";
}

// ---- a catalog that is damaged

class DamagedCatalogTest : public BadInputTest {
 protected:
  void SetUp() override {
    BadInputTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--settle", "0.2"});
    ASSERT_EQ(mount_->Mount(), "");
    fs::create_directories(*mount_ / "day 1/card");
    Copy(Source("uploaded", 3 * kMiB), *mount_ / "day 1/card/uploaded");
    ASSERT_EQ(mount_->WaitUploaded(), 0);
    server_->Kill();
    Copy(Source("finished", 2 * kMiB), *mount_ / "day 1/finished");
    ASSERT_TRUE(WaitFor([&] { return mount_->State("day 1/finished") == "queued"; }));
    writer_ = std::make_unique<OpenFile>(*mount_ / "half");
    writer_->Write("half of it");
    ASSERT_TRUE(WaitFor([&] { return IsDescribed("half"); }));
    catalog_ = CatalogFile(mount_->state_dir());
    ASSERT_FALSE(catalog_.empty());
    mount_->Kill9();
    writer_.reset();
  }

  /// Whether a file of the spool says that it is `path`.
  [[nodiscard]] bool IsDescribed(std::string const& path) const {
    for (auto const& entry : fs::recursive_directory_iterator(mount_->state_dir() / "spool")) {
      std::string text(4096, '\0');
      auto const got =
          ::getxattr(entry.path().c_str(), "user.tusfs.file", text.data(), text.size());
      if (got <= 0) continue;
      text.resize(static_cast<std::size_t>(got));
      if (text.ends_with("\n" + path)) return true;
    }
    return false;
  }

  static void OverwriteInPlace(fs::path const& path, std::string const& bytes) {
    int const fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(::pwrite(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    ::close(fd);
  }

  /// Everything is there again, or said to be what it is.
  void ExpectRebuilt() {
    ASSERT_EQ(mount_->Mount(), "");
    EXPECT_THAT(mount_->Log(), HasSubstr("3 files were found again in the spool"));
    ExpectAllThere();
  }
  void ExpectAllThere() {
    EXPECT_EQ(Sha256OfFile(*mount_ / "day 1/card/uploaded"), Sha256OfFile(dir_ / "uploaded"));
    EXPECT_EQ(Sha256OfFile(*mount_ / "day 1/finished"), Sha256OfFile(dir_ / "finished"));
    EXPECT_EQ(ReadFile(*mount_ / "half"), "half of it");
    EXPECT_EQ(mount_->State("half"), "interrupted");
    EXPECT_EQ(mount_->State("day 1/card/uploaded"), "uploaded");
    server_->Restart();
    EXPECT_TRUE(WaitFor([&] { return server_->Published("day 1/finished") == 1; }));
    SendMarker(*mount_, "marker");
    EXPECT_EQ(server_->Published("day 1/card/uploaded"), 1);
    EXPECT_EQ(server_->Published("half"), 0);
  }

  std::unique_ptr<MountedTusfs> mount_;
  std::unique_ptr<OpenFile> writer_;
  fs::path catalog_;
};

TEST_F(DamagedCatalogTest, OverwrittenItIsMadeAnewFromTheSpool) {
  auto const damaged = RandomBytes(fs::file_size(catalog_));
  WriteFile(catalog_, damaged);
  ExpectRebuilt();
  bool kept = false;
  for (auto const& entry : fs::directory_iterator(mount_->state_dir())) {
    kept = kept || (entry.path().filename().string().starts_with("catalog.damaged-") &&
                    ReadFile(entry.path() / "data.mdb") == damaged);
  }
  EXPECT_TRUE(kept) << "it is set aside, not thrown away";
}

TEST_F(DamagedCatalogTest, CutShortItIsMadeAnewFromTheSpool) {
  fs::resize_file(catalog_, 100);
  ExpectRebuilt();
}

TEST_F(DamagedCatalogTest, MissingItIsMadeAnewFromTheSpool) {
  fs::remove(catalog_);
  ExpectRebuilt();
}

TEST_F(DamagedCatalogTest, APageThatKillsWhoeverReadsItIsNotReadTwice) {
  // Behind the two pages at the head everything is noise.
  auto bytes = ReadFile(catalog_);
  auto const noise = RandomBytes(bytes.size());
  std::copy(noise.begin() + 8192, noise.end(), bytes.begin() + 8192);
  WriteFile(catalog_, bytes);
  fs::remove(catalog_.parent_path() / "journal");
  // Whoever reads it may die of it; the next one knows.
  if (!mount_->Mount().empty()) return ExpectRebuilt();
  EXPECT_THAT(mount_->Log(), HasSubstr("3 files were found again in the spool"));
  ExpectAllThere();
}

TEST_F(DamagedCatalogTest, DamageThatKillsADaemonEndsTheMountAndTheNextOneIsMadeAnew) {
  ASSERT_EQ(mount_->Mount(), "");
  auto const daemon = mount_->DaemonPid();
  ASSERT_GT(daemon, 0);
  auto bytes = ReadFile(catalog_);
  auto const noise = RandomBytes(bytes.size());
  std::copy(noise.begin() + 8192, noise.end(), bytes.begin() + 8192);
  // Under the daemon: the disk's fault, which it notices only by dying of it.
  OverwriteInPlace(catalog_, bytes);
  fs::remove(catalog_.parent_path() / "journal");
  ::kill(daemon, SIGSEGV);  // where it has not died of it already
  EXPECT_EQ(mount_->WaitForEnd(), 1) << "whoever started it shall start it again";
  EXPECT_THAT(mount_->Log(), HasSubstr("mount it again"));
  EXPECT_FALSE(IsMounted(mount_->mountpoint()));
  ASSERT_EQ(mount_->Mount(), "");
  ExpectAllThere();
}

TEST_F(BadInputTest, OptionsThatAreRefusedByName) {
  ExpectRefused(StartWith({"-o", "frobnicate"}), "frobnicate");
  ExpectRefused(StartWith({"-o", "allow_other,frob=1"}), "frob");
  ExpectRefused(StartWith({"-o", "ro"}), "ro");
  ExpectRefused(StartWith({"--frobnicate"}), "--frobnicate");
  ExpectRefused(StartWith({"--chunk-size", "banana"}), "banana");
  ExpectRefused(StartWith({"--transfers", "0"}), "transfers");
  ExpectRefused(StartWith({"--settle", "-1"}), "settle");
  ExpectRefused(StartWith({"--log-level", "shouting"}), "shouting");
}

TEST_F(BadInputTest, TooFewArguments) {
  EXPECT_GT(Start({}).code, 0);
  EXPECT_GT(Start({server_->Url()}).code, 0);
}

TEST_F(BadInputTest, HelpAndVersionAreComplete) {
  auto const help = Start({"--help"});
  EXPECT_EQ(help.code, 0);
  for (auto const* option : {"--state-dir", "--foreground", "--chunk-size", "--transfers",
                             "--settle", "--log-level", "--nonempty", "-o", "--version"}) {
    EXPECT_THAT(help.out, HasSubstr(option));
  }
  auto const version = Start({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, HasSubstr("tusfs"));
}

TEST_F(BadInputTest, MountStyleOptionsWorkLikeThoseOfTheCommandLine) {
  MountedTusfs mount(server_->Url(), {"-o", "chunk-size=1MiB,transfers=2,nonempty"});
  WriteFile(mount / "underneath", "x");
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 3 * kMiB);
  Copy(source, mount / "file");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_GE(server_->fixture()->Stats().patches, 3);
}

TEST_F(BadInputTest, AStateDirectoryInMemoryIsRefusedUnlessItIsAllowed) {
  fs::create_directory(dir_ / "memory");
  if (::mount("tmpfs", (dir_ / "memory").c_str(), "tmpfs", 0, nullptr) != 0) {
    GTEST_SKIP() << "SKIPPED: mounting needs root";
  }
  Command const start{TusfsProgram(), server_->Url(), dir_ / "mnt", "--state-dir",
                      dir_ / "memory/state"};
  ExpectRefused(RunProgram(start), "in memory (tmpfs)");
  auto allowed = start;
  allowed.emplace_back("--volatile");
  EXPECT_EQ(RunProgram(allowed).code, 0);
  EXPECT_EQ(RunProgram({"umount", dir_ / "mnt"}).code, 0);
  EXPECT_TRUE(WaitFor([&] { return ::umount((dir_ / "memory").c_str()) == 0; }));
}

TEST_F(BadInputTest, AStateDirectoryWhoseDiskIsNotMountedIsNotMadeAnew) {
  fs::create_directories(dir_ / "disk");
  fs::create_directory(dir_ / "place");
  auto const mount_disk = [&] {
    return ::mount((dir_ / "disk").c_str(), (dir_ / "place").c_str(), nullptr, MS_BIND, nullptr);
  };
  if (mount_disk() != 0) GTEST_SKIP() << "SKIPPED: mounting needs root";
  Command const start{TusfsProgram(), server_->Url(),       dir_ / "mnt",
                      "--state-dir",  dir_ / "place/state", "--volatile"};
  auto const unmount_both = [&] {
    EXPECT_EQ(RunProgram({"umount", dir_ / "mnt"}).code, 0);
    return WaitFor([&] { return ::umount((dir_ / "place").c_str()) == 0; });
  };
  ASSERT_EQ(RunProgram(start).code, 0);
  WriteFile(dir_ / "mnt/file", "bytes");
  ASSERT_TRUE(unmount_both());
  if (!fs::exists(dir_ / "place/tusfs-disk-is-not-mounted")) {
    GTEST_SKIP() << "SKIPPED: no marker is put beneath a disk in memory";
  }

  ExpectRefused(RunProgram(start), "is not mounted at '" + (dir_ / "place").string(), 1);
  EXPECT_FALSE(fs::exists(dir_ / "place/state"));

  ASSERT_EQ(mount_disk(), 0);
  ASSERT_EQ(RunProgram(start).code, 0);
  EXPECT_EQ(ReadFile(dir_ / "mnt/file"), "bytes");
  EXPECT_TRUE(unmount_both());
}

}  // namespace
}  // namespace tusfs_testing
