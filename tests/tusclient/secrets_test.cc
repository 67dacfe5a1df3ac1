#include "secrets.h"

#include <gtest/gtest.h>

#include <string>

namespace tus {
namespace {

constexpr auto kEndpoint = "https://tus.example/projects/upload/";

std::string Cut(std::string const& url, std::string words) {
  Secrets secrets;
  secrets.AddUrl(url, kEndpoint);
  return secrets.CutFrom(std::move(words));
}

TEST(Secrets, OfAUrlAreAllOfItAndEachPart) {
  auto const url = "https://tus.example/projects/upload/24e533e02ec3/content?key=aGVsbG8&v=2";
  EXPECT_EQ(Cut(url, std::string("no ") + url), "no …");
  EXPECT_EQ(Cut(url, "no /projects/upload/24e533e02ec3/content?key=aGVsbG8&v=2"), "no …");
  EXPECT_EQ(Cut(url, "no /projects/upload/24e533e02ec3/content"), "no …");
  EXPECT_EQ(Cut(url, "no key=aGVsbG8&v=2"), "no …");
  EXPECT_EQ(Cut(url, "24e533e02ec3 has no aGVsbG8 in v=2"), "… has no … in v=2");
}

TEST(Secrets, AreNotWhatTheEndpointTells) {
  EXPECT_EQ(Cut("https://tus.example/projects/upload/24e533e02ec3", "no such upload in projects"),
            "no such upload in projects");
}

TEST(Secrets, ShorterThanSixBytesStayWhereTheyAre) {
  EXPECT_EQ(Cut("https://tus.example/projects/upload/error", "an error in /projects/upload/error"),
            "an error in …");
}

TEST(Secrets, OfHeadersAreTheirValuesAndWhatFollowsAScheme) {
  Secrets secrets;
  secrets.AddHeaders({{"Authorization", "Bearer s3cr3t-token"}, {"X-Api-Key", "k3y-value"}});
  EXPECT_EQ(secrets.CutFrom("got 'Bearer s3cr3t-token', s3cr3t-token and k3y-value for X-Api-Key"),
            "got '…', … and … for X-Api-Key");
}

TEST(Secrets, WithinOthersDoNotLeaveTheRestOfThose) {
  Secrets const secrets{"abcdef", "0123abcdef4567", "abcdef4567"};
  EXPECT_EQ(secrets.CutFrom("0123abcdef4567 abcdef4567 abcdef"), "… … …");
}

TEST(Secrets, AreFoundAmongWordsThatWereMadeFitForATerminal) {
  Secrets secrets;
  secrets.AddHeaders({{"X-Api-Key", "caf\xe9\t-key"}});
  EXPECT_EQ(secrets.CutFrom("no caf?-key here"), "no … here");
}

}  // namespace
}  // namespace tus
