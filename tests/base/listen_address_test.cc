#include "base/listen_address.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

using testing::HasSubstr;

TEST(ParseListenAddress, TakesAHostAndAPort) {
  auto const address = ParseListenAddress("localhost:9817").value();
  EXPECT_EQ(address.host, "localhost");
  EXPECT_EQ(address.port, 9817);
  EXPECT_EQ(address.path, "");
}

TEST(ParseListenAddress, APortAloneIsOfThisMachine) {
  EXPECT_EQ(ParseListenAddress("1")->host, "127.0.0.1");
  EXPECT_EQ(ParseListenAddress("65535")->port, 65535);
}

TEST(ParseListenAddress, Ipv6StandsInBrackets) {
  EXPECT_EQ(ParseListenAddress("[::1]:80")->host, "::1");
  EXPECT_FALSE(ParseListenAddress("::1:80"));
}

TEST(ParseListenAddress, AUnixSocketIsAnAbsolutePath) {
  auto const address = ParseListenAddress("unix:/run/tusfs/a:b").value();
  EXPECT_EQ(address.path, "/run/tusfs/a:b");
  EXPECT_EQ(address.host, "");
  EXPECT_THAT(ParseListenAddress("unix:run").error().context, HasSubstr("slash"));
  EXPECT_THAT(ParseListenAddress("unix:/" + std::string(200, 'a')).error().context,
              HasSubstr("107 bytes"));
}

TEST(ParseListenAddress, AnythingElseIsRefusedWithWhatWouldBeRight) {
  for (std::string const text : {"", ":", "0", "65536", "80x", "host", "host:", "host:-1",
                                 "host:0x50", ":80", "[]:80", "[::1]", "a:b:80"}) {
    auto const address = ParseListenAddress(text);
    ASSERT_FALSE(address) << text;
    EXPECT_THAT(address.error().context, HasSubstr("IPV6")) << text;
  }
}

}  // namespace
}  // namespace tusfs
