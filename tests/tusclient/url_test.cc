#include "url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tusclient/client.h"
#include "tusclient/origin.h"
#include "tusclient/redact.h"

namespace tus {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(NormalizeEndpoint, TakesHttpAndHttps) {
  EXPECT_EQ(NormalizeEndpoint("http://localhost:1080/files/"), "http://localhost:1080/files/");
  EXPECT_EQ(NormalizeEndpoint("HTTPS://Example.com"), "https://example.com/");
  EXPECT_EQ(NormalizeEndpoint("http://[::1]:8080/files?a=b#part"), "http://[::1]:8080/files?a=b");
  EXPECT_EQ(NormalizeEndpoint("http://example.com/a b/"), "http://example.com/a%20b/");
}

TEST(NormalizeEndpoint, TakesNamesBeyondAsciiByTheirAsciiForm) {
  EXPECT_EQ(NormalizeEndpoint("https://bücher.example/files/"),
            "https://xn--bcher-kva.example/files/");
  EXPECT_EQ(NormalizeEndpoint("https://BÜCHER.example:8443/"),
            "https://xn--bcher-kva.example:8443/");
  EXPECT_EQ(OriginOf("https://bücher.example/").value(),
            OriginOf("https://xn--bcher-kva.example/files/1").value());
  EXPECT_EQ(ResolveUrl("https://xn--bcher-kva.example/files/", "https://bücher.example/files/1"),
            "https://xn--bcher-kva.example/files/1");
}

TEST(Origin, IsOneHoweverItIsWritten) {
  EXPECT_TRUE(AreOfOneOrigin("https://tus/files/", "https://TUS:443/elsewhere/1?a=b"));
  EXPECT_FALSE(AreOfOneOrigin("https://tus/files/", "https://tus:8443/files/"));
  EXPECT_FALSE(AreOfOneOrigin("https://tus/files/", "http://tus/files/"));
  EXPECT_FALSE(AreOfOneOrigin("https://tus/files/", ""));
}

TEST(DifferInSlash, IsAboutTheEndOfThePathAlone) {
  EXPECT_TRUE(DifferInSlash("https://tus/files", "https://tus/files/"));
  EXPECT_TRUE(DifferInSlash("https://tus/files/?a=b", "https://tus/files?a=b"));
  EXPECT_FALSE(DifferInSlash("https://tus/files", "https://tus/files"));
  EXPECT_FALSE(DifferInSlash("https://tus/files", "https://other/files/"));
  EXPECT_FALSE(DifferInSlash("https://tus/files", "http://tus/files/"));
  EXPECT_FALSE(DifferInSlash("https://tus/files?a=b", "https://tus/files?a=b/"));
  EXPECT_FALSE(DifferInSlash("https://tus/login", "https://tus/files/"));
}

TEST(RedactUrl, LeavesWhatIsNoSecret) {
  for (auto const* const url : {"https://tus.example/files/", "http://[::1]:1080/files/",
                                "https://tus.example/@team/files/", "not a url", ""}) {
    EXPECT_EQ(RedactUrl(url), url);
    EXPECT_FALSE(HasSecret(url));
  }
}

TEST(RedactUrl, HidesUserPasswordQueryAndFragment) {
  EXPECT_EQ(RedactUrl("https://h/files/?token=s3cret&x=/@"), "https://h/files/?***");
  EXPECT_EQ(RedactUrl("https://h?s3cret"), "https://h?***");
  EXPECT_EQ(RedactUrl("https://h/files#s3cret"), "https://h/files#***");
  EXPECT_EQ(RedactUrl("https://me:s3cret@h:8080/files/"), "https://***@h:8080/files/");
  EXPECT_EQ(RedactUrl("https://me:s3@cret@h/@x?y"), "https://***@h/@x?***");
  EXPECT_EQ(RedactUrl("me:s3cret@h/files"), "***@h/files");
  for (auto const* const url :
       {"https://h/?s3cret", "https://s3cret@h", "//h/f?a=s3cret", "?s3cret", "h#s3cret"}) {
    EXPECT_THAT(RedactUrl(url), Not(HasSubstr("s3cret")));
    EXPECT_TRUE(HasSecret(url));
    EXPECT_EQ(RedactUrl(RedactUrl(url)), RedactUrl(url));
  }
}

TEST(NormalizeEndpoint, IsTheSameWhenDoneTwice) {
  auto const once = NormalizeEndpoint("http://Example.com/a b/\xc3\xa9/../x?y");
  ASSERT_TRUE(once);
  EXPECT_EQ(NormalizeEndpoint(*once), *once);
}

TEST(NormalizeEndpoint, RefusesWhatCannotTakeUploads) {
  for (auto const* const text :
       {"", "example.com/files", "/files", "ftp://example.com/", "file:///etc/passwd", "http://",
        "http://exa mple/", "http://host:99999/", "http://host:port/", "http://h\nost/",
        "mailto:a@b"}) {
    auto const url = NormalizeEndpoint(text);
    ASSERT_FALSE(url) << text << " became " << *url;
    EXPECT_EQ(url.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_FALSE(url.error().message.empty()) << text;
  }
}

TEST(NormalizeEndpoint, RefusesCredentialsWithASentenceThatHidesThem) {
  for (auto const* const text : {"http://user:secret@host/", "http://@host/", "http://:@host/",
                                 "http://secret@host/", "https://:secret@host/"}) {
    auto const url = NormalizeEndpoint(text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error().message, HasSubstr("user name or password"));
    EXPECT_THAT(url.error().message, Not(HasSubstr("secret")));
  }
}

TEST(NormalizeEndpoint, SaysThatTheSchemeIsMissing) {
  EXPECT_THAT(NormalizeEndpoint("example.com/files").error().message, HasSubstr("http://"));
}

TEST(NormalizeEndpoint, RefusesHostsThatWouldBeOthersWhenTheyAreReadAgain) {
  EXPECT_EQ(NormalizeEndpoint("http://%74us.example/"), "http://tus.example/");
  auto const longest = std::string(253, 'h');
  EXPECT_EQ(NormalizeEndpoint("http://" + longest + "/"), "http://" + longest + "/");
  for (auto const& host :
       {std::string("%2574us"), std::string("2%303"), std::string("tus%7f"),
        std::string("tus%c2%9b"), std::string("tus\xff"), std::string(1000, 'h')}) {
    auto const url = NormalizeEndpoint("http://" + host + "/");
    ASSERT_FALSE(url) << host << " became " << *url;
    EXPECT_THAT(url.error().message, HasSubstr("host that cannot be")) << host;
  }
}

TEST(Origin, IsSchemeHostAndPort) {
  EXPECT_EQ(*OriginOf("http://Host/a"), *OriginOf("http://host:80/b?c"));
  EXPECT_EQ(*OriginOf("https://host/a"), *OriginOf("https://host:443/b"));
  EXPECT_NE(*OriginOf("http://host/"), *OriginOf("https://host/"));
  EXPECT_NE(*OriginOf("http://host/"), *OriginOf("http://host:81/"));
  EXPECT_NE(*OriginOf("http://host/"), *OriginOf("http://host.example/"));
  EXPECT_NE(*OriginOf("https://host:80/"), *OriginOf("http://host:80/"));
}

TEST(Origin, TextShowsOnlyAnUnusualPort) {
  EXPECT_EQ(OriginOf("https://host:443/secret")->Text(), "https://host");
  EXPECT_EQ(OriginOf("http://host:1080/secret")->Text(), "http://host:1080");
  EXPECT_EQ(OriginOf("http://[::1]:80/")->Text(), "http://[::1]");
}

TEST(ResolveUrl, TakesAbsoluteLocations) {
  EXPECT_EQ(ResolveUrl("http://a/files/", "http://a/files/1"), "http://a/files/1");
  EXPECT_EQ(ResolveUrl("http://a/files/", "https://b:8443/x?y=z"), "https://b:8443/x?y=z");
  EXPECT_EQ(ResolveUrl("http://a/files/", "http://a/x#fragment"), "http://a/x");
}

TEST(ResolveUrl, TakesRelativeLocations) {
  EXPECT_EQ(ResolveUrl("http://a:1080/files/", "1"), "http://a:1080/files/1");
  EXPECT_EQ(ResolveUrl("http://a:1080/files", "1"), "http://a:1080/1");
  EXPECT_EQ(ResolveUrl("http://a:1080/files/", "/data/1"), "http://a:1080/data/1");
  EXPECT_EQ(ResolveUrl("http://a:1080/files/", "../1"), "http://a:1080/1");
  EXPECT_EQ(ResolveUrl("https://a/files/", "//b/1"), "https://b/1");
  EXPECT_EQ(ResolveUrl("http://a/files/", "a b"), "http://a/files/a%20b");
}

TEST(ResolveUrl, NeverLeavesHttpsOnTheSameHost) {
  EXPECT_EQ(ResolveUrl("https://a/files/", "http://a/files/1"), "https://a/files/1");
  EXPECT_EQ(ResolveUrl("https://a/files/", "http://A:80/files/1?q"), "https://a/files/1?q");
  EXPECT_EQ(ResolveUrl("https://a/files/", "http://a:443/files/1"), "https://a/files/1");
  EXPECT_EQ(ResolveUrl("https://a/files/", "http://a:8443/files/1"), "https://a:8443/files/1");
}

TEST(ResolveUrl, GivesBackThePortThatAProxyDropped) {
  EXPECT_EQ(ResolveUrl("https://a:8443/files/", "http://a/files/1"), "https://a:8443/files/1");
  EXPECT_EQ(ResolveUrl("https://a:8443/files/", "http://a:80/files/1"), "https://a:8443/files/1");
}

TEST(ResolveUrl, KeepsTheZoneOfALinkLocalAddressWhichServersDoNotKnow) {
  EXPECT_EQ(NormalizeEndpoint("http://[FE80::1%25Eth0]:80/a"), "http://[fe80::1%25Eth0]:80/a");
  std::string const base = "https://[fe80::1%25eth0]:1080/files/";
  EXPECT_EQ(ResolveUrl(base, "1"), base + "1");
  EXPECT_EQ(ResolveUrl(base, "https://[FE80::1]:1080/files/1"), base + "1");
  EXPECT_EQ(ResolveUrl(base, "http://[fe80::1]/files/1"), base + "1");
  EXPECT_EQ(ResolveUrl(base, "https://[fe80::2]/1"), "https://[fe80::2]/1");
  EXPECT_NE(*OriginOf(base), *OriginOf("https://[fe80::1%25eth1]:1080/files/"));
}

TEST(ResolveUrl, RefusesHttpOnAnotherHost) {
  auto const url = ResolveUrl("https://a/files/", "http://b/files/1");
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().code, ErrorCode::kProtocol);
}

TEST(ResolveUrl, LetsHttpBecomeHttps) {
  EXPECT_EQ(ResolveUrl("http://a/files/", "https://a/files/1"), "https://a/files/1");
}

TEST(ResolveUrl, RefusesWhatCannotBeAnUpload) {
  for (auto const* const location :
       {"", "ftp://a/1", "file:///etc/passwd", "http://user:pw@a/1", "//user@a/1", "http://"}) {
    auto const url = ResolveUrl("http://a/files/", location);
    ASSERT_FALSE(url) << location << " became " << *url;
    EXPECT_EQ(url.error().code, ErrorCode::kProtocol) << location;
  }
}

}  // namespace
}  // namespace tus
