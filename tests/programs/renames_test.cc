// Files that get their name at the end, as file managers and browsers do it.
#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::uint64_t kSize = 3 * kMiB + 5;

class RenamesTest : public ProgramsTest {};

TEST_F(RenamesTest, AFileThatTellsItsNameIsDeclaredUnderItAndSentOnce) {
  Mount();
  for (auto const& [temporary, name] : {std::pair<std::string, std::string>("a.mov.part", "a.mov"),
                                        {"b.mov.crdownload", "b.mov"},
                                        {"c.mov.filepart", "c.mov"},
                                        {".d.mov.Ab3xYz", "d.mov"}}) {
    SCOPED_TRACE(temporary);
    CountFromHere();
    auto const source = Source(name, kSize);
    Run({"cp", source, In(temporary)});
    Run({"mv", In(temporary), In(name)});
    ExpectArrival("cp to " + temporary + ", mv to " + name, name, source);
    EXPECT_EQ(DeclaredNames().back(), name);
  }
  EXPECT_EQ(DeclaredNames().size(), 4U);
}

TEST_F(RenamesTest, AFileThatDoesNotTellItsNameIsPublishedUnderItOnly) {
  Mount();
  auto const source = Source("report.odt", kSize);
  Run({"cp", source, In(".goutputstream-A1B2C3")});
  Run({"mv", In(".goutputstream-A1B2C3"), In("report.odt")});
  ExpectArrival("cp to .goutputstream-A1B2C3, mv to report.odt", "report.odt", source, 2.0);
}

TEST_F(RenamesTest, ADownloadThatIsNeverRenamedIsNeverPublished) {
  Mount();
  int number = 0;
  for (std::string const name :
       {"film.mov.crdownload", "film.mov.part", ".goutputstream-A1B2C3", ".film.mov.Ab3xYz"}) {
    CountFromHere();
    Run({"cp", Source("source", kSize), In(name)});
    SendMarker(*mount_, "marker" + std::to_string(++number));
    EXPECT_EQ(PublishedSince(), 1) << name << ", beside the marker";
    auto const listed = mount_->Listed(name);
    ASSERT_TRUE(listed.is_object()) << name;
    EXPECT_EQ(listed["state"], "settling") << name;
    EXPECT_THAT(listed["error"].get<std::string>(), HasSubstr("final name"));
    CountFromHere();
    AddRow(name + ", never renamed", listed["state"], 0);
  }
}

TEST_F(RenamesTest, AFileReplacedByANewOneIsPublishedAsTheNewOne) {
  Mount({"--settle", "1"});
  auto const source = Source("new", kSize);
  WriteFile(In("notes.txt"), "old");
  Run({"cp", source, In(".notes.txt.swap")});
  Run({"mv", In("notes.txt"), In("notes.txt.bak")});
  Run({"mv", In(".notes.txt.swap"), In("notes.txt")});
  WriteFile(dir_ / "old", "old");
  ExpectArrivals("an editor that keeps a backup",
                 {{"notes.txt", source}, {"notes.txt.bak", dir_ / "old"}}, 2.0);
}

TEST_F(RenamesTest, ADirectoryThatIsRenamedTakesItsFilesAlong) {
  Mount({"--settle", "1"});
  fs::create_directory(In("New Folder"));
  auto const source = Source("clip.mov", kMiB / 8);
  Run({"cp", source, In("New Folder/clip.mov")});
  Run({"mv", In("New Folder"), In("Tuesday")});
  ExpectArrival("mv of a directory, before the upload", "Tuesday/clip.mov", source);
}

}  // namespace
}  // namespace tusfs_testing
