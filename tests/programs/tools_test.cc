// The programs that put files somewhere: each arrives once, at the price of its own bytes.
#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

constexpr std::uint64_t kSize = 3 * kMiB + 99;

class ToolsTest : public ProgramsTest {
 protected:
  /// Three files in a directory `tree` beside the mount.
  std::vector<Arrival> Tree() {
    fs::create_directories(dir_ / "tree/clips");
    std::vector<Arrival> files;
    for (std::string const name : {"clips/one.mov", "clips/two.mov", "index.txt"}) {
      files.push_back({"tree/" + name, Source("tree/" + name, kSize / name.size() * 9)});
    }
    return files;
  }
};

TEST_F(ToolsTest, AnUnpackedTarArrives) {
  Mount();
  auto const files = Tree();
  Run({"tar", "-C", dir_.path(), "-cf", dir_ / "tree.tar", "tree"});
  Run({"tar", "-C", mount_->mountpoint(), "-xf", dir_ / "tree.tar"});
  ExpectArrivals("tar -x", files);
}

TEST_F(ToolsTest, AnUnpackedZipArrives) {
  if (auto const why = WithoutProgram({"zip", "unzip"}); !why.empty()) GTEST_SKIP() << why;
  Mount();
  auto const files = Tree();
  Shell("cd \"$1\" && zip -qr tree.zip tree", {dir_.path()});
  Run({"unzip", "-q", dir_ / "tree.zip", "-d", mount_->mountpoint()});
  ExpectArrivals("unzip", files);
}

TEST_F(ToolsTest, AZipMadeInTheMountArrives) {
  if (auto const why = WithoutProgram({"zip"}); !why.empty()) GTEST_SKIP() << why;
  Mount();
  (void)Tree();
  Shell("cd \"$1\" && zip -q0rX \"$2\" tree", {dir_.path(), In("tree.zip")});
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  fs::copy_file(In("tree.zip"), dir_ / "tree.zip");
  ExpectArrival("zip, its archive in the mount", "tree.zip", dir_ / "tree.zip", 2.0);
}

TEST_F(ToolsTest, AnInstalledFileArrives) {
  Mount();
  auto const source = Source("program", kSize);
  Run({"install", "-D", "-m", "640", "-p", source, In("deep/down/program")});
  ExpectArrival("install -D -m -p", "deep/down/program", source);
}

TEST_F(ToolsTest, AFileMovedInFromOutsideArrives) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  fs::copy_file(source, dir_ / "moved.mov");
  Run({"mv", dir_ / "moved.mov", In("moved.mov")});
  EXPECT_FALSE(fs::exists(dir_ / "moved.mov"));
  ExpectArrival("mv, from another filesystem", "moved.mov", source);
}

TEST_F(ToolsTest, AFileMovedBeforeItIsSentArrivesUnderItsLastNameOnly) {
  Mount({"--settle", "1"});
  auto const source = Source("first", kMiB / 8);  // less than is sent of an unfinished file
  Run({"cp", source, In("first")});
  Run({"mv", In("first"), In("second")});
  ExpectArrival("mv inside, before the upload", "second", source);
  EXPECT_THAT(DeclaredNames(), ElementsAre("second"));
}

TEST_F(ToolsTest, AFileMovedAfterItWasPublishedIsNotPublishedAgain) {
  Mount();
  auto const source = Source("first", kSize);
  Run({"cp", source, In("first")});
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  CountFromHere();
  Run({"mv", In("first"), In("second")});
  SendMarker(*mount_, "marker");
  EXPECT_EQ(mount_->State("second"), "uploaded");
  EXPECT_EQ(PublishedSince(), 1) << "beside the marker";
  CountFromHere();
  ExpectNothingSent("mv inside, after the upload");
}

TEST_F(ToolsTest, AFileThatDdSyncsArrives) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  Run({"dd", "if=" + source.string(), "of=" + In("clip.mov").string(), "bs=64k", "conv=fsync",
       "status=none"});
  ExpectArrival("dd conv=fsync", "clip.mov", source);
}

TEST_F(ToolsTest, AFileMadeByTruncateArrivesAsZeros) {
  Mount();
  WriteFile(dir_ / "zeros", std::string(kSize, '\0'));
  Run({"truncate", "-s", std::to_string(kSize), In("zeros")});
  ExpectArrival("truncate -s", "zeros", dir_ / "zeros");
}

TEST_F(ToolsTest, AFileCutAndGrownByTruncateArrivesAsItIsInTheEnd) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  Run({"cp", source, In("clip.mov")});
  Run({"truncate", "-s", std::to_string(kMiB), In("clip.mov")});
  Run({"truncate", "-s", std::to_string(2 * kMiB), In("clip.mov")});
  WriteFile(dir_ / "end", ReadFile(source).substr(0, kMiB) + std::string(kMiB, '\0'));
  ExpectArrival("cp, truncate -s down, truncate -s up", "clip.mov", dir_ / "end", 3.0);
}

TEST_F(ToolsTest, AFileAppendedToBeforeItSettlesIsSentOnce) {
  Mount({"--settle", "1"});
  auto const source = Source("log", kSize);
  Shell("head -c 2000000 \"$1\" >\"$2\"; tail -c +2000001 \"$1\" >>\"$2\"", {source, In("log")});
  ExpectArrival("head >FILE, tail >>FILE", "log", source);
}

TEST_F(ToolsTest, AFileEditedInPlaceBySedArrivesAsItIsInTheEnd) {
  Mount({"--settle", "1"});
  WriteFile(dir_ / "before", std::string(100'000, 'a') + "\n");
  WriteFile(dir_ / "after", std::string(100'000, 'b') + "\n");
  Run({"cp", dir_ / "before", In("notes.txt")});
  Run({"sed", "-i", "s/a/b/g", In("notes.txt")});
  ExpectArrival("cp, sed -i", "notes.txt", dir_ / "after");
}

}  // namespace
}  // namespace tusfs_testing
