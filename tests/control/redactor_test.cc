// What leaves the machine: no name, however it is spelt, and nothing that lets somebody in.
#include "control/redactor.h"

#include <gmock/gmock.h>

#include <cstdio>

#include "base/text.h"

namespace tusfs {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

Identities Nobody() { return {}; }

TEST(RedactorTest, AFileHasOneTokenInAllPartsAndKeepsItsExtension) {
  Redactor redactor(Nobody(), false);
  redactor.LearnPath("Bride/Kiss 1.mov");
  EXPECT_EQ(redactor.Path("Bride/Kiss 1.mov"), "dir-1/file-2.mov");
  EXPECT_EQ(redactor.Text("'Bride/Kiss 1.mov' was refused"), "'dir-1/file-2.mov' was refused");
  EXPECT_EQ(redactor.Json({{"path", "Bride/Kiss 1.mov"}, {"error", "Kiss 1.mov: no"}}),
            (json{{"path", "dir-1/file-2.mov"}, {"error", "file-2.mov: no"}}));
}

TEST(RedactorTest, WhatIsBehindADotAndMayBeANameIsNoExtension) {
  Redactor redactor(Nobody(), false);
  EXPECT_EQ(redactor.Path("Anna.Schmidt"), "file-1");
  EXPECT_EQ(redactor.Path(".secret"), "file-2");
  EXPECT_EQ(redactor.Path("a.m\"v"), "file-3");
}

TEST(RedactorTest, ANameThatIsPartOfAnotherDoesNotCutIt) {
  Redactor redactor(Nobody(), false);
  redactor.LearnPath("mov");
  redactor.LearnPath("Anna");
  redactor.LearnPath("Anna and Bert.mov");
  EXPECT_EQ(redactor.Text("Anna and Bert.mov"), "file-3.mov");
  EXPECT_EQ(redactor.Text("Anna and Carl.mov"), "file-2 and Carl.file-1");
  EXPECT_EQ(redactor.Text("movie removed"), "movie removed");
}

TEST(RedactorTest, ALongNameIsFoundInsideOfAWord) {
  Redactor redactor(Nobody(), false);
  redactor.LearnPath("Hochzeit");
  EXPECT_EQ(redactor.Text("xHochzeity"), "xfile-1y");
}

TEST(RedactorTest, EscapesOfUrlsJsonAndTheLogHideNoName) {
  for (std::string const name :
       {"Mü ll\"er\n.mov", "%41\\n.mov", "\xf0\x9f\x8e\xac x.mov", "a\tb"}) {
    Redactor redactor(Nobody(), false);
    redactor.LearnPath(name);
    auto const token = redactor.Path(name);
    std::string upper;
    std::string lower;
    for (char const c : name) {
      char digits[8];
      std::snprintf(digits, sizeof digits, "%%%02X", static_cast<unsigned char>(c));
      upper += digits;
      std::snprintf(digits, sizeof digits, "%%%02x", static_cast<unsigned char>(c));
      lower += digits;
    }
    EXPECT_EQ(redactor.Text(upper), token);
    EXPECT_EQ(redactor.Text("x%2F" + lower + "%2F"), "x%2F" + token + "%2F");
    for (bool const ascii : {true, false}) {
      EXPECT_EQ(redactor.Text(json(name).dump(-1, ' ', ascii)), "\"" + token + "\"") << name;
    }
    EXPECT_EQ(redactor.Text("\n" + Printable(name) + " "), "\n" + token + " ") << name;
    EXPECT_EQ(redactor.Text("\\n" + name), "\\n" + token) << name;
  }
}

TEST(RedactorTest, HostileNamesAreData) {
  Redactor redactor(Nobody(), false);
  std::string const bytes("\xff\xfe-\x1b[31m", 8);
  redactor.LearnPath(bytes);
  redactor.LearnPath("");
  redactor.LearnPath("../..//.");
  redactor.LearnPath("file-1");
  EXPECT_EQ(redactor.Path(bytes), "file-1");
  EXPECT_EQ(redactor.Text("of " + bytes), "of file-1");
  EXPECT_EQ(redactor.Text("of file-1"), "of file-2");
  EXPECT_EQ(redactor.Path("../.."), "../..");
}

TEST(RedactorTest, NamesOfTheLogAreThoseInItsQuotes) {
  Redactor redactor(Nobody(), false);
  constexpr auto kLine = "interrupted path=\"Bride/Kiss.mov\" error=\"'Other.mov': Bride is busy\"";
  redactor.LearnLogLine(kLine);
  EXPECT_EQ(redactor.LogLine(kLine),
            "interrupted path=\"dir-1/file-2.mov\" error=\"'file-3.mov': dir-1 is busy\"");
}

TEST(RedactorTest, ApostrophesOfNamesEndNoQuoteOfTheLog) {
  for (std::string const name : {"it's Anna.mov", "a' Anna.mov", "a' 'Anna.mov"}) {
    Redactor redactor(Nobody(), false);
    auto const line = "the server's '" + name + "' was removed, say 'tusfsctl list'";
    redactor.LearnLogLine(line);
    auto const shown = redactor.LogLine(line);
    EXPECT_THAT(shown, Not(HasSubstr("Anna"))) << name;
    EXPECT_THAT(shown, ::testing::StartsWith("the server's 'file-")) << name;
    EXPECT_THAT(shown, ::testing::EndsWith(".mov' was removed, say 'tusfsctl list'")) << name;
  }
}

TEST(RedactorTest, PlacesOutsideOfTheMountAndAdviceAreNoNames) {
  Redactor redactor(Nobody(), false);
  constexpr auto kLine = "'/var/lib/tusfs' is full: 'tusfsctl discard PATH', or 'http://tus/'";
  redactor.LearnLogLine(kLine);
  EXPECT_EQ(redactor.LogLine(kLine), kLine);
}

TEST(RedactorTest, OfALogLineWithQuotesOfANameTheRestIsLeftOut) {
  Redactor redactor(Nobody(), false);
  constexpr auto kLine = "interrupted path=\"a\" Kiss.mov\" error=\"none\"";
  redactor.LearnLogLine(kLine);
  EXPECT_THAT(redactor.LogLine(kLine), Not(HasSubstr("Kiss")));
  EXPECT_THAT(redactor.LogLine(kLine), HasSubstr("interrupted"));
}

TEST(RedactorTest, OfUrlsTheServerStaysAndTheEndpoint) {
  Redactor redactor(Nobody(), false);
  redactor.LearnEndpoint("https://tus.example/files/");
  EXPECT_EQ(redactor.Text("url=https://tus.example/files/ x"), "url=https://tus.example/files/ x");
  EXPECT_EQ(redactor.Text("https://anna:pass@tus.example/files/?token=abc,d"),
            "https://***@tus.example/files/?***");
  EXPECT_EQ(redactor.Text("'https://tus.example/files/4711' and https://tus.example/files/4712"),
            "'https://tus.example/url-1' and https://tus.example/url-2");
  EXPECT_EQ(redactor.Text("HTTPS://tus.example/files/4713#a"), "HTTPS://tus.example/url-3?***");
}

TEST(RedactorTest, WordsThatLetSomebodyInGo) {
  Redactor redactor(Nobody(), true);
  EXPECT_EQ(redactor.Text("Authorization: Bearer abc.def"), "Authorization: Bearer ***");
  EXPECT_EQ(redactor.Text("proxy said token=abc&x=1"), "proxy said token=***&x=1");
}

TEST(RedactorTest, MachineAndPeopleGoAlsoWhereNamesStay) {
  Redactor redactor({.hosts = {"Rig7.studio.example"}, .users = {"anna"}, .homes = {"/data/anna"}},
                    true);
  redactor.LearnPath("Kiss.mov");
  EXPECT_EQ(
      redactor.Text("anna@rig7: /home/anna/x /data/anna/y Kiss.mov Rig7.studio.example annabel"),
      "user-1@host: /home/user-1/x /home/user-1/y Kiss.mov host annabel");
}

TEST(RedactorTest, MembersNumbersAndStatesOfJsonStay) {
  Redactor redactor(Nobody(), false);
  for (auto const* name : {"state", "uploaded", "1", "files"}) redactor.LearnPath(name);
  json const answer{{"files", {{{"state", "uploaded"}, {"size", 1}, {"error", "uploaded?"}}}}};
  EXPECT_EQ(redactor.Json(answer),
            (json{{"files", {{{"state", "uploaded"}, {"size", 1}, {"error", "file-2?"}}}}}));
}

TEST(RedactorTest, OfMetricsOnlyLabelsAreLookedAt) {
  Redactor redactor(Nobody(), false);
  redactor.LearnPath("1");
  redactor.LearnPath("Kiss");
  EXPECT_EQ(redactor.Labels("up{mount=\"/mnt/Kiss\",n=\"a\\\"1\"} 1\nx 1"),
            "up{mount=\"/mnt/file-2\",n=\"a\\\"file-1\"} 1\nx 1");
}

TEST(RedactorTest, TenThousandNamesCostNoTimeThatCounts) {
  Redactor redactor(Nobody(), false);
  std::string text;
  for (int number = 0; number < 10'000; ++number) {
    auto const name = "IMG_" + std::to_string(100'000 + number) + ".jpg";
    redactor.LearnPath(name);
    text += name + " ";
  }
  EXPECT_THAT(redactor.Text(text), Not(HasSubstr("IMG_")));
}

}  // namespace
}  // namespace tusfs
