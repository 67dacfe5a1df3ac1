// The picture of tusfsctl watch: it fits, says what matters first, and obeys no file's name.
#include "control/watch_frame.h"

#include <gmock/gmock.h>

#include <clocale>
#include <initializer_list>

namespace tusfs {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

class WatchFrameTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { std::setlocale(LC_CTYPE, "C.UTF-8"); }

  void Note(Progress::Numbers const& numbers) {
    progress_.Note(numbers, start_);
    told_["going"] = numbers.files;
    told_["stuck"] = numbers.stuck;
  }
  void AddStuck(std::string const& path) {
    told_["stuck_files"].push_back({{"path", path}, {"state", "failed"}, {"error", "a reason"}});
  }
  void AddSending(std::string const& path) {
    told_["sending"].push_back({{"path", path}, {"size", 100}, {"offset", 30}, {"sending", 20}});
  }
  [[nodiscard]] std::vector<std::string> Lines(FrameSize size = {},
                                               bool with_colours = false) const {
    return WatchFrame(told_, progress_, start_, "/mnt/ingest", size, with_colours);
  }
  [[nodiscard]] std::string Text(FrameSize size = {}, bool with_colours = false) const {
    std::string text;
    for (auto const& line : Lines(size, with_colours)) text += line + "\n";
    return text;
  }

  Progress progress_;
  Progress::Time const start_{std::chrono::hours(1)};
  json told_{{"reachable", true},
             {"server", {{"since", "2026-05-04T12:30:00Z"}, {"error", nullptr}}},
             {"sending", json::array()},
             {"stuck_files", json::array()}};
};

TEST_F(WatchFrameTest, SaysThatItIsSafeAndLittleElse) {
  Note({});
  EXPECT_EQ(Text(),
            "/mnt/ingest\nSafe to go: everything is on the server\n\n"
            "The server answers since 2026-05-04T12:30:00Z\n");
  EXPECT_EQ(WatchLine(progress_, start_), "Safe to go: everything is on the server");
}

TEST_F(WatchFrameTest, HasWhatIsOnTheWayAndWhatNeedsSomebody) {
  Note({.files = 2, .left = 50, .size = 100, .stuck = 1});
  AddSending("a.mov");
  AddStuck("b.mov");
  EXPECT_THAT(Text(),
              HasSubstr("2 files, 50 B to go; 1 file needs you\n[####################....."));
  EXPECT_THAT(Text(), HasSubstr("  [#####.....] 50 B of 100 B  a.mov\n"));
  EXPECT_THAT(Text(), HasSubstr("  b.mov  -- failed: a reason\n"));
  EXPECT_THAT(Text(), HasSubstr("tusfsctl retry '/mnt/ingest/b.mov'\n"));
  EXPECT_EQ(WatchLine(progress_, start_), "50%  2 files, 50 B to go; 1 file needs you");
}

TEST_F(WatchFrameTest, ItIsNeverLargerThanTheWindow) {
  Note({.files = 20, .left = 50, .size = 100, .stuck = 90});
  for (int i = 0; i < 20; ++i) {
    AddStuck("a-file-with-a-name-that-is-quite-long-" + std::to_string(i));
    AddSending("on-the-way-" + std::to_string(i));
  }
  for (std::size_t columns = 1; columns <= 120; columns += 7) {
    for (auto const rows : std::initializer_list<std::size_t>{1, 2, 5, 24, 200}) {
      auto const lines = Lines({.columns = columns, .rows = rows});
      EXPECT_LE(lines.size(), rows);
      for (auto const& line : lines) EXPECT_LE(line.size(), columns) << line;
    }
  }
  EXPECT_THAT(Text({.columns = 80, .rows = 200}), HasSubstr("and 70 more"));
  EXPECT_THAT(Text(), HasSubstr("on-the-way-0")) << "there is room for both";
}

TEST_F(WatchFrameTest, NamesAreAsWideAsTheyAreShown) {
  EXPECT_EQ(Fitted("abcdef", 6), "abcdef");
  EXPECT_EQ(Fitted("abcdefg", 6), "abc...");
  EXPECT_EQ(Fitted("\xc3\xa4\xc3\xb6\xc3\xbc", 3), "\xc3\xa4\xc3\xb6\xc3\xbc");
  EXPECT_EQ(Fitted("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5), "\xe6\x97\xa5...")
      << "two columns each";
  EXPECT_EQ(Fitted("\xff\xfe", 2), "\xff\xfe");
  EXPECT_EQ(Fitted("abc", 0), "");
}

TEST_F(WatchFrameTest, HostileNamesMoveNothing) {
  std::string const hostile = "a\n\x1b[2J\x1b[31m\xe2\x80\xae";
  Note({.files = 1, .left = 50, .size = 100, .stuck = 1});
  AddSending(hostile);
  AddStuck(hostile);
  told_["server"]["error"] = hostile;
  for (auto const& line : Lines({.columns = 200, .rows = 50})) {
    EXPECT_THAT(line, Not(HasSubstr("\x1b")));
    EXPECT_THAT(line, Not(HasSubstr("\n")));
    EXPECT_THAT(line, Not(HasSubstr("\xe2\x80\xae")));
  }
}

TEST_F(WatchFrameTest, ColoursAreThereWhereTheyAreWanted) {
  Note({});
  EXPECT_THAT(Text({}, true),
              HasSubstr("\x1b[1;32mSafe to go: everything is on the server\x1b[0m"));
  EXPECT_THAT(Text({}, false), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace tusfs
