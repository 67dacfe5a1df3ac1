// tus-upload --parts: one file over several connections.
#include "tus_upload_rig.h"

namespace tus_upload_testing {
namespace {

using testing::HasSubstr;

class TusUploadInParts : public TusUpload {
 protected:
  static constexpr std::uint64_t kSize = 4 * kMiB + 77;

  /// What is published under `name`; how many parts lie beside it does not count.
  [[nodiscard]] std::string Published(std::string const& name) const {
    std::string content = "(nothing)";
    int count = 0;
    for (auto const& upload : server_.Uploads()) {
      if (!upload.complete || upload.partial || upload.Metadata("filename") != name) continue;
      content = server_.Content(upload.id);
      ++count;
    }
    return count > 1 ? "(more than one)" : content;
  }
};

TEST_F(TusUploadInParts, SendsThemAtOnceAndPublishesTheFileOnce) {
  auto const file = File("take.mov", kSize);
  for (int nth = 1; nth <= 4; ++nth) {
    server_.AddFault({.method = "PATCH", .nth = nth, .action = Fault::StallUntilReleased()});
  }
  ChildProcess child;
  child.Start(Program({"--parts", "4", "--print-url", server_.Url(), file}), temp_ / "out",
              temp_ / "err");
  EXPECT_TRUE(WaitFor([&] { return server_.Stalled() == 4; }));
  server_.ReleaseStalled();
  ASSERT_EQ(child.Wait(60s)->code, 0) << ReadFile(temp_ / "err");
  EXPECT_TRUE(Published("take.mov") == ReadFile(file));
  EXPECT_EQ(ReadFile(temp_ / "out"), server_.Url() + server_.FindUpload("take.mov")->id + "\n");
}

TEST_F(TusUploadInParts, GoesOnAfterItWasKilled) {
  auto const file = File("take.mov", kSize);
  server_.SetRate(4 * kMiB);
  ChildProcess child;
  StartUntil(child, Program({"-p", "3", server_.Url(), file}), 2 * kMiB);
  child.Signal(SIGKILL);
  (void)child.Wait(10s);
  EXPECT_EQ(Published("take.mov"), "(nothing)");
  server_.SetRate(0);
  auto const before = server_.Stats().received_bytes;
  auto const again = Run({"-p", "3", server_.Url(), file});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(Published("take.mov") == ReadFile(file));
  EXPECT_LE(server_.Stats().received_bytes - before, kSize - kMiB);
}

TEST_F(TusUploadInParts, IsNotSentAgainWhenNobodyKnowsWhetherItWasJoined) {
  auto const file = File("take.mov", kSize);
  server_.AddFault({.method = "POST", .nth = 3, .action = Fault::LoseAnswer()});
  auto const lost = Run({"-p", "2", server_.Url(), file});
  EXPECT_EQ(lost.code, 1);
  EXPECT_THAT(lost.err, HasSubstr("--abandon"));
  for (auto const* const parts : {"2", "1", "5"}) {
    auto const again = Run({"-p", parts, server_.Url(), file});
    EXPECT_EQ(again.code, 1) << parts;
    EXPECT_THAT(again.err, HasSubstr("may have been published"));
  }
  EXPECT_TRUE(Published("take.mov") == ReadFile(file)) << "once";
  EXPECT_EQ(Run({"-p", "2", "--abandon", server_.Url(), file}).code, 0);
  EXPECT_EQ(server_.Stats().deletes, 2) << "its parts";
  EXPECT_EQ(Run({"-p", "2", server_.Url(), file}).code, 0) << "a person has said so";
  EXPECT_EQ(Published("take.mov"), "(more than one)");
}

}  // namespace
}  // namespace tus_upload_testing
