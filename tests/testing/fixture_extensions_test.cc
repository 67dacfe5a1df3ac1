// The fixture server's extensions of the protocol, and the rules of services that it insists on.
#include <gmock/gmock.h>
#include <openssl/evp.h>

#include "testing/digest.h"
#include "testing/files.h"
#include "testing/fixture_client.h"
#include "testing/fixture_server.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

std::string Base64(std::string const& bytes) {
  std::string text(bytes.size() / 3 * 4 + 5, '\0');
  int const length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<unsigned char const*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

TEST(FixtureExpiration, IsAnnouncedDatedAndThenTheUploadIsGone) {
  FixtureServer const server({.expire_after = 1200ms});
  EXPECT_THAT(HttpCall("OPTIONS", server.Url()).headers.at("tus-extension"),
              HasSubstr("expiration"));
  auto const created = Post(server, {{"Upload-Length", "4"}});
  EXPECT_THAT(created.headers.at("upload-expires"), EndsWith(" GMT"));
  EXPECT_EQ(created.headers.at("upload-expires").size(), 29U);
  std::string const url = created.headers.at("location");
  EXPECT_EQ(Patch(url, 0, "ab").headers.at("upload-expires"), created.headers.at("upload-expires"));
  EXPECT_FALSE(Head(url).headers.contains("upload-expires"));
  ASSERT_TRUE(WaitFor([&] { return Head(url).status == 410; }));
  EXPECT_EQ(Patch(url, 2, "cd").status, 410);
  EXPECT_EQ(HttpCall("DELETE", url, Tus()).status, 410);
}

TEST(FixtureExpiration, IsNotSaidWithTheLastBytes) {
  FixtureServer const server({.expire_after = 1h});
  EXPECT_FALSE(Patch(Create(server, 2), 0, "ab").headers.contains("upload-expires"));
}

TEST(FixtureChecksum, EachAlgorithmTellsRightFromWrong) {
  FixtureServer const server;
  for (std::string const name : {"sha1", "md5", "crc32", "sha256", "sha512"}) {
    std::string const url = Create(server, 9);
    std::string const right = name + " " + Base64(*DigestOf(name, "123456789"));
    EXPECT_EQ(Patch(url, 0, "123456780", {{"Upload-Checksum", right}}).status, 460) << name;
    EXPECT_EQ(Head(url).headers.at("upload-offset"), "0") << name;
    EXPECT_EQ(Patch(url, 0, "123456789", {{"Upload-Checksum", right}}).status, 204) << name;
  }
  // The check value that the definition of this CRC comes with.
  EXPECT_EQ(DigestOf("crc32", "123456789"), "\xCB\xF4\x39\x26");
}

TEST(FixtureChecksum, NamesAndStatusAreTheTests) {
  FixtureServer const server({.checksum_algorithms = {"md5"}, .checksum_mismatch = 417});
  EXPECT_EQ(HttpCall("OPTIONS", server.Url()).headers.at("tus-checksum-algorithm"), "md5");
  std::string const url = Create(server, 1);
  auto const checksum = [](std::string const& name) {
    return Headers{{"Upload-Checksum", name + " " + Base64(*DigestOf("md5", "b"))}};
  };
  EXPECT_EQ(Patch(url, 0, "a", checksum("sha1")).status, 400) << "not among the names";
  EXPECT_EQ(Patch(url, 0, "a", checksum("MD5")).status, 400) << "names have a case";
  EXPECT_EQ(Patch(url, 0, "a", checksum("md5")).status, 417);
  EXPECT_EQ(Patch(url, 0, "b", checksum("md5")).status, 204);
}

TEST(FixtureChecksum, CanBeAnnouncedAndIgnored) {
  FixtureServer const server({.checksum_algorithms = {}});
  auto const options = HttpCall("OPTIONS", server.Url());
  EXPECT_THAT(options.headers.at("tus-extension"), HasSubstr("checksum"));
  EXPECT_FALSE(options.headers.contains("tus-checksum-algorithm"));
  EXPECT_EQ(Patch(Create(server, 1), 0, "a", {{"Upload-Checksum", "sha1 AAAA"}}).status, 204);
}

TEST(FixtureMethodOverride, WorksOverPostWhereItIsOn) {
  FixtureServer const server;
  auto const by_post = [](std::string const& method, std::string const& url, Headers headers,
                          std::string const& body = "") {
    headers.emplace_back("X-HTTP-Method-Override", method);
    return HttpCall("POST", url, Tus(std::move(headers)), body);
  };
  std::string const url = Create(server, 4);
  Headers const patch{{"Content-Type", "application/offset+octet-stream"}, {"Upload-Offset", "0"}};
  EXPECT_EQ(by_post("PATCH", url, patch, "ab").status, 204);
  EXPECT_EQ(by_post("HEAD", url, {}).headers.at("upload-offset"), "2");
  EXPECT_EQ(by_post("DELETE", url, {}).status, 204);
  EXPECT_EQ(Head(url).status, 404);

  FixtureServer const without({.method_override = false});
  EXPECT_EQ(by_post("PATCH", Create(without, 4), patch, "ab").status, 405);
}

TEST(FixtureIdempotency, OneKeyMakesOneUpload) {
  FixtureServer const server({.idempotency = true});
  auto const post = [](FixtureServer const& to, std::string const& key) {
    return Post(to, {{"Upload-Length", "4"}, {"Idempotency-Key", key}});
  };
  auto const first = post(server, "k1");
  auto const again = post(server, "k1");
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.headers.at("location"), first.headers.at("location"));
  EXPECT_NE(post(server, "k2").headers.at("location"), first.headers.at("location"));
  FixtureServer const without;
  EXPECT_NE(post(without, "k1").headers.at("location"), post(without, "k1").headers.at("location"));
}

TEST(FixtureDigest, IsRecordedAndOnDemandChecked) {
  std::string const right = "sha-256=:" + Base64(*DigestOf("sha256", "hello")) + ":";
  std::string const wrong = "sha-256=:" + Base64(*DigestOf("sha256", "other")) + ":";
  FixtureServer const lenient;
  EXPECT_EQ(Patch(Create(lenient, 5), 0, "hello", {{"Repr-Digest", wrong}}).status, 204);
  EXPECT_EQ(lenient.Uploads().at(0).repr_digest, wrong);
  FixtureServer const strict({.enforce_digest = true});
  std::string const url = Create(strict, 5);
  EXPECT_EQ(Patch(url, 0, "hel").status, 204);
  EXPECT_EQ(Patch(url, 3, "lo", {{"Repr-Digest", wrong}}).status, 400);
  EXPECT_EQ(strict.Stats().published, 0);
  EXPECT_EQ(Patch(url, 3, "lo", {{"Repr-Digest", right}}).status, 204);
  EXPECT_EQ(strict.Stats().published, 1);
}

TEST(FixtureCredentials, AreRequiredOfEveryRequestAndCanChange) {
  FixtureServer server({.required_headers = {{"Authorization", "Bearer one"}}});
  Headers const one{{"Authorization", "Bearer one"}, {"Upload-Length", "1"}};
  Headers const two{{"Authorization", "Bearer two"}, {"X-Key", "k"}, {"Upload-Length", "1"}};
  EXPECT_EQ(HttpCall("OPTIONS", server.Url()).status, 401);
  EXPECT_EQ(Post(server, {{"Upload-Length", "1"}}).status, 401);
  EXPECT_EQ(Post(server, one).status, 201);
  EXPECT_EQ(HttpCall("GET", server.Url()).status, 401);
  server.Require({{"Authorization", "Bearer two"}, {"X-Key", "k"}});
  EXPECT_EQ(Post(server, one).status, 401);
  EXPECT_EQ(Post(server, two).status, 201);
}

// ---- services

TEST(FixtureServices, CloudflareWantsChunksOf256KiBBetween5And200MiB) {
  FixtureServer const server({.storage = Storage::kNowhere, .service = Service::kCloudflareStream});
  EXPECT_EQ(Post(server, {{"Upload-Defer-Length", "1"}}).status, 400);
  std::string const url = Create(server, 300 * kMiB);
  EXPECT_EQ(Patch(url, 0, std::string(4 * kMiB, 'x')).status, 400) << "too small";
  EXPECT_EQ(Patch(url, 0, std::string(5 * kMiB + 1, 'x')).status, 400) << "no multiple";
  EXPECT_EQ(Patch(url, 0, std::string(5 * kMiB + 256 * kKiB, 'x')).status, 204);
  EXPECT_EQ(Patch(Create(server, 5 * kMiB + 1), 0, std::string(5 * kMiB + 1, 'x')).status, 204)
      << "the last";
  std::string const tiny = Create(server, 1);
  EXPECT_EQ(Patch(tiny, 0, "x").status, 204);
}

TEST(FixtureServices, SupabaseWants6MiBAndThreeKeys) {
  FixtureServer const server({.service = Service::kSupabase});
  Headers const complete{{"Upload-Length", std::to_string(13 * kMiB)},
                         {"Upload-Metadata", "bucketName YQ==,objectName YQ==,contentType YQ=="}};
  EXPECT_EQ(Post(server, {{"Upload-Length", "1"}}).status, 400);
  EXPECT_EQ(Post(server, {{"Upload-Length", "1"}, {"Upload-Metadata", "bucketName YQ=="}}).status,
            400);
  std::string const url = Post(server, complete).headers.at("location");
  EXPECT_EQ(Patch(url, 0, std::string(6 * kMiB - 1, 'x')).status, 400);
  EXPECT_EQ(Patch(url, 0, std::string(6 * kMiB + 1, 'x')).status, 413);
  EXPECT_EQ(Patch(url, 0, std::string(6 * kMiB, 'x')).status, 204);
  EXPECT_EQ(Patch(url, 6 * kMiB, std::string(kMiB, 'x')).status, 400);
  EXPECT_EQ(Patch(url, 6 * kMiB, std::string(6 * kMiB, 'x')).status, 204);
  EXPECT_EQ(Patch(url, 12 * kMiB, std::string(kMiB, 'x')).status, 204) << "the last";
}

TEST(FixtureServices, SupabaseTakesTheRestOfAChunkThatWasCut) {
  FixtureServer server({.service = Service::kSupabase});
  std::string const url =
      Post(server, {{"Upload-Length", std::to_string(13 * kMiB)},
                    {"Upload-Metadata", "bucketName YQ==,objectName YQ==,contentType YQ=="}})
          .headers.at("location");
  server.AddFault({.method = "PATCH", .action = Fault::CutAfter(777)});
  EXPECT_EQ(Patch(url, 0, std::string(6 * kMiB, 'x')).status, 0);
  EXPECT_EQ(Patch(url, 777, std::string(6 * kMiB - 778, 'x')).status, 400);
  EXPECT_EQ(Patch(url, 777, std::string(6 * kMiB - 777, 'x')).status, 204);
}

TEST(FixtureServices, OpenCloudWantsTwoKeysAndBodiesUpTo10MB) {
  FixtureServer const server({.service = Service::kOpenCloud});
  EXPECT_EQ(Post(server, {{"Upload-Length", "1"}, {"Upload-Metadata", "filename YQ=="}}).status,
            400);
  auto const created = Post(
      server, {{"Upload-Length", "10000002"}, {"Upload-Metadata", "filename YQ==,mtime MQ=="}});
  std::string const url = created.headers.at("location");
  EXPECT_EQ(Patch(url, 0, std::string(10'000'001, 'x')).status, 413);
  EXPECT_EQ(Patch(url, 0, std::string(10'000'000, 'x')).status, 204);
}

}  // namespace
}  // namespace tusfs_testing
