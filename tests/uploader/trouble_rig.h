// A TransferRig with the troubles that several tests begin with.
#pragma once

#include <gtest/gtest.h>

#include "uploader/rig.h"

namespace tusfs {

class TransferTrouble : public TransferRig {
 protected:
  explicit TransferTrouble(bool announces = true) : TransferRig(announces) {}

  // A finished file of `size` bytes, created on the server.
  void Created(std::uint64_t size) {
    Append(size);
    FinishFile();
    Next("POST", kEndpoint, CreatedAt(kUrl));
    Steps(1);
  }

  // The final PATCH of a finished file went out, and its answer was lost.
  void FinalAnswerLost(std::uint64_t size) {
    Created(size);
    Next("PATCH", kUrl, Broken(tus::ErrorCode::kInterrupted));
    Steps(1);
    clock_.Advance(std::chrono::minutes(2));
  }

  // The next PATCH breaks when so many bytes of it have left; the one after it may come.
  void NextPatchBreaksAfter(std::uint64_t bytes) {
    Next("PATCH", kUrl, [bytes](tus::HttpRequest const& request) {
      request.on_sent(bytes);
      return Broken(tus::ErrorCode::kInterrupted);
    });
    Steps(1);
    clock_.Advance(std::chrono::minutes(2));
  }

  // As a new upload of its whole body.
  void ExpectSentWhole(std::string const& url) {
    Next("POST", kEndpoint, CreatedAt(url));
    NextPatch(url, 0, body_.size(), "(none)");
    Steps(2);
    EXPECT_EQ(TheInode().content, Content::kUploaded);
  }

  // 404 twice, with the time between them after which it is believed.
  void ServerHasForgotten() {
    Next("HEAD", kUrl, tus::TusAnswer(404));
    EXPECT_GT(Step().next, clock_.Steady());
    clock_.Advance(shared_.options.gone_after);
    Next("HEAD", kUrl, tus::TusAnswer(404));
    Next("OPTIONS", kEndpoint, tus::TusAnswer(204, {{"Tus-Version", "1.0.0"}}));
    Steps(1);
  }
};

}  // namespace tusfs
