// tus-upload: its options reach the server, and wrong ones are told in one sentence with status 2.
#include "testing/fixture_client.h"
#include "tus_upload_rig.h"

namespace tus_upload_testing {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class TusUploadOptions : public TusUpload {
 protected:
  std::string const file_ = File("clip.mov", 3 * kChunk);

  void ExpectArrival(Command arguments) {
    arguments.insert(arguments.end(), {server_.Url(), file_});
    auto const run = Run(arguments);
    EXPECT_EQ(run.code, 0) << run.err;
    auto const uploads = server_.Uploads();
    ASSERT_FALSE(uploads.empty());
    EXPECT_EQ(server_.Content(uploads.back().id), ReadFile(file_));
  }
  void ExpectRejected(Command const& arguments, std::string const& why) {
    auto const run = Run(arguments);
    EXPECT_EQ(run.code, 2);
    EXPECT_EQ(Lines(run.err), 1) << run.err;
    EXPECT_THAT(run.err, AllOf(StartsWith("tus-upload: "), HasSubstr(why)));
    EXPECT_EQ(server_.Stats().options + server_.Stats().posts, 0);
  }
};

TEST_F(TusUploadOptions, MetadataIsByTemplates) {
  ExpectArrival({"--metadata", "project=alpha", "--metadata", "where={path}", "--metadata",
                 "filetype=", "--metadata", "size={size}"});
  auto const upload = server_.FindUpload("clip.mov");
  EXPECT_EQ(upload->Metadata("project"), "alpha");
  EXPECT_EQ(upload->Metadata("where"), file_.substr(1)) << "nothing leads out of the server's root";
  EXPECT_EQ(upload->Metadata("size"), std::to_string(3 * kChunk));
  EXPECT_FALSE(upload->metadata.contains("filetype"));
}

TEST_F(TusUploadOptions, AnIdIsTheSameForTheSameFile) {
  ExpectArrival({"--metadata", "id={id}"});
  ExpectArrival({"--metadata", "id={id}"});
  auto const uploads = server_.Uploads();
  EXPECT_EQ(uploads[0].Metadata("id").size(), 32U);
  EXPECT_EQ(uploads[0].Metadata("id"), uploads[1].Metadata("id"));
}

TEST_F(TusUploadOptions, ChunksAreOfTheirSize) {
  ExpectArrival({});
  EXPECT_EQ(server_.Stats().patches, 3);
}

TEST_F(TusUploadOptions, TheLastOfTwoWins) {
  ExpectArrival({"--chunk-size", "512KiB"});
  EXPECT_EQ(server_.Stats().patches, 2);
}

TEST_F(TusUploadOptions, APresetIsTheRulesOfAService) {
  ExpectArrival({"--preset", "supabase", "--metadata", "bucketName=rushes"});
  auto const upload = server_.Uploads().back();
  EXPECT_EQ(upload.Metadata("objectName"), file_.substr(1));
  EXPECT_EQ(upload.Metadata("bucketName"), "rushes");
}

TEST_F(TusUploadOptions, TokensComeFromFilesAndPrograms) {
  server_.Require({{"Authorization", "Bearer secret-token"}});
  WriteFile(temp_ / "token", "secret-token\n");
  ExpectArrival({"--token-file", (temp_ / "token").string()});
  ExpectArrival({"--token-command", "cat " + (temp_ / "token").string()});
}

TEST_F(TusUploadOptions, OtherCredentialsComeFromFiles) {
  server_.Require({{"Authorization", "Basic dXNlcjpwYXNz"}});
  WriteFile(temp_ / "basic", "user:pass\n");
  ExpectArrival({"--basic-file", (temp_ / "basic").string()});
  WriteFile(temp_ / "netrc", "machine 127.0.0.1 login user password pass\n");
  ExpectArrival({"--netrc-file", (temp_ / "netrc").string()});
  server_.Require({{"X-Api-Key", "secret-key"}});
  WriteFile(temp_ / "headers", "X-Api-Key: secret-key\n");
  ExpectArrival({"--header-file", (temp_ / "headers").string()});
}

TEST_F(TusUploadOptions, ChecksumsAreSentUnlessTheyAreOff) {
  auto const sent = [this] {
    auto const requests = server_.Requests();
    return std::any_of(requests.begin(), requests.end(), [](auto const& request) {
      return std::any_of(request.headers.begin(), request.headers.end(),
                         [](auto const& header) { return header.first == "Upload-Checksum"; });
    });
  };
  ExpectArrival({"--checksum", "off"});
  EXPECT_FALSE(sent());
  ExpectArrival({});
  EXPECT_TRUE(sent());
}

TEST_F(TusUploadOptions, TheDigestOfTheWholeIsSentWhereAsked) {
  ExpectArrival({});
  EXPECT_THAT(server_.Uploads().back().repr_digest, IsEmpty());
  ExpectArrival({"--sha256"});
  EXPECT_THAT(server_.Uploads().back().repr_digest, StartsWith("sha-256=:"));
}

TEST_F(TusUploadOptions, TheRateIsLimited) {
  auto const begin = std::chrono::steady_clock::now();
  ExpectArrival({"--limit-rate", "768KiB"});
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 500ms);
}

TEST_F(TusUploadOptions, MethodsAreOverriddenWhereAsked) {
  ExpectArrival({"--method-override"});
  auto const requests = server_.Requests();
  EXPECT_TRUE(std::any_of(requests.begin(), requests.end(), [](auto const& request) {
    return std::any_of(request.headers.begin(), request.headers.end(), [](auto const& header) {
      return header.first == "X-HTTP-Method-Override" && header.second == "PATCH";
    });
  }));
}

TEST_F(TusUploadOptions, ConnectionsAreMadeAsAsked) {
  ExpectArrival({"--interface", "lo", "--ip-version", "4", "--http2"});
}

TEST_F(TusUploadOptions, WrongOnesAreNamed) {
  auto const url = server_.Url();
  ExpectRejected({}, "no URL given");
  ExpectRejected({url}, "no file given: name some, or - for standard input");
  ExpectRejected({"ftp://host/", file_}, "cannot upload to 'ftp://host/'");
  ExpectRejected({url, "-", file_}, "standard input (-) is uploaded alone");
  ExpectRejected({"--frobnicate", url, file_}, "--frobnicate");
  ExpectRejected({"--chunk-size", "3 parsecs", url, file_}, "--chunk-size is '3 parsecs': write");
  ExpectRejected({"--chunk-size", "0", url, file_}, "--chunk-size");
  ExpectRejected({"--limit-rate", "fast", url, file_}, "--limit-rate is 'fast'");
  ExpectRejected({"--give-up", "-1", url, file_}, "--give-up takes seconds");
  ExpectRejected({"--give-up", "soon", url, file_}, "--give-up");
  ExpectRejected({"--checksum", "maybe", url, file_}, "--checksum is 'maybe'");
  ExpectRejected({"--ip-version", "5", url, file_}, "--ip-version is '5'");
  ExpectRejected({"--metadata", "alone", url, file_}, "it takes KEY=TEMPLATE");
  ExpectRejected({"--metadata", "rig={machine-id}", url, file_}, "take {host}");
  ExpectRejected({"--metadata", "a={colour}", url, file_}, "{colour}");
  for (auto const* const jobs : {"0", "65", "-1", "many", ""}) {
    ExpectRejected({"--jobs", jobs, url, file_}, "--jobs");
  }
  ExpectRejected({"-j", "2x", url, file_}, "--jobs is '2x': it takes a number from 1 to 64");
  ExpectRejected({"--parts", "25", url, file_}, "--parts is '25': it takes a number from 1 to 24");
  ExpectRejected({"--parts", "2", url, "-"}, "standard input goes in one");
  ExpectRejected({"--parts", "2", "--sha256", url, file_}, "leave one of them out");
  ExpectRejected({"--parts", "2", "--upload-url", url, file_}, "made elsewhere is filled in one");
  ExpectRejected({"--preset", "nowhere", url, file_}, "there is no preset");
  ExpectRejected({"--preset", "supabase", url, file_}, "needs --metadata bucketName=");
  ExpectRejected({"--preset", "opencloud", url, "-"}, "write it to a file and upload this");
  ExpectRejected({"--ca-file", "/nowhere", url, file_}, "--ca-file: the file '/nowhere' cannot be");
  ExpectRejected({"--client-key", file_, url, file_}, "--client-key needs --client-cert");
  ExpectRejected({"--trust-origin", "host", url, file_}, "--trust-origin");
  ExpectRejected({"--token-file", "a", "--basic-file", "b", url, file_},
                 "two sources of credentials: give one of them");
  ExpectRejected({"--quiet", "--verbose", url, file_}, "exclude each other");
}

TEST_F(TusUploadOptions, APasswordInTheUrlIsNotRepeated) {
  auto const run = Run({"http://user:secret-pass@host/", file_});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, Not(HasSubstr("secret-pass")));
}

// ---- --upload-url

class TusUploadUrl : public TusUploadOptions {
 protected:
  /// An upload that another API has made.
  std::string Made(std::uint64_t length) { return tusfs_testing::Create(server_, length); }
};

TEST_F(TusUploadUrl, FillsWhatAnotherHasMade) {
  WriteFile(temp_ / "url", Made(3 * kChunk) + "\nthe rest is no URL\n");
  auto const run = Run({"--upload-url-file", (temp_ / "url").string(), file_});
  EXPECT_EQ(run.code, 0) << run.err;
  ASSERT_EQ(server_.Uploads().size(), 1U) << "none is made";
  EXPECT_EQ(server_.Content(server_.Uploads()[0].id), ReadFile(file_));
}

TEST_F(TusUploadUrl, NeverMixesTwoFilesNorTakesAnothersBytesForItsOwn) {
  auto const url = Made(3 * kChunk);
  auto const first = Run({"--upload-url", url, file_});
  ASSERT_EQ(first.code, 0) << first.err;
  auto const other = File("other.mov", 3 * kChunk, 2);
  auto const run = Run({"--upload-url", url, other});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("for another one"));
  EXPECT_EQ(server_.Content(server_.Uploads()[0].id), ReadFile(file_));
}

TEST_F(TusUploadUrl, IsAboutOneFile) {
  auto const url = Made(3 * kChunk);
  for (Command const& more : {Command{file_, file_}, {"-"}, {}, {"--recursive", file_}}) {
    Command arguments{"--upload-url", url};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto const run = Run(arguments);
    EXPECT_EQ(run.code, 2);
    EXPECT_THAT(run.err, HasSubstr("fills one upload with one file"));
  }
  EXPECT_THAT(Run({"--upload-url", url, "--upload-url-file", file_, file_}).err,
              HasSubstr("give one of them"));
  EXPECT_THAT(Run({"--upload-url-file", "/nowhere", file_}).err, HasSubstr("No such file"));
}

}  // namespace
}  // namespace tus_upload_testing
