// Private directories: nobody else's hand in them.
#include "base/private_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fakes.h"
#include "testing/files.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using tusfs_testing::ReadFile;
using tusfs_testing::WriteFile;

class PrivateDirectoryTest : public testing::Test {
 protected:
  void ExpectRefused(std::string const& why) const {
    auto const refused = PrivateDirectory::Open(path_);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().context, HasSubstr(path_.string()));
    EXPECT_THAT(refused.error().context, HasSubstr(why));
  }

  tusfs_testing::TempDir const dir_;
  fs::path const path_ = dir_ / "a" / "b";
};

TEST_F(PrivateDirectoryTest, IsMadeForTheUserAlone) {
  ASSERT_TRUE(Ok(PrivateDirectory::Open(path_)));
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_all);
  EXPECT_TRUE(Ok(PrivateDirectory::Open(path_))) << "an existing one is success";
}

TEST_F(PrivateDirectoryTest, OfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: giving a directory away needs root";
  fs::create_directories(path_);
  ASSERT_EQ(::chown(path_.c_str(), 65534, 65534), 0);
  ExpectRefused("another user (number 65534)");
}

TEST_F(PrivateDirectoryTest, ThatOthersCanWriteToIsRefusedUnlessItIsEmpty) {
  fs::create_directories(path_);
  fs::permissions(path_, fs::perms(0775));
  ASSERT_TRUE(Ok(PrivateDirectory::Open(path_)));
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0755)) << "as umask 002 leaves it";
  WriteFile(path_ / "somebodys", "");
  fs::permissions(path_, fs::perms(0775));
  ExpectRefused("chmod go-w");
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0775)) << "for a person to look at";
}

TEST_F(PrivateDirectoryTest, ThatIsEverybodysOnPurposeStaysSo) {
  fs::create_directories(path_);
  fs::permissions(path_, fs::perms(01777));
  ExpectRefused("other users");
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(01777));
}

TEST_F(PrivateDirectoryTest, ThatIsALinkOrAFileIsRefused) {
  fs::create_directories(path_.parent_path());
  fs::create_directory(dir_ / "elsewhere");
  fs::create_directory_symlink(dir_ / "elsewhere", path_);
  ExpectRefused("symbolic link");
  fs::remove(path_);
  WriteFile(path_, "");
  ExpectRefused("");
}

TEST_F(PrivateDirectoryTest, OpensWhatIsAFileAndNothingElse) {
  auto const directory = PrivateDirectory::Open(path_);
  ASSERT_TRUE(Ok(directory));
  EXPECT_TRUE(Ok(directory->OpenFile("new", O_RDWR | O_CREAT)));
  EXPECT_EQ(fs::status(path_ / "new").permissions(), fs::perms(0600));
  WriteFile(dir_ / "treasure", "x");
  fs::create_symlink(dir_ / "treasure", path_ / "link");
  EXPECT_EQ(CodeOf(directory->OpenFile("link", O_RDWR | O_CREAT | O_TRUNC)), ELOOP);
  EXPECT_EQ(ReadFile(dir_ / "treasure"), "x");
  ASSERT_EQ(::mkfifo((path_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(CodeOf(directory->OpenFile("fifo", O_RDWR)), EINVAL);
  EXPECT_TRUE(directory->Has("link"));
  directory->Remove("link");
  EXPECT_FALSE(directory->Has("link"));
}

TEST_F(PrivateDirectoryTest, IsTheOneThatWasLookedAtWhateverIsDoneWithItsName) {
  auto const directory = PrivateDirectory::Open(path_);
  ASSERT_TRUE(Ok(directory));
  fs::rename(path_, dir_ / "moved");
  fs::create_directory(dir_ / "elsewhere");
  fs::create_directory_symlink(dir_ / "elsewhere", path_);
  ASSERT_TRUE(Ok(directory->OpenFile("lock", O_RDWR | O_CREAT)));
  EXPECT_TRUE(fs::exists(dir_ / "moved/lock"));
  EXPECT_TRUE(fs::is_empty(dir_ / "elsewhere"));
}

}  // namespace
}  // namespace tusfs
