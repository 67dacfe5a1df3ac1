// What the server has of a file is not sent again when the same file comes again.
#include "filesystem/publishing_rig.h"

namespace tusfs {
namespace {

constexpr std::size_t kSize = 10'000'000;  // three digest blocks
constexpr std::uint64_t kChunk = 2 * Version::kGranule;

class Adoption : public PublishingRig {
 protected:
  Adoption() {
    adopt_timeout_ = std::chrono::hours(1);
    Mount();
  }

  Filesystem::Created Open(std::string const& name) {
    auto const found = fs_->Lookup(kRootInode, name);
    if (!found) return fs_->Create(me_, kRootInode, name, 0644, O_WRONLY).value();
    return {*found, fs_->Open(me_, found->inode, O_WRONLY | O_TRUNC).value()};
  }

  void Write(HandleId handle, std::string const& bytes, std::uint64_t offset = 0) {
    ASSERT_TRUE(Ok(fs_->Write(me_, handle, offset, std::as_bytes(std::span(bytes)))));
  }

  void Close(HandleId handle) {
    ASSERT_TRUE(Ok(fs_->Flush(me_, handle)));
    ASSERT_TRUE(Ok(fs_->Release(handle)));
  }

  void Copy(std::string const& bytes, std::string const& name = "clip") {
    auto const file = Open(name);
    Write(file.handle, bytes);
    Close(file.handle);
  }

  /// As `cp`, killed when the server has `sent` bytes or more.
  void CopyAndDie(std::string const& bytes, std::uint64_t sent, std::string const& name = "clip") {
    auto const file = Open(name);
    Write(file.handle, bytes);
    ASSERT_TRUE(WaitFor([&] { return server_.Stats().received_bytes >= sent; }));
    auto dying = me_;
    dying.pid = -1;  // nobody can say how it ended
    ASSERT_TRUE(Ok(fs_->Flush(dying, file.handle)));
    ASSERT_TRUE(Ok(fs_->Release(file.handle)));
  }

  /// A second copy of what was published, under a temporary name; all of it has been compared.
  InodeId CopyThatIsCompared() {
    Copy(bytes_);
    ExpectPublished();
    EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip")));
    Copy(bytes_, ".clip.aB3dEf");
    auto const inode = fs_->Lookup(kRootInode, ".clip.aB3dEf").value().inode;
    auto const row = store_->Read([&](View const& view) { return GetInode(view, inode); });
    auto const version = spool_->Find(row.value().version, kSize, 0).value();
    EXPECT_TRUE(WaitFor([&] {
      return version->WasSent({kSize - 1, kSize}) && !uploader_->IsSending(inode);
    }));
    return inode;
  }

  [[nodiscard]] std::uint64_t Received() const { return server_.Stats().received_bytes; }

  std::string const bytes_ = RandomBytes(kSize, 1);
  std::string const half_ = bytes_.substr(0, 6'000'000);
};

TEST_F(Adoption, ACopyThatWasKilledGoesOnWhenItIsRunAgain) {
  CopyAndDie(half_, 3'000'000);
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 1);
  EXPECT_LE(Received(), kSize + kChunk);
}

TEST_F(Adoption, ACopyUnderANewTemporaryNameGoesOnAsWell) {
  auto const first = Open(".clip.aB3dEf");
  Write(first.handle, half_);
  ASSERT_TRUE(WaitFor([&] { return Received() >= 3'000'000; }));
  Close(first.handle);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, ".clip.aB3dEf")));
  Copy(bytes_, ".clip.Xy12Zz");
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, ".clip.Xy12Zz", kRootInode, "clip", 0)));
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 1);
  EXPECT_LE(Received(), kSize + kChunk);
}

TEST_F(Adoption, TheSameFileCopiedAgainCostsNothing) {
  Copy(bytes_);
  ExpectPublished();
  auto const received = Received();
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(Received(), received);
  EXPECT_EQ(server_.Stats().published, 1);
  EXPECT_EQ(server_.Uploads().size(), 1U);
}

TEST_F(Adoption, AFileRemovedAndCopiedAgainCostsNothingAfterARemountToo) {
  Copy(bytes_);
  ExpectPublished();
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip")));
  Unmount();
  Mount();
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(Received(), kSize);
}

// Whoever looks on the server for what came last under the name has to find A.
TEST_F(Adoption, AnotherBodyThatWasPublishedSinceMeansSendingAgain) {
  Copy(bytes_);
  ExpectPublished();
  Copy(half_);
  ExpectPublished();
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 3);
  EXPECT_EQ(Received(), 2 * kSize + half_.size());
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 3) << "and then it is the last one";
}

TEST_F(Adoption, SoDoesAnEmptyOneAfterARemountToo) {
  Copy(bytes_);
  ExpectPublished();
  Close(Open("clip").handle);
  ExpectPublished();
  Unmount();
  Mount();
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 3);
}

TEST_F(Adoption, SoDoesOneThatHasAnotherNameByNow) {
  Copy(bytes_);
  ExpectPublished();
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, "clip", kRootInode, "first", 0)));
  Copy(half_);
  ExpectPublished();
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, "clip", kRootInode, "second", 0)));
  // The first one has its name again, but what was published last under it is the second.
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, "first", kRootInode, "clip", 0)));
  auto const report = Reporter(*store_, *spool_, *uploader_, *finishing_)
                          .Describe(fs_->Lookup(kRootInode, "clip")->inode);
  ASSERT_TRUE(Ok(report));
  EXPECT_EQ(report->state, "uploaded");
  EXPECT_THAT(report->error, testing::HasSubstr("something else"));
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 3);
}

TEST_F(Adoption, SoDoesOneThatWasBegunUnderATemporaryName) {
  Copy(bytes_);
  ExpectPublished();
  Copy(half_, ".clip.aB3dEf");
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, ".clip.aB3dEf", kRootInode, "clip", 0)));
  ExpectPublished();
  Copy(bytes_, ".clip.Xy12Zz");
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, ".clip.Xy12Zz", kRootInode, "clip", 0)));
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 3);
}

TEST_F(Adoption, ADifferenceIsNoticedWhereverItIs) {
  for (std::size_t const at : {std::size_t{0}, std::size_t{2'500'000}, std::size_t{2'999'999}}) {
    auto const before = server_.Stats();
    auto const name = "clip" + std::to_string(at);
    CopyAndDie(half_, before.received_bytes + 3'000'000, name);
    auto other = bytes_;
    other[at] ^= 1;
    Copy(other, name);
    ExpectPublished();
    EXPECT_EQ(server_.Stats().published, before.published + 1);
    EXPECT_GE(Received() - before.received_bytes, kSize + 3'000'000);
  }
}

TEST_F(Adoption, ADifferenceBehindThePointReachedDoesNotMatter) {
  CopyAndDie(half_, 3'000'000);
  ASSERT_TRUE(
      WaitFor([&] { return !uploader_->IsSending(fs_->Lookup(kRootInode, "clip")->inode); }));
  auto other = bytes_;
  other[kSize - 1] ^= 1;
  Copy(other);
  ExpectPublished();
  EXPECT_LE(Received(), kSize + kChunk);
}

TEST_F(Adoption, AShorterOrALongerFileIsAnotherOne) {
  Copy(bytes_);
  ExpectPublished();
  Copy(bytes_.substr(0, kSize - 1));
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 2);
  Copy(bytes_ + "x");
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 3);
}

TEST_F(Adoption, AnUploadThatTheServerHasLostIsBegunAnew) {
  CopyAndDie(half_, 3'000'000);
  ASSERT_TRUE(server_.Forget(server_.Uploads().at(0).id));
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 1);
}

TEST_F(Adoption, AFinishedUploadThatWasMovedAwayIsSentAgain) {
  Copy(bytes_);
  ExpectPublished();
  ASSERT_TRUE(server_.Forget(server_.Uploads().at(0).id));
  Copy(bytes_);
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 2);
  EXPECT_EQ(Received(), 2 * kSize);
}

TEST_F(Adoption, OneUploadGoesToOneOfTwoCopies) {
  CopyAndDie(half_, 3'000'000);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip")));
  auto const first = Open(".clip.aB3dEf");
  auto const second = Open(".clip.Xy12Zz");
  Write(first.handle, bytes_);
  Write(second.handle, bytes_);
  Close(first.handle);
  Close(second.handle);
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, ".clip.aB3dEf", kRootInode, "clip", 0)));
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, ".clip.Xy12Zz", kRootInode, "clip", 0)));
  ExpectPublished();
}

TEST_F(Adoption, ARewrittenBeginningIsNeverMixedWithWhatTheServerHas) {
  CopyAndDie(half_, 3'000'000);
  auto const file = Open("clip");
  Write(file.handle, bytes_);
  ASSERT_TRUE(WaitFor([&] { return Received() >= 8'000'000; }));
  Write(file.handle, "changed", 1'000);
  Close(file.handle);
  ExpectPublished();
}

TEST_F(Adoption, WhatWasComparedOfOneBodyProvesNothingOfTheNext) {
  CopyThatIsCompared();
  Copy(RandomBytes(kSize, 2), ".clip.aB3dEf");
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, ".clip.aB3dEf", kRootInode, "clip", 0)));
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 2);
}

TEST_F(Adoption, NorOfOneThatIsOpenedOnceMoreAndWrittenOver) {
  auto const inode = CopyThatIsCompared();
  auto const handle = fs_->Open(me_, inode, O_WRONLY).value();
  Write(handle, "changed", 5'000'000);
  Close(handle);
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, ".clip.aB3dEf", kRootInode, "clip", 0)));
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 2);
}

TEST_F(Adoption, WhatNobodyAdoptsIsTerminatedInTheEnd) {
  Unmount();
  adopt_timeout_ = std::chrono::milliseconds(300);
  Mount();
  CopyAndDie(half_, 3'000'000);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip")));
  EXPECT_EQ(server_.Uploads().size(), 1U);
  EXPECT_TRUE(WaitFor([&] { return server_.Uploads().empty(); }));
}

}  // namespace
}  // namespace tusfs
