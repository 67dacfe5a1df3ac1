// An archive that tar(1) takes.
#include "control/tar_gz.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cerrno>

#include "testing/files.h"
#include "testing/process.h"

namespace tusfs {
namespace {

using namespace tusfs_testing;

TEST(TarGzTest, TarUnpacksWhatWasPacked) {
  TempDir const dir;
  std::string const large(3 * 512 + 1, 'x');
  auto const packed =
      TarGz({{"report/a.txt", "first\n"}, {"report/empty", ""}, {"b", large}}, 86400);
  ASSERT_TRUE(packed);
  WriteFile(dir / "a.tar.gz", *packed);
  auto const unpacked = RunProgram({"tar", "-xzf", dir / "a.tar.gz", "-C", dir / "."});
  ASSERT_EQ(unpacked.code, 0) << unpacked.err;
  EXPECT_EQ(unpacked.err, "");
  EXPECT_EQ(ReadFile(dir / "report" / "a.txt"), "first\n");
  EXPECT_EQ(ReadFile(dir / "report" / "empty"), "");
  EXPECT_EQ(ReadFile(dir / "b"), large);
  struct stat seen {};
  ASSERT_EQ(::stat((dir / "b").c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777, 0600u);
  EXPECT_EQ(seen.st_mtime, 86400);
}

TEST(TarGzTest, ANameThatDoesNotFitIsRefused) {
  auto const packed = TarGz({{std::string(101, 'n'), ""}}, 0);
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ENAMETOOLONG);
  EXPECT_TRUE(TarGz({{std::string(100, 'n'), ""}}, 0));
}

}  // namespace
}  // namespace tusfs
