// The client against a server over real HTTP: what every kind of answer leads to.
#include "testing/wait_for.h"
#include "wire_rig.h"

namespace tus {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using tusfs_testing::Fault;
using tusfs_testing::FixtureServer;
using tusfs_testing::RandomBytes;
using tusfs_testing::RequestFacts;
using tusfs_testing::WaitFor;

// ---- answers after which the server is asked and the upload goes on

struct Row {
  std::string name;
  Fault fault;
  ErrorCode code;
};
void PrintTo(Row const& row, std::ostream* out) { *out << row.name; }

class Passing : public testing::TestWithParam<Row> {};

TEST_P(Passing, TroubleWithAPatchIsAskedAboutAndGoneOnFrom) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 2, .action = GetParam().fault});
  Uploader uploader(server.Url());
  auto const receipt = uploader.Send(Bytes());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_THAT(Methods(server), StartsWith("OPTIONS POST PATCH PATCH HEAD PATCH"));
  EXPECT_EQ(server.Stats().heads, 1);
  EXPECT_THAT(uploader.RetryCodes(), ElementsAre(GetParam().code));
  EXPECT_GT(uploader.waited, 0ms) << "without backing off";
  EXPECT_EQ(Published(server), Bytes());
}

TEST_P(Passing, TroubleWithTheLastPatchTakesNothingFromTheUpload) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 3, .action = GetParam().fault});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(Published(server), Bytes());
}

TEST_P(Passing, TroubleWithAHeadIsAskedAboutAgain) {
  // HEAD has no body that could be cut, and no words come with its answer.
  auto const& name = GetParam().name;
  if (name == "CutBody" || name.starts_with("Interrupted400")) return;
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::CutAfter(100)});
  server.AddFault({.method = "HEAD", .action = GetParam().fault});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(Methods(server), "OPTIONS POST PATCH PATCH HEAD HEAD PATCH PATCH");
  EXPECT_EQ(Published(server), Bytes());
}

TEST_P(Passing, TroubleWithACreationIsTriedAgain) {
  if (GetParam().name == "CutBody") return;  // a creation without a body
  FixtureServer server;
  server.AddFault({.method = "POST", .action = GetParam().fault});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(Methods(server), "OPTIONS POST POST PATCH PATCH PATCH");
  EXPECT_THAT(uploader.RetryCodes(), ElementsAre(GetParam().code));
  EXPECT_EQ(Published(server), Bytes());
}

std::vector<Row> PassingRows() {
  std::vector<Row> rows{
      {"CutBody", Fault::CutAfter(777), ErrorCode::kInterrupted},
      {"NoAnswer", Fault::LoseAnswer(), ErrorCode::kInterrupted},
      {"LoginPage", Fault::AnswerWithoutTusResumable(), ErrorCode::kNotTus},
      {"PortalRedirect",
       Fault::AnswerWithoutTusResumable(302, "", {{"Location", "http://portal.example/"}}),
       ErrorCode::kNotTus},
      {"Other404", Fault::AnswerWithoutTusResumable(404), ErrorCode::kNotTus},
      {"Other410", Fault::AnswerWithoutTusResumable(410), ErrorCode::kNotTus},
      {"Other502", Fault::AnswerWithoutTusResumable(502), ErrorCode::kNotTus},
      {"Interrupted400", Fault::Answer(400, "ERR_UPLOAD_INTERRUPTED: cut"), ErrorCode::kTransient},
      {"Interrupted400Eof", Fault::Answer(400, "ERR_UNEXPECTED_EOF"), ErrorCode::kTransient}};
  for (int const status : {408, 409, 423, 425, 429, 500, 502, 503, 504}) {
    rows.push_back({"Tus" + std::to_string(status), Fault::Answer(status),
                    status == 423 ? ErrorCode::kLocked : ErrorCode::kTransient});
  }
  return rows;
}
INSTANTIATE_TEST_SUITE_P(Rows, Passing, testing::ValuesIn(PassingRows()),
                         [](auto const& row) { return row.param.name; });

TEST(Answers, RetryAfterIsWaitedFor) {
  FixtureServer server;
  server.AddFault(
      {.method = "PATCH", .action = Fault::Answer(503, "busy", {{"Retry-After", "77"}})});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_GE(uploader.waited, 77s);
}

TEST(Answers, AnEndpointThatCannotBeReachedIsWaitedFor) {
  FixtureServer server;
  server.Stop();
  Uploader uploader(server.Url());
  uploader.while_waiting = [&] {
    if (uploader.retries.size() == 3) server.Start();
  };
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_THAT(uploader.RetryCodes(), ElementsAre(ErrorCode::kUnreachable, ErrorCode::kUnreachable,
                                                 ErrorCode::kUnreachable));
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Answers, AShortOffsetIsGoneOnFrom) {
  FixtureServer server({.checksum = false});  // a checksum covers all of a body or nothing
  server.AddFault({.method = "PATCH", .action = Fault::ShortOffset(1000)});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_THAT(uploader.confirmed, testing::Contains(1000));
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Answers, AnOffsetBelowWhatWasConfirmedOrAboveWhatWasSentIsNotBelievedButAskedAbout) {
  for (std::string const offset : {"1", "131073", "-1", ""}) {
    FixtureServer server;
    server.AddFault({.method = "PATCH",
                     .nth = 2,
                     .action = Fault::AnswerAfter(204, "", {{"Upload-Offset", offset}})});
    Uploader uploader(server.Url());
    auto const receipt = uploader.Send(Bytes());
    ASSERT_TRUE(receipt) << offset << ": " << receipt.error().message;
    EXPECT_THAT(uploader.RetryCodes(), ElementsAre(ErrorCode::kProtocol));
    EXPECT_EQ(Published(server), Bytes());
  }
}

// ---- gone

TEST(Gone, IsBelievedAfterTenSecondsAndAnOptionsAndThenTheUploadStartsOver) {
  for (int const status : {404, 410}) {
    FixtureServer server;
    server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::Answer(status)});
    server.AddFault({.method = "HEAD", .nth = 0, .action = Fault::Answer(status)});
    Uploader uploader(server.Url());
    ASSERT_TRUE(uploader.Send(Bytes()));
    EXPECT_EQ(Methods(server).find("OPTIONS POST PATCH PATCH HEAD"), 0U) << Methods(server);
    EXPECT_THAT(Methods(server), HasSubstr("HEAD OPTIONS POST PATCH PATCH PATCH"));
    EXPECT_GE(uploader.waited, 10s);
    EXPECT_THAT(uploader.restarts, SizeIs(1));
    EXPECT_EQ(Published(server), Bytes());
  }
}

TEST(Gone, IsNotBelievedOfAServerThatIsBeingRedeployed) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::Answer(404)});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_THAT(uploader.restarts, IsEmpty());
  EXPECT_EQ(server.Uploads().size(), 1U);
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Gone, IsNotBelievedWhileTheEndpointIsNoTusServer) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::Answer(404)});
  server.AddFault({.method = "HEAD", .action = Fault::Answer(404)});
  server.AddFault({.method = "OPTIONS", .nth = 2, .action = Fault::AnswerWithoutTusResumable(502)});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_THAT(uploader.restarts, IsEmpty());
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Gone, AfterTheLastBytesIsUnconfirmedAndNothingIsSentAgain) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::LoseAnswer()});
  server.AddFault({.method = "HEAD", .nth = 0, .action = Fault::Answer(404)});
  Uploader uploader(server.Url());
  auto const receipt = uploader.Send(Bytes());
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kUnconfirmed);
  EXPECT_EQ(server.Stats().posts, 1);
  EXPECT_EQ(Published(server), Bytes());
}

// ---- refusals

TEST(Refusals, EndTheUploadWithTheServersWords) {
  for (int const status : {400, 412, 415, 422, 451}) {
    FixtureServer server;
    server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::Answer(status, "not today")});
    MemoryStore store;
    Uploader uploader(server.Url());
    uploader.options.checksums = false;
    uploader.RememberIn(store);
    auto const receipt = uploader.Send(Bytes());
    ASSERT_FALSE(receipt) << status;
    EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
    EXPECT_EQ(receipt.error().http_status, status);
    EXPECT_THAT(receipt.error().message, HasSubstr("not today"));
    EXPECT_EQ(Methods(server), "OPTIONS POST PATCH PATCH");
  }
}

TEST(Refusals, OfACreationEndTheUpload) {
  for (int const status : {400, 404, 410, 412, 422}) {
    FixtureServer server;
    server.AddFault({.method = "POST", .action = Fault::Answer(status, "not today")});
    Uploader uploader(server.Url());
    auto const receipt = uploader.Send(Bytes());
    ASSERT_FALSE(receipt) << status;
    EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
    EXPECT_EQ(server.Stats().posts, 1);
  }
}

TEST(Refusals, OfAHookAfterTheLastBytesAreBelievedAlthoughTheServerHasThemAll) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::AnswerAfter(422, "a hook")});
  MemoryStore store;
  Uploader uploader(server.Url());
  uploader.RememberIn(store);
  auto const receipt = uploader.Send(Bytes());
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_THAT(receipt.error().message, HasSubstr("a hook"));
  EXPECT_THAT(store.uploads, IsEmpty()) << "a HEAD would call it complete";
}

TEST(Refusals, AWrongEndpointIsPermanent) {
  FixtureServer server;
  Uploader uploader("http://127.0.0.1:" + std::to_string(server.port()) + "/elsewhere/");
  auto const receipt = uploader.Send(Bytes());
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_EQ(receipt.error().http_status, 404);
}

TEST(LostLastAnswer, OfWhatTheServerHasCompletelyIsSuccessAndSentOnce) {
  FixtureServer server;
  server.AddFault({.method = "PATCH", .nth = 3, .action = Fault::LoseAnswer()});
  Uploader uploader(server.Url());
  auto const receipt = uploader.Send(Bytes());
  ASSERT_TRUE(receipt);
  EXPECT_THAT(receipt->headers, IsEmpty());
  EXPECT_EQ(receipt->sent, Bytes().size());
  EXPECT_EQ(Methods(server), "OPTIONS POST PATCH PATCH PATCH HEAD");
}

// ---- credentials

/// What a file or program would give: another token after one was refused.
class Tokens : public Credentials {
 public:
  explicit Tokens(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}
  Result<std::vector<Header>> Headers(std::stop_token) override {
    return std::vector<Header>{{"Authorization", "Bearer " + tokens_[at_]}};
  }
  void Refused(std::vector<Header> const&) override {
    ++refused;
    at_ = std::min(at_ + 1, tokens_.size() - 1);
  }
  int refused = 0;

 private:
  std::vector<std::string> const tokens_;
  std::size_t at_ = 0;
};

TEST(Unauthorized, ReadsCredentialsAgainInTheMiddleOfAnUpload) {
  FixtureServer server({.required_headers = {{"Authorization", "Bearer one"}}});
  Tokens tokens({"one", "two"});
  Uploader uploader(server.Url(), {.size = kChunk}, {.credentials = &tokens});
  bool renewed = false;
  uploader.options.on_confirmed = [&](std::uint64_t) {
    if (!std::exchange(renewed, true)) server.Require({{"Authorization", "Bearer two"}});
  };
  auto const receipt = uploader.Send(Bytes());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_THAT(uploader.retries, IsEmpty()) << "no need to wait for anybody";
  EXPECT_EQ(tokens.refused, 1);
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Unauthorized, EndsTheCallAndAnotherGoesOn) {
  FixtureServer server;
  MemoryStore store;
  Uploader uploader(server.Url(), {.size = kChunk}, {.headers = {{"Authorization", "Bearer x"}}});
  uploader.RememberIn(store);
  uploader.options.on_confirmed = [&](std::uint64_t) {
    server.Require({{"Authorization", "Bearer y"}});
  };
  auto const receipt = uploader.Send(Bytes());
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kUnauthorized);
  EXPECT_THAT(receipt.error().message, Not(HasSubstr("Bearer x")));

  Uploader next(server.Url(), {.size = kChunk}, {.headers = {{"Authorization", "Bearer y"}}});
  next.RememberIn(store);
  auto const resumed = next.Send(Bytes());
  ASSERT_TRUE(resumed);
  EXPECT_TRUE(resumed->resumed);
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Unauthorized, IsTriedAgainSlowlyWhereAskedTo) {
  for (auto const& refusal :
       {Fault::Answer(401), Fault::Answer(403), Fault::AnswerWithoutTusResumable(401),
        Fault::AnswerWithoutTusResumable(403), Fault::AnswerWithoutTusResumable(407)}) {
    FixtureServer server;
    server.AddFault({.method = "PATCH", .nth = 2, .action = refusal});
    Uploader uploader(server.Url());
    uploader.options.wait_for_credentials = true;
    ASSERT_TRUE(uploader.Send(Bytes())) << refusal.status;
    EXPECT_THAT(uploader.RetryCodes(), ElementsAre(ErrorCode::kUnauthorized));
    EXPECT_GE(uploader.waited, 10s);
  }
}

// ---- too large

TEST(TooLarge, ABodyIsHalvedAndThatIsRememberedForTheNextUpload) {
  FixtureServer server({.max_body = 200'000});
  auto const bytes = RandomBytes(1'000'000);
  Uploader uploader(server.Url(), {.size = 1 << 20});
  ASSERT_TRUE(uploader.Send(bytes));
  EXPECT_EQ(Published(server), bytes);
  int const before = server.Stats().patches;
  ASSERT_TRUE(uploader.Send(bytes));
  auto const requests = RequestsOf(server, "PATCH");
  for (std::size_t i = static_cast<std::size_t>(before); i < requests.size(); ++i) {
    EXPECT_EQ(requests[i].status, 204);
  }
}

TEST(TooLarge, AnUploadAboveTheMaximumIsPermanentAnnouncedOrNot) {
  FixtureServer server({.max_size = 1000});
  Uploader uploader(server.Url());
  EXPECT_EQ(uploader.Send(Bytes()).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(Methods(server), "OPTIONS");
  server.AddFault({.method = "OPTIONS", .nth = 0, .action = Fault::Answer(204)});
  Uploader unknowing(server.Url());
  EXPECT_EQ(unknowing.Send(Bytes()).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(Methods(server), "OPTIONS OPTIONS POST");
}

// ---- checksums

TEST(Checksums, OfEveryAlgorithmAreWhatTheServerComputes) {
  for (std::string const name : {"sha1", "md5", "crc32", "sha256", "sha512"}) {
    FixtureServer server({.checksum_algorithms = {name}});
    Uploader uploader(server.Url());
    auto const receipt = uploader.Send(Bytes());
    ASSERT_TRUE(receipt) << name << ": " << receipt.error().message;
    for (auto const& request : RequestsOf(server, "PATCH")) {
      EXPECT_EQ(HeaderIn(request, "Upload-Checksum").find(name + " "), 0U);
    }
    EXPECT_EQ(server.Stats().patches, 3) << name << " was refused";
    EXPECT_EQ(Published(server), Bytes());
  }
}

TEST(Checksums, OfADamagedChunkAreSentAgainAndAfterThreeTheServerIsAsked) {
  for (int const status : {460, 417}) {
    FixtureServer server;
    for (int nth = 2; nth <= 4; ++nth) {
      server.AddFault({.method = "PATCH", .nth = nth, .action = Fault::Answer(status)});
    }
    Uploader uploader(server.Url());
    ASSERT_TRUE(uploader.Send(Bytes()));
    EXPECT_EQ(Methods(server), "OPTIONS POST PATCH PATCH PATCH PATCH HEAD PATCH PATCH");
    EXPECT_THAT(uploader.RetryCodes(), ElementsAre(ErrorCode::kChecksumMismatch)) << "say so";
    EXPECT_EQ(Published(server), Bytes());
  }
}

TEST(Checksums, AreNotSentWhereTheServerNamesNoAlgorithm) {
  FixtureServer server({.checksum_algorithms = {}});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  for (auto const& request : RequestsOf(server, "PATCH")) {
    EXPECT_EQ(HeaderIn(request, "Upload-Checksum"), "(none)");
  }
}

TEST(Checksums, AreGivenUpWhereTheServerDoesNotKnowWhatItAnnounced) {
  FixtureServer server;
  server.AddFault({.method = "PATCH",
                   .nth = 0,
                   .matches =
                       [](RequestFacts const& facts) {
                         return facts.exchange->Header("Upload-Checksum").has_value();
                       },
                   .action = Fault::Answer(400, "unsupported")});
  Uploader uploader(server.Url());
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(server.Stats().patches, 4);
  EXPECT_EQ(Published(server), Bytes());
}

TEST(Checksums, ADigestOfTheWholeIsRightForFilesAndPipes) {
  FixtureServer server({.enforce_digest = true});
  Uploader uploader(server.Url());
  uploader.options.sha256 = ScriptedPipe::Sha256Of(Bytes());
  ASSERT_TRUE(uploader.Send(Bytes()));
  uploader.options.sha256 = {};
  ASSERT_TRUE(uploader.SendPipe(Bytes()));
  EXPECT_EQ(server.Stats().published, 2);
  for (auto const& upload : server.Uploads()) EXPECT_THAT(upload.repr_digest, HasSubstr("sha-256"));
  uploader.options.sha256 = std::string(32, 'x');
  EXPECT_EQ(uploader.Send(Bytes()).error().code, ErrorCode::kRefused);
}

// ---- redirects

TEST(Redirects, AreFollowedWithCredentialsForTrustedOriginsOnly) {
  for (int const status : {307, 308}) {
    for (bool const trusted : {false, true}) {
      FixtureServer first;
      FixtureServer second;
      first.AddFault(
          {.method = "POST", .action = Fault::Answer(status, "", {{"Location", second.Url()}})});
      auto const origin = "http://127.0.0.1:" + std::to_string(second.port());
      ClientOptions options{.headers = {{"Authorization", "Bearer secret"}}};
      if (trusted) options.trusted_origins = {origin};
      Uploader uploader(first.Url(), {.size = kChunk}, options);
      auto const receipt = uploader.Send(Bytes());
      ASSERT_TRUE(receipt) << receipt.error().message;
      EXPECT_EQ(Published(second), Bytes());
      for (auto const& request : second.Requests()) {
        EXPECT_EQ(HeaderIn(request, "Authorization"), trusted ? "Bearer secret" : "(none)");
      }
    }
  }
}

TEST(Redirects, OfAPatchTakeTheBytesAlong) {
  FixtureServer first;
  FixtureServer second({.checksum = false});
  Uploader uploader(first.Url());
  Uploader owner(second.Url());
  auto const target = owner.client.Create({.length = Bytes().size()});
  ASSERT_TRUE(target);
  first.AddFault(
      {.method = "PATCH", .nth = 0, .action = Fault::Answer(307, "", {{"Location", target->url}})});
  ASSERT_TRUE(uploader.Send(Bytes()));
  EXPECT_EQ(Published(second), Bytes());
}

TEST(Redirects, OfOtherKindsAreErrors) {
  for (int const status : {301, 302, 303}) {
    for (std::string const method : {"POST", "PATCH"}) {
      FixtureServer server;
      server.AddFault(
          {.method = method, .action = Fault::Answer(status, "", {{"Location", server.Url()}})});
      Uploader uploader(server.Url());
      auto const receipt = uploader.Send(Bytes());
      ASSERT_FALSE(receipt) << method << status;
      EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
      EXPECT_EQ(RequestsOf(server, method).size(), 1U);
    }
  }
}

}  // namespace
}  // namespace tus
