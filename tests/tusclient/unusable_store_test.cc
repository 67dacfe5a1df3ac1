// Upload with a directory in which nothing can be remembered: it would begin anew each time, and
// leave an unfinished upload on the server each time.
#include <filesystem>

#include "testing/files.h"
#include "upload_rig.h"

namespace tus {
namespace {

using std::filesystem::perms;
using testing::HasSubstr;
using testing::IsEmpty;
using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

class UploadWithAnUnusableStore : public UploadRig {
 protected:
  TempDir const temp_;

  // The transport has no answers: any request fails the test.
  void ExpectNothingIsSent(std::filesystem::path const& directory, std::string const& why) {
    Announce({.creation = true});
    FileUrlStore store(directory);
    auto options = Options();
    options.store = &store;
    options.give_up = std::chrono::milliseconds(0);
    auto const receipt = Send(options);
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(receipt.error().message, HasSubstr("'" + directory.string() + "'"));
    EXPECT_THAT(receipt.error().message, HasSubstr(why));
    EXPECT_THAT(retries_, IsEmpty());
  }
};

TEST_F(UploadWithAnUnusableStore, SendsNothingWhereOthersCanWrite) {
  std::filesystem::create_directory(temp_ / "shared");
  std::filesystem::permissions(temp_ / "shared", perms::all);
  ExpectNothingIsSent(temp_ / "shared", "other users can write there");
}

TEST_F(UploadWithAnUnusableStore, SendsNothingWhereThereIsAFile) {
  WriteFile(temp_ / "file", "");
  ExpectNothingIsSent(temp_ / "file", "it is not a directory");
}

TEST_F(UploadWithAnUnusableStore, SendsNothingWhereNoDirectoryCanBeMade) {
  ExpectNothingIsSent("/proc/tusclient/uploads", "No such file or directory");
}

}  // namespace
}  // namespace tus
