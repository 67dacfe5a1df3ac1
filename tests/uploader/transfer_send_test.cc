// Transfer: what goes out, in which pieces, and what is journaled before it does.
#include <gmock/gmock.h>

#include "uploader/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using tus::HeaderOf;
using tus::HttpRequest;
using tus::TusAnswer;

class TransferSend : public TransferRig {};

// ---- growing

TEST_F(TransferSend, AFileTooSmallToStreamIsNotEvenCreatedWhileItGrows) {
  Append(kGranule);  // a granule, but not the byte behind it, which is held back
  EXPECT_EQ(Step().next, std::nullopt);
  EXPECT_TRUE(TheInode().upload.IsNil());
}

TEST_F(TransferSend, AGrowingFileIsCreatedWithoutLengthAndSentInWholeChunks) {
  Append(2 * kGranule + 1);
  Next("POST", kEndpoint, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Defer-Length"), "1");
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "(none)");
    EXPECT_EQ(request.body, nullptr);
    return CreatedAt(kUrl);
  });
  EXPECT_TRUE(IsNow(Step().next));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(1);
  EXPECT_EQ(TheUpload()->offset, 2 * kGranule);
}

TEST_F(TransferSend, HowFarABodyIsIsKnownWhileItIsSentAndNotAfterwards) {
  Append(2 * kGranule + 1);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  Next("PATCH", kUrl, [this](HttpRequest const& request) {
    request.on_sent(1000);
    EXPECT_EQ(shared_.in_flight.EndOf(kFile), 1000U);
    request.on_sent(2000);
    EXPECT_EQ(shared_.in_flight.EndOf(kFile), 3000U);
    EXPECT_EQ(shared_.in_flight.Inodes(), std::vector<InodeId>{kFile});
    return TusAnswer(204, {{"Upload-Offset", std::to_string(2 * kGranule)}});
  });
  Steps(1);
  EXPECT_EQ(shared_.in_flight.EndOf(kFile), 0U);
  EXPECT_THAT(shared_.in_flight.Inodes(), IsEmpty());
}

TEST_F(TransferSend, TheLastByteIsHeldBackWhileTheLengthIsUnknown) {
  Append(2 * kGranule);
  // Less than a chunk can go: it waits for more, then takes what there is, but never the last byte.
  EXPECT_NE(Step().next, std::nullopt);
  clock_.Advance(shared_.options.patience);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  clock_.Advance(shared_.options.patience);
  NextPatch(kUrl, 0, kGranule, "(none)");
  Steps(1);
  clock_.Advance(shared_.options.patience);
  Steps(3);  // nothing more may go out: the script is at its end
  EXPECT_EQ(TheUpload()->offset, kGranule);
}

TEST_F(TransferSend, BytesBehindAHoleDoNotGoOut) {
  Append(100);
  auto const bytes = tusfs_testing::RandomBytes(4 * kGranule);
  ASSERT_TRUE(Ok(version_->Write(101, std::as_bytes(std::span(bytes)))));
  EXPECT_EQ(Step().next, std::nullopt);
}

TEST_F(TransferSend, TheFinalPatchDeclaresTheLengthOnce) {
  Append(2 * kGranule + 1);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  Append(3 * kGranule);
  FinishFile();
  auto const size = body_.size();
  NextPatch(kUrl, 2 * kGranule, 4 * kGranule, "(none)");
  NextPatch(kUrl, 4 * kGranule, size, std::to_string(size));
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kComplete);
  Steps(2);  // and nothing is sent ever after
}

TEST_F(TransferSend, AFileThatWasCutToWhatIsSentIsFinishedByALengthWithoutBytes) {
  Append(2 * kGranule + 5);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  auto const cut = version_->Truncate(2 * kGranule);
  ASSERT_TRUE(Ok(cut));
  ASSERT_FALSE(cut->was_sent);
  body_.resize(2 * kGranule);
  FinishFile();
  NextPatch(kUrl, 2 * kGranule, 2 * kGranule, std::to_string(2 * kGranule));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferSend, AServerWithoutDeferLengthGetsTheFileWhenItIsFinished) {
  endpoint_.Failed({.code = tus::ErrorCode::kUnreachable,
                    .http_status = 0,
                    .retry_after = {},
                    .message = "down"});
  clock_.Advance(std::chrono::minutes(2));
  Announce("creation");
  Append(8 * kGranule);
  EXPECT_EQ(Step().next, std::nullopt);
  FinishFile();
  Next("POST", kEndpoint, [this](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), std::to_string(body_.size()));
    return CreatedAt(kUrl);
  });
  Steps(1);
}

TEST_F(TransferSend, AServerThatRefusesUnknownLengthsAfterAllGetsTheFinishedFile) {
  Append(8 * kGranule);
  Next("POST", kEndpoint, TusAnswer(400, {}, "no Upload-Length"));
  EXPECT_EQ(Step().next, std::nullopt);
  Steps(1);
  FinishFile();
  Next("POST", kEndpoint, [this](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), std::to_string(body_.size()));
    EXPECT_EQ(HeaderOf(request, "Upload-Defer-Length"), "(none)");
    return CreatedAt(kUrl);
  });
  Steps(1);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
}

// ---- finished before

TEST_F(TransferSend, AFinishedFileDeclaresItsLengthAtItsCreation) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "1000");
    auto const metadata = tus::DecodeMetadata(HeaderOf(request, "Upload-Metadata")).value();
    EXPECT_THAT(metadata, testing::Contains(testing::Pair("filename", "file.bin")));
    return CreatedAt(kUrl);
  });
  NextPatch(kUrl, 0, 1000, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

// ---- finished, on a fast network

class FinishedOnAFastNetwork : public TransferSend {
 protected:
  // Two blocks of digests, and a part of a third one.
  static constexpr std::uint64_t kSize = 2 * kDigestBlock + 5;

  FinishedOnAFastNetwork() {
    for (int i = 0; i < 60; ++i) {
      endpoint_.profile().Measured(kGranule << 11, std::chrono::seconds(1));
    }
    Append(kSize);
    FinishFile();
    Next("POST", kEndpoint, CreatedAt(kUrl));
    Steps(1);
  }
};

TEST_F(FinishedOnAFastNetwork, AFileGoesOutInOneBody) {
  NextPatch(kUrl, 0, kSize, "(none)");
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(FinishedOnAFastNetwork, NothingIsReadTwiceForALongBody) {
  Restart();  // nobody knows the digests any more
  Next("HEAD", kUrl, HeadAnswer(0, kSize));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  EXPECT_EQ(TheUpload()->offset, 2 * kGranule);
}

TEST_F(FinishedOnAFastNetwork, AVersionThatIsKeptOpenForItIsLetGoWhenItIsThere) {
  auto const id = version_->id();
  spool_->KeepOpen(std::move(version_));
  NextPatch(kUrl, 0, kSize, "(none)");
  EXPECT_NE(spool_->FindOpen(id), nullptr);
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(spool_->FindOpen(id), nullptr);
}

TEST_F(FinishedOnAFastNetwork, WhatLeavesIsCountedWhileItLeaves) {
  auto const sent = [this] {
    return store_->Read([](View const& view) { return GetTotals(view); }).value().sent;
  };
  Next("PATCH", kUrl, [&](HttpRequest const& request) {
    request.on_sent(kDigestBlock + 1);
    EXPECT_EQ(sent(), kDigestBlock + 1) << "a daemon that dies now has sent it all the same";
    request.on_sent(kSize - kDigestBlock - 1);
    return OffsetIs(kSize);
  });
  Steps(1);
  EXPECT_EQ(sent(), kSize);
}

TEST_F(FinishedOnAFastNetwork, ABodyWithAChecksumIsNotLong) {
  auto server = endpoint_.profile().Info().value();
  server.checksum_algorithms = {"sha1"};
  endpoint_.profile().Announced(server);
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(1);
}

TEST_F(TransferSend, AnEmptyFileIsUploadedByItsCreation) {
  FinishFile();
  Next("POST", kEndpoint, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Upload-Length"), "0");
    return CreatedAt(kUrl);
  });
  Steps(3);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferSend, AnEmptyFileWhoseCreationWasNotRecordedAsItsEndIsNeitherDeletedNorSentAgain) {
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  ChangeInode([](Inode& inode) { inode.content = Content::kFinished; });
  ChangeUpload([](Upload& upload) {
    upload.phase = UploadPhase::kCreated;  // killed between the two
    upload.receipt.clear();
  });
  Restart();
  Next("HEAD", kUrl, HeadAnswer(0, 0));
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_THAT(ownerless_, IsEmpty());
}

TEST_F(TransferSend, AFileThatGotBytesWhileItsEmptyUploadWasCreatedIsSentAgain) {
  FinishFile();
  Next("POST", kEndpoint, [this](HttpRequest const&) {
    ChangeInode([](Inode& inode) { inode.content = Content::kWriting; });
    Append(1000);
    FinishFile();
    return CreatedAt(kUrl);
  });
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kFinished);

  Next("POST", kEndpoint, CreatedAt(kSecondUrl));
  NextPatch(kSecondUrl, 0, 1000, "(none)");
  Steps(3);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(TheUpload()->url, kSecondUrl);
}

TEST_F(TransferSend, AWriterWhoCameWhileAnEmptyFileWasPublishedHasToWaitForTheUploader) {
  FinishFile();
  Next("POST", kEndpoint, [this](HttpRequest const&) {
    ChangeInode([](Inode& inode) { inode.content = Content::kWriting; });
    return CreatedAt(kUrl);
  });
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kWriting);
  EXPECT_TRUE(version_->WasSent({0, 1})) << "what is written now belongs to another upload";
}

TEST_F(TransferSend, AnInterruptedFileIsNotSent) {
  Append(8 * kGranule);
  ChangeInode([](Inode& inode) { inode.content = Content::kInterrupted; });
  Steps(3);
  ChangeInode([](Inode& inode) { inode.content = Content::kFailed; });
  Steps(3);
}

TEST_F(TransferSend, AFileWithoutANameIsNotSent) {
  Append(8 * kGranule);
  ChangeInode([](Inode& inode) { inode.links = 0; });
  Steps(2);
}

TEST_F(TransferSend, AFileLargerThanTheServerTakesIsRefusedWithoutAsking) {
  endpoint_.Failed({.code = tus::ErrorCode::kUnreachable,
                    .http_status = 0,
                    .retry_after = {},
                    .message = "down"});
  clock_.Advance(std::chrono::minutes(2));
  Announce("creation", {{"Tus-Max-Size", "999"}});
  Append(1000);
  FinishFile();
  Steps(1);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("999"));
  EXPECT_EQ(TheInode().content, Content::kFinished);
}

// ---- journaled first

TEST_F(TransferSend, TheIntentIsJournaledBeforeThePost) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, [this](HttpRequest const& request) {
    auto const uploads = Uploads();
    EXPECT_THAT(uploads, SizeIs(1));
    if (uploads.size() == 1) {
      EXPECT_EQ(uploads[0].phase, UploadPhase::kIntent);
      EXPECT_EQ(uploads[0].owner, kFile);
      EXPECT_EQ(TheInode().upload, uploads[0].id);
      auto const metadata = tus::DecodeMetadata(HeaderOf(request, "Upload-Metadata")).value();
      EXPECT_THAT(metadata, testing::Contains(testing::Pair("tusfsId", uploads[0].id.ToString())));
    }
    return CreatedAt(kUrl);
  });
  Steps(1);
}

TEST_F(TransferSend, TheUrlIsJournaledBeforeTheFirstPatchAndTheFrontierWithIt) {
  Append(4 * kGranule);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Next("PATCH", kUrl, [this](HttpRequest const&) {
    EXPECT_EQ(TheUpload()->url, kUrl);
    EXPECT_EQ(TheUpload()->phase, UploadPhase::kCreated);
    EXPECT_EQ(TheUpload()->frontier, 2 * kGranule);
    EXPECT_TRUE(version_->WasSent({2 * kGranule - 1, kNoEnd}));
    EXPECT_FALSE(version_->WasSent({2 * kGranule, kNoEnd}));
    return OffsetIs(2 * kGranule);
  });
  Steps(2);
}

TEST_F(TransferSend, FinalSentIsDurableBeforeTheFinalPatchGoesOut) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Next("PATCH", kUrl, [this](HttpRequest const&) {
    auto const uploads = UploadsAfterPowerCut();
    EXPECT_THAT(uploads, SizeIs(1));
    if (uploads.size() == 1) {
      EXPECT_EQ(uploads[0].phase, UploadPhase::kFinalSent);
      EXPECT_EQ(uploads[0].url, kUrl);
    }
    EXPECT_TRUE(version_->WasSent({1'000'000, kNoEnd})) << "sealed: no byte may change any more";
    return OffsetIs(1000);
  });
  Steps(2);
}

TEST_F(TransferSend, ALostCreationKeepsItsIdentityForTheNextTry) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, Broken(tus::ErrorCode::kInterrupted));
  auto const outcome = Step();
  EXPECT_GT(outcome.next, clock_.Steady()) << "backs off";
  auto const id = TheUpload()->id;
  clock_.Advance(std::chrono::minutes(2));
  Next("POST", kEndpoint, [&](HttpRequest const& request) {
    auto const metadata = tus::DecodeMetadata(HeaderOf(request, "Upload-Metadata")).value();
    EXPECT_THAT(metadata, testing::Contains(testing::Pair("tusfsId", id.ToString())));
    return CreatedAt(kUrl);
  });
  Steps(1);
  EXPECT_EQ(TheUpload()->url, kUrl);
}

TEST_F(TransferSend, AWriteBetweenLookAndFinalPatchKeepsItFromGoingOut) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  // The writer is there already, and the catalog does not know it yet.
  auto const bytes = std::string("x");
  ASSERT_TRUE(Ok(version_->Write(1000, std::as_bytes(std::span(bytes)))));
  Steps(1);  // no PATCH: the script is empty
  EXPECT_NE(TheInode().content, Content::kUploaded);
}

TEST_F(TransferSend, SentAndResentBytesAreCounted) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Next("PATCH", kUrl, [](HttpRequest const& request) {
    request.on_sent(600);
    return Broken(tus::ErrorCode::kInterrupted);
  });
  Steps(2);
  Next("HEAD", kUrl, HeadAnswer(100, 1000));
  Next("PATCH", kUrl, [](HttpRequest const& request) {
    request.on_sent(900);
    return OffsetIs(1000);
  });
  clock_.Advance(std::chrono::minutes(2));
  Steps(2);
  auto const totals = store_->Read([](View const& view) { return GetTotals(view); }).value();
  EXPECT_EQ(totals.sent, 1500U);
  EXPECT_GE(totals.resent, 500U);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferSend, TheReceiptOfTheFinalAnswerIsKept) {
  Append(10);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Next("PATCH", kUrl, TusAnswer(204, {{"Upload-Offset", "10"}, {"X-Asset", "4711"}}, "stored"));
  Steps(2);
  EXPECT_THAT(TheUpload()->receipt, HasSubstr("X-Asset: 4711"));
  EXPECT_THAT(TheUpload()->receipt, HasSubstr("stored"));
}

TEST_F(TransferSend, AnEndlessFinalBodyIsKeptInPartOnly) {
  Append(10);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Next("PATCH", kUrl, TusAnswer(200, {{"Upload-Offset", "10"}}, std::string(65'536, 'b')));
  Steps(2);
  EXPECT_LT(TheUpload()->receipt.size(), 5000U);
}

}  // namespace
}  // namespace tusfs
