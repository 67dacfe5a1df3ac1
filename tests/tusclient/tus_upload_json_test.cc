// tus-upload --json: each line of standard output is one JSON object that a program understands.
#include <nlohmann/json.hpp>

#include "tus_upload_rig.h"

namespace tus_upload_testing {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class TusUploadInJson : public TusUpload {
 protected:
  /// The objects of `text`, one a line; of one event only, where that is named.
  static std::vector<json> Events(std::string const& text, std::string const& only = "") {
    EXPECT_TRUE(text.empty() || text.ends_with('\n'));
    std::vector<json> events;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      auto event = json::parse(line, nullptr, false);
      EXPECT_TRUE(event.is_object() && event.contains("event")) << line;
      if (only.empty() || event["event"] == only) events.push_back(std::move(event));
    }
    return events;
  }
  static std::vector<std::string> Names(std::vector<json> const& events) {
    std::vector<std::string> names;
    for (auto const& event : events) names.push_back(event["event"]);
    return names;
  }
  [[nodiscard]] Finished RunJson(Command arguments) const {
    arguments.insert(arguments.begin(), "--json");
    return Run(arguments);
  }
};

TEST_F(TusUploadInJson, TellsOfEachFileAndWhatItAllComesTo) {
  auto const first = File("first", 1000);
  auto const second = File("second", 2 * kChunk);
  auto const run = RunJson({server_.Url(), first, second});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "");
  auto const events = Events(run.out);
  ASSERT_THAT(Names(events), ElementsAre("start", "done", "start", "done", "summary"));
  EXPECT_EQ(events[0], (json{{"event", "start"}, {"file", first}, {"bytes", 1000}}));
  auto const& done = events[3];
  EXPECT_EQ(done["file"], second);
  EXPECT_EQ(done["bytes"], 2 * kChunk);
  EXPECT_EQ(done["sent"], 2 * kChunk);
  EXPECT_EQ(done["resumed"], false);
  EXPECT_EQ(done["earlier"], false);
  EXPECT_TRUE(done["seconds"].is_number());
  EXPECT_FALSE(done.contains("url"));
  auto summary = events[4];
  EXPECT_TRUE(summary["seconds"].is_number());
  summary.erase("seconds");
  EXPECT_EQ(summary, (json{{"event", "summary"},
                           {"files", 2},
                           {"uploaded", 2},
                           {"failed", 0},
                           {"bytes", 2 * kChunk + 1000},
                           {"sent", 2 * kChunk + 1000},
                           {"status", 0}}));
}

TEST_F(TusUploadInJson, TellsTheNamesOfAllBytes) {
  auto const file = File("a\nb \"\\ \xFF.\u0085", 10);
  auto const run = RunJson({server_.Url(), file});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(std::all_of(run.out.begin(), run.out.end(), [](char c) { return c >= 0; }));
  for (auto const& event : Events(run.out)) {
    if (event["event"] == "summary") continue;
    EXPECT_EQ(event["file"], (temp_ / "a\nb \"\\ \uFFFD.\u0085").string());
    EXPECT_EQ(event["file_percent"], temp_.path().string() + "/a%0Ab%20%22%5C%20%FF.%C2%85");
  }
  auto const plain = File("plain ä", 10);
  auto const start = Events(RunJson({server_.Url(), plain}).out, "start");
  EXPECT_EQ(start[0]["file"], plain);
  EXPECT_FALSE(start[0].contains("file_percent")) << "`file` says it all";
}

TEST_F(TusUploadInJson, TellsOfFailuresOnStandardErrorToo) {
  auto const odd = File("odd \xFF", 10);
  server_.AddFault({.method = "POST", .nth = 1, .action = Fault::Answer(422, "no \xFF")});
  auto const missing = (temp_ / "missing").string();
  auto const run = RunJson({"--verbose", server_.Url(), odd, missing, File("good", 10)});
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(Lines(run.err), 2) << run.err;
  auto const events = Events(run.out);
  ASSERT_THAT(Names(events), ElementsAre("start", "failed", "failed", "start", "done", "summary"));
  EXPECT_EQ(events[1]["error"], "refused");
  EXPECT_EQ(events[1]["http_status"], 422);
  EXPECT_EQ(events[1]["confirmed"], 0);
  EXPECT_THAT(std::string(events[1]["message"]), HasSubstr("is not uploaded: "));
  EXPECT_EQ(events[2]["file"], missing);
  EXPECT_EQ(events[2]["error"], "source");
  EXPECT_FALSE(events[2].contains("http_status"));
  EXPECT_THAT(run.err, HasSubstr(std::string(events[2]["message"])));
  EXPECT_EQ(events[5]["files"], 3);
  EXPECT_EQ(events[5]["uploaded"], 1);
  EXPECT_EQ(events[5]["failed"], 2);
  EXPECT_EQ(events[5]["status"], 1);
}

TEST_F(TusUploadInJson, TellsHowFarItIsOnceASecond) {
  auto const file = File("file", 2 * kMiB + kMiB / 2);
  auto const begin = std::chrono::steady_clock::now();
  auto const run = RunJson({"--limit-rate", "1MiB", server_.Url(), file});
  auto const took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(run.code, 0) << run.err;
  auto const events = Events(run.out, "progress");
  ASSERT_FALSE(events.empty());
  EXPECT_LE(events.size(), took / 1s);
  for (auto const& event : events) {
    EXPECT_EQ(event["file"], file);
    EXPECT_EQ(event["bytes"], 2 * kMiB + kMiB / 2);
    EXPECT_GT(event["position"], 0);
    EXPECT_LE(event["confirmed"], event["position"]);
    EXPECT_GE(event["seconds"], 1);
  }
}

TEST_F(TusUploadInJson, TellsOfEachAttempt) {
  server_.AddFault({.method = "POST", .nth = 1, .action = Fault::Answer(503, "busy")});
  auto const run = RunJson({server_.Url(), File("file", 10)});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "");
  auto const retries = Events(run.out, "retry");
  ASSERT_EQ(retries.size(), 1U);
  EXPECT_EQ(retries[0]["error"], "transient");
  EXPECT_EQ(retries[0]["http_status"], 503);
  EXPECT_THAT(std::string(retries[0]["message"]), HasSubstr("busy"));
  EXPECT_GT(retries[0]["delay_seconds"], 0);
  EXPECT_EQ(retries[0]["confirmed"], 0);
}

TEST_F(TusUploadInJson, TellsOfANewBeginning) {
  server_.SetRate(4 * kMiB);
  auto const file = File("file", 2 * kMiB);
  KillAfter(kMiB, Program({server_.Url(), file}));
  server_.SetRate(0);
  ASSERT_TRUE(server_.Forget(server_.Uploads()[0].id));
  auto const run = RunJson({server_.Url(), file});
  EXPECT_EQ(run.code, 0) << run.err;
  auto const restarts = Events(run.out, "restart");
  ASSERT_EQ(restarts.size(), 1U) << run.out;
  EXPECT_FALSE(std::string(restarts[0]["message"]).empty());
}

TEST_F(TusUploadInJson, TellsWhatAnEarlierRunHasDone) {
  server_.SetRate(4 * kMiB);
  Command const arguments{server_.Url(), File("small", 1000), File("file", 2 * kMiB)};
  KillAfter(kMiB, Program(arguments));
  server_.SetRate(0);
  auto const run = RunJson(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  auto const done = Events(run.out, "done");
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[0]["earlier"], true);
  EXPECT_EQ(done[0]["bytes"], 1000);
  EXPECT_EQ(done[0]["sent"], 0);
  EXPECT_EQ(done[1]["resumed"], true);
  EXPECT_LT(done[1]["sent"], done[1]["bytes"]);
  auto const summary = Events(run.out, "summary")[0];
  EXPECT_EQ(summary["uploaded"], 2);
  EXPECT_EQ(summary["bytes"], 2 * kMiB + 1000);
  EXPECT_EQ(summary["sent"], done[1]["sent"]);
}

TEST_F(TusUploadInJson, TellsTheUrlsOnlyWhenAsked) {
  auto const file = File("file", 10);
  auto const silent = RunJson({server_.Url(), file});
  EXPECT_THAT(silent.out, Not(HasSubstr(server_.Uploads()[0].id)));
  auto const run = RunJson({"--print-url", server_.Url(), file});
  auto const done = Events(run.out, "done");
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0]["url"], server_.Url() + server_.Uploads()[1].id);
}

TEST_F(TusUploadInJson, TellsWhatIsNotUploaded) {
  auto const folder = Folder("folder", 1, 10);
  std::filesystem::create_symlink("nowhere", folder + "/link");
  std::filesystem::create_directory(temp_ / "empty");
  auto const empty = (temp_ / "empty").string();
  auto const run = RunJson({"-r", server_.Url(), folder, folder, empty});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  std::vector<std::string> skipped;
  for (auto const& event : Events(run.out, "skipped")) skipped.push_back(event["file"]);
  EXPECT_THAT(skipped, ElementsAre(folder + "/link", folder + "/link", empty, folder + "/file-00"));
  EXPECT_EQ(Events(run.out, "summary")[0]["files"], 1);
}

TEST_F(TusUploadInJson, TellsOfSeveralFilesAtOnce) {
  auto const folder = Folder("folder", 30, kChunk);
  auto const run = RunJson({"-r", "-j", "8", server_.Url(), folder});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Events(run.out, "start").size(), 30U);
  EXPECT_EQ(Events(run.out, "done").size(), 30U);
  EXPECT_EQ(Events(run.out).back()["event"], "summary");
}

TEST_F(TusUploadInJson, TellsThatItWasStopped) {
  server_.SetRate(4 * kMiB);
  auto const folder = Folder("folder", 3, 4 * kMiB);
  ChildProcess child;
  StartUntil(child, Program({"--json", "-r", "-j", "2", server_.Url(), folder}), kMiB);
  child.Signal(SIGINT);
  EXPECT_EQ(child.Wait(10s)->code, 130);
  auto const out = ReadFile(temp_ / "out");
  auto const failed = Events(out, "failed");
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0]["error"], "cancelled");
  auto const summary = Events(out).back();
  EXPECT_EQ(summary["files"], 3);
  EXPECT_EQ(summary["failed"], 2);
  EXPECT_EQ(summary["status"], 130);
}

TEST_F(TusUploadInJson, TellsOfStandardInputAndOfWhatIsAbandoned) {
  auto const file = File("file", 1000);
  auto const fed = RunFed(file, {"--json", server_.Url(), "-"});
  EXPECT_EQ(fed.code, 0) << fed.err;
  EXPECT_EQ(Events(fed.out, "start")[0], (json{{"event", "start"}, {"file", "stdin"}}));
  EXPECT_EQ(Events(fed.out, "done")[0]["bytes"], 1000);
  auto const abandoned = RunJson({"--abandon", server_.Url(), file});
  EXPECT_EQ(Events(abandoned.out, "abandoned")[0],
            (json{{"event", "abandoned"}, {"file", file}, {"deleted", false}}));
}

TEST_F(TusUploadInJson, FailsWhereNobodyCanReadIt) {
  auto command = Program({"--json", server_.Url(), File("file", 10)});
  command.insert(command.begin(), {"sh", "-c", "\"$0\" \"$@\" >/dev/full"});
  auto const run = RunProgram(command, 60s);
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.err,
            "tus-upload: the events cannot be printed: standard output cannot be written to\n");
  EXPECT_EQ(server_.Stats().published, 1);
}

}  // namespace
}  // namespace tus_upload_testing
