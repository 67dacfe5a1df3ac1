// PageGuard: who may see the page, and who may press its buttons.
#include "metrics/page_guard.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <array>

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kToken[] = "0123456789abcdef";

PageGuard Guard(std::string const& address, std::string const& mount = "/mnt") {
  return {ParseListenAddress(address).value(), kToken, mount};
}

std::string Host() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

TEST(PageGuardTest, AMachineIsCalledByItsNumberOrByANameOfItsOwn) {
  auto const guard = Guard("rig.example.org:8080");
  for (auto const& host :
       {std::string("127.0.0.1:8080"), std::string("192.168.1.7:8080"), std::string("[::1]:8080"),
        std::string("localhost"), std::string("LocalHost:8080"),
        std::string("Rig.Example.org:8080"), Host() + ":8080"}) {
    EXPECT_TRUE(guard.IsOurHost(host)) << host;
  }
}

TEST(PageGuardTest, ANameOfSomebodyElsesThatLeadsHereIsRefused) {
  auto const guard = Guard("0.0.0.0:8080");
  for (std::string const host :
       {"evil.example:8080", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "",
        ":8080", "[::1", "1.2.3", "rig.example.org"}) {
    EXPECT_FALSE(guard.IsOurHost(host)) << host;
  }
}

TEST(PageGuardTest, OverAUnixSocketTheNameIsTheProxysBusiness) {
  EXPECT_TRUE(Guard("unix:/run/page").IsOurHost("rig.example.org"));
}

TEST(PageGuardTest, AFormComesFromAPageOfTheSameHost) {
  EXPECT_TRUE(PageGuard::IsOurOrigin("http://rig:8080", "rig:8080"));
  EXPECT_TRUE(PageGuard::IsOurOrigin("https://rig:8080", "Rig:8080")) << "behind a proxy with TLS";
  for (std::string const origin : {"", "null", "http://evil.example", "http://rig",
                                   "http://rig:8081", "http://rig:8080.evil"}) {
    EXPECT_FALSE(PageGuard::IsOurOrigin(origin, "rig:8080")) << origin;
  }
  EXPECT_FALSE(PageGuard::IsOurOrigin("http://", ""));
}

TEST(PageGuardTest, ItsCookieLetsInAndNoOtherDoes) {
  auto const guard = Guard("8080");
  auto const cookie = guard.Cookie();
  EXPECT_THAT(cookie, HasSubstr("; HttpOnly"));
  EXPECT_THAT(cookie, HasSubstr("; SameSite=Lax"));
  auto const pair = cookie.substr(0, cookie.find(';'));
  EXPECT_TRUE(guard.HasToken(pair));
  EXPECT_TRUE(guard.HasToken("a=b; " + pair + "; c=d"));
  EXPECT_FALSE(guard.HasToken(""));
  EXPECT_FALSE(guard.HasToken(pair + "0"));
  EXPECT_FALSE(guard.HasToken(pair.substr(0, pair.size() - 1)));
  EXPECT_FALSE(guard.HasToken("x" + pair));
  EXPECT_FALSE(guard.HasToken(pair.substr(0, pair.find('=') + 1)));
}

TEST(PageGuardTest, TwoMountsOfOneMachineHaveTwoCookies) {
  auto const one = Guard("8080", "/mnt/one").Cookie();
  EXPECT_FALSE(Guard("8081", "/mnt/two").HasToken(one.substr(0, one.find(';'))));
}

TEST(PageGuardTest, TheAddressIsOneThatABrowserTakes) {
  auto const address = [](char const* text) {
    return AddressForBrowsers(ParseListenAddress(text).value());
  };
  EXPECT_EQ(address("8080"), "http://127.0.0.1:8080/");
  EXPECT_EQ(address("[fd00::7]:80"), "http://[fd00::7]:80/");
  EXPECT_EQ(address("unix:/run/page"), "unix:/run/page");
  EXPECT_THAT(address("0.0.0.0:8080"), StartsWith("http://"));
  EXPECT_EQ(address("0.0.0.0:8080").find("0.0.0.0"), std::string::npos);
}

}  // namespace
}  // namespace tusfs
