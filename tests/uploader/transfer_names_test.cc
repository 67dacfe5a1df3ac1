// Transfer: what a file's name means for its upload.
#include <gmock/gmock.h>

#include "uploader/rig.h"

namespace tusfs {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class TransferNames : public TransferRig {
 protected:
  // The first chunk of an unfinished file is on the server.
  void SendFirstChunk() {
    Append(3 * kGranule);
    Next("POST", kEndpoint, CreatedAt(kUrl));
    NextPatch(kUrl, 0, 2 * kGranule, "(none)");
    Steps(2);
  }
};

// ---- ignored names

TEST_F(TransferNames, AnIgnoredFileNeverGetsAnUpload) {
  RenameTo("._clip.mov");
  Append(3 * kGranule);
  EXPECT_EQ(Step().next, std::nullopt) << "while it grows";
  FinishFile();
  EXPECT_EQ(Step().next, std::nullopt) << "nor at its end";
  EXPECT_THAT(Uploads(), IsEmpty());
}

TEST_F(TransferNames, ARenameOutOfAnIgnoredNameUploads) {
  RenameTo("clip.mov~");
  Append(1000);
  FinishFile();
  Steps(1);
  RenameTo("clip.mov");
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 1000, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheUpload()->path, "clip.mov");
}

TEST_F(TransferNames, ARenameIntoAnIgnoredNameStopsAndAbandonsItsUpload) {
  SendFirstChunk();
  auto const upload = TheUpload()->id;
  RenameTo("clip.mov~");
  EXPECT_EQ(Step().next, std::nullopt);
  EXPECT_THAT(ownerless_, testing::ElementsAre(upload));
  EXPECT_TRUE(TheInode().upload.IsNil());
  EXPECT_EQ(Step().next, std::nullopt) << "and no other is made";
}

TEST_F(TransferNames, WhatMayBePublishedAlreadyIsNotGivenUpForItsName) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Next("PATCH", kUrl, [this](tus::HttpRequest const&) {
    RenameTo("clip.mov~");
    return Broken(tus::ErrorCode::kInterrupted);
  });
  Steps(2);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kFinalSent);
  clock_.Advance(std::chrono::minutes(1));
  Next("HEAD", kUrl, HeadAnswer(1000, 1000));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_THAT(ownerless_, IsEmpty());
}

TEST_F(TransferNames, AFileThatIsRenamedIntoAnIgnoredNameIsNotPublishedUnderTheOldOne) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, [this](tus::HttpRequest const&) {
    RenameTo("clip.mov~");
    return CreatedAt(kUrl);
  });
  Steps(3);  // no PATCH: the script is at its end
  EXPECT_NE(TheInode().content, Content::kUploaded);
  EXPECT_THAT(ownerless_, SizeIs(1));
}

// ---- names that no server takes

class TooLong : public TransferNames {
 protected:
  TooLong() { shared_.options.metadata.push_back({"path2", std::string(20'000, 'x')}); }
};

TEST_F(TooLong, AreRefusedHereWithASentenceAndNotTriedOnTheServer) {
  Append(1000);
  FinishFile();
  auto const outcome = Step();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, testing::HasSubstr("its metadata takes"));
  EXPECT_EQ(outcome.next, clock_.Steady() + shared_.options.retry_failed);
  Steps(2);  // and nothing goes out: the script is at its end
}

TEST_F(TooLong, DoNotStreamEither) {
  Append(3 * kGranule);
  EXPECT_EQ(Step().next, std::nullopt);
  EXPECT_THAT(Uploads(), IsEmpty());
}

TEST_F(TransferNames, ARefusedFileIsTriedAtOnceUnderAnotherName) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, tus::TusAnswer(400));
  Steps(1);
  ASSERT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_FALSE(IsNow(Step().next));
  RenameTo("clip.mov");
  EXPECT_TRUE(IsNow(Step().next));
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 1000, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

}  // namespace
}  // namespace tusfs
