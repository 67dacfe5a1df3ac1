// Answers: how tusfsctl shows them, and that one of another version is refused rather than guessed.
#include "control/answers.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>

#include "base/fakes.h"

namespace tusfs {
namespace {

using nlohmann::json;

json SomeStatus() {
  return {{"mount", "/mnt/ingest"},
          {"url", "http://tus/files/"},
          {"daemon_pid", 4711},
          {"keeper_pid", nullptr},
          {"restarts", 2},
          {"last_end", "killed by signal 9 (Killed)"},
          {"problem", nullptr},
          {"server", {{"reachable", true}, {"since", "2023-11-14T22:13:20Z"}, {"error", nullptr}}},
          {"files", {{"uploaded", 3}, {"writing", 1}}},
          {"bytes",
           {{"accepted", 4096},
            {"confirmed", 1024},
            {"remaining", 3072},
            {"sent", 2048},
            {"resent", 0}}},
          {"spool", {{"used", 4096}, {"limit", 1048576}, {"waiting", 1}}}};
}

json SomeFile() {
  return {{"path", "clip.mov"}, {"state", "interrupted"}, {"size", 2048},
          {"offset", 512},      {"finishes", false},      {"error", "killed"}};
}

TEST(Answers, AMountIsShownAsAPersonReadsIt) {
  EXPECT_EQ(ShowMount(SomeStatus(), false),
            "/mnt/ingest -> http://tus/files/\n"
            "  server  reachable since 2023-11-14T22:13:20Z\n"
            "  safe    25% (1.0 KiB of 4.0 KiB on the server, 3.0 KiB to go)\n"
            "  sent    2.0 KiB, of these 0 B again\n"
            "  files   3 uploaded, 1 writing\n"
            "  spool   4.0 KiB used of 1.0 MiB, full: the writers of 1 file wait for room\n"
            "  daemon  process 4711, keeper none, restarted 2 times, the last crash: killed by "
            "signal 9 (Killed)\n");
}

TEST(Answers, WhatIsOnItsWayIsSaidAndIsNotSafeYet) {
  auto status = SomeStatus();
  status["bytes"]["sending"] = 2048;
  EXPECT_THAT(ShowMount(status, false),
              testing::HasSubstr("  safe    25% (1.0 KiB of 4.0 KiB on the server, 3.0 KiB to go, "
                                 "2.0 KiB of it on the way)\n"));
}

TEST(Answers, APauseAndALimitAreShown) {
  auto status = SomeStatus();
  status["paused"] = true;
  status["limit"] = 1048576;
  EXPECT_THAT(ShowMount(status, false), testing::HasSubstr("  paused  nothing is sent"));
  EXPECT_THAT(ShowMount(status, false), testing::HasSubstr("  limit   1.0 MiB/s\n"));
}

TEST(Answers, EachLinkIsShownWithWhatItCarriesOrWhyNot) {
  auto status = SomeStatus();
  status["links"] = json::array();
  EXPECT_EQ(ShowMount(status, false), ShowMount(SomeStatus(), false));
  status["links"] = {{{"name", "wifi"},
                      {"interface", "wlan0"},
                      {"state", "sending"},
                      {"why", nullptr},
                      {"sending", 2},
                      {"rate", 3 << 20},
                      {"today", 1 << 30},
                      {"month", std::uint64_t{14} << 30},
                      {"budget", nullptr}},
                     {{"name", "lte"},
                      {"interface", "wwan0"},
                      {"state", "spent"},
                      {"why", "its budget for this month is spent"},
                      {"sending", 0},
                      {"rate", 0},
                      {"today", 0},
                      {"month", std::uint64_t{10} << 30},
                      {"budget", {{"bytes", std::uint64_t{10} << 30}, {"per", "month"}}}}};
  EXPECT_THAT(
      ShowMount(status, false),
      testing::HasSubstr(
          "  link    wifi (wlan0) sending 2 files at 3.0 MiB/s, 1.0 GiB today, 14.0 GiB this "
          "month\n"
          "  link    lte (wwan0) spent, 0 B today, 10.0 GiB of 10.0 GiB this month: its budget "
          "for this month is spent\n"));
}

TEST(Answers, MountsAreListedWithWhatIsLeft) {
  json const backlog{{"going", 2}, {"left", 2048}, {"stuck", 1}};
  json const mounts = {{{"mount", "/a"},
                        {"url", "http://tus/"},
                        {"daemon_pid", 7},
                        {"state", "serving"},
                        {"backlog", backlog}},
                       {{"mount", "/b"},
                        {"url", "http://tus/"},
                        {"daemon_pid", nullptr},
                        {"state", "dead"},
                        {"backlog", nullptr}}};
  EXPECT_EQ(ShowMountList({{"mounts", mounts}}, false),
            "/a -> http://tus/\n"
            "  process 7, serving, 2 files, 2.0 KiB to go, 1 needs somebody\n"
            "/b -> http://tus/\n"
            "  dead\n");
}

TEST(Answers, NothingIsAllSafeWhileAFileIsStuck) {
  auto status = SomeStatus();
  status["bytes"]["confirmed"] = status["bytes"]["accepted"];
  status["bytes"]["remaining"] = 0;
  EXPECT_THAT(ShowMount(status, false), testing::HasSubstr("safe    100%"));
  for (auto const* state : {"interrupted", "failed", "unconfirmed"}) {
    auto stuck = status;
    stuck["files"][state] = 2;
    stuck["bytes"]["held"] = 2048;
    EXPECT_THAT(ShowMount(stuck, false), testing::HasSubstr("safe    99%"));
    EXPECT_THAT(ShowMount(stuck, false),
                testing::HasSubstr("  stuck   2 files wait for somebody, of which a power cut has "
                                   "left 2.0 KiB in doubt: see tusfsctl list --stuck\n"));
  }
}

TEST(Answers, TheSummaryIsOneLineAndSaysWhatNeedsSomebody) {
  auto status = SomeStatus();
  EXPECT_EQ(SummaryOf(status), "safe: 25% (1.0 KiB of 4.0 KiB on the server, 3.0 KiB to go)");
  EXPECT_THAT(ShowMount(status, false), testing::HasSubstr(SummaryOf(status).substr(6)));
  status["files"]["failed"] = 2;
  status["server"] = {
      {"reachable", false}, {"since", "2023-11-14T22:13:20Z"}, {"error", "no\nroute"}};
  auto const summary = SummaryOf(status);
  EXPECT_THAT(summary, testing::HasSubstr("; 2 files wait for somebody; server not usable since "
                                          "2023-11-14T22:13:20Z: no"));
  EXPECT_EQ(summary.find('\n'), std::string::npos);
}

TEST(Answers, WhatIsInterruptedIsNamedWhereItKeepsMuchOfTheSpool) {
  auto status = SomeStatus();
  status["spool"] = {{"used", 1048576},
                     {"limit", 1048576},
                     {"waiting", 0},
                     {"interrupted", 524288},
                     {"dropped_files", 2},
                     {"dropped_bytes", 2048},
                     {"oldest_interrupted", "a\nclip.mov"}};
  EXPECT_THAT(ShowMount(status, false),
              testing::HasSubstr("  spool   1.0 MiB used of 1.0 MiB\n"
                                 "          512.0 KiB of it are of interrupted files, which "
                                 "'tusfsctl discard' or 'publish' lets go; the oldest is "
                                 "a\\x0aclip.mov\n"
                                 "          2 interrupted files were given up to make room "
                                 "(2.0 KiB)\n"));
  status["spool"]["interrupted"] = 1000;
  EXPECT_THAT(ShowMount(status, false), testing::Not(testing::HasSubstr("discard")));
}

TEST(Answers, AMountWhoseDaemonSaysNothingIsShownWithItsProcesses) {
  json const status{{"mount", "/m"},           {"url", "u"},    {"daemon_pid", nullptr},
                    {"keeper_pid", 5},         {"restarts", 0}, {"last_end", nullptr},
                    {"problem", "no\nprogram"}};
  EXPECT_EQ(ShowMount(status, false),
            "/m -> u\n  daemon  none, keeper process 5\n  problem no\\x0aprogram\n");
}

TEST(Answers, ThatNobodyTellsHowWritersEndIsSaid) {
  json status{{"mount", "/m"}, {"url", "u"},     {"daemon_pid", 6},    {"keeper_pid", 5},
              {"restarts", 0}, {"last_end", ""}, {"problem", nullptr}, {"writer_ends", "nobody"}};
  EXPECT_THAT(ShowMount(status, false), testing::HasSubstr("writers how they end"));
  status["writer_ends"] = "pidfd";
  EXPECT_THAT(ShowMount(status, false), testing::Not(testing::HasSubstr("writers")));
}

TEST(Answers, FilesAreShownOneALine) {
  auto expiring = SomeFile();
  expiring["expires"] = "2023-11-14T22:13:20Z";
  expiring["error"] = nullptr;
  json const answer{{"files", {SomeFile(), expiring}}};
  EXPECT_EQ(ShowFiles(answer, false),
            "interrupted  25%    2.0 KiB  clip.mov  -- killed\n"
            "interrupted  25%    2.0 KiB  clip.mov  -- the server keeps it until "
            "2023-11-14T22:13:20Z\n");
  EXPECT_THAT(ShowFiles(answer, true), testing::HasSubstr("[#######.......................] "));
}

TEST(Answers, MoreThanAllIsAll) {
  auto file = SomeFile();
  file["offset"] = std::numeric_limits<std::uint64_t>::max();
  file["size"] = 1;
  EXPECT_THAT(ShowFiles({{"files", {file}}}, true),
              testing::HasSubstr("[##############################] 100%"));
}

TEST(Answers, AnAnswerOfAnotherShapeIsRefused) {
  for (auto const* field : {"bytes", "files", "spool", "daemon_pid"}) {
    auto status = SomeStatus();
    status.erase(field);
    EXPECT_THROW((void)ShowMount(status, false), json::exception) << field;
  }
  EXPECT_THROW((void)FilesIn(json::object()), json::exception);
  EXPECT_THROW((void)FilesIn({{"files", nullptr}}), json::exception) << "not the same as no files";
  for (json const& number : {json(-1), json(1e300), json("5"), json(nullptr)}) {
    auto file = SomeFile();
    file["size"] = number;
    EXPECT_THROW((void)ShowFiles({{"files", {file}}}, false), json::exception) << number;
  }
}

TEST(Answers, NothingThatIsShownMovesACursor) {
  constexpr auto kHostile =
      "a\x1b[2J\n\xc2\x9b"
      "31m";
  auto status = SomeStatus();
  for (auto const* field : {"mount", "url", "last_end", "problem"}) status[field] = kHostile;
  status["server"]["since"] = status["server"]["error"] = kHostile;
  status["files"][kHostile] = 1;
  auto file = SomeFile();
  for (auto const* field : {"path", "state", "error", "expires"}) file[field] = kHostile;
  auto const shown = ShowMount(status, true) + ShowFiles({{"files", {file}}}, true);
  EXPECT_THAT(shown,
              testing::Not(testing::AnyOf(testing::HasSubstr("\x1b"), testing::HasSubstr("\x9b"))));
  EXPECT_EQ(std::ranges::count(shown, '\n'), 9);
}

TEST(Answers, ARefusalIsTheDaemonsSentence) {
  auto const refused = ReadAnswer(R"({"error": "'x': no such file"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().context, "'x': no such file");
  EXPECT_EQ(CodeOf(ReadAnswer("[]")), EPROTO);
  EXPECT_EQ(CodeOf(ReadAnswer("")), EPROTO);
  EXPECT_TRUE(Ok(ReadAnswer(R"({"files": []})")));
}

}  // namespace
}  // namespace tusfs
