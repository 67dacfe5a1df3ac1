// The test servers and their proxy count, slow down, die and come back as the mount tests rely on.
#include "testing/test_server.h"

#include <gmock/gmock.h>
#include <signal.h>

#include "testing/files.h"
#include "testing/http_client.h"
#include "testing/process.h"

namespace tusfs_testing {
namespace {

class TestServerTest : public ::testing::TestWithParam<ServerKind> {
 protected:
  void SetUp() override {
    if (auto const why = TestServer::WhyNot(GetParam()); !why.empty()) {
      GTEST_SKIP() << "SKIPPED: " << why;
    }
    server_ = TestServer::Start(GetParam(), dir_ / "uploads");
  }

  std::string Create(std::string const& headers_name = "Upload-Defer-Length",
                     std::string const& value = "1") {
    return HttpCall("POST", server_->Url(),
                    {{"Tus-Resumable", "1.0.0"},
                     {headers_name, value},
                     {"Upload-Metadata", "filename YS5iaW4=,relativePath ZGlyL2EuYmlu"}})
        .headers["location"];
  }

  static HttpAnswer Patch(std::string const& url, std::size_t offset, std::string const& body,
                          Headers headers = {}) {
    headers.insert(headers.end(), {{"Tus-Resumable", "1.0.0"},
                                   {"Content-Type", "application/offset+octet-stream"},
                                   {"Upload-Offset", std::to_string(offset)}});
    return HttpCall("PATCH", url, headers, body);
  }

  TempDir const dir_;
  std::unique_ptr<TestServer> server_;
};

TEST_P(TestServerTest, ShowsUploadsWhileTheyGrowAndWhenTheyAreComplete) {
  std::string const bytes = RandomBytes(1'000'000);
  std::string const url = Create();
  ASSERT_EQ(Patch(url, 0, bytes.substr(0, 400'000)).status, 204);
  auto upload = server_->Find("dir/a.bin");
  ASSERT_TRUE(upload);
  EXPECT_EQ(upload->offset, 400'000U);
  EXPECT_FALSE(upload->complete);
  EXPECT_FALSE(upload->length);

  ASSERT_EQ(Patch(url, 400'000, bytes.substr(400'000), {{"Upload-Length", "1000000"}}).status, 204);
  upload = server_->Find("a.bin");
  ASSERT_TRUE(upload);
  EXPECT_TRUE(upload->complete);
  EXPECT_EQ(server_->Published("a.bin"), 1);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(bytes));
  EXPECT_GE(server_->SentBytes(), 1'000'000U);
  EXPECT_LE(server_->SentBytes(), 1'004'000U) << "more than headers";
}

TEST_P(TestServerTest, ComesBackAtTheSameUrlAfterAKill) {
  std::string const url = Create("Upload-Length", "10");
  ASSERT_EQ(Patch(url, 0, "01234").status, 204);
  server_->Kill();
  EXPECT_EQ(Patch(url, 5, "56789").status, 0);
  server_->Restart();
  EXPECT_EQ(Patch(url, 5, "56789").status, 204);
  EXPECT_EQ(server_->Published("a.bin"), 1);
}

TEST_P(TestServerTest, IsAsSlowAsAsked) {
  std::string const url = Create("Upload-Length", "2000000");
  server_->SetRate(4'000'000);
  auto const start = std::chrono::steady_clock::now();
  EXPECT_EQ(Patch(url, 0, RandomBytes(2'000'000)).status, 204);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(400));
}

INSTANTIATE_TEST_SUITE_P(Servers, TestServerTest,
                         ::testing::Values(ServerKind::kFixture, ServerKind::kNode,
                                           ServerKind::kTusd),
                         [](auto const& parameter) { return Name(parameter.param); });

TEST(Process, TellsHowAProgramEnded) {
  auto const finished = RunProgram({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(finished.code, 3);
  EXPECT_EQ(finished.out, "out\n");
  EXPECT_EQ(finished.err, "err\n");
  EXPECT_EQ(RunProgram({"no-such-program-here"}).code, 127);

  TempDir const dir;
  ChildProcess child;
  child.Start({"sleep", "60"}, dir / "out", dir / "err");
  EXPECT_TRUE(child.Running());
  EXPECT_FALSE(child.Wait(std::chrono::milliseconds(20)));
  child.Signal(SIGKILL);
  auto const ending = child.Wait(std::chrono::seconds(10));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->signal, SIGKILL);
}

}  // namespace
}  // namespace tusfs_testing
