// A file in parts, over several connections at once, against a server over real HTTP.
#include "tusclient/parallel_upload.h"

#include <mutex>
#include <thread>

#include "parts.h"
#include "testing/wait_for.h"
#include "wire_rig.h"

namespace tus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tusfs_testing::Fault;
using tusfs_testing::FixtureServer;
using tusfs_testing::RandomBytes;
using tusfs_testing::WaitFor;

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// One process with several connections to the server.
class Fleet {
 public:
  Fleet(std::string const& endpoint, std::size_t count) : profile(ChunkRules{.size = kMiB / 2}) {
    for (std::size_t i = 0; i < count; ++i) {
      transports.push_back(MakeCurlTransport({}));
      owned.push_back(
          std::make_unique<Client>(ClientOptions{.endpoint = endpoint}, *transports.back()));
      clients.push_back(owned.back().get());
    }
    options.upload.profile = &profile;
    options.upload.metadata = {{"filename", "whole.mov"}};
    options.upload.retry = {.base = std::chrono::milliseconds(1),
                            .max = std::chrono::milliseconds(5)};
    options.upload.gone_after = std::chrono::milliseconds(0);
  }

  void RememberIn(UrlStore& store) {
    options.upload.store = &store;
    options.upload.fingerprint = "f";
  }
  Result<Receipt> Send(std::string const& bytes, std::stop_token stop = {}) {
    MemorySource source(std::as_bytes(std::span(bytes)));
    return ParallelUpload(clients, options).Send(source, bytes.size(), std::move(stop));
  }
  Result<bool> Abandon(std::string const& bytes) {
    return ParallelUpload(clients, options).Abandon(bytes.size());
  }

  ServerProfile profile;
  ParallelOptions options;

 private:
  std::vector<std::unique_ptr<HttpTransport>> transports;
  std::vector<std::unique_ptr<Client>> owned;
  std::vector<Client*> clients;
};

class LockedStore : public UrlStore {
 public:
  Result<std::optional<StoredUpload>> Find(std::string const& fingerprint) override {
    std::lock_guard const lock(mutex_);
    return store_.Find(fingerprint);
  }
  Result<void> Put(std::string const& fingerprint, StoredUpload const& upload) override {
    std::lock_guard const lock(mutex_);
    return store_.Put(fingerprint, upload);
  }
  Result<void> Remove(std::string const& fingerprint) override {
    std::lock_guard const lock(mutex_);
    return store_.Remove(fingerprint);
  }
  [[nodiscard]] std::size_t size() {
    std::lock_guard const lock(mutex_);
    return store_.uploads.size();
  }

 private:
  std::mutex mutex_;
  MemoryStore store_;
};

std::vector<std::string> Concats(FixtureServer const& server) {
  std::vector<std::string> values;
  for (auto const& post : RequestsOf(server, "POST")) {
    values.push_back(HeaderIn(post, "Upload-Concat").substr(0, 7));
  }
  return values;
}

TEST(ParallelUploadTest, SendsItsPartsAtTheSameTimeAndPublishesOneUpload) {
  FixtureServer server;
  for (int nth = 1; nth <= 3; ++nth) {
    server.AddFault({.method = "PATCH", .nth = nth, .action = Fault::StallUntilReleased()});
  }
  Fleet fleet(server.Url(), 3);
  auto const bytes = RandomBytes(4 * kMiB + 1000);
  std::vector<std::uint64_t> confirmed;
  fleet.options.upload.on_confirmed = [&](std::uint64_t sum) { confirmed.push_back(sum); };
  Result<Receipt> receipt;
  {
    std::jthread const sending([&] { receipt = fleet.Send(bytes); });
    EXPECT_TRUE(WaitFor([&] { return server.Stalled() == 3; })) << "three PATCHes at once";
    server.ReleaseStalled();
  }
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(Published(server), bytes);
  EXPECT_EQ(receipt->size, bytes.size());
  EXPECT_EQ(receipt->sent, bytes.size());
  EXPECT_EQ(confirmed.back(), bytes.size()) << "of all parts together";
  EXPECT_THAT(Concats(server), ElementsAre("partial", "partial", "partial", "final;/"));
  EXPECT_TRUE(server.FindUpload("whole.mov")) << "the metadata is the whole's";
  EXPECT_EQ(server.Stats().published, 1);
}

TEST(ParallelUploadTest, GoesOverOneConnectionWhereTheServerDoesNotJoin) {
  FixtureServer server({.concatenation = false});
  Fleet fleet(server.Url(), 3);
  auto const bytes = RandomBytes(4 * kMiB);
  ASSERT_TRUE(fleet.Send(bytes));
  EXPECT_EQ(Published(server), bytes);
  EXPECT_THAT(Concats(server), ElementsAre("(none)"));
}

TEST(ParallelUploadTest, DoesNotCutWhatIsTooSmall) {
  FixtureServer server;
  Fleet fleet(server.Url(), 3);
  for (auto const size : {std::size_t{0}, std::size_t{1}, kMiB}) {
    ASSERT_TRUE(fleet.Send(RandomBytes(size)));
  }
  EXPECT_THAT(Concats(server), ElementsAre("(none)", "(none)", "(none)"));
}

TEST(ParallelUploadTest, IsGoneOnWithByTheNextCall) {
  FixtureServer server;
  LockedStore store;
  auto const bytes = RandomBytes(6 * kMiB);
  {
    Fleet fleet(server.Url(), 2);
    fleet.RememberIn(store);
    std::stop_source stop;
    fleet.options.upload.on_confirmed = [&](std::uint64_t sum) {
      if (sum >= 3 * kMiB) stop.request_stop();
    };
    auto const stopped = fleet.Send(bytes, stop.get_token());
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  }
  EXPECT_EQ(Published(server), "(0 complete uploads)");
  Fleet fleet(server.Url(), 2);
  fleet.RememberIn(store);
  auto const receipt = fleet.Send(bytes);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_TRUE(receipt->resumed);
  EXPECT_LE(receipt->sent, 3 * kMiB);
  EXPECT_EQ(Published(server), bytes);
  EXPECT_EQ(server.Uploads().size(), 3U) << "two parts and the whole";
  EXPECT_EQ(store.size(), 0U) << "all is forgotten";
}

TEST(ParallelUploadTest, APartThatIsCompleteIsNotSentAgainByTheNextCall) {
  FixtureServer server;
  LockedStore store;
  auto const bytes = RandomBytes(4 * kMiB);
  server.AddFault({.method = "POST", .nth = 5, .action = Fault::Answer(422, "not now")});
  {
    Fleet fleet(server.Url(), 1);
    fleet.RememberIn(store);
    fleet.options.part_size = kMiB;
    auto const refused = fleet.Send(bytes);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("not now"));
    EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  }
  auto const before = server.Stats().received_bytes;
  Fleet fleet(server.Url(), 1);
  fleet.RememberIn(store);
  fleet.options.part_size = kMiB;
  ASSERT_TRUE(fleet.Send(bytes)) << "the joining alone was refused";
  EXPECT_EQ(server.Stats().received_bytes, before);
  EXPECT_EQ(Published(server), bytes);
}

TEST(ParallelUploadTest, IsNeverJoinedTwiceWhenTheAnswerIsLost) {
  FixtureServer server;
  LockedStore store;
  auto const bytes = RandomBytes(2 * kMiB);
  server.AddFault({.method = "POST", .nth = 3, .action = Fault::LoseAnswer()});
  Fleet fleet(server.Url(), 2);
  fleet.RememberIn(store);
  auto const lost = fleet.Send(bytes);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kUnconfirmed);
  EXPECT_EQ(Published(server), bytes) << "it was published";

  auto const requests = server.Requests().size();
  Fleet next(server.Url(), 2);
  next.RememberIn(store);
  auto const again = next.Send(bytes);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kUnconfirmed);
  EXPECT_EQ(server.Requests().size(), requests) << "nothing was asked for";

  EXPECT_EQ(next.Abandon(bytes), true) << "a person has looked";
  EXPECT_EQ(next.Abandon(bytes), false) << "there is nothing any more";
  EXPECT_EQ(store.size(), 0U);
  EXPECT_EQ(Published(server), bytes) << "what is joined is left alone";
  EXPECT_EQ(server.Stats().deletes, 2);
}

TEST(ParallelUploadTest, AsksAgainWhereNothingWasJoined) {
  FixtureServer server;
  server.AddFault({.method = "POST", .nth = 3, .action = Fault::Answer(503, "busy")});
  server.AddFault({.method = "POST", .nth = 4, .action = Fault::Answer(429, "slowly")});
  Fleet fleet(server.Url(), 2);
  auto const bytes = RandomBytes(2 * kMiB);
  std::vector<int> statuses;
  fleet.options.upload.on_retry = [&](Error const& error, std::chrono::milliseconds) {
    statuses.push_back(error.http_status);
  };
  ASSERT_TRUE(fleet.Send(bytes));
  EXPECT_THAT(statuses, ElementsAre(503, 429));
  EXPECT_EQ(Published(server), bytes);
}

TEST(ParallelUploadTest, SendsPartsAgainThatTheServerHasLost) {
  FixtureServer server;
  server.AddFault({.method = "POST", .nth = 3, .action = Fault::Answer(404, "no such part")});
  LockedStore store;
  Fleet fleet(server.Url(), 2);
  fleet.RememberIn(store);
  auto const bytes = RandomBytes(2 * kMiB);
  std::vector<std::string> restarts;
  fleet.options.upload.on_restart = [&](std::string const& why) { restarts.push_back(why); };
  auto const receipt = fleet.Send(bytes);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_THAT(restarts, ElementsAre(HasSubstr("does not have all of its parts")));
  EXPECT_EQ(receipt->sent, 2 * bytes.size());
  EXPECT_EQ(Published(server), bytes);
}

TEST(ParallelUploadTest, APartWhoseEndIsNotKnownIsMadeAnew) {
  FixtureServer server;
  // The last body of the first part arrives, its answer is lost, and then the server has lost it.
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::LoseAnswer()});
  server.AddFault({.method = "HEAD", .action = Fault::ForgetUpload()});
  LockedStore store;
  Fleet fleet(server.Url(), 1);
  fleet.RememberIn(store);
  fleet.options.part_size = kMiB;
  auto const bytes = RandomBytes(2 * kMiB);
  auto const receipt = fleet.Send(bytes);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->size, bytes.size());
  EXPECT_EQ(Published(server), bytes);
}

TEST(ParallelUploadTest, DeletesItsPartsWhereItIsToldTo) {
  FixtureServer server;
  Fleet fleet(server.Url(), 2);
  fleet.options.deletes_parts = true;
  auto const bytes = RandomBytes(2 * kMiB);
  ASSERT_TRUE(fleet.Send(bytes));
  EXPECT_EQ(server.Stats().deletes, 2);
  EXPECT_THAT(server.Uploads(), SizeIs(1));
  EXPECT_EQ(Published(server), bytes);
}

TEST(ParallelUploadTest, SaysWhatItCannotDo) {
  FixtureServer server;
  Fleet nobody(server.Url(), 0);
  EXPECT_EQ(nobody.Send("x").error().code, ErrorCode::kInvalidArgument);
  Fleet fleet(server.Url(), 1);
  fleet.options.upload.upload_url = server.Url() + "1";
  EXPECT_EQ(fleet.Send("x").error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(server.Requests(), IsEmpty());
}

TEST(PartsTest, AreAsManyAsFitIntoOneRequest) {
  EXPECT_THAT(PartsOf(10, 4, 24), SizeIs(3));
  EXPECT_EQ(PartsOf(10, 4, 24).back().begin, 8U);
  EXPECT_EQ(PartsOf(10, 4, 24).back().end, 10U);
  EXPECT_THAT(PartsOf(1000, 1, 24), SizeIs(24));
  EXPECT_EQ(PartsOf(1000, 1, 24).back().end, 1000U);
  auto const huge = PartsOf(std::uint64_t{1} << 63, 1, 24);
  EXPECT_THAT(huge, SizeIs(24));
  EXPECT_EQ(huge.back().end, std::uint64_t{1} << 63);
  EXPECT_THAT(PartsOf(0, 4, 24), IsEmpty());
}

}  // namespace
}  // namespace tus
