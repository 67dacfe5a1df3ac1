// The client against a server over real HTTP: the protocol's extensions, and how an upload goes on
// in another process.
#include "testing/wait_for.h"
#include "wire_rig.h"

namespace tus {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tusfs_testing::Fault;
using tusfs_testing::FixtureServer;
using tusfs_testing::RandomBytes;
using tusfs_testing::RequestFacts;
using tusfs_testing::WaitFor;

TEST(Creation, PassesOnMetadataOfAnyBytes) {
  FixtureServer server;
  Uploader uploader(server.Url());
  std::string const odd("\0,; \xff\n=", 7);
  uploader.options.metadata = {{"filename", "Łódź/a b.bin"}, {"odd", odd}, {"empty", ""}};
  ASSERT_TRUE(uploader.Send(Bytes()));
  auto const upload = server.Uploads().at(0);
  EXPECT_EQ(upload.Metadata("filename"), "Łódź/a b.bin");
  EXPECT_EQ(upload.Metadata("odd"), odd);
  EXPECT_TRUE(upload.metadata.contains("empty"));
}

TEST(Creation, OfAnEmptyFileIsAllThatIsSent) {
  FixtureServer server;
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(""));
  ASSERT_TRUE(uploader.SendPipe(""));
  EXPECT_EQ(Methods(server), "OPTIONS POST POST");
  EXPECT_EQ(server.Stats().published, 2);
}

TEST(Creation, OfAnIdempotentServerIsOneHoweverManyAnswersAreLost) {
  FixtureServer server({.idempotency = true});
  for (int nth = 1; nth <= 3; ++nth) {
    server.AddFault({.method = "POST", .nth = nth, .action = Fault::LoseAnswer()});
  }
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(server.Stats().posts, 4);
  EXPECT_THAT(server.Uploads(), SizeIs(1));
  EXPECT_EQ(Published(server), Bytes());
}

TEST(CreationWithUpload, SendsASmallFileInOneRequest) {
  FixtureServer server;
  Uploader uploader(server.Url());
  uploader.options.creation_with_upload = 1000;
  ASSERT_TRUE(uploader.Send("hello"));
  EXPECT_EQ(Methods(server), "OPTIONS POST");
  EXPECT_EQ(Published(server), "hello");
}

TEST(CreationWithUpload, IsNotTriedWhereTheServerDoesNotHaveIt) {
  FixtureServer server({.creation_with_upload = false});
  Uploader uploader(server.Url());
  uploader.options.creation_with_upload = 1000;
  ASSERT_TRUE(uploader.Send("hello"));
  EXPECT_EQ(Methods(server), "OPTIONS POST PATCH");
}

TEST(CreationWithUpload, ThatWasCutGoesOnWhereTheServerTellsTheUrlAgain) {
  FixtureServer server({.idempotency = true});
  server.AddFault({.method = "POST", .action = Fault::CutAfter(2)});
  Uploader uploader(server.Url());
  uploader.options.creation_with_upload = 1000;
  ASSERT_TRUE(uploader.Send("hello"));
  EXPECT_THAT(server.Uploads(), SizeIs(1));
  EXPECT_EQ(Published(server), "hello");
}

TEST(DeferredLength, IsDeclaredWithTheLastBytes) {
  FixtureServer server;
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.SendPipe(Bytes()));
  EXPECT_EQ(HeaderIn(RequestsOf(server, "POST").at(0), "Upload-Defer-Length"), "1");
  auto const patches = RequestsOf(server, "PATCH");
  for (auto const& patch : patches) {
    EXPECT_EQ(HeaderIn(patch, "Upload-Length"),
              &patch == &patches.back() ? std::to_string(Bytes().size()) : "(none)");
  }
  EXPECT_EQ(Published(server), Bytes());
}

TEST(DeferredLength, IsRefusedWithASentenceWhereTheServerLacksIt) {
  FixtureServer server({.defer_length = false});
  Uploader uploader(server.Url());
  auto const receipt = uploader.SendPipe(Bytes());
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_EQ(Methods(server), "OPTIONS");
}

TEST(MethodOverride, GetsThroughAProxyThatKnowsNeitherPatchNorDelete) {
  FixtureServer server;
  server.AddFault({.nth = 0,
                   .matches =
                       [](RequestFacts const& facts) {
                         auto const method = facts.exchange->Method();
                         return method == "PATCH" || method == "DELETE";
                       },
                   .action = Fault::AnswerWithoutTusResumable(405)});
  Uploader uploader(server.Url(), {.size = kChunk}, {.method_override = true});
  auto const receipt = uploader.Send(Bytes());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(Published(server), Bytes());
  EXPECT_TRUE(uploader.client.Terminate(receipt->url));
  EXPECT_THAT(server.Uploads(), IsEmpty());
}

TEST(Termination, AbandonsWhatAnotherProcessBegan) {
  FixtureServer server;
  MemoryStore store;
  auto const created = Uploader(server.Url()).client.Create({.length = 10});
  ASSERT_TRUE(created);
  store.uploads["f"] = {.url = created->url, .length = 10, .checked_sha256 = {}};
  Uploader uploader(server.Url());
  uploader.RememberIn(store);
  EXPECT_TRUE(Upload(uploader.client, uploader.options).Abandon());
  EXPECT_THAT(server.Uploads(), IsEmpty());
  EXPECT_THAT(store.uploads, IsEmpty());
}

// ---- expiration

TEST(Expiration, IsReadOfCreationsAndPatches) {
  FixtureServer server({.expire_after = 1h});
  Uploader uploader(server.Url());
  EXPECT_TRUE(uploader.client.Options()->expiration);
  auto const created = uploader.client.Create({.length = 4});
  ASSERT_TRUE(created && created->expires);
  auto const left = *created->expires - std::chrono::system_clock::now();
  EXPECT_GT(left, 59min);
  EXPECT_LE(left, 60min);
  MemorySource source(std::as_bytes(std::span("abcd", 4)));
  auto const first = uploader.client.Patch({.url = created->url, .length = 2, .source = &source});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->expires, created->expires);
  auto const last =
      uploader.client.Patch({.url = created->url, .offset = 2, .length = 2, .source = &source});
  ASSERT_TRUE(last);
  EXPECT_FALSE(last->expires);
}

TEST(Expiration, OfAnInterruptedUploadMeansStartingOverAtOnce) {
  FixtureServer server({.expire_after = 1s});
  MemoryStore store;
  Uploader first(server.Url());
  first.RememberIn(store);
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::Answer(422)});
  first.options.on_confirmed = [&](std::uint64_t) { server.Stop(); };
  first.options.give_up = 1s;
  ASSERT_FALSE(first.Send(Bytes()));
  ASSERT_TRUE(store.uploads["f"].expires);
  auto const expires = *store.uploads["f"].expires;
  server.Start();
  server.ClearFaults();
  ASSERT_TRUE(WaitFor([&] { return std::chrono::system_clock::now() > expires + 1s; }));

  Uploader next(server.Url());
  next.RememberIn(store);
  auto const receipt = next.Send(RandomBytes(100));
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_FALSE(receipt->resumed);
  EXPECT_LT(next.waited, 10s) << "it is known to be gone";
  EXPECT_THAT(next.restarts, SizeIs(1));
}

// ---- concatenation

class Concatenation : public testing::Test {
 protected:
  std::string Part(std::string const& bytes) {
    MemorySource source(std::as_bytes(std::span(bytes)));
    auto const created = uploader_.client.Create({.length = bytes.size(), .partial = true});
    EXPECT_TRUE(created);
    EXPECT_TRUE(
        uploader_.client.Patch({.url = created->url, .length = bytes.size(), .source = &source}));
    return created->url;
  }

  FixtureServer server_;
  Uploader uploader_{server_.Url()};
};

TEST_F(Concatenation, JoinsPartsInOrder) {
  auto const parts = std::vector{Part("a-"), Part("b-"), Part("c")};
  EXPECT_EQ(server_.Stats().published, 0);
  auto const whole =
      uploader_.client.Concatenate({.urls = parts, .metadata = {{"filename", "whole"}}});
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(Published(server_), "a-b-c");
  EXPECT_TRUE(server_.FindUpload("whole"));
  auto const status = uploader_.client.Head(whole->url);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->concat, UploadStatus::Concat::kFinal);
  EXPECT_TRUE(status->Complete());
  EXPECT_EQ(uploader_.client.Head(parts[0])->concat, UploadStatus::Concat::kPartial);
}

TEST_F(Concatenation, OfManyPartsFitsBecauseTheirUrlsAreShort) {
  std::vector<std::string> parts;
  std::string expected;
  for (int i = 0; i < 150; ++i) {
    parts.push_back(Part(std::to_string(i)));
    expected += std::to_string(i);
  }
  auto const whole = uploader_.client.Concatenate({.urls = parts});
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(Published(server_), expected);
  parts.insert(parts.end(), parts.begin(), parts.end());
  EXPECT_EQ(uploader_.client.Concatenate({.urls = parts}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(server_.Stats().posts, 151) << "it was sent all the same";
}

TEST_F(Concatenation, OfAnUnfinishedPartIsRefused) {
  auto const created = uploader_.client.Create({.length = 5, .partial = true});
  auto const whole = uploader_.client.Concatenate({.urls = {created->url}});
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, ErrorCode::kRefused);
}

TEST_F(Concatenation, WhoseAnswerIsLostMakesOneUploadWithTheSameKey) {
  FixtureServer server({.idempotency = true});
  Uploader uploader(server.Url());
  auto const part = uploader.client.Create({.length = 0, .partial = true});
  server.AddFault({.method = "POST", .action = Fault::LoseAnswer()});
  ConcatenateRequest const request{.urls = {part->url}, .idempotency_key = "once"};
  EXPECT_EQ(uploader.client.Concatenate(request).error().code, ErrorCode::kInterrupted);
  ASSERT_TRUE(uploader.client.Concatenate(request));
  EXPECT_THAT(server.Uploads(), SizeIs(2)) << "the part and one whole";
}

}  // namespace
}  // namespace tus
