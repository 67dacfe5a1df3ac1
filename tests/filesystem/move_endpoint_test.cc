// A state directory that goes to another server: nothing is published twice, nothing is forgotten.
#include "filesystem/move_endpoint.h"

#include <gmock/gmock.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr char const* kElsewhere = "http://elsewhere/files/";

class MoveEndpointTest : public FilesystemRig {
 protected:
  InodeId Finished(std::string const& name, std::string const& bytes) {
    auto const inode = MakeFile(name, bytes);
    ChangeRow(inode, [](Inode& row) { row.content = Content::kFinished; });
    return inode;
  }
  void SetPhase(Uuid const& id, UploadPhase phase) {
    auto const set = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto upload = FindUpload(transaction, id);
      if (!upload || !*upload) return Fail(ENOENT);
      (*upload)->phase = phase;
      PutUpload(transaction, **upload);
      return {};
    });
    EXPECT_TRUE(Ok(set));
  }
  std::optional<Upload> UploadOf(Uuid const& id) {
    auto const upload = store_->Read([&](View const& view) { return FindUpload(view, id); });
    EXPECT_TRUE(upload);
    return upload ? *upload : std::nullopt;
  }
  std::vector<std::string> Plan() {
    std::vector<std::string> told;
    auto const plan = PlanMove(*store_, [&](MovedFile const& file) {
      told.push_back(file.path + " " + std::to_string(static_cast<int>(file.what)) + " " +
                     std::to_string(file.size));
    });
    EXPECT_TRUE(plan);
    if (plan) summary_ = *plan;
    return told;
  }
  void Move() { EXPECT_TRUE(Ok(MoveToEndpoint(*store_, kElsewhere, "http://tus/"))); }

  MoveSummary summary_;
};

TEST_F(MoveEndpointTest, WhatIsNotThereYetBeginsAnew) {
  auto const half = Finished("half", "12345678");
  auto const upload = GiveUpload(half, 4);
  auto const open = MakeFile("open", "123");
  GiveUpload(open, 1);
  EXPECT_THAT(Plan(), UnorderedElementsAre("half 0 8", "open 1 3"));
  EXPECT_EQ(Row(half).upload, upload) << "a plan changes nothing";
  EXPECT_EQ(summary_.from, kTestEndpoint);

  Move();

  EXPECT_TRUE(Row(half).upload.IsNil());
  EXPECT_TRUE(Row(open).upload.IsNil());
  EXPECT_FALSE(UploadOf(upload));
  EXPECT_EQ(Row(half).content, Content::kFinished);
  EXPECT_EQ(BytesOf(half), "12345678");
}

TEST_F(MoveEndpointTest, WhatTheServerHadRefusedBeginsAnewToo) {
  auto const inode = Finished("refused", "123");
  SetPhase(GiveUpload(inode, 1), UploadPhase::kRefused);
  Move();
  EXPECT_TRUE(Row(inode).upload.IsNil());
}

TEST_F(MoveEndpointTest, WhatMayBePublishedIsNotSentAgainByItself) {
  for (auto const phase :
       {UploadPhase::kFinalSent, UploadPhase::kVerifying, UploadPhase::kUnconfirmed}) {
    auto const inode = Finished("f" + std::to_string(static_cast<int>(phase)), "12345");
    auto const id = GiveUpload(inode, 5);
    SetPhase(id, phase);
    Move();
    EXPECT_EQ(Row(inode).upload, id);
    auto const upload = UploadOf(id);
    ASSERT_TRUE(upload);
    EXPECT_EQ(upload->phase, UploadPhase::kUnconfirmed);
    EXPECT_EQ(upload->url, "") << "nobody asks the old server for it";
    EXPECT_THAT(upload->error, HasSubstr("its end was sent to http://tus/"));
  }
  EXPECT_EQ(Plan().size(), 3u);
}

TEST_F(MoveEndpointTest, WhatIsUploadedStaysKnownAndIsNoLongerAdopted) {
  auto const inode = Finished("done", "12345");
  auto const id = GiveUpload(inode, 5);
  SetPhase(id, UploadPhase::kComplete);
  ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
  EXPECT_THAT(Plan(), IsEmpty());
  EXPECT_EQ(summary_.uploaded, 1u);

  Move();

  EXPECT_EQ(Row(inode).content, Content::kUploaded);
  EXPECT_EQ(Row(inode).upload, id);
  auto const detached = store_->Update([&](Transaction& transaction) {
    auto row = GetInode(transaction, inode);
    EXPECT_TRUE(row);
    return DetachUpload(transaction, *row);
  });
  ASSERT_TRUE(detached);
  EXPECT_FALSE(*detached) << "the old server is not asked what it has of it";
  EXPECT_FALSE(UploadOf(id));
}

TEST_F(MoveEndpointTest, WhatLostItsFileIsForgotten) {
  auto const inode = Finished("gone", "12345");
  auto const id = GiveUpload(inode, 3);
  auto const detached = store_->Update([&](Transaction& transaction) -> Result<void> {
    auto row = GetInode(transaction, inode);
    if (!row) return Failure(row.error());
    auto const lost = DetachUpload(transaction, *row);
    PutInode(transaction, *row);
    return lost ? Result<void>() : Failure(lost.error());
  });
  ASSERT_TRUE(Ok(detached));
  ASSERT_TRUE(UploadOf(id));
  Move();
  EXPECT_FALSE(UploadOf(id));
}

TEST_F(MoveEndpointTest, AFileWithBytesThatOnlyTheOldServerHasStays) {
  auto const inode = Finished("trimmed", "12345678");
  GiveUpload(inode, 4);
  ChangeRow(inode, [](Inode& row) { row.trimmed = 4; });
  EXPECT_THAT(Plan(), UnorderedElementsAre("trimmed 3 8"));
  EXPECT_EQ(summary_.staying, 1u);
}

TEST_F(MoveEndpointTest, TheStateIsOfTheNewServerThenAndOfNoOther) {
  MakeFile("file", "123");
  Move();
  auto const recover = [&](char const* endpoint) {
    return Recover(*store_, *spool_, clock_,
                   {.endpoint = endpoint, .boot_id = "first boot", .uid = 1000, .gid = 1000});
  };
  auto const refused = recover(kTestEndpoint);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EXDEV);
  EXPECT_TRUE(recover(kElsewhere));
}

}  // namespace
}  // namespace tusfs
