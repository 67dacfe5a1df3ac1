// Transfer: what it makes of checksums, expiration, idempotency keys and locks.
#include <gmock/gmock.h>

#include <ctime>

#include "uploader/rig.h"

namespace tusfs {
namespace {

class TransferExtensionsTest : public TransferRig {};

// ---- checksums

TEST_F(TransferExtensionsTest, ADamagedChunkIsSentAgainAndAskedForAfterThree) {
  endpoint_.Probed(tus::ServerInfo{.creation = true, .checksum_algorithms = {"sha1", "sha256"}});
  Append(10);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Step();
  for (int i = 0; i < 3; ++i) {
    Next("PATCH", kUrl, [](tus::HttpRequest const& request) {
      EXPECT_TRUE(tus::HeaderOf(request, "Upload-Checksum").starts_with("sha256 "));
      return tus::TusAnswer(460);
    });
    EXPECT_EQ(IsNow(Step().next), i < 2);
  }
  Next("HEAD", kUrl, HeadAnswer(0, 10));
  Step();
  NextPatch(kUrl, 0, 10, "(none)");
  EXPECT_TRUE(Step().over);
}

TEST_F(TransferExtensionsTest, AChecksumThatIsRefusedIsLeftOut) {
  endpoint_.Probed(tus::ServerInfo{.creation = true, .checksum_algorithms = {"sha256"}});
  Append(10);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Step();
  Next("PATCH", kUrl, tus::TusAnswer(400, {}, "unsupported checksum algorithm"));
  EXPECT_TRUE(IsNow(Step().next));
  Next("HEAD", kUrl, HeadAnswer(0, 10));
  Step();
  Next("PATCH", kUrl, [](tus::HttpRequest const& request) {
    EXPECT_EQ(tus::HeaderOf(request, "Upload-Checksum"), "(none)");
    return OffsetIs(10);
  });
  EXPECT_TRUE(Step().over);
}

// ---- an upload's own trouble

TEST_F(TransferExtensionsTest, TheIdempotencyKeyIsThatOfOneCreation) {
  std::vector<std::string> keys;
  auto const note = [&](tus::Result<tus::HttpResponse> answer) {
    return [&keys, answer](tus::HttpRequest const& request) {
      keys.push_back(tus::HeaderOf(request, "Idempotency-Key"));
      return answer;
    };
  };
  Append(3 * kGranule);
  Next("POST", kEndpoint, note(Broken(tus::ErrorCode::kInterrupted)));
  Step();
  clock_.Advance(std::chrono::seconds(10));
  Next("POST", kEndpoint, note(Broken(tus::ErrorCode::kInterrupted)));
  Step();
  clock_.Advance(std::chrono::seconds(10));
  FinishFile();
  Next("POST", kEndpoint, note(CreatedAt(kUrl)));
  Step();
  ASSERT_EQ(keys.size(), 3U);
  EXPECT_EQ(keys[0].size(), 32U);
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_NE(keys[1], keys[2]) << "the length is known by now: not the same request";
}

TEST_F(TransferExtensionsTest, AnUploadThatStaysLockedIsMadeAnew) {
  Append(10);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Step();
  memory_.recheck = true;
  for (int i = 0; i < 10; ++i) {
    Next("HEAD", kUrl, [&](tus::HttpRequest const&) {
      clock_.Advance(std::chrono::seconds(20));
      return tus::TusAnswer(500);
    });
    Step();
    clock_.Advance(std::chrono::minutes(2));
  }
  EXPECT_EQ(ownerless_.size(), 1U);
  Next("POST", kEndpoint, CreatedAt(kSecondUrl));
  Step();
  EXPECT_EQ(TheUpload()->url, kSecondUrl);
}

TEST_F(TransferExtensionsTest, AQuick500IsNoLock) {
  Append(10);
  FinishFile();
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Step();
  memory_.recheck = true;
  for (int i = 0; i < 20; ++i) {
    Next("HEAD", kUrl, tus::TusAnswer(500));
    Step();
    clock_.Advance(std::chrono::minutes(2));
  }
  EXPECT_EQ(TheUpload()->url, kUrl);
}

// ---- expiration

class TransferExpiryTest : public TransferExtensionsTest {
 protected:
  /// A whole number of seconds, as dates are.
  FileTime const expires_ = clock_.Wall() / 1'000'000'000 * 1'000'000'000 + 3600'000'000'000;

  static tus::Header ExpiresAt(FileTime time) {
    auto const seconds = static_cast<std::time_t>(time / 1'000'000'000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[40];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {"Upload-Expires", text};
  }

  /// A slow writer's upload, all of which that can be sent is sent.
  void CreateStream() {
    Append(2 * kGranule + 1);
    Next("POST", kEndpoint, tus::TusAnswer(201, {{"Location", kUrl}, ExpiresAt(expires_)}));
    Step();
    NextPatch(kUrl, 0, 2 * kGranule, "(none)");
    Step();
  }
};

TEST_F(TransferExpiryTest, IsKept) {
  CreateStream();
  EXPECT_EQ(TheUpload()->expires, expires_);
}

TEST_F(TransferExpiryTest, ASlowWritersUploadIsRefreshedBeforeItPasses) {
  CreateStream();
  auto const waiting = Step();
  ASSERT_TRUE(waiting.next);
  auto const wait = *waiting.next - clock_.Steady();
  EXPECT_GT(wait, std::chrono::minutes(50));
  EXPECT_LT(wait, std::chrono::minutes(60));
  clock_.Advance(std::chrono::ceil<std::chrono::milliseconds>(wait));
  Next("PATCH", kUrl, [&](tus::HttpRequest const& request) {
    EXPECT_EQ(request.body_length, 0U);
    EXPECT_EQ(tus::HeaderOf(request, "Upload-Length"), "(none)");
    return tus::TusAnswer(204, {{"Upload-Offset", std::to_string(2 * kGranule)},
                                ExpiresAt(expires_ + 3600'000'000'000)});
  });
  Step();
  EXPECT_GT(TheUpload()->expires, expires_);
  auto const next = Step().next;
  ASSERT_TRUE(next);
  EXPECT_GT(*next - clock_.Steady(), std::chrono::minutes(50));
  EXPECT_LT(spool_->budget().last_progress(), clock_.Steady() - std::chrono::minutes(50))
      << "whoever waits for room is told in the end that there is none";
}

TEST_F(TransferExpiryTest, AServerThatDoesNotMoveItIsAskedOnce) {
  CreateStream();
  clock_.Advance(std::chrono::minutes(59));
  Next("PATCH", kUrl, OffsetIs(2 * kGranule));
  Step();
  EXPECT_EQ(Step().next, std::nullopt);
}

TEST_F(TransferExpiryTest, WhatHasExpiredIsBelievedToBeGoneAtOnce) {
  CreateStream();
  clock_.Advance(std::chrono::hours(2));
  memory_.recheck = true;
  Next("HEAD", kUrl, tus::TusAnswer(410));
  Next("OPTIONS", kEndpoint, tus::TusAnswer(204, {{"Tus-Version", "1.0.0"}}));
  Step();
  Next("POST", kEndpoint, CreatedAt(kSecondUrl));
  Step();
  EXPECT_EQ(TheUpload()->url, kSecondUrl);
}

}  // namespace
}  // namespace tusfs
