// Transfer: what rules say of a file's path stands above the mount's own options.
#include <gmock/gmock.h>
#include <tusclient/metadata.h>

#include <map>

#include "uploader/rig.h"

namespace tusfs {
namespace {

using testing::IsEmpty;

class TransferRules : public TransferRig {
 protected:
  PathRule& Rule(std::string const& glob) {
    auto& rule = list_.emplace_back();
    rule.files = GlobsOf({glob});
    return rule;
  }
  void InForce() { rules_.by_path = PathRules(list_); }

  // The upload is created; `metadata_` is what the server was told.
  void NextCreation() {
    Next("POST", kEndpoint, [this](tus::HttpRequest const& request) {
      auto const pairs = tus::DecodeMetadata(tus::HeaderOf(request, "Upload-Metadata")).value();
      metadata_ = {pairs.begin(), pairs.end()};
      return CreatedAt(kUrl);
    });
  }

  std::vector<PathRule> list_;
  std::map<std::string, std::string> metadata_;
};

TEST_F(TransferRules, NothingIsSentBeforeTheFileIsFinishedWhereItStartsClosed) {
  Rule("*.bin").start = StartOf::kClosed;
  InForce();
  Append(2 * kGranule);
  EXPECT_EQ(Step().next, std::nullopt) << "its end will tell";
  EXPECT_THAT(Uploads(), IsEmpty());
  FinishFile();
  NextCreation();
  NextPatch(kUrl, 0, body_.size(), "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferRules, ATemporaryNameCountsAsTheOneThatItWillGet) {
  Rule("*.bin").start = StartOf::kClosed;
  InForce();
  RenameTo(".clip.bin.a1B2c3");
  Append(5 * kGranule);
  EXPECT_EQ(Step().next, std::nullopt);
  EXPECT_THAT(Uploads(), IsEmpty());
}

TEST_F(TransferRules, AFileThatIsRenamedOutOfThePatternStreams) {
  Rule("*.bin").start = StartOf::kClosed;
  InForce();
  Append(5 * kGranule);
  Steps(1);
  RenameTo("clip.mov");
  NextCreation();
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  EXPECT_EQ(TheUpload()->offset, 2 * kGranule);
}

TEST_F(TransferRules, AnUploadThatHasBegunWaitsForTheEndWhereAReloadSaysClosed) {
  Append(3 * kGranule);
  NextCreation();
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  Rule("*").start = StartOf::kClosed;
  InForce();
  Append(kGranule);
  EXPECT_EQ(Step().next, std::nullopt);
  FinishFile();
  memory_ = {};  // its job was over
  Next("HEAD", kUrl, HeadAnswer(2 * kGranule, std::nullopt));
  NextPatch(kUrl, 2 * kGranule, body_.size(), std::to_string(body_.size()));
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded) << "and what it has is not sent again";
}

TEST_F(TransferRules, MetadataOfTheRuleGoesAlong) {
  Rule("/*.bin").metadata = {{"kind", "raw {name}"}, {"filetype", ""}};
  Rule("*").metadata = {{"kind", "any"}, {"sha1", "{sha1}"}};
  InForce();
  Append(10);
  FinishFile();
  NextCreation();
  Steps(1);
  EXPECT_EQ(metadata_["kind"], "raw file.bin");
  EXPECT_EQ(metadata_.count("filetype"), 0U);
  EXPECT_EQ(metadata_["filename"], "file.bin") << "what no rule names stays";
  EXPECT_EQ(metadata_["sha1"].size(), 40U) << "taken because the rule wants it";
}

TEST_F(TransferRules, ARuleWantsItVerifiedOrNot) {
  Rule("*.bin").verify = Verification::kHead;
  InForce();
  Append(10);
  FinishFile();
  NextCreation();
  NextPatch(kUrl, 0, 10, "(none)");
  Steps(2);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kVerifying);
  Next("HEAD", kUrl, HeadAnswer(10, 10));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferRules, WhatARuleExemptsIsNotVerified) {
  shared_.options.verify = Verification::kDownload;
  Rule("*.bin").verify = Verification::kOff;
  InForce();
  Append(10);
  FinishFile();
  NextCreation();
  NextPatch(kUrl, 0, 10, "(none)");
  Steps(2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

}  // namespace
}  // namespace tusfs
