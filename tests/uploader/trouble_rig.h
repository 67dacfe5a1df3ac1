// A TransferRig with the troubles that several tests begin with.
#pragma once

#include <gtest/gtest.h>

#include "uploader/rig.h"

namespace tusfs {

class TransferTrouble : public TransferRig {
 protected:
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
