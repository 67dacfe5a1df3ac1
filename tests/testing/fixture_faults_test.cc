// The fixture server's scripted faults do what they say, and to the request that was meant.
#include <gmock/gmock.h>

#include <future>

#include "testing/files.h"
#include "testing/fixture_client.h"
#include "testing/fixture_server.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

using namespace std::chrono_literals;

TEST(FixtureFaults, ACutBodyKeepsTheBytesThatCame) {
  FixtureServer server;
  std::string const url = Create(server, 1'000'000);
  server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::CutAfter(300'000)});
  EXPECT_EQ(Patch(url, 0, std::string(100'000, 'a')).status, 204) << "only the second is cut";
  EXPECT_EQ(Patch(url, 100'000, std::string(900'000, 'b')).status, 0);
  EXPECT_EQ(Head(url).headers.at("upload-offset"), "400000");
  EXPECT_EQ(Patch(url, 400'000, std::string(600'000, 'b')).status, 204);
  EXPECT_EQ(server.Stats().published, 1);
}

TEST(FixtureFaults, AnAnswerCanTakeThePlaceOfTheRequest) {
  FixtureServer server;
  std::string const url = Create(server, 5);
  server.AddFault(
      {.method = "PATCH", .action = Fault::Answer(503, "busy", {{"Retry-After", "7"}})});
  auto const answer = Patch(url, 0, "hello");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("retry-after"), "7");
  EXPECT_EQ(answer.headers.at("tus-resumable"), "1.0.0");
  EXPECT_EQ(answer.body, "busy");
  EXPECT_EQ(Head(url).headers.at("upload-offset"), "0");
}

TEST(FixtureFaults, ACaptivePortalAnswersEverythingUntilCleared) {
  FixtureServer server;
  server.AddFault({.nth = 0, .action = Fault::AnswerWithoutTusResumable()});
  for (auto const* method : {"OPTIONS", "POST", "HEAD", "GET"}) {
    auto const answer = HttpCall(method, server.Url(), Tus());
    EXPECT_EQ(answer.status, 200) << method;
    EXPECT_FALSE(answer.headers.contains("tus-resumable")) << method;
  }
  server.ClearFaults();
  EXPECT_EQ(HttpCall("OPTIONS", server.Url()).status, 204);
}

TEST(FixtureFaults, AHookCanRefuseWhatIsComplete) {
  FixtureServer server;
  std::string const url = Create(server, 5);
  server.AddFault({.method = "PATCH", .action = Fault::AnswerAfter(422, "no such project")});
  EXPECT_EQ(Patch(url, 0, "hello").status, 422);
  EXPECT_EQ(Head(url).headers.at("upload-offset"), "5");
}

TEST(FixtureFaults, ALostAnswerLeavesTheRequestDone) {
  FixtureServer server;
  server.AddFault({.method = "POST", .action = Fault::LoseAnswer()});
  EXPECT_EQ(Post(server, {{"Upload-Length", "5"}}).status, 0);
  EXPECT_EQ(server.Uploads().size(), 1U);
}

TEST(FixtureFaults, AShortOffsetKeepsOnlyThatMuch) {
  FixtureServer server;
  std::string const url = Create(server, 10);
  server.AddFault({.method = "PATCH", .action = Fault::ShortOffset(4)});
  auto const answer = Patch(url, 0, "0123456789");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.headers.at("upload-offset"), "4");
  EXPECT_EQ(server.Content(IdOf(url)), "0123");
}

TEST(FixtureFaults, AnUploadCanBeForgotten) {
  FixtureServer server;
  std::string const url = Create(server, 10);
  server.AddFault({.method = "HEAD", .action = Fault::ForgetUpload()});
  EXPECT_EQ(Head(url).status, 404);
}

TEST(FixtureFaults, AStalledRequestGoesOnWhenReleased) {
  FixtureServer server;
  std::string const url = Create(server, 10);
  server.AddFault({.method = "PATCH", .action = Fault::StallUntilReleased(4)});
  auto const patch = std::async(std::launch::async, [&] { return Patch(url, 0, "0123456789"); });
  ASSERT_TRUE(WaitFor([&] { return server.Stalled() == 1; }));
  EXPECT_EQ(server.Uploads().at(0).offset, 4U);
  server.ReleaseStalled();
  patch.wait();
  EXPECT_EQ(server.Content(IdOf(url)), "0123456789");
}

TEST(FixtureFaults, AStopCutsWhatIsStalled) {
  FixtureServer server;
  std::string const url = Create(server, 10);
  server.AddFault({.method = "PATCH", .action = Fault::StallUntilReleased(4)});
  auto patch = std::async(std::launch::async, [&] { return Patch(url, 0, "0123456789"); });
  ASSERT_TRUE(WaitFor([&] { return server.Stalled() == 1; }));
  server.Stop();
  EXPECT_EQ(patch.get().status, 0);
}

TEST(FixtureFaults, AFaultCanChooseItsRequest) {
  FixtureServer server;
  std::string const url = Create(server, 10);
  server.AddFault(
      {.method = "PATCH",
       .matches =
           [](RequestFacts const& facts) { return facts.exchange->Header("Upload-Offset") == "5"; },
       .action = Fault::Answer(500)});
  EXPECT_EQ(Patch(url, 0, "01234").status, 204);
  EXPECT_EQ(Patch(url, 5, "56789").status, 500);
}

TEST(FixtureFaults, ASecondPatchCutsTheFirstAndIsCounted) {
  FixtureServer server;
  std::string const url = Create(server, 10);
  server.AddFault({.method = "PATCH", .action = Fault::StallUntilReleased(4)});
  auto first = std::async(std::launch::async, [&] { return Patch(url, 0, "0123456789"); });
  ASSERT_TRUE(WaitFor([&] { return server.Stalled() == 1; }));
  EXPECT_EQ(Patch(url, 4, "456789").status, 204);
  EXPECT_EQ(first.get().status, 400);
  EXPECT_EQ(server.Content(IdOf(url)), "0123456789");
  EXPECT_EQ(server.Stats().overlapping_patches, 1);
}

TEST(FixtureFaults, AHeadDuringAPatchCutsItAndIsCounted) {
  FixtureServer server;
  std::string const url = Create(server, 10);
  server.AddFault({.method = "PATCH", .action = Fault::StallUntilReleased(4)});
  auto first = std::async(std::launch::async, [&] { return Patch(url, 0, "0123456789"); });
  ASSERT_TRUE(WaitFor([&] { return server.Stalled() == 1; }));
  EXPECT_EQ(Head(url).headers.at("upload-offset"), "4");
  EXPECT_EQ(first.get().status, 400);
  EXPECT_EQ(server.Stats().heads_during_patch, 1);
}

}  // namespace
}  // namespace tusfs_testing
