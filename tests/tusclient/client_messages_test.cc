// Client: what its errors say, and what they keep to themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_transport.h"
#include "tusclient/client.h"

namespace tus {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Knows another token after the first was refused.
class Renewed : public Credentials {
 public:
  Result<std::vector<Header>> Headers(std::stop_token) override {
    return std::vector<Header>{{"Authorization", "Bearer " + token_}};
  }
  void Refused(std::vector<Header> const&) override { token_ = "second-token"; }

 private:
  std::string token_ = "first-token";
};

class ClientMessages : public testing::Test {
 protected:
  ScriptedTransport transport_;
  Client client_{{.endpoint = "http://tus/files/"}, transport_};
};

TEST_F(ClientMessages, DoNotNameAnUploadThatWasRedirected) {
  transport_.Next("HEAD", "http://tus/files/24e533e02ec3",
                  OtherAnswer(307, {{"Location", "http://cdn/moved/c0ffee5eed"}}));
  transport_.Next("HEAD", "http://cdn/moved/c0ffee5eed",
                  TusAnswer(500, {}, "no 24e533e02ec3 (files/24e533e02ec3) at c0ffee5eed"));
  EXPECT_EQ(client_.Head("http://tus/files/24e533e02ec3").error().message,
            "http://cdn answered 500: no … (files/…) at …");
}

TEST_F(ClientMessages, DoNotNameAnUploadWhoseUrlHasAQuery) {
  auto const url = "http://tus/files/24e533e02ec3?signature=aGVsbG8";
  transport_.Next("HEAD", url, TusAnswer(404, {}, "no 24e533e02ec3 with aGVsbG8"));
  EXPECT_EQ(client_.Head(url).error().message, "http://tus answered 404: no … with …");
}

TEST_F(ClientMessages, DoNotNameThePartsOfAnUpload) {
  transport_.Next("POST", "http://tus/files/",
                  TusAnswer(400, {}, "/files/24e533e02ec3 is not complete, c0ffee5eed is"));
  auto const joined = client_.Concatenate(
      {.urls = {"http://tus/files/24e533e02ec3", "http://tus/files/c0ffee5eed"}, .metadata = {}});
  EXPECT_EQ(joined.error().message, "http://tus answered 400: … is not complete, … is");
}

TEST_F(ClientMessages, DoNotRepeatCredentialsThatWereRenewed) {
  Renewed credentials;
  Client client({.endpoint = "http://tus/files/", .credentials = &credentials}, transport_);
  auto const url = "http://tus/files/24e533e02ec3";
  transport_.Next("HEAD", url, TusAnswer(401));
  transport_.Next("HEAD", url, TusAnswer(401, {}, "first-token is as bad as second-token"));
  EXPECT_EQ(client.Head(url).error().message, "http://tus answered 401: … is as bad as …");
}

TEST_F(ClientMessages, QuoteWhatIsNearlyANumber) {
  auto const url = "http://tus/files/24e533e02ec3";
  transport_.Next("HEAD", url, TusAnswer(200, {{"Upload-Offset", "-12,5"}}));
  EXPECT_THAT(client_.Head(url).error().message, HasSubstr("Upload-Offset: \"-12,5\""));
  transport_.Next("HEAD", url, TusAnswer(200, {{"Upload-Offset", url}}));
  auto const message = client_.Head(url).error().message;
  EXPECT_THAT(message, HasSubstr("with Upload-Offset, which is not a number of bytes"));
  EXPECT_THAT(message, Not(HasSubstr("24e533e02ec3")));
}

}  // namespace
}  // namespace tus
