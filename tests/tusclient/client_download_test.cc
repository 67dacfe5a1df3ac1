// Client: reading an upload back with GET.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_transport.h"
#include "tusclient/client.h"

namespace tus {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr auto kDownloadUrl = "http://tus:1080/files/24e533e02ec3bc40";

class ClientDownload : public testing::Test {
 protected:
  ScriptedTransport transport_;
  Client client_{
      {.endpoint = "http://tus:1080/files/", .headers = {{"Authorization", "Bearer s3cr3t-token"}}},
      transport_};
  std::string got_;
  std::size_t enough_ = 100;

  Result<void> ReadFrom(std::uint64_t offset) {
    return client_.Download(
        {.url = kDownloadUrl,
         .offset = offset,
         .length = 10,
         .sink =
             [this, offset](std::uint64_t at, std::span<std::byte const> bytes) {
               EXPECT_EQ(at, offset + got_.size());
               got_.append(reinterpret_cast<char const*>(bytes.data()), bytes.size());
               return got_.size() < enough_;
             },
         .stop = {}});
  }

  Result<void> ReadFromAnd(std::uint64_t offset, HttpResponse answer) {
    transport_.Next("GET", kDownloadUrl, std::move(answer));
    return ReadFrom(offset);
  }

  static void ExpectError(Result<void> const& result, ErrorCode code) {
    ASSERT_FALSE(result);
    EXPECT_EQ(Name(result.error().code), Name(code)) << result.error().message;
    EXPECT_THAT(result.error().message, Not(HasSubstr("24e533e02ec3bc40")));
  }
};

HttpResponse Part(std::string const& range, std::string body) {
  return TusAnswer(206, {{"Content-Range", range}, {"Content-Length", std::to_string(body.size())}},
                   std::move(body));
}

TEST_F(ClientDownload, ReadsAllOfIt) {
  transport_.Next("GET", kDownloadUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Range"), "(none)");
    EXPECT_EQ(HeaderOf(request, "Authorization"), "Bearer s3cr3t-token");
    return TusAnswer(200, {{"Content-Length", "10"}}, "0123456789");
  });
  EXPECT_TRUE(ReadFrom(0));
  EXPECT_EQ(got_, "0123456789");
}

TEST_F(ClientDownload, ReadsAPart) {
  transport_.Next("GET", kDownloadUrl, [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Range"), "bytes=3-");
    return Part("bytes 3-9/10", "3456789");
  });
  EXPECT_TRUE(ReadFrom(3));
  EXPECT_EQ(got_, "3456789");
}

TEST_F(ClientDownload, APartNeedNotSayHowLargeTheWholeIs) {
  EXPECT_TRUE(ReadFromAnd(3, Part("bytes 3-9/*", "3456789")));
}

TEST_F(ClientDownload, SkipsWhatWasNotAskedFor) {
  EXPECT_TRUE(ReadFromAnd(5, TusAnswer(200, {{"Content-Length", "10"}}, "0123456789")));
  EXPECT_EQ(got_, "56789");
}

TEST_F(ClientDownload, NothingIsNotAskedFor) { EXPECT_TRUE(ReadFrom(10)); }

TEST_F(ClientDownload, OfferedOffsetsEndWithTheUpload) {
  ExpectError(ReadFrom(11), ErrorCode::kInvalidArgument);
}

TEST_F(ClientDownload, WhoGivesTheBytesNeedNotSpeakTus) {
  EXPECT_TRUE(ReadFromAnd(0, OtherAnswer(200, {}, "0123456789")));
  EXPECT_EQ(got_, "0123456789");
}

TEST_F(ClientDownload, APageOfAPortalIsAnOutage) {
  ExpectError(ReadFromAnd(0, OtherAnswer(200, {{"Content-Length", "5"}}, "hello")),
              ErrorCode::kNotTus);
  EXPECT_EQ(got_, "");
}

TEST_F(ClientDownload, AnotherLengthIsRefused) {
  for (auto const* length : {"9", "11"}) {
    ExpectError(ReadFromAnd(0, TusAnswer(200, {{"Content-Length", length}}, "012345678")),
                ErrorCode::kProtocol);
  }
  EXPECT_EQ(got_, "");
}

TEST_F(ClientDownload, AnUploadThatIsEmptyThereIsRefused) {
  ExpectError(ReadFromAnd(0, TusAnswer(200, {{"Content-Length", "0"}})), ErrorCode::kProtocol);
}

TEST_F(ClientDownload, MoreThanTheUploadIsRefused) {
  ExpectError(ReadFromAnd(0, TusAnswer(200, {}, "0123456789AB")), ErrorCode::kProtocol);
  EXPECT_EQ(got_, "01234567");
}

TEST_F(ClientDownload, LessThanTheUploadIsInterrupted) {
  ExpectError(ReadFromAnd(0, TusAnswer(200, {}, "01234")), ErrorCode::kInterrupted);
  EXPECT_EQ(got_, "01234");
}

TEST_F(ClientDownload, AShorterPartIsInterrupted) {
  ExpectError(ReadFromAnd(3, Part("bytes 3-5/10", "345")), ErrorCode::kInterrupted);
  EXPECT_EQ(got_, "345");
}

TEST_F(ClientDownload, AnotherPartIsRefused) {
  for (auto const* range : {"bytes 2-9/10", "bytes 4-9/10", "bytes 3-9/11", "bytes 3-10/*",
                            "bytes 3-9", "bytes */10", "items 3-9/10", "bytes 9-3/10", ""}) {
    ExpectError(ReadFromAnd(3, Part(range, "3456789")), ErrorCode::kProtocol);
  }
  EXPECT_EQ(got_, "");
}

TEST_F(ClientDownload, OtherSuccessesAreRefused) {
  ExpectError(ReadFromAnd(0, TusAnswer(202, {}, "0123456789")), ErrorCode::kProtocol);
  ExpectError(ReadFromAnd(0, TusAnswer(204)), ErrorCode::kProtocol);
}

TEST_F(ClientDownload, RefusalsMeanWhatTheyMeanToHead) {
  ExpectError(ReadFromAnd(0, TusAnswer(404)), ErrorCode::kGone);
  ExpectError(ReadFromAnd(0, TusAnswer(500)), ErrorCode::kTransient);
  ExpectError(ReadFromAnd(0, OtherAnswer(404)), ErrorCode::kNotTus);
}

TEST_F(ClientDownload, TheReceiverCanHaveEnough) {
  enough_ = 4;
  ExpectError(ReadFromAnd(0, TusAnswer(200, {}, "0123456789")), ErrorCode::kCancelled);
  EXPECT_EQ(got_, "0123");
}

TEST_F(ClientDownload, GoesThroughARedirectWithoutCredentialsForOthers) {
  transport_.Next("GET", kDownloadUrl,
                  TusAnswer(307, {{"Location", "http://store:80/there"}}, "moved"));
  transport_.Next("GET", "http://store:80/there", [](HttpRequest const& request) {
    EXPECT_EQ(HeaderOf(request, "Range"), "bytes=8-");
    EXPECT_EQ(HeaderOf(request, "Authorization"), "(none)");
    return OtherAnswer(206, {{"Content-Range", "bytes 8-9/10"}}, "89");
  });
  EXPECT_TRUE(ReadFrom(8));
  EXPECT_EQ(got_, "89");
}

}  // namespace
}  // namespace tus
