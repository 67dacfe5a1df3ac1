// Metadata of directories: who is nearest counts, and what tusfs itself goes by stays.
#include "uploader/inherited_metadata.h"

#include <gmock/gmock.h>

#include "base/fakes.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using KeyValue = std::pair<std::string, std::string>;

// /top/inner/file
class InheritedMetadataTest : public testing::Test {
 protected:
  InheritedMetadataTest() {
    auto const made = store_->Update([&](Transaction& transaction) -> Result<void> {
      for (auto const id : {kRootInode, kTop, kInner}) {
        Inode directory;
        directory.id = id;
        directory.type = FileType::kDirectory;
        directory.links = 2;
        directory.parent = id == kRootInode ? 0 : id == kTop ? kRootInode : kTop;
        PutInode(transaction, directory);
      }
      return {};
    });
    EXPECT_TRUE(Ok(made));
    file_.id = 10;
    file_.parent = kInner;
  }

  void Say(InodeId inode, std::string const& name, std::string const& value) {
    auto const put = store_->Update([&](Transaction& transaction) -> Result<void> {
      PutXattr(transaction, inode, name, value);
      return {};
    });
    ASSERT_TRUE(Ok(put));
  }

  tus::Metadata Inherited() {
    return store_->Read([&](View const& view) { return InheritedMetadata(view, file_); }).value();
  }

  static constexpr InodeId kTop = 2;
  static constexpr InodeId kInner = 3;
  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> const store_ =
      Store::Open(dir_ / "catalog", {.journal_size = 1 << 20}, QuietLogger()).value();
  Inode file_;
};

TEST_F(InheritedMetadataTest, TheNearestCounts) {
  Say(kRootInode, "user.tus.meta.project", "dune");
  Say(kRootInode, "user.tus.meta.unit", "main");
  Say(kTop, "user.tus.meta.unit", "second");
  Say(kInner, "user.tus.meta.card", "A001");
  Say(kInner, "user.comment", "is none");
  Say(file_.id, "user.tus.meta.card", "A002");
  EXPECT_THAT(Inherited(),
              UnorderedElementsAre(KeyValue{"project", "dune"}, KeyValue{"unit", "second"},
                                   KeyValue{"card", "A002"}));
}

TEST_F(InheritedMetadataTest, WhatTusfsGoesByCannotBeSaid) {
  Say(kTop, "user.tus.meta.tusfsId", "another");
  EXPECT_THAT(Inherited(), IsEmpty());
}

TEST_F(InheritedMetadataTest, StandsAboveTheTemplatesAndAnEmptyOneLeavesTheKeyOut) {
  tus::Metadata const templates{{"filename", "a"}, {"project", "none"}, {"mtime", "1"}};
  EXPECT_THAT(WithInherited(templates, {{"project", "dune"}, {"mtime", ""}, {"card", "A001"}}),
              UnorderedElementsAre(KeyValue{"filename", "a"}, KeyValue{"project", "dune"},
                                   KeyValue{"card", "A001"}));
}

TEST_F(InheritedMetadataTest, AKeyThatNoServerTakesIsNamed) {
  EXPECT_FALSE(WhyNoMetadataKey("user.tus.meta.project"));
  EXPECT_FALSE(WhyNoMetadataKey("user.comment"));
  for (auto const* key : {"", "a b", "a,b", "caf\xc3\xa9", "tusfsId", "tusfsEncoding"}) {
    EXPECT_TRUE(WhyNoMetadataKey("user.tus.meta." + std::string(key))) << key;
  }
  EXPECT_THAT(*WhyNoMetadataKey("user.tus.meta.tusfsId"), HasSubstr("tusfs itself"));
}

}  // namespace
}  // namespace tusfs
