// FileUrlStore: what is remembered is found again, by nobody else, and damage counts as missing.
#include "tusclient/url_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "testing/files.h"

namespace tus {
namespace {

using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

StoredUpload SomeUpload() {
  StoredUpload upload;
  upload.url = "https://tus.example.org/files/secret";
  upload.length = 4711;
  upload.end = UploadFacts::End::kSent;
  return upload;
}

mode_t ModeOf(std::filesystem::path const& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

class FileUrlStoreTest : public testing::Test {
 protected:
  std::filesystem::path OnlyFile() {
    std::filesystem::path found;
    for (auto const& entry : std::filesystem::directory_iterator(directory_)) found = entry.path();
    return found;
  }

  TempDir const dir_;
  std::filesystem::path const directory_ = dir_ / "uploads";
  FileUrlStore store_{directory_};
};

TEST_F(FileUrlStoreTest, WhatIsPutIsFoundByAnotherProgramUntilItIsRemoved) {
  ASSERT_TRUE(store_.Put("a fingerprint/of any\nkind", SomeUpload()));
  FileUrlStore other(directory_);
  auto const found = other.Find("a fingerprint/of any\nkind").value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->url, SomeUpload().url);
  EXPECT_EQ(found->length, SomeUpload().length);
  EXPECT_EQ(found->end, UploadFacts::End::kSent);
  EXPECT_FALSE(other.Find("another").value());
  ASSERT_TRUE(other.Remove("a fingerprint/of any\nkind"));
  EXPECT_FALSE(store_.Find("a fingerprint/of any\nkind").value());
  EXPECT_TRUE(store_.Remove("a fingerprint/of any\nkind")) << "what is not there is no error";
}

TEST_F(FileUrlStoreTest, ALaterRecordReplacesTheEarlierOne) {
  ASSERT_TRUE(store_.Put("f", SomeUpload()));
  auto next = SomeUpload();
  next.url += "2";
  ASSERT_TRUE(store_.Put("f", next));
  EXPECT_EQ(store_.Find("f").value()->url, next.url);
}

TEST_F(FileUrlStoreTest, IsPrivateToItsUser) {
  ASSERT_TRUE(store_.Put("f", SomeUpload()));
  EXPECT_EQ(ModeOf(directory_), 0700U);
  EXPECT_EQ(ModeOf(OnlyFile()), 0600U);
}

TEST_F(FileUrlStoreTest, ADamagedRecordCountsAsMissing) {
  ASSERT_TRUE(store_.Put("f", SomeUpload()));
  WriteFile(OnlyFile(), "nonsense");
  auto const found = store_.Find("f");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

TEST_F(FileUrlStoreTest, ADirectoryThatCannotBeUsedIsNamed) {
  WriteFile(directory_, "a file");
  auto const put = store_.Put("f", SomeUpload());
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().message.find(directory_.string()), std::string::npos)
      << put.error().message;
}

}  // namespace
}  // namespace tus
