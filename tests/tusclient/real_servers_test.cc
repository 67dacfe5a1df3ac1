// The client and the servers that others wrote: what tusclient/README.md, "What real servers do",
// says of them is true, and every upload ends whole. Servers that are not on this machine are
// skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "testing/test_server.h"
#include "tusclient/parallel_upload.h"
#include "wire_rig.h"

namespace tus {
namespace {

using testing::IsEmpty;
using tusfs_testing::RandomBytes;
using tusfs_testing::ReadFile;
using tusfs_testing::ServerKind;
using tusfs_testing::TempDir;
using tusfs_testing::TestServer;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSmallChunk = 200'000;  // below rustus' limit of 256 KiB a body

class RealServers : public testing::TestWithParam<ServerKind> {
 protected:
  void SetUp() override {
    auto const why = TestServer::WhyNot(GetParam());
    if (!why.empty()) GTEST_SKIP() << "SKIPPED: tests against " << Name(GetParam()) << ": " << why;
    server_ = TestServer::Start(GetParam(), dir_.path());
  }

  [[nodiscard]] bool Is(ServerKind kind) const { return GetParam() == kind; }

  /// The bytes of the only upload called `name`, which has to be complete.
  std::string Published(std::string const& name) {
    EXPECT_EQ(server_->Published(name), 1) << name;
    auto const upload = server_->Find(name);
    return upload ? ReadFile(server_->File(*upload)) : "nothing";
  }

  static Metadata Named(std::string const& name) { return {{"filename", name}}; }

  Result<Created> Create(Client& client, std::optional<std::uint64_t> length) {
    CreateRequest request;
    request.length = length;
    request.metadata = Named("by hand");
    return client.Create(request);
  }

  TempDir const dir_;
  std::unique_ptr<TestServer> server_;
};

TEST_P(RealServers, TakeFilesOfEverySize) {
  int number = 0;
  for (std::size_t const size : {std::size_t{0}, std::size_t{1}, std::size_t{kSmallChunk},
                                 std::size_t{3 * kSmallChunk + 1}}) {
    Uploader uploader(server_->Url(), {.size = kSmallChunk});
    auto const name = "file" + std::to_string(number++);
    uploader.options.metadata = Named(name);
    auto const bytes = RandomBytes(size);
    auto const receipt = uploader.Send(bytes);
    ASSERT_TRUE(receipt) << size << ": " << receipt.error().message;
    EXPECT_TRUE(Published(name) == bytes) << size;
    EXPECT_THAT(uploader.RetryCodes(), IsEmpty());
  }
}

TEST_P(RealServers, TakeAPipeWhoseLengthIsSaidAtItsEnd) {
  Uploader uploader(server_->Url(), {.size = kSmallChunk});
  uploader.options.metadata = Named("pipe");
  auto const bytes = RandomBytes(kMiB + 1);
  auto const receipt = uploader.SendPipe(bytes);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_TRUE(Published("pipe") == bytes);
}

TEST_P(RealServers, GoOnAfterTheyWereKilled) {
  constexpr std::uint64_t kSize = 4 * kMiB;
  server_->SetRate(8 * kMiB);
  Uploader uploader(server_->Url(), {.size = kSmallChunk});
  uploader.options.metadata = Named("killed");
  bool killed = false;
  uploader.options.on_confirmed = [&](std::uint64_t offset) {
    if (offset < kSize / 2 || std::exchange(killed, true)) return;
    server_->Kill();
    uploader.while_waiting = [&] {
      server_->Restart();
      uploader.while_waiting = nullptr;
    };
  };
  auto const bytes = RandomBytes(kSize);
  auto const receipt = uploader.Send(bytes);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_TRUE(killed);
  EXPECT_TRUE(Published("killed") == bytes);
  EXPECT_LE(receipt->sent, kSize + 2 * kSmallChunk);
  EXPECT_THAT(uploader.restarts, IsEmpty());
}

TEST_P(RealServers, ForgetWhatIsTerminated) {
  Uploader uploader(server_->Url());
  auto const created = Create(uploader.client, 10);
  ASSERT_TRUE(created) << created.error().message;
  ASSERT_TRUE(uploader.client.Terminate(created->url));
  auto const status = uploader.client.Head(created->url);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kGone);
  EXPECT_TRUE(uploader.client.Terminate(created->url)) << "what is gone is terminated";
}

TEST_P(RealServers, SayWhereTheyAre) {
  Uploader uploader(server_->Url());
  auto const created = Create(uploader.client, std::nullopt);
  ASSERT_TRUE(created) << created.error().message;
  std::string const bytes = "hello";
  MemorySource source(std::as_bytes(std::span(bytes)));
  PatchRequest patch;
  patch.url = created->url;
  patch.length = bytes.size();
  patch.source = &source;
  ASSERT_TRUE(uploader.client.Patch(patch));
  auto const status = uploader.client.Head(created->url);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->offset, bytes.size());
  EXPECT_EQ(status->length, std::nullopt);
  auto const again = uploader.client.Patch(patch);
  ASSERT_FALSE(again) << "it is at another offset";
  EXPECT_TRUE(IsTransient(again.error().code)) << again.error().message;
}

TEST_P(RealServers, TakeSmallFilesWithTheirCreation) {
  Uploader uploader(server_->Url(), {.size = kSmallChunk});
  uploader.options.metadata = Named("small");
  uploader.options.creation_with_upload = 1000;
  auto const bytes = RandomBytes(1000);
  auto const receipt = uploader.Send(bytes);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_TRUE(Published("small") == bytes);
}

TEST_P(RealServers, JoinPartsWhereTheyCan) {
  Uploader uploader(server_->Url());
  std::vector<std::string> urls;
  auto const bytes = RandomBytes(3000);
  MemorySource source(std::as_bytes(std::span(bytes)));
  for (int i = 0; i < 3; ++i) {
    CreateRequest request;
    request.length = 1000;
    request.partial = true;
    auto const created = uploader.client.Create(request);
    if (!created && Is(ServerKind::kNode)) {
      EXPECT_EQ(created.error().code, ErrorCode::kTransient) << "501";
      return;
    }
    ASSERT_TRUE(created) << created.error().message;
    PatchRequest patch;
    patch.url = created->url;
    patch.length = 1000;
    MemorySource part(
        std::as_bytes(std::span(bytes)).subspan(static_cast<std::size_t>(i) * 1000, 1000));
    patch.source = &part;
    ASSERT_TRUE(uploader.client.Patch(patch));
    urls.push_back(created->url);
  }
  ConcatenateRequest request;
  request.urls = urls;
  request.metadata = Named("joined");
  auto const joined = uploader.client.Concatenate(request);
  if (!joined && Is(ServerKind::kNode)) return;
  ASSERT_TRUE(joined) << joined.error().message;
  auto const status = uploader.client.Head(joined->url);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_TRUE(status->Complete());
  auto const upload = server_->Find("joined");
  ASSERT_TRUE(upload);
  EXPECT_TRUE(ReadFile(server_->File(*upload)) == bytes);
}

TEST_P(RealServers, TakeAFileInPartsAtOnce) {
  Uploader one(server_->Url());
  Uploader other(server_->Url());
  auto const bytes = RandomBytes(5'000'000);
  MemorySource source(std::as_bytes(std::span(bytes)));
  ServerProfile profile({.size = kSmallChunk});
  ParallelOptions options;
  options.upload.profile = &profile;
  options.upload.metadata = Named("in-parts");
  auto const receipt =
      ParallelUpload({&one.client, &other.client}, options).Send(source, bytes.size());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->sent, bytes.size());
  auto const upload = server_->Find("in-parts");
  ASSERT_TRUE(upload);
  EXPECT_TRUE(ReadFile(server_->File(*upload)) == bytes);
}

TEST(ExpiringServer, SaysWhenAndIsBelieved) {
  auto const why = TestServer::WhyNot(ServerKind::kNode);
  if (!why.empty()) GTEST_SKIP() << "SKIPPED: tests against @tus/server: " << why;
  TempDir const dir;
  auto const server = TestServer::StartExpiringNode(dir.path(), std::chrono::milliseconds(60'000));
  Uploader uploader(server->Url());
  CreateRequest request;
  request.length = 10;
  auto const created = uploader.client.Create(request);
  ASSERT_TRUE(created) << created.error().message;
  ASSERT_TRUE(created->expires);
  auto const left = *created->expires - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::seconds(30));
  EXPECT_LE(left, std::chrono::seconds(61));
}

INSTANTIATE_TEST_SUITE_P(Kinds, RealServers,
                         testing::Values(ServerKind::kNode, ServerKind::kTusd, ServerKind::kRustus),
                         [](auto const& parameter) { return Name(parameter.param); });

}  // namespace
}  // namespace tus
