// The page as text: what a person reads, and that nobody's name is more than a name.
#include "metrics/page_html.h"

#include <gmock/gmock.h>

#include "base/file_digest.h"
#include "base/text.h"
#include "control/check.h"

namespace tusfs {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PageHtmlTest : public testing::Test {
 protected:
  [[nodiscard]] std::string Part(std::string const& id) const {
    for (auto const& [name, html] : PartsOfPage(facts_, news_, minutes_)) {
      if (name == id) return html;
    }
    ADD_FAILURE() << "no part " << id;
    return {};
  }
  [[nodiscard]] std::string Page() const {
    return WholePage(facts_, PartsOfPage(facts_, news_, minutes_));
  }
  void AddStuck(std::string const& path, std::string const& state) {
    news_.told["stuck_files"].push_back({{"path", path}, {"state", state}, {"error", "a reason"}});
    news_.told["stuck"] = news_.told["stuck_files"].size();
    news_.is_safe = false;
  }

  PageFacts facts_{.mount = "/mnt/ingest", .url = "https://server/files/", .version = "1.2.3"};
  std::vector<std::uint64_t> minutes_ = std::vector<std::uint64_t>(60, 0);
  PageNews news_{.told = {{"going", 0},
                          {"left", 0},
                          {"stuck", 0},
                          {"sent", 5000},
                          {"reachable", true},
                          {"paused", false},
                          {"server", {{"since", "2026-05-04T12:30:00Z"}, {"error", nullptr}}},
                          {"sending", json::array()},
                          {"stuck_files", json::array()}},
                 .sentence = "Safe to go",
                 .is_safe = true,
                 .percent = 100};
};

TEST_F(PageHtmlTest, SaysTheSentenceAndThatIsAllWhereNothingIsGoing) {
  EXPECT_THAT(Part("state"), HasSubstr("<p class=\"sentence safe\">Safe to go</p>"));
  EXPECT_THAT(Part("state"), Not(HasSubstr("<progress")));
  EXPECT_THAT(Part("needs"), IsEmpty());
  EXPECT_THAT(Part("sending"), IsEmpty());
  EXPECT_THAT(Part("rate"), HasSubstr("Nothing was sent"));
}

TEST_F(PageHtmlTest, WhatIsGoingHasABar) {
  news_.told["going"] = 2;
  news_.is_safe = false;
  news_.percent = 41;
  news_.told["sending"].push_back(
      {{"path", "a.mov"}, {"size", 100}, {"offset", 30}, {"sending", 5}});
  EXPECT_THAT(Part("state"), HasSubstr("max=\"100\" value=\"41\""));
  EXPECT_THAT(Part("sending"), HasSubstr("max=\"100\" value=\"35\""));
  EXPECT_THAT(Part("sending"), HasSubstr("<bdi>a.mov</bdi>"));
}

TEST_F(PageHtmlTest, WhatNeedsSomebodySaysWhatToDoInTheWordsOfTusfsctl) {
  AddStuck("a.mov", "unconfirmed");
  auto const ways = WaysOut({{"state", "unconfirmed"}}, "/mnt/ingest/a.mov");
  ASSERT_EQ(ways.size(), 3U);
  for (auto const& way : ways) EXPECT_THAT(Part("needs"), HasSubstr(EscapeHtml(way)));
  EXPECT_THAT(Part("needs"), HasSubstr("unconfirmed: a reason"));
  news_.told["stuck"] = 21;
  EXPECT_THAT(Part("needs"), HasSubstr("and 20 more"));
}

TEST_F(PageHtmlTest, ForReadingThereAreNoButtons) {
  AddStuck("a.mov", "failed");
  EXPECT_THAT(Page(), Not(HasSubstr("<button")));
  EXPECT_THAT(Page(), Not(HasSubstr("<form")));
}

TEST_F(PageHtmlTest, AButtonNamesItsFileWhateverItIsCalled) {
  facts_.has_actions = true;
  std::string const path = "a\n\"b\" <c>";
  AddStuck(path, "failed");
  EXPECT_THAT(Part("needs"), HasSubstr("value=\"" + Hex(path) + "\""));
  EXPECT_EQ(FromHex(Hex(path)), path);
  EXPECT_EQ(FromHex("not hex"), "not hex");
  EXPECT_EQ(FromHex("xyz0"), "xyz0");
  EXPECT_THAT(Part("server"), HasSubstr("value=\"pause\""));
  EXPECT_THAT(Part("needs"), Not(HasSubstr("discard\"")));
}

TEST_F(PageHtmlTest, ANameThatIsNotWhatTheDiskHasHasNoButton) {
  facts_.has_actions = true;
  AddStuck("a\xef\xbf\xbd.mov", "failed");
  EXPECT_THAT(Part("needs"), Not(HasSubstr("<button")));
}

TEST_F(PageHtmlTest, HostileNamesAreText) {
  std::string const hostile =
      "<script>alert(1)</script>\" onload='x' & \x1b[2J\n\xe2\x80\xae{{url}}";
  facts_.mount = "/mnt/" + hostile;
  facts_.url = hostile;
  facts_.interface = hostile;
  news_.sentence = hostile;
  news_.told["server"]["error"] = hostile;
  news_.told["server"]["since"] = hostile;
  news_.told["going"] = 1;
  news_.told["sending"].push_back({{"path", hostile}, {"size", 100}, {"offset", 3}});
  AddStuck(hostile, "failed");
  news_.told["stuck_files"][0]["error"] = hostile;
  auto const page = Page();
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
  EXPECT_THAT(page, Not(HasSubstr("onload='")));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, Not(HasSubstr("\xe2\x80\xae"))) << "text that runs backwards";
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, HasSubstr("{{url}}")) << "what is in a name is not filled in";
}

TEST_F(PageHtmlTest, TheLastHourIsAPicture) {
  minutes_[10] = 1;
  minutes_[59] = 1024 * 1024;
  EXPECT_THAT(Part("rate"), HasSubstr("x=\"100\" y=\"99\""));
  EXPECT_THAT(Part("rate"), HasSubstr("x=\"590\" y=\"0\""));
  EXPECT_THAT(Part("rate"), HasSubstr("at most 1.0 MiB in a minute"));
}

TEST_F(PageHtmlTest, NothingInItComesFromElsewhereOrRunsInItsText) {
  auto const page = Page();
  EXPECT_THAT(page, Not(HasSubstr("style=")));
  EXPECT_THAT(page, Not(HasSubstr("src=\"http")));
  EXPECT_THAT(page, Not(HasSubstr("href=\"http")));
  EXPECT_THAT(page, HasSubstr("<script src=\"/page.js\" defer></script>"));
}

TEST_F(PageHtmlTest, TheServerIsThereWithWhatItSaid) {
  news_.told["reachable"] = false;
  news_.told["server"]["error"] = "connection refused";
  EXPECT_THAT(Part("server"),
              HasSubstr("does not answer since 2026-05-04T12:30:00Z: connection refused"));
  news_.told["paused"] = true;
  EXPECT_THAT(Part("server"), HasSubstr("is paused"));
}

}  // namespace
}  // namespace tusfs
