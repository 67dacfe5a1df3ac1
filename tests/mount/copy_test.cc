// Files that ordinary programs write into a mount arrive at every server.
#include <sys/stat.h>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

class CopyTest : public EveryServerTest {};

TEST_P(CopyTest, ACopiedFileArrives) {
  StartServer();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 64 * kMiB);

  Copy(source, mount / "ein Film ü.mov");
  ASSERT_EQ(mount.WaitUploaded(), 0);

  ExpectArrived("ein Film ü.mov", source);
  EXPECT_EQ(mount.State("ein Film ü.mov"), "uploaded");
  EXPECT_EQ(Sha256OfFile(mount / "ein Film ü.mov"), Sha256OfFile(source)) << "read back";
  EXPECT_EQ(mount.Unmount(), 0);
}

TEST_P(CopyTest, AFileOfOneGibibyteArrives) {
  StartServer();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 1024 * kMiB);

  Copy(source, mount / "big.mov");
  ASSERT_EQ(mount.WaitUploaded(), 0);

  ExpectArrived("big.mov", source);
  EXPECT_LE(server_->SentBytes(), 1024 * kMiB + kMiB) << "something was sent twice";
}

TEST_P(CopyTest, TwoHundredSmallFilesArriveAndEmptyOnesToo) {
  StartServer();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  fs::create_directory(dir_ / "small");
  for (std::uint64_t i = 0; i < 200; ++i) {
    (void)Source("small/file-" + std::to_string(i), i % 10 == 0 ? 0 : i * 97);
  }

  auto const copied = RunProgram({"cp", "-r", dir_ / "small", mount.mountpoint()});
  ASSERT_EQ(copied.code, 0) << copied.err;
  ASSERT_EQ(mount.WaitUploaded(), 0);

  for (int i = 0; i < 200; ++i) {
    auto const name = "small/file-" + std::to_string(i);
    ExpectArrived(name, dir_ / name);
  }
  EXPECT_EQ(server_->Uploads().size(), 200U);
}

TEST_P(CopyTest, ATreeSentByRsyncArrivesUnderItsNames) {
  if (!HaveProgram("rsync")) GTEST_SKIP() << "SKIPPED: there is no rsync";
  StartServer();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  fs::create_directories(dir_ / "tree/A001/clips");
  std::vector<std::string> const names{"A001/clips/one.mov", "A001/clips/two.mov", "A001/index.txt",
                                       "empty"};
  for (auto const& name : names) {
    (void)Source("tree/" + name, name == "empty" ? 0 : name.size() * 300'000);
  }
  fs::permissions(dir_ / "tree/A001/index.txt", fs::perms::owner_read);

  auto const from = (dir_ / "tree").string() + "/";
  auto const sent = RunProgram({"rsync", "-a", from, mount.mountpoint()});
  ASSERT_EQ(sent.code, 0) << sent.err;
  ASSERT_EQ(mount.WaitUploaded(), 0);

  for (auto const& name : names) ExpectArrived(name, dir_ / "tree" / name);
  int published = 0;
  for (auto const& upload : server_->Uploads()) published += upload.complete ? 1 : 0;
  EXPECT_EQ(published, static_cast<int>(names.size())) << "a temporary name was published";
  auto const again = RunProgram({"rsync", "-a", "-i", "-n", from, mount.mountpoint()});
  EXPECT_EQ(again.out, "") << "rsync would send something again";
}

TEST_P(CopyTest, TheUploadStartsWhileTheWriterIsStillWriting) {
  StartServer();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const bytes = RandomBytes(96 * kMiB);

  OpenFile recording(mount / "recording.mov");
  recording.Write(bytes);
  EXPECT_TRUE(WaitFor([&] {
    auto const listed = mount.Listed("recording.mov");
    return listed.is_object() && listed.value("offset", 0ULL) > 0;
  })) << mount.Listed("recording.mov");
  EXPECT_EQ(mount.State("recording.mov"), "writing");
  EXPECT_EQ(server_->Published("recording.mov"), 0);
  EXPECT_EQ(recording.Close(), 0);
  ASSERT_EQ(mount.WaitUploaded(), 0);

  auto const upload = server_->Find("recording.mov");
  ASSERT_TRUE(upload);
  EXPECT_EQ(server_->Published("recording.mov"), 1);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(bytes));
}

TUSFS_FOR_EVERY_SERVER(CopyTest);

class ToolsTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }

  /// Runs a shell command in the mount and returns its output.
  std::string Shell(MountedTusfs const& mount, std::string const& command) {
    auto const finished =
        RunProgram({"sh", "-c", "cd \"$1\" && " + command, "sh", mount.mountpoint()});
    EXPECT_EQ(finished.code, 0) << command << ": " << finished.err;
    return finished.out;
  }
};

TEST_F(ToolsTest, TheUsualToolsBehave) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");

  Shell(mount, "mkdir -p a/b && printf hello > a/b/one && printf two > two && ln -s two link");
  EXPECT_EQ(Shell(mount, "ls"), "a\nlink\ntwo\n");
  EXPECT_EQ(Shell(mount, "cat a/b/one two link"), "hellotwotwo");
  EXPECT_EQ(Shell(mount, "stat -c '%s %F' a/b/one"), "5 regular file\n");
  Shell(mount, "mv a/b/one three && mv three a/");
  EXPECT_EQ(Shell(mount, "find . | sort"), ".\n./a\n./a/b\n./a/three\n./link\n./two\n");
  Shell(mount, "mv a c && chmod 600 c/three && touch -d @1000000000 c/three");
  EXPECT_EQ(Shell(mount, "stat -c '%a %Y %s' c/three"), "600 1000000000 5\n");
  Shell(mount, "rm link && rmdir c/b && head -c 1000000 /dev/zero > zeros");
  EXPECT_NE(Shell(mount, "du -k zeros | cut -f1"), "0\n");
  EXPECT_EQ(Shell(mount, "printf more >> two && cat two"), "twomore");
  EXPECT_EQ(Shell(mount, "truncate -s 3 two && cat two"), "two");
  Shell(mount, "rm zeros");
  EXPECT_EQ(Shell(mount, "df . | wc -l"), "2\n");

  ASSERT_EQ(mount.WaitUploaded(), 0);
  auto const three = server_->Find("c/three");
  ASSERT_TRUE(three) << "not under the name it has in the end";
  EXPECT_EQ(ReadFile(server_->File(*three)), "hello");
  auto const two = server_->Find("two");
  ASSERT_TRUE(two);
  EXPECT_EQ(ReadFile(server_->File(*two)), "two");
}

TEST_F(ToolsTest, WhatCannotBeDoneFailsAsOnADisk) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  fs::create_directories(mount / "full");
  WriteFile(mount / "full/file", "x");

  EXPECT_EQ(::mkdir((mount / "full").c_str(), 0755) == 0 ? 0 : errno, EEXIST);
  EXPECT_EQ(::rmdir((mount / "full").c_str()) == 0 ? 0 : errno, ENOTEMPTY);
  EXPECT_EQ(::rmdir((mount / "full/file").c_str()) == 0 ? 0 : errno, ENOTDIR);
  EXPECT_EQ(::unlink((mount / "nothing").c_str()) == 0 ? 0 : errno, ENOENT);
  EXPECT_EQ(::renameat2(AT_FDCWD, (mount / "full/file").c_str(), AT_FDCWD, (mount / "full").c_str(),
                        RENAME_NOREPLACE) == 0
                ? 0
                : errno,
            EEXIST);
  EXPECT_EQ(::mkdir((mount / std::string(300, 'x')).c_str(), 0755) == 0 ? 0 : errno, ENAMETOOLONG);
}

TEST_F(ToolsTest, AnOverwrittenFileIsANewUploadWithTheNewBytes) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "notes", "first");
  ASSERT_EQ(mount.WaitUploaded(), 0);

  WriteFile(mount / "notes", "the second");
  ASSERT_EQ(mount.WaitUploaded(), 0);

  EXPECT_EQ(server_->Published("notes"), 2) << "what was published stays with the server";
  EXPECT_EQ(ReadFile(server_->File(*server_->Find("notes"))), "the second");
  fs::remove(mount / "notes");
  EXPECT_EQ(server_->Published("notes"), 2);
}

}  // namespace
}  // namespace tusfs_testing
