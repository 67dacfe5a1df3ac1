// What is kept of an upload for another body of its bytes.
#include "catalog/adoptable.h"

#include <gmock/gmock.h>

#include "catalog/store_harness.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

BlockDigest Digest(std::uint8_t number, std::uint32_t length = kDigestBlock) {
  BlockDigest digest{.length = length, .digest = {}};
  digest.digest.fill(number);
  return digest;
}

class Adoptable : public testing::Test {
 protected:
  Result<void> Change(std::function<Result<void>(Transaction&)> const& change) {
    return store_->Update(change);
  }
  Result<void> Put(std::uint64_t first, std::vector<BlockDigest> const& digests) {
    return Change([&](Transaction& t) { return PutDigests(t, upload_.id, first, digests); });
  }
  std::optional<BlockDigest> Find(std::uint64_t block) {
    return store_->Read([&](View const& view) { return FindDigest(view, upload_.id, block); })
        .value();
  }
  std::vector<Uuid> Listed(std::string const& path) {
    std::vector<Uuid> ids;
    auto const uploads = store_->Read([&](View const& view) { return ListAdoptable(view, path); });
    for (auto const& upload : uploads.value()) ids.push_back(upload.id);
    return ids;
  }
  /// A file has the upload and loses it.
  std::optional<Uuid> Detach(bool adoptable) {
    Inode inode;
    inode.id = upload_.owner = 2;
    inode.upload = upload_.id;
    std::optional<Uuid> ownerless;
    EXPECT_TRUE(Ok(Change([&](Transaction& t) -> Result<void> {
      PutUpload(t, upload_);
      return {};
    })));
    EXPECT_TRUE(Ok(Change([&](Transaction& t) -> Result<void> {
      ownerless = DetachUpload(t, inode, adoptable).value();
      return {};
    })));
    EXPECT_TRUE(inode.upload.IsNil());
    return ownerless;
  }

  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> store_ = OpenStore(dir_ / "catalog");
  Upload upload_{.id = Uuid::Random(),
                 .owner = 0,
                 .version = 3,
                 .phase = UploadPhase::kCreated,
                 .url = "http://tus/files/secret",
                 .path = std::string(3000, 'p'),
                 .offset = 1,
                 .frontier = 2,
                 .length = {},
                 .created = 4,
                 .expires = 0,
                 .at_rest = 0,
                 .error = {},
                 .receipt = {}};
};

TEST_F(Adoptable, DigestsComeBackAcrossGroups) {
  std::vector<BlockDigest> digests;
  for (std::uint8_t i = 0; i < 200; ++i) digests.push_back(Digest(i));
  digests.push_back(Digest(200, 77));
  ASSERT_TRUE(Ok(Put(0, digests)));
  store_.reset();
  store_ = OpenStore(dir_ / "catalog");
  for (std::uint64_t block = 0; block < digests.size(); ++block) {
    EXPECT_EQ(Find(block), digests[block]) << block;
  }
  EXPECT_EQ(Find(201), std::nullopt);
}

TEST_F(Adoptable, ALaterDigestOfABlockReplacesTheEarlierOne) {
  ASSERT_TRUE(Ok(Put(0, {Digest(1), Digest(2, 100)})));
  ASSERT_TRUE(Ok(Put(1, {Digest(3, 200)})));
  EXPECT_EQ(Find(0), Digest(1));
  EXPECT_EQ(Find(1), Digest(3, 200));
}

TEST_F(Adoptable, DigestsHaveNoGaps) { EXPECT_EQ(CodeOf(Put(5, {Digest(1)})), EINVAL); }

TEST_F(Adoptable, AnUploadThatLostItsFileIsFoundByItsPathHoweverLong) {
  EXPECT_EQ(Detach(true), upload_.id);
  EXPECT_THAT(Listed(upload_.path), ElementsAre(upload_.id));
  EXPECT_THAT(Listed(upload_.path + "x"), IsEmpty());
}

TEST_F(Adoptable, OneThatCanNeverBecomeRightIsNot) {
  EXPECT_EQ(Detach(false), upload_.id);
  EXPECT_THAT(Listed(upload_.path), IsEmpty());
}

TEST_F(Adoptable, ARefusedOneIsNot) {
  upload_.phase = UploadPhase::kRefused;
  EXPECT_EQ(Detach(true), upload_.id);
  EXPECT_THAT(Listed(upload_.path), IsEmpty());
}

TEST_F(Adoptable, APublishedOneIsKeptForACopyAndForgottenOtherwise) {
  upload_.phase = UploadPhase::kComplete;
  EXPECT_EQ(Detach(true), upload_.id);
  EXPECT_THAT(Listed(upload_.path), ElementsAre(upload_.id));
  EXPECT_EQ(Detach(false), std::nullopt);
}

TEST_F(Adoptable, TheOneThatIsAboutToBePublishedIsTheLastOfItsPath) {
  auto second = upload_;
  second.id = Uuid::Random();
  auto elsewhere = upload_;
  elsewhere.id = Uuid::Random();
  elsewhere.path += "x";
  auto const publish = [&](Upload& upload) {
    EXPECT_TRUE(Ok(Change([&](Transaction& t) -> Result<void> {
      if (auto marked = WillBeLast(t, upload); !marked) return marked;
      PutUpload(t, upload);
      return {};
    })));
  };
  auto const is_last = [&](Upload const& upload) {
    return store_->Read([&](View const& view) { return FindUpload(view, upload.id); })
        .value()
        ->last;
  };
  publish(upload_);
  publish(elsewhere);
  EXPECT_TRUE(is_last(upload_));
  publish(second);
  EXPECT_TRUE(is_last(second));
  EXPECT_TRUE(is_last(elsewhere));
  EXPECT_FALSE(is_last(upload_));
  // The first one's answer comes late: nobody knows which of the two was the last.
  EXPECT_TRUE(Ok(Change([&](Transaction& t) -> Result<void> {
    auto late = FindUpload(t, upload_.id).value();
    if (auto marked = WasPublished(t, *late); !marked) return marked;
    PutUpload(t, *late);
    return {};
  })));
  EXPECT_FALSE(is_last(upload_));
  EXPECT_FALSE(is_last(second));
  EXPECT_THAT(Listed(upload_.path), IsEmpty()) << "none of them has lost its owner";
}

TEST_F(Adoptable, WhoWasLastIsKeptForAsLongAsItsUpload) {
  EXPECT_TRUE(Ok(Change([&](Transaction& t) -> Result<void> {
    if (auto marked = WillBeLast(t, upload_); !marked) return marked;
    PutUpload(t, upload_);
    return {};
  })));
  EXPECT_NE(Dump(*store_, Table::kTargets), "");
  EXPECT_TRUE(Ok(Change([&](Transaction& t) { return DeleteUpload(t, upload_); })));
  EXPECT_EQ(Dump(*store_, Table::kTargets), "");
}

TEST_F(Adoptable, ADeletedUploadLeavesNothing) {
  ASSERT_TRUE(Ok(Put(0, {Digest(1), Digest(2)})));
  Detach(true);
  ASSERT_TRUE(Ok(Change([&](Transaction& t) { return DeleteUpload(t, upload_); })));
  EXPECT_EQ(Find(0), std::nullopt);
  EXPECT_THAT(Listed(upload_.path), IsEmpty());
}

}  // namespace
}  // namespace tusfs
