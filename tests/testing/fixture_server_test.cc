#include "testing/fixture_server.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "testing/files.h"
#include "testing/fixture_client.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST(FixtureServer, AnnouncesWhatItSpeaks) {
  FixtureServer const server;
  auto const answer = HttpCall("OPTIONS", server.Url());
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.headers.at("tus-version"), "1.0.0");
  EXPECT_EQ(answer.headers.at("tus-resumable"), "1.0.0");
  EXPECT_EQ(answer.headers.at("tus-extension"),
            "creation,creation-with-upload,creation-defer-length,termination,checksum,"
            "concatenation");
  EXPECT_EQ(answer.headers.at("tus-checksum-algorithm"), "sha1,md5,crc32,sha256,sha512");
}

TEST(FixtureServer, TakesAnUploadInPiecesAndGivesItBack) {
  FixtureServer const server;
  std::string const bytes = RandomBytes(3'000'000);
  // filename "a b.bin", relativePath "dir/a b.bin"
  auto const created =
      Post(server, {{"Upload-Length", "3000000"},
                    {"Upload-Metadata", "filename YSBiLmJpbg==,relativePath ZGlyL2EgYi5iaW4="}});
  ASSERT_EQ(created.status, 201);
  std::string const url = created.headers.at("location");
  EXPECT_EQ(Patch(url, 0, bytes.substr(0, 1'000'000)).headers.at("upload-offset"), "1000000");
  EXPECT_EQ(Head(url).headers.at("upload-offset"), "1000000");
  EXPECT_EQ(server.Stats().published, 0);
  EXPECT_EQ(Patch(url, 1'000'000, bytes.substr(1'000'000)).status, 204);

  auto const upload = server.FindUpload("dir/a b.bin");
  ASSERT_TRUE(upload);
  EXPECT_TRUE(upload->complete);
  EXPECT_EQ(upload->Metadata("filename"), "a b.bin");
  EXPECT_EQ(upload->patches, 2);
  EXPECT_EQ(upload->received, 3'000'000U);
  EXPECT_EQ(server.Stats().published, 1);
  EXPECT_EQ(server.Stats().received_bytes, 3'000'000U);
  EXPECT_EQ(server.Content(upload->id), bytes);
  EXPECT_EQ(HttpCall("GET", url).body, bytes);
}

TEST(FixtureServer, GivesTheEndOfAnUploadUnlessItIgnoresRanges) {
  for (bool const ranges : {true, false}) {
    FixtureServer const server({.ranges = ranges});
    auto const url = Create(server, 10);
    ASSERT_EQ(Patch(url, 0, "0123456789").status, 204);
    auto const answer = HttpCall("GET", url, {{"Range", "bytes=7-"}});
    EXPECT_EQ(answer.status, ranges ? 206 : 200);
    EXPECT_EQ(answer.body, ranges ? "789" : "0123456789");
    if (ranges) {
      EXPECT_EQ(answer.headers.at("content-range"), "bytes 7-9/10");
    }
    EXPECT_EQ(HttpCall("GET", url, {{"Range", "bytes=10-"}}).status, ranges ? 416 : 200);
  }
}

TEST(FixtureServer, TakesTheLengthWithTheFinalBytesOnce) {
  FixtureServer const server;
  std::string const url = Post(server, {{"Upload-Defer-Length", "1"}}).headers.at("location");
  EXPECT_EQ(Head(url).headers.at("upload-defer-length"), "1");
  EXPECT_EQ(Patch(url, 0, "hel").status, 204);
  EXPECT_EQ(Patch(url, 3, "lo", {{"Upload-Length", "2"}}).status, 400) << "below the offset";
  EXPECT_EQ(Patch(url, 3, "lo", {{"Upload-Length", "5"}}).status, 204);
  EXPECT_EQ(server.Stats().published, 1);
  EXPECT_EQ(Head(url).headers.at("upload-length"), "5");
  EXPECT_EQ(Patch(url, 5, "", {{"Upload-Length", "5"}}).status, 400) << "declared twice";
}

TEST(FixtureServer, TakesTheBytesOfAPostAndEmptyUploads) {
  FixtureServer const server;
  auto const created =
      Post(server, {{"Upload-Length", "5"}, {"Content-Type", "application/offset+octet-stream"}},
           "hello");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.headers.at("upload-offset"), "5");
  EXPECT_EQ(server.Content(IdOf(created.headers.at("location"))), "hello");
  EXPECT_EQ(Post(server, {{"Upload-Length", "0"}}).status, 201);
  EXPECT_EQ(server.Stats().published, 2);
}

TEST(FixtureServer, RefusesWhatTheProtocolForbids) {
  FixtureServer const server({.max_size = 100});
  std::string const url = Create(server, 10);
  EXPECT_EQ(HttpCall("HEAD", url).status, 412) << "no Tus-Resumable";
  EXPECT_EQ(HttpCall("PATCH", url, Tus({{"Upload-Offset", "0"}}), "x").status, 415);
  EXPECT_EQ(Patch(url, 1, "x").status, 409);
  EXPECT_EQ(Patch(url, 0, std::string(11, 'x')).status, 413) << "more than declared";
  EXPECT_EQ(Patch(server.Url() + "nothing", 0, "x").status, 404);
  EXPECT_EQ(Post(server, {}).status, 400) << "no length";
  EXPECT_EQ(Post(server, {{"Upload-Length", "101"}}).status, 413);
  EXPECT_EQ(Post(server, {{"Upload-Length", "1"}, {"Upload-Metadata", "a YQ"}}).status, 400);
  EXPECT_EQ(Post(server, {{"Upload-Length", "1"}, {"Upload-Metadata", "a YQ==, b YQ=="}}).status,
            400);
  EXPECT_EQ(HttpCall("POST", server.Url() + "x/y", Tus({{"Upload-Length", "1"}})).status, 405);
  EXPECT_EQ(server.Uploads().at(0).offset, 0U);
  for (auto const& request : server.Requests()) EXPECT_NE(request.status, 0) << request.target;
}

TEST(FixtureServer, WithoutDeferredLengthNeitherAnnouncesNorTakesIt) {
  FixtureServer const server({.defer_length = false});
  EXPECT_THAT(HttpCall("OPTIONS", server.Url()).headers.at("tus-extension"),
              Not(HasSubstr("defer")));
  EXPECT_EQ(Post(server, {{"Upload-Defer-Length", "1"}}).status, 400);
  EXPECT_THAT(server.Uploads(), IsEmpty());
}

TEST(FixtureServer, KeepsNothingOfAChunkWhoseChecksumIsWrong) {
  FixtureServer const server;
  std::string const url = Create(server, 5);
  EXPECT_EQ(
      Patch(url, 0, "hello", {{"Upload-Checksum", "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA="}}).status,
      460);
  EXPECT_EQ(Head(url).headers.at("upload-offset"), "0");
  EXPECT_EQ(Patch(url, 0, "hello", {{"Upload-Checksum", "sha3 AAAA"}}).status, 400);
  EXPECT_EQ(
      Patch(url, 0, "hello", {{"Upload-Checksum", "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="}}).status,
      204);
  EXPECT_EQ(server.Stats().published, 1);
}

TEST(FixtureServer, JoinsPartsAndPublishesOnlyTheWhole) {
  FixtureServer const server;
  std::string urls;
  for (std::string const part : {"hello ", "world"}) {
    auto const length = std::to_string(part.size());
    auto const url = Post(server, {{"Upload-Length", length}, {"Upload-Concat", "partial"}})
                         .headers.at("location");
    EXPECT_EQ(Patch(url, 0, part).status, 204);
    urls += (urls.empty() ? "" : " ") + url;
  }
  EXPECT_EQ(server.Stats().published, 0);
  auto const whole = Post(server, {{"Upload-Concat", "final;" + urls}});
  ASSERT_EQ(whole.status, 201);
  EXPECT_EQ(server.Content(IdOf(whole.headers.at("location"))), "hello world");
  EXPECT_EQ(server.Stats().published, 1);
  EXPECT_EQ(Patch(whole.headers.at("location"), 11, "").status, 403);
}

TEST(FixtureServer, ForgetsATerminatedUpload) {
  FixtureServer const server;
  std::string const url = Create(server, 5);
  EXPECT_EQ(HttpCall("DELETE", url, Tus()).status, 204);
  EXPECT_EQ(Head(url).status, 404);
  EXPECT_THAT(server.Uploads(), IsEmpty());
}

TEST(FixtureServer, KeepsItsUploadsAndItsPortOverARestart) {
  TempDir const dir;
  FixtureServer server({.storage = Storage::kDirectory, .directory = dir / "uploads"});
  std::string const url = Create(server, 5);
  EXPECT_EQ(Patch(url, 0, "hel").status, 204);
  server.Stop();
  EXPECT_EQ(Head(url).status, 0) << "still answering";
  server.Start();
  EXPECT_EQ(Head(url).headers.at("upload-offset"), "3");
  EXPECT_EQ(Patch(url, 3, "lo").status, 204);
  EXPECT_EQ(ReadFile(dir / "uploads" / IdOf(url)), "hello");
}

TEST(FixtureServer, HoldsAllUploadsToItsRate) {
  FixtureServer const server({.bytes_per_second = 4'000'000});
  std::string const url = Create(server, 2'000'000);
  auto const start = std::chrono::steady_clock::now();
  EXPECT_EQ(Patch(url, 0, RandomBytes(2'000'000)).status, 204);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(450));
}

TEST(FixtureServer, ShowsItsCountersOverHttp) {
  FixtureServer const server;
  auto const created = Post(server, {{"Upload-Length", "5"}, {"Upload-Metadata", "filename eA=="}});
  EXPECT_EQ(Patch(created.headers.at("location"), 0, "hel").status, 204);
  auto const url = "http://127.0.0.1:" + std::to_string(server.port()) + "/stats";
  auto const stats = nlohmann::json::parse(HttpCall("GET", url).body);
  EXPECT_EQ(stats["received_bytes"], 3);
  EXPECT_EQ(stats["posts"], 1);
  EXPECT_EQ(stats["patches"], 1);
  EXPECT_EQ(stats["published"], 0);
  ASSERT_THAT(stats["uploads"], SizeIs(1));
  EXPECT_EQ(stats["uploads"][0]["filename"], "x");
  EXPECT_EQ(stats["uploads"][0]["offset"], 3);
  EXPECT_EQ(stats["uploads"][0]["length"], 5);
  EXPECT_EQ(stats["uploads"][0]["complete"], false);
}

}  // namespace
}  // namespace tusfs_testing
