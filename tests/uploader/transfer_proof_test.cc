// Transfer: what is uploaded has its proof, with the digests of what went out.
#include <gmock/gmock.h>

#include "catalog/proofs.h"
#include "uploader/rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tus::TusAnswer;

class TransferProof : public TransferRig {
 protected:
  std::vector<Proof> Proofs() const {
    return store_->Read([](View const& view) { return ListProofs(view, 100); }).value();
  }

  [[nodiscard]] WholeDigests DigestsOfBody() const {
    FileDigest digest(true);
    digest.Pass(0, std::as_bytes(std::span(body_)));
    return digest.Digests(body_.size());
  }

  void Create(std::uint64_t size) {
    Append(size);
    FinishFile();
    Next("POST", kEndpoint, CreatedAt(kUrl));
    Steps(1);
  }
};

TEST_F(TransferProof, OfAFileThatWentOutHasTheDigestsOfItsBytes) {
  Create(1000);
  NextPatch(kUrl, 0, 1000, "(none)");
  Steps(1);
  ASSERT_THAT(Proofs(), SizeIs(1));
  auto const proof = Proofs()[0];
  EXPECT_EQ(proof.fate, Fate::kUploaded);
  EXPECT_EQ(proof.proved, ProvedBy::kOffset);
  EXPECT_EQ(proof.size, 1000U);
  EXPECT_EQ(proof.upload, TheUpload()->id);
  EXPECT_EQ(proof.requests, 1U);
  EXPECT_EQ(proof.digests, DigestsOfBody());
  EXPECT_EQ(TheUpload()->digests, proof.digests) << "for whoever adopts it as it is";
  BlockHasher block;
  block.Update(std::as_bytes(std::span(body_)));
  EXPECT_EQ(proof.root, RootOf({block.Digest()}));
}

TEST_F(TransferProof, AfterARestartInTheMiddleTheBlocksAreKnownAlone) {
  Create(4 * kGranule);
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(1);
  ASSERT_THAT(Proofs(), IsEmpty());
  Restart();
  Next("HEAD", kUrl, HeadAnswer(2 * kGranule, 4 * kGranule));
  NextPatch(kUrl, 2 * kGranule, 4 * kGranule, "(none)");
  Steps(2);
  ASSERT_THAT(Proofs(), SizeIs(1));
  EXPECT_EQ(Proofs()[0].digests, WholeDigests{});
  EXPECT_THAT(Proofs()[0].root, SizeIs(16));
}

TEST_F(TransferProof, BytesThatWereSentTwiceAreDigestedOnce) {
  Create(1000);
  Next("PATCH", kUrl, [this](tus::HttpRequest const& request) {
    ExpectBytes(request, 0, 1000, "(none)");
    return Broken(tus::ErrorCode::kInterrupted);
  });
  Steps(1);
  Next("HEAD", kUrl, HeadAnswer(400, 1000));
  NextPatch(kUrl, 400, 1000, "(none)");
  clock_.Advance(std::chrono::minutes(1));
  Steps(2);
  ASSERT_THAT(Proofs(), SizeIs(1));
  EXPECT_EQ(Proofs()[0].digests, DigestsOfBody());
  EXPECT_EQ(Proofs()[0].requests, 2U);
}

TEST_F(TransferProof, OfAnEmptyFileIsThatOfNoBytes) {
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  ASSERT_THAT(Proofs(), SizeIs(1));
  EXPECT_EQ(Proofs()[0].digests, DigestsOfBody());
}

TEST_F(TransferProof, ARefusalHasTheWordsOfTheServer) {
  Append(1000);
  FinishFile();
  Next("POST", kEndpoint, TusAnswer(413, {}));
  Steps(1);
  ASSERT_THAT(Proofs(), SizeIs(1));
  EXPECT_EQ(Proofs()[0].fate, Fate::kRefused);
  EXPECT_THAT(Proofs()[0].reason, HasSubstr("413"));
}

}  // namespace
}  // namespace tusfs
