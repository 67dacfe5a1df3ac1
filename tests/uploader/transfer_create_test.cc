// Transfer: uploads that a program of the user makes, or has a say in (--create-command).
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "uploader/create_command.h"
#include "uploader/trouble_rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using tus::ErrorCode;
using tus::TusAnswer;

constexpr auto kElsewhere = "https://uploads.example/videos/7";

std::string WhatIsWrong(std::string const& text) {
  auto const answer = ReadCreateAnswer(text, {});
  return answer ? "" : Describe(answer.error());
}

TEST(CreateAnswer, MayBeEmpty) {
  auto const answer = ReadCreateAnswer("{}", {.facts = {}, .metadata = {{"filename", "a"}}});
  ASSERT_TRUE(answer) << Describe(answer.error());
  EXPECT_FALSE(answer->upload_url);
  EXPECT_TRUE(answer->headers.empty());
  EXPECT_EQ(answer->metadata, (tus::Metadata{{"filename", "a"}}));
}

TEST(CreateAnswer, ChangesMetadataKeyByKey) {
  auto const answer =
      ReadCreateAnswer(R"({"metadata": {"filename": null, "title": "Tagé"}})",
                       {.facts = {}, .metadata = {{"filename", "a"}, {"type", "b"}}});
  ASSERT_TRUE(answer) << Describe(answer.error());
  EXPECT_EQ(answer->metadata, (tus::Metadata{{"type", "b"}, {"title", "Tagé"}}));
}

TEST(CreateAnswer, IsNotBelievedBlindly) {
  for (auto const* const text :
       {"", "no", "[]", "{", R"({"upload_url": 7})", R"({"upload_url": "ftp://tus/1"})",
        R"({"upload_url": "https://me:pw@tus/1"})", R"({"headers": []})",
        R"({"headers": {"A": 1}})", R"({"headers": {"Host": "x"}})",
        R"({"headers": {"Upload-Offset": "1"}})", R"({"headers": {"tus-resumable": "2"}})",
        R"({"headers": {"A b": "x"}})", R"({"headers": {"A": "x\r\nB: y"}})",
        R"({"headers": {"": "x"}})", R"({"metadata": {"a b": "x"}})", R"({"metadata": {"a": 1}})",
        R"({"metadata": 1})"}) {
    EXPECT_THAT(WhatIsWrong(text), HasSubstr("the create command")) << text;
  }
  EXPECT_THAT(WhatIsWrong(R"({"headers": {"A": ")" + std::string(9000, 'x') + R"("}})"),
              HasSubstr("8 KiB"));
  EXPECT_THAT(WhatIsWrong(R"({"headers": {"A": "s3cret\n"}})"), Not(HasSubstr("s3cret")));
}

TEST(CreateAnswer, HeadersComeBackFromTheirRecord) {
  Upload upload;
  upload.headers = TextOf({{"A", "b: c"}, {"D", ""}});
  EXPECT_THAT(HeadersOf(upload), ElementsAre(tus::Header{"A", "b: c"}, tus::Header{"D", ""}));
}

class TransferCreate : public TransferTrouble {
 protected:
  /// A shell script that is run as the create command.
  void CommandIs(std::string const& script) {
    auto const file = dir_ / "command";
    std::ofstream(file) << "#!/bin/sh\n" << script << "\n";
    ::chmod(file.c_str(), 0700);
    shared_.options.create.argv = {file};
  }
  void FinishedFile(std::uint64_t size) {
    Append(size);
    FinishFile();
  }
  static auto WithSignature(std::string expected, tus::HttpResponse answer) {
    return [expected = std::move(expected),
            answer = std::move(answer)](tus::HttpRequest const& request) {
      EXPECT_EQ(tus::HeaderOf(request, "Signature"), expected) << request.method;
      return answer;
    };
  }
};

TEST_F(TransferCreate, AnUploadThatAProgramMadeIsFilledWhereverItIs) {
  CommandIs(
      R"(echo '{"upload_url": "https://uploads.example/videos/7", "headers": {"Signature": "s3cret"}}')");
  FinishedFile(1000);
  Steps(1);
  EXPECT_EQ(TheUpload()->url, kElsewhere);
  Next("HEAD", kElsewhere, WithSignature("s3cret", HeadAnswer(0, 1000)));
  Steps(1);
  Next("PATCH", kElsewhere, WithSignature("s3cret", OffsetIs(1000)));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferCreate, TheProgramIsToldWhatTheUploadIs) {
  auto const asked = (dir_ / "asked").string();
  CommandIs("cat > '" + asked + "'; echo '{}'");
  FinishedFile(1000);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  auto const text = tusfs_testing::ReadFile(asked);
  for (auto const* const part : {R"("path":"file.bin")", R"("name":"file.bin")", R"("size":1000)",
                                 R"("metadata":{)", R"("filename":"file.bin")"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, HasSubstr("\"id\":\"" + TheUpload()->id.ToString() + "\""));
  EXPECT_THAT(text, Not(HasSubstr("upload_url")));
}

TEST_F(TransferCreate, ACreationGetsItsSignatureAndMetadataAndSoDoesEachRequest) {
  CommandIs(R"(echo '{"headers": {"Signature": "one"}, "metadata": {"title": "Take 1"}}')");
  FinishedFile(1000);
  Next("POST", kEndpoint, [](tus::HttpRequest const& request) {
    EXPECT_EQ(tus::HeaderOf(request, "Signature"), "one");
    EXPECT_THAT(tus::HeaderOf(request, "Upload-Metadata"), HasSubstr("title VGFrZSAx"));
    return CreatedAt(kUrl);
  });
  Steps(1);
  Next("PATCH", kUrl, WithSignature("one", OffsetIs(1000)));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferCreate, AnEmptyFileIsWholeWhereItWasMade) {
  CommandIs(R"(echo '{"upload_url": "https://uploads.example/videos/7"}')");
  FinishedFile(0);
  Steps(1);
  EXPECT_NE(TheInode().content, Content::kUploaded) << "only the server knows";
  Next("HEAD", kElsewhere, HeadAnswer(0, 0));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
}

TEST_F(TransferCreate, AProgramThatFailsFailsTheFileForAWhileWithItsWords) {
  CommandIs("echo 'no quota left' >&2; exit 1");
  FinishedFile(1000);
  auto const outcome = Step();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("no quota left"));
  ASSERT_TRUE(outcome.next);
  EXPECT_GT(*outcome.next, clock_.Steady());
  EXPECT_TRUE(endpoint_.state().reachable) << "it is no outage";

  CommandIs("echo '{}'");
  clock_.Advance(std::chrono::hours(1));
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  EXPECT_EQ(TheUpload()->url, kUrl);
}

TEST_F(TransferCreate, RefusedHeadersAreAskedForAgainForTheSameUpload) {
  CommandIs(R"(echo '{"headers": {"Signature": "old"}}')");
  FinishedFile(1000);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  Steps(1);
  Next("PATCH", kUrl, WithSignature("old", TusAnswer(401)));
  Steps(1);
  auto const asked = (dir_ / "asked").string();
  CommandIs("cat > '" + asked + R"('; echo '{"headers": {"Signature": "new"}}')");
  clock_.Advance(std::chrono::minutes(2));
  Steps(1);
  EXPECT_THAT(tusfs_testing::ReadFile(asked), HasSubstr(std::string("\"upload_url\":\"") + kUrl));
  Next("HEAD", kUrl, WithSignature("new", HeadAnswer(0, 1000)));
  Steps(1);
  Next("PATCH", kUrl, WithSignature("new", OffsetIs(1000)));
  Steps(1);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_TRUE(endpoint_.state().reachable);
}

TEST_F(TransferCreate, AnUploadOfAnotherLengthIsNotMadeAgainAndAgain) {
  auto const times = (dir_ / "times").string();
  CommandIs("echo x >> '" + times +
            R"('; echo '{"upload_url": "https://uploads.example/videos/7"}')");
  FinishedFile(1000);
  Steps(1);
  Next("HEAD", kElsewhere, HeadAnswer(0, 999));
  auto const outcome = Step();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  ASSERT_TRUE(outcome.next);
  EXPECT_GT(*outcome.next, clock_.Steady());
  Steps(3);
  EXPECT_EQ(tusfs_testing::ReadFile(times), "x\n");
}

TEST_F(TransferCreate, TheProgramsHeadersStayWithTheirHost) {
  CommandIs(R"(echo '{"headers": {"Signature": "one"}}')");
  FinishedFile(1000);
  Next("POST", kEndpoint,
       tus::OtherAnswer(307, {{"Location", "https://elsewhere.example/files/"}}));
  Next("POST", "https://elsewhere.example/files/", WithSignature("(none)", CreatedAt(kUrl)));
  Steps(1);
}

TEST_F(TransferCreate, AProgramThatCannotRenewNowLosesNothing) {
  CommandIs(R"(echo '{"headers": {"Signature": "old"}}')");
  FinishedFile(5 * kGranule);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  Next("PATCH", kUrl, TusAnswer(401));
  Steps(1);
  CommandIs("echo 'the API is down' >&2; exit 22");
  clock_.Advance(std::chrono::minutes(2));
  Steps(1);
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("the API is down"));
  CommandIs(R"(echo '{"headers": {"Signature": "new"}}')");
  clock_.Advance(std::chrono::minutes(2));
  Steps(1);
  EXPECT_EQ(TheUpload()->url, kUrl);
  Next("HEAD", kUrl, WithSignature("new", HeadAnswer(2 * kGranule, 5 * kGranule)));
  NextPatch(kUrl, 2 * kGranule, 4 * kGranule, "(none)");
  NextPatch(kUrl, 4 * kGranule, 5 * kGranule, "(none)");
  Steps(3);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_TRUE(ownerless_.empty());
}

TEST_F(TransferCreate, EachTryOfOneUploadHasTheSameId) {
  auto const asked = (dir_ / "asked").string();
  CommandIs("cat >> '" + asked + "'; exit 1");
  FinishedFile(1000);
  Steps(1);
  auto const id = TheUpload()->id.ToString();
  clock_.Advance(std::chrono::hours(1));
  Steps(1);
  auto const text = tusfs_testing::ReadFile(asked);
  EXPECT_NE(text.find(id), text.rfind(id));
  EXPECT_EQ(TheUpload()->id.ToString(), id);
}

TEST_F(TransferCreate, AHostThatIsNotTheEndpointsIsNoOutageOfTheEndpoint) {
  CommandIs(R"(echo '{"upload_url": "https://uploads.example/videos/7"}')");
  FinishedFile(1000);
  Steps(1);
  Next("HEAD", kElsewhere, Broken(ErrorCode::kUnreachable));
  auto const outcome = Step();
  ASSERT_TRUE(outcome.next);
  EXPECT_GT(*outcome.next, clock_.Steady());
  EXPECT_TRUE(endpoint_.state().reachable);
}

TEST_F(TransferCreate, WhatAProgramMadeAndNothingWasSentToIsTheProgramsToDelete) {
  CommandIs(R"(echo '{"upload_url": "https://uploads.example/videos/7"}')");
  FinishedFile(1000);
  Steps(1);
  auto const id = TheUpload()->id;
  ChangeUpload([](Upload& upload) { upload.owner = 0; });
  EndUpload(id);
  EXPECT_TRUE(Uploads().empty()) << "without a request";
}

TEST_F(TransferCreate, NewHeadersAreForTheUploadWhoseOwnWereRefused) {
  CommandIs(R"(echo '{"headers": {"Signature": "old"}}')");
  FinishedFile(5 * kGranule);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  Next("PATCH", kUrl, TusAnswer(401));
  Steps(1);
  RenameTo("other.bin");
  auto const asked = (dir_ / "asked").string();
  CommandIs("cat >> '" + asked + "'; echo '{}'");
  clock_.Advance(std::chrono::minutes(2));
  Steps(1);  // starts over, under its new name
  Next("POST", kEndpoint, CreatedAt(kSecondUrl));
  NextPatch(kSecondUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  EXPECT_EQ(TheUpload()->offset, 2 * kGranule);
  EXPECT_THAT(tusfs_testing::ReadFile(asked), Not(HasSubstr("upload_url")));
}

TEST_F(TransferCreate, WhatNobodyMayDeleteAnyMoreIsLeftAndIsNoOutage) {
  CommandIs(R"(echo '{"headers": {"Signature": "old"}}')");
  FinishedFile(5 * kGranule);
  Next("POST", kEndpoint, CreatedAt(kUrl));
  NextPatch(kUrl, 0, 2 * kGranule, "(none)");
  Steps(2);
  auto const id = TheUpload()->id;
  ChangeUpload([](Upload& upload) { upload.owner = 0; });
  Next("HEAD", kUrl, WithSignature("old", TusAnswer(401)));
  EndUpload(id);
  EXPECT_TRUE(Uploads().empty());
  EXPECT_TRUE(endpoint_.state().reachable);
}

}  // namespace
}  // namespace tusfs
