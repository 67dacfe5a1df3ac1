// What real servers and proxies are known to do, and that the library does not fall for it. The
// numbers are those of tusclient/README.md, "Traps".
#include <thread>

#include "testing/wait_for.h"
#include "wire_rig.h"

namespace tus {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using tusfs_testing::Fault;
using tusfs_testing::FixtureServer;
using tusfs_testing::RandomBytes;
using tusfs_testing::RequestFacts;
using tusfs_testing::WaitFor;

// 1: a HEAD makes servers cut a PATCH that runs.

TEST(Trap1, NoHeadIsSentWhileAPatchIsOpenHoweverLongItTakes) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::Stall(1500ms, 1000)});
  server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::CutAfter(10)});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(server.Stats().heads, 1) << "for the one that was cut";
  EXPECT_EQ(server.Stats().heads_during_patch, 0);
  EXPECT_EQ(server.Stats().overlapping_patches, 0);
}

TEST(Trap1, AHeadThatWaitsForALockIsWaitedFor) {
  EXPECT_GE(CurlTransportOptions{}.stall_timeout, 30s);
  FixtureServer server;
  server.AddFault({.method = "PATCH", .action = Fault::CutAfter(10)});
  server.AddFault({.method = "HEAD", .action = Fault::Stall(1500ms)});
  Uploader uploader(server.Url(), {.size = kChunk}, {}, {.stall_timeout = 3s});
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(server.Stats().heads, 1);
}

TEST(Trap1, AnUploadThatStaysLockedIsMadeAnew) {
  FixtureServer server;
  std::string const locked = "ERR_LOCK_TIMEOUT: failed to acquire lock before timeout";
  auto const is_first = [](RequestFacts const& facts) {
    return facts.target.ends_with("0001") && facts.method != "DELETE";
  };
  server.AddFault({.nth = 0, .matches = is_first, .action = Fault::Answer(500, locked)});
  Uploader uploader(server.Url());
  auto const receipt = uploader.Send(Bytes());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_THAT(uploader.restarts, SizeIs(1));
  EXPECT_EQ(Published(server), Bytes());
}

// 2: offsets go backwards.

TEST(Trap2, WhatTheServerHasLostIsSentAgain) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::CutAfter(100)});
  Uploader uploader(server.Url());
  uploader.while_waiting = [&] { EXPECT_TRUE(server.Rewind(server.Uploads().at(0).id, 777)); };
  auto const receipt = uploader.Send(Bytes());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_THAT(uploader.confirmed, Contains(777));
  EXPECT_THAT(uploader.restarts, IsEmpty());
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Trap2, WhatAPipeCannotBringAgainIsSaidAndNothingWrongIsPublished) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::CutAfter(100)});
  Uploader uploader(server.Url());
  uploader.while_waiting = [&] { EXPECT_TRUE(server.Rewind(server.Uploads().at(0).id, 777)); };
  auto const receipt = uploader.SendPipe(Bytes());
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kSource);
  EXPECT_EQ(server.Stats().published, 0);
}

// 3: bodies no longer than one part of a store.

TEST(Trap3, NoBodyIsLongerThanThePartsOfTusdsS3Store) {
  EXPECT_LE(ChunkRules{}.size, std::uint64_t{50} << 20);
  FixtureServer server({.storage = tusfs_testing::Storage::kNowhere});
  Uploader uploader(server.Url(), {});
  ASSERT_TRUE(uploader.Send(std::string(80 << 20, 'x')));
  for (auto const& request : RequestsOf(server, "PATCH")) {
    EXPECT_LE(request.body_bytes, ChunkRules{}.size);
  }
}

// 4: a finishing step that failed, and a HEAD that says "complete".

TEST(Trap4, NobodyIsAskedForTheBytesAfterTheAnswerToTheLastPatchWasLost) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::LoseAnswer()});
  Uploader uploader(server.Url());
  auto const receipt = uploader.Send(Bytes());
  ASSERT_TRUE(receipt);
  EXPECT_THAT(receipt->headers, IsEmpty()) << "nobody confirmed it";
  EXPECT_THAT(Methods(server), Not(HasSubstr("GET")));
  EXPECT_EQ(server.Stats().patches, 3);
}

TEST(Trap4, AnErrorOfTheLastPatchIsNoSuccessThoughAHeadSaysComplete) {
  for (int const status : {403, 409, 413, 422, 423, 500}) {
    FixtureServer server;
    server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::AnswerAfter(status, "hook")});
    Uploader uploader(server.Url());
    uploader.options.wait_for_credentials = true;
    auto const receipt = uploader.Send(Bytes());
    ASSERT_FALSE(receipt) << status;
    auto const expected = status == 500   ? ErrorCode::kUnconfirmed
                          : status == 413 ? ErrorCode::kTooLarge
                                          : ErrorCode::kRefused;
    EXPECT_EQ(receipt.error().code, expected) << status;
    EXPECT_THAT(receipt.error().message, HasSubstr("hook")) << status;
    EXPECT_THAT(Methods(server), Not(HasSubstr("DELETE")));
  }
}

// 5: a length is declared once.

TEST(Trap5, ALengthThatArrivedWithACutBodyIsNotDeclaredAgain) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::CutAfter(10)});
  Uploader uploader(server.Url());
  auto const receipt = uploader.SendPipe(Bytes());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(HeaderIn(server.Requests().back(), "Upload-Length"), "(none)");
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Trap5, ALengthThatDidNotArriveIsDeclaredAgain) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::Answer(503)});
  Uploader uploader(server.Url());
  auto const receipt = uploader.SendPipe(Bytes());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_NE(HeaderIn(server.Requests().back(), "Upload-Length"), "(none)");
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Trap5, AShortAnswerToTheLastBytesOfAPipeIsAskedAbout) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::ShortOffset(10)});
  Uploader uploader(server.Url());
  auto const receipt = uploader.SendPipe(Bytes());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_THAT(Methods(server), testing::EndsWith("PATCH HEAD PATCH"));
  EXPECT_EQ(Published(server), Bytes());
}

// 6: a known length is declared at once.

TEST(Trap6, NoLengthIsDeferredThatIsKnown) {
  FixtureServer server;
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  ASSERT_TRUE(uploader.SendPipe("short"));
  for (auto const& request : RequestsOf(server, "POST")) {
    EXPECT_EQ(HeaderIn(request, "Upload-Defer-Length"), "(none)");
  }
}

// 7: the Location is lost with a creation's connection.

TEST(Trap7, NothingIsSentWithACreationUnlessAskedToAndOnlyWhatIsSmall) {
  FixtureServer server;
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send("12345"));
  uploader.options.creation_with_upload = 4;
  ASSERT_TRUE(uploader.Send("12345"));
  for (auto const& request : RequestsOf(server, "POST")) EXPECT_EQ(request.body_bytes, 0U);
}

TEST(Trap7, TheUrlIsRememberedBeforeTheFirstByteGoesOut) {
  FixtureServer server;
  MemoryStore store;
  server.AddFault({.method = "PATCH",
                   .matches =
                       [&](RequestFacts const&) {
                         EXPECT_THAT(store.uploads["f"].url, HasSubstr("/files/"));
                         return false;
                       },
                   .action = {}});
  Uploader uploader(server.Url());
  uploader.RememberIn(store);
  ASSERT_TRUE(uploader.Send(Bytes()));
}

// 8: a lost creation leaves an upload behind, and it can be found.

TEST(Trap8, ALostCreationIsTriedAgainWithTheSameMetadataAndKey) {
  FixtureServer server;
  server.AddFault({.method = "POST", .action = Fault::LoseAnswer()});
  Uploader uploader(server.Url());
  uploader.options.metadata = {{"tusfsId", "u-1"}};
  ASSERT_TRUE(uploader.Send(Bytes()));
  auto const posts = RequestsOf(server, "POST");
  ASSERT_THAT(posts, SizeIs(2));
  EXPECT_EQ(HeaderIn(posts[0], "Idempotency-Key"), HeaderIn(posts[1], "Idempotency-Key"));
  for (auto const& upload : server.Uploads()) EXPECT_EQ(upload.Metadata("tusfsId"), "u-1");
  EXPECT_EQ(Published(server), Bytes()) << "the orphan must stay empty";
}

// 9: metadata as strict servers want it. What was sent is compared in extensions_test.cc.

TEST(Trap9, MetadataHasNoSpacesAfterCommasAndIsLeftOutWhenEmpty) {
  FixtureServer server;
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send("x"));
  uploader.options.metadata = {{"a", "1"}, {"b", "22"}};
  ASSERT_TRUE(uploader.Send("x"));
  auto const posts = RequestsOf(server, "POST");
  EXPECT_EQ(HeaderIn(posts.at(0), "Upload-Metadata"), "(none)");
  EXPECT_EQ(HeaderIn(posts.at(1), "Upload-Metadata"), "a MQ==,b MjI=");
}

// 10: requests that take long are cut.

TEST(Trap10, ChunksAreAsLongAsTheMeasuredRateAllows) {
  constexpr std::uint64_t kRate = 8 << 20;
  FixtureServer server({.storage = tusfs_testing::Storage::kNowhere, .bytes_per_second = kRate});
  Uploader uploader(server.Url(), {.size = 64 << 20, .longest = 1s});
  ASSERT_TRUE(uploader.Send(std::string(12 << 20, 'x')));
  auto const patches = RequestsOf(server, "PATCH");
  // The kernel's buffers make the first, short bodies look faster than the server takes them.
  for (std::size_t i = 2; i < patches.size(); ++i) {
    EXPECT_LE(patches[i].body_bytes, kRate) << "would take longer than it may";
  }
  EXPECT_GE(patches.size(), 3U);
}

/// A writer that pauses: byte `limit_` comes only after the first bytes have arrived.
class PausingPipe : public ScriptedPipe {
 public:
  PausingPipe(std::string const& bytes, FixtureServer const& server)
      : ScriptedPipe(bytes), server_(server) {}

  Result<Extent> Await(std::uint64_t from, std::uint64_t end, std::chrono::milliseconds patience,
                       std::stop_token stop) override {
    bool const paused = server_.Stats().patches == 0;
    return ScriptedPipe::Await(from, paused ? std::min<std::uint64_t>(end, kBefore) : end, patience,
                               std::move(stop));
  }
  static constexpr std::uint64_t kBefore = 5000;

 private:
  FixtureServer const& server_;
};

TEST(Trap10, NoPatchIsHeldOpenForAWriterThatPauses) {
  FixtureServer server;
  Uploader uploader(server.Url());
  PausingPipe pipe(Bytes(), server);
  ASSERT_TRUE(Upload(uploader.client, uploader.options).Send(pipe));
  EXPECT_EQ(RequestsOf(server, "PATCH").at(0).body_bytes, PausingPipe::kBefore - 1)
      << "what is there goes, but for the byte that completes it";
  EXPECT_EQ(Published(server), Bytes());
}

// 11: joining parts takes the server long.

TEST(Trap11, AConcatenationMayTakeItsTime) {
  FixtureServer server;
  Uploader uploader(server.Url(), {}, {}, {.stall_timeout = 10s});
  auto const part = uploader.client.Create({.length = 0, .partial = true});
  ASSERT_TRUE(part);
  server.AddFault({.method = "POST", .action = Fault::Stall(1200ms)});
  EXPECT_TRUE(uploader.client.Concatenate({.urls = {part->url}}));
}

// 12: Expect: 100-continue costs a round trip, and an early refusal is read without it.

TEST(Trap12, NoRoundTripIsSpentBeforeABody) {
  FixtureServer server({.max_body = 3 << 20});
  auto const bytes = RandomBytes(9 << 20);
  Uploader uploader(server.Url(), {.size = 8 << 20});
  auto const receipt = uploader.Send(bytes);
  ASSERT_TRUE(receipt) << receipt.error().message;
  for (auto const& request : server.Requests()) EXPECT_EQ(HeaderIn(request, "Expect"), "(none)");
  EXPECT_THAT(uploader.retries, IsEmpty()) << "a refusal was taken for a broken connection";
  EXPECT_EQ(Published(server), bytes);
}

// 13: connections that the server closes while they are idle.

TEST(Trap13, AConnectionThatWasClosedBetweenTwoChunksIsNoError) {
  FixtureServer server({.keep_alive = 50ms});
  Uploader uploader(server.Url());
  uploader.options.on_confirmed = [](std::uint64_t) {
    std::this_thread::sleep_for(120ms);  // longer than the server keeps it; nothing to wait on
  };
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(Methods(server), "OPTIONS POST PATCH PATCH PATCH");
  EXPECT_THAT(uploader.retries, IsEmpty());
}

// 14: a proxy with a limit of its own.

TEST(Trap14, AProxyThatTakesOnlySmallBodiesIsGivenSmallOnesAndNamed) {
  constexpr std::uint64_t kLimit = 100'000;
  FixtureServer server;
  server.AddFault({.method = "PATCH",
                   .nth = 0,
                   .matches =
                       [](RequestFacts const& facts) {
                         return facts.exchange->ContentLength().value_or(0) > kLimit;
                       },
                   .action = Fault::AnswerWithoutTusResumable(413, "<html>413</html>",
                                                              {{"Server", "nginx/1.22.1"}})});
  Uploader uploader(server.Url(), {.size = 1 << 20});
  auto const bytes = RandomBytes(1'000'000);
  ASSERT_TRUE(uploader.Send(bytes));
  EXPECT_EQ(Published(server), bytes);
  EXPECT_LE(uploader.profile.MaxBody(), kLimit);

  auto const upload = uploader.client.Create({.length = bytes.size()});
  MemorySource source(std::as_bytes(std::span(bytes)));
  auto const refused =
      uploader.client.Patch({.url = upload->url, .length = bytes.size(), .source = &source});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("nginx/1.22.1"));
}

// 15: what was remembered has to agree with what the server says.

class Trap15 : public testing::Test {
 protected:
  /// An upload of 100 bytes of which the server has 8, as a process that was killed left it.
  void SetUp() override {
    auto const created = uploader_.client.Create({.length = length_});
    ASSERT_TRUE(created);
    MemorySource source(std::as_bytes(std::span(bytes_)));
    ASSERT_TRUE(uploader_.client.Patch({.url = created->url, .length = 8, .source = &source}));
    store_.uploads["f"] = {.url = created->url, .length = length_, .checked_sha256 = {}};
    uploader_.RememberIn(store_);
  }

  FixtureServer server_;
  std::string const bytes_ = RandomBytes(100);
  std::optional<std::uint64_t> length_ = bytes_.size();
  MemoryStore store_;
  Uploader uploader_{server_.Url()};
};

TEST_F(Trap15, WhatAgreesIsGoneOnWith) {
  auto const receipt = uploader_.Send(bytes_);
  ASSERT_TRUE(receipt);
  EXPECT_TRUE(receipt->resumed);
  EXPECT_EQ(receipt->sent, 92U);
  EXPECT_EQ(Published(server_), bytes_);
}

TEST_F(Trap15, AnotherLengthMeansStartingOver) {
  auto const longer = bytes_ + "more";
  auto const receipt = uploader_.Send(longer);
  ASSERT_TRUE(receipt);
  EXPECT_FALSE(receipt->resumed);
  EXPECT_EQ(Published(server_), longer);
  EXPECT_THAT(server_.Uploads(), SizeIs(1)) << "the other is left behind";
}

class Trap15Deferred : public Trap15 {
 protected:
  void SetUp() override {
    length_.reset();
    Trap15::SetUp();
  }
};

TEST_F(Trap15Deferred, AnOffsetAboveWhatWasEverSentMeansStartingOver) {
  store_.uploads["f"].checked_length = 5;
  store_.uploads["f"].checked_sha256 = ScriptedPipe::Sha256Of(bytes_.substr(0, 5));
  auto const receipt = uploader_.SendPipe(bytes_);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_FALSE(receipt->resumed);
  EXPECT_EQ(Published(server_), bytes_);
}

TEST_F(Trap15Deferred, APipeThatBringsTheSameBytesGoesOn) {
  store_.uploads["f"].checked_length = 12;
  store_.uploads["f"].checked_sha256 = ScriptedPipe::Sha256Of(bytes_.substr(0, 12));
  auto const receipt = uploader_.SendPipe(bytes_);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_TRUE(receipt->resumed);
  EXPECT_EQ(Published(server_), bytes_);
}

}  // namespace
}  // namespace tus
