// The guard of an upload's life: every phase, with all bytes here and without.
#include "catalog/give_up.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

constexpr UploadPhase kPhases[] = {UploadPhase::kIntent,    UploadPhase::kCreated,
                                   UploadPhase::kFinalSent, UploadPhase::kComplete,
                                   UploadPhase::kRefused,   UploadPhase::kUnconfirmed,
                                   UploadPhase::kVerifying};

bool MayGo(std::uint64_t trimmed, UploadPhase phase, GiveUpFor why) {
  Inode inode;
  inode.trimmed = trimmed;
  Upload upload;
  upload.phase = phase;
  return !WhyNotGivenUp(inode, upload, why);
}

TEST(GiveUp, BytesThatAreOnTheServerOnlyKeepAnUploadWhateverHappens) {
  for (auto const phase : kPhases) {
    EXPECT_FALSE(MayGo(1, phase, GiveUpFor::kTrouble));
    EXPECT_FALSE(MayGo(1, phase, GiveUpFor::kOtherBytes));
  }
  Inode inode;
  inode.trimmed = 4096;
  EXPECT_THAT(*WhyNotGivenUp(inode, Upload{}, GiveUpFor::kTrouble), testing::HasSubstr("4096"));
}

TEST(GiveUp, WhatMayBePublishedStaysUnlessItIsOfOtherBytes) {
  for (auto const phase : kPhases) {
    Upload upload;
    upload.phase = phase;
    EXPECT_EQ(MayGo(0, phase, GiveUpFor::kTrouble), !MayBePublished(upload));
    EXPECT_TRUE(MayGo(0, phase, GiveUpFor::kOtherBytes));
  }
  for (auto const phase : {UploadPhase::kIntent, UploadPhase::kCreated, UploadPhase::kRefused}) {
    EXPECT_TRUE(MayGo(0, phase, GiveUpFor::kTrouble));
  }
}

}  // namespace
}  // namespace tusfs
