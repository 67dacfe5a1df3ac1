// How the fixture server joins parts to a whole: as tusd does, and no better.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "testing/files.h"
#include "testing/fixture_client.h"
#include "testing/fixture_server.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A part that has all of its bytes; its URL.
std::string Part(FixtureServer const& server, std::string const& bytes) {
  Headers const headers{{"Upload-Length", std::to_string(bytes.size())},
                        {"Upload-Concat", "partial"},
                        {"Content-Type", "application/offset+octet-stream"}};
  return Post(server, headers, bytes).headers.at("location");
}

HttpAnswer Join(FixtureServer const& server, std::string const& urls, Headers more = {}) {
  more.emplace_back("Upload-Concat", "final;" + urls);
  return Post(server, std::move(more));
}

TEST(FixtureConcatenation, TakesPathsAndUrlsInAHeaderOf4KiB) {
  FixtureServer const server;
  auto const a = Part(server, "a");
  auto const b = Part(server, "b");
  auto const whole = Join(server, a + " /files/" + IdOf(b));
  ASSERT_EQ(whole.status, 201);
  EXPECT_EQ(server.Content(IdOf(whole.headers.at("location"))), "ab");
  EXPECT_EQ(Join(server, "/other/" + IdOf(a)).status, 400);
  std::string many = a;
  while (many.size() < 4096) many += " " + a;
  EXPECT_EQ(Join(server, many).status, 431);
}

TEST(FixtureConcatenation, TheLimitOfItsHeaderCanBeAnother) {
  FixtureServer const server({.max_concat = 100});
  auto const path = "/files/" + IdOf(Part(server, "a"));
  EXPECT_EQ(Join(server, path).status, 201);
  EXPECT_EQ(Join(server, path + " " + path + " " + path + " " + path).status, 431);
}

TEST(FixtureConcatenation, EachSaysWhatItIs) {
  FixtureServer const server;
  auto const part = Part(server, "hello");
  auto const paths = "/files/" + IdOf(part);
  auto const whole = Join(server, paths, {{"Upload-Metadata", "filename eA=="}});
  auto const of_part = Head(part);
  EXPECT_EQ(of_part.headers.at("upload-concat"), "partial");
  EXPECT_EQ(of_part.headers.at("upload-offset"), "5");
  EXPECT_EQ(of_part.headers.at("upload-length"), "5");
  auto const of_whole = Head(whole.headers.at("location"));
  EXPECT_EQ(of_whole.headers.at("upload-concat"), "final;" + paths);
  EXPECT_EQ(of_whole.headers.at("upload-offset"), "5");
  EXPECT_EQ(of_whole.headers.at("upload-length"), "5");
  EXPECT_EQ(of_whole.headers.at("upload-metadata"), "filename eA==");
}

TEST(FixtureConcatenation, APartThatIsGoneOrUnfinishedOrNoneIsRefusedAndNothingIsMade) {
  FixtureServer server;
  auto const good = Part(server, "good");
  auto const gone = Part(server, "gone");
  EXPECT_EQ(HttpCall("DELETE", gone, Tus()).status, 204);
  EXPECT_EQ(Join(server, good + " " + gone).status, 404);
  auto const half = Post(server, {{"Upload-Length", "5"}, {"Upload-Concat", "partial"}});
  EXPECT_EQ(Patch(half.headers.at("location"), 0, "hal").status, 204);
  EXPECT_EQ(Join(server, good + " " + half.headers.at("location")).status, 400);
  auto const other = Create(server, 0);
  EXPECT_EQ(Join(server, good + " " + other).status, 400);
  EXPECT_EQ(Join(server, "").status, 400);
  EXPECT_EQ(server.Stats().published, 1) << "the empty one alone";
  EXPECT_THAT(server.Uploads(), SizeIs(3));
}

TEST(FixtureConcatenation, AnExpiredPartIsGone) {
  FixtureServer const server({.expire_after = 300ms});
  auto const part = Part(server, "part");
  ASSERT_TRUE(WaitFor([&] { return Head(part).status == 410; }));
  EXPECT_EQ(Join(server, part).status, 410);
}

TEST(FixtureConcatenation, AWholeBeyondTheLargestSizeIsRefused) {
  FixtureServer const server({.max_size = 5});
  auto const a = Part(server, "aaa");
  EXPECT_EQ(Join(server, a + " " + a).status, 413);
  EXPECT_EQ(Join(server, a).status, 201);
}

TEST(FixtureConcatenation, PartsOfNoWholeAreLoose) {
  FixtureServer const server;
  auto const a = Part(server, "a");
  auto const b = Part(server, "b");
  EXPECT_THAT(server.LooseParts(), SizeIs(2));
  auto const whole = Join(server, a);
  auto const loose = server.LooseParts();
  ASSERT_THAT(loose, SizeIs(1));
  EXPECT_EQ(loose[0].id, IdOf(b));
  EXPECT_THAT(server.Uploads().back().parts, ElementsAre(IdOf(a)));
  EXPECT_EQ(HttpCall("DELETE", b, Tus()).status, 204);
  EXPECT_THAT(server.LooseParts(), IsEmpty());
  EXPECT_EQ(HttpCall("DELETE", a, Tus()).status, 204);
  EXPECT_EQ(server.Content(IdOf(whole.headers.at("location"))), "a") << "its bytes were copied";
}

// ---- joins that go wrong

TEST(FixtureConcatenation, AJoinMayTakeItsTimeAndIsDoneForWhoeverHasGoneMeanwhile) {
  FixtureServer server({.join_time = 300ms});
  auto const part = Part(server, "part");
  server.AddFault({.method = "POST", .matches = IsJoin, .action = Fault::LoseAnswer()});
  auto const start = std::chrono::steady_clock::now();
  EXPECT_EQ(Join(server, part).status, 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms);
  EXPECT_EQ(server.Stats().published, 1);
}

TEST(FixtureConcatenation, AServerThatIsKilledWhileItJoinsHasPublishedNothing) {
  FixtureServer server({.join_time = 10min});
  auto const part = Part(server, "part");
  std::jthread const killer([&] {
    EXPECT_TRUE(WaitFor([&] { return server.Joining() == 1; }));
    server.Stop();
  });
  EXPECT_EQ(Join(server, part).status, 0);
  EXPECT_EQ(server.Stats().published, 0);
}

TEST(FixtureConcatenation, AJoinAloneMayBeAnsweredOtherwise) {
  FixtureServer server;
  server.AddFault({.method = "POST", .matches = IsJoin, .action = Fault::AnswerAfter(504)});
  server.AddFault({.method = "POST", .nth = 2, .matches = IsJoin, .action = Fault::Answer(400)});
  server.AddFault(
      {.method = "POST", .nth = 2, .matches = IsCreationOfPart, .action = Fault::Answer(503)});
  auto const part = Part(server, "part");
  EXPECT_EQ(Join(server, part).status, 504);
  EXPECT_EQ(server.Stats().published, 1) << "and joined all the same";
  EXPECT_EQ(Join(server, part).status, 400);
  EXPECT_EQ(server.Stats().published, 1);
  EXPECT_EQ(Post(server, {{"Upload-Length", "1"}, {"Upload-Concat", "partial"}}).status, 503);
  EXPECT_EQ(Post(server, {{"Upload-Length", "1"}}).status, 201);
  EXPECT_EQ(Join(server, part).status, 201);
}

TEST(FixtureConcatenation, IsSeenInItsCountersOverHttp) {
  FixtureServer const server;
  auto const part = Part(server, "part");
  EXPECT_EQ(Join(server, part).status, 201);
  auto const url = "http://127.0.0.1:" + std::to_string(server.port()) + "/stats";
  auto const stats = nlohmann::json::parse(HttpCall("GET", url).body);
  ASSERT_THAT(stats["uploads"], SizeIs(2));
  EXPECT_EQ(stats["uploads"][0]["partial"], true);
  EXPECT_EQ(stats["uploads"][1]["partial"], false);
  EXPECT_EQ(stats["uploads"][1]["parts"][0], IdOf(part));
}

}  // namespace
}  // namespace tusfs_testing
