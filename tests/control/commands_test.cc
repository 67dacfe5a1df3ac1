// Commands: what scripts may rely on, and garbage that must not hurt.
#include "control/commands.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/fakes.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/filesystem.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    Inode root;
    root.id = kRootInode;
    root.type = FileType::kDirectory;
    Put(root, "");
    Add("done.mov", 10, Content::kUploaded, 100, 100);
    Add("half.mov", 11, Content::kInterrupted, 50, 20);
    Add(std::string("bad\xff", 4), 12, Content::kFinished, 7, 0);
  }

  void Put(Inode inode, std::string const& name) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      if (!name.empty()) {
        auto root = GetInode(transaction, kRootInode);
        AddEntry(transaction, *root, name, inode);
        PutInode(transaction, *root);
      }
      PutInode(transaction, inode);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  void Add(std::string const& name, InodeId id, Content content, std::uint64_t size,
           std::uint64_t offset) {
    Inode inode;
    inode.id = inode.version = id;
    inode.links = 1;
    inode.content = content;
    inode.size = size;
    if (content == Content::kInterrupted) inode.reason = "killed";
    inode.upload = Uuid::Random();
    Upload upload;
    upload.id = inode.upload;
    upload.path = name;
    upload.offset = offset;
    upload.phase = UploadPhase::kCreated;
    if (content == Content::kInterrupted) upload.expires = 1'700'000'000'000'000'000;
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      PutUpload(transaction, upload);
      return {};
    });
    ASSERT_TRUE(Ok(done));
    Put(inode, name);
  }

  std::string Line(std::string const& request) const {
    std::string line;
    commands_.Answer(request, [&](std::string_view piece) {
      line += piece;
      return true;
    });
    return line;
  }

  json Answer(std::string const& request) { return json::parse(Line(request)); }

  // Answers all with the same.
  class Server : public tus::HttpTransport {
   public:
    explicit Server(tus::Result<tus::HttpResponse> const& answer) : answer_(answer) {}
    tus::Result<tus::HttpResponse> Perform(tus::HttpRequest const&) override { return answer_; }

   private:
    tus::Result<tus::HttpResponse> const& answer_;
  };

  tus::Result<tus::HttpResponse> answer_{tus::HttpResponse{}};
  tusfs_testing::TempDir const dir_;
  SystemClock const clock_;
  std::unique_ptr<Spool> const spool_ = Spool::Open(dir_ / "spool").value();
  std::unique_ptr<Store> const store_ = Store::Open(dir_ / "catalog", {}, QuietLogger()).value();
  PublishRules const rules_;
  Uploader uploader_{{.client = {.endpoint = "http://tus/files/"},
                      .transfer = {},
                      .make_transport = [this] { return std::make_unique<Server>(answer_); }},
                     rules_,
                     *store_,
                     *spool_,
                     clock_,
                     QuietLogger()};
  Finishing finishing_{{}, rules_, *store_, *spool_, clock_, [](InodeId) {}, QuietLogger()};
  Reporter const reporter_{*store_, *spool_, uploader_, finishing_};
  ProcProcessTable const processes_;
  Filesystem filesystem_{*store_,    *spool_, uploader_, finishing_,
                         processes_, clock_,  1,         QuietLogger()};
  Decisions decisions_{
      *store_, filesystem_.open_files(), filesystem_.shrinker(), uploader_, finishing_, clock_};
  tus::BandwidthLimit bandwidth_;
  Controls controls_{*store_, uploader_, bandwidth_, QuietLogger()};
  Hooks const hooks_{{}, clock_, QuietLogger()};
  Commands const commands_{{.mount = "/mnt/ingest",
                            .url = "http://tus/files/",
                            .state_dir = "",
                            .socket = "",
                            .daemon_pid = 4711},
                           reporter_,
                           decisions_,
                           controls_,
                           [this] { return ledger_; },
                           hooks_};
  Result<void> ledger_;
};

TEST_F(CommandsTest, TheLedgerIsBroughtUpToDateOrItSaysWhyNot) {
  EXPECT_EQ(Answer(R"({"command": "flush-ledger"})"), json::object());
  ledger_ = Fail(ETIMEDOUT, "the disk takes its time");
  EXPECT_EQ(Answer(R"({"command": "flush-ledger"})")["error"], "the disk takes its time");
}

TEST_F(CommandsTest, SettingsAreTheLinesOfTheDaemonAndNotForAGroup) {
  EXPECT_EQ(Answer(R"({"command": "settings"})")["error"], "unknown command 'settings'");
  Commands const commands{MountEntry{},
                          reporter_,
                          decisions_,
                          controls_,
                          [] { return Result<void>(); },
                          hooks_,
                          {},
                          [] { return std::string("metrics"); },
                          [] { return std::string("settle 2 given\n"); }};
  std::string text;
  commands.Answer(R"({"command": "settings"})", [&](std::string_view piece) {
    text += piece;
    return true;
  });
  EXPECT_EQ(json::parse(text)["text"], "settle 2 given\n");
  EXPECT_FALSE(Commands::IsHarmless(R"({"command": "settings"})"));
}

TEST_F(CommandsTest, StatusSaysHowHooksAreWhereThereAreSome) {
  EXPECT_TRUE(Answer(R"({"command": "status"})")["hooks"].is_null());
  Hooks const hooks{{.programs = {{Lane::kUploaded, {"true"}}}}, clock_, QuietLogger()};
  Commands const commands{
      MountEntry{}, reporter_, decisions_, controls_, [] { return Result<void>(); }, hooks};
  std::string text;
  commands.Answer(R"({"command": "status"})", [&](std::string_view piece) {
    text += piece;
    return true;
  });
  auto const told = nlohmann::json::parse(text)["hooks"];
  EXPECT_EQ(told["waiting"], 0);
  EXPECT_EQ(told["lost"], 0);
  EXPECT_TRUE(told["failure"].is_null());
}

TEST_F(CommandsTest, StatusHasEveryFieldOfTheContract) {
  auto const status = Answer(R"({"command": "status"})");
  EXPECT_EQ(status["mount"], "/mnt/ingest");
  EXPECT_EQ(status["url"], "http://tus/files/");
  EXPECT_EQ(status["daemon_pid"], 4711);
  EXPECT_EQ(status["server"]["reachable"], false);
  EXPECT_TRUE(status["server"].contains("since"));
  EXPECT_TRUE(status["server"].contains("error"));
  EXPECT_EQ(status["files"]["uploaded"], 1);
  EXPECT_EQ(status["files"]["interrupted"], 1);
  EXPECT_EQ(status["bytes"]["accepted"], 157);
  EXPECT_EQ(status["bytes"]["confirmed"], 120);
  EXPECT_EQ(status["bytes"]["held"], 0);
  EXPECT_EQ(status["bytes"]["sending"], 0);
  EXPECT_EQ(status["bytes"]["remaining"], 37);
  EXPECT_TRUE(status["bytes"].contains("sent"));
  EXPECT_TRUE(status["bytes"].contains("resent"));
  EXPECT_TRUE(status["spool"].contains("used"));
  EXPECT_TRUE(status["spool"].contains("limit"));
}

TEST_F(CommandsTest, ListHasEveryFileAndField) {
  auto const files = Answer(R"({"command": "list", "path": ""})")["files"];
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0], (json{{"path", "done.mov"},
                            {"state", "uploaded"},
                            {"size", 100},
                            {"held", 0},
                            {"offset", 100},
                            {"finishes", false},
                            {"error", nullptr}}));
  EXPECT_EQ(files[1]["state"], "interrupted");
  EXPECT_EQ(files[1]["error"], "killed");
  EXPECT_EQ(files[1]["expires"], "2023-11-14T22:13:20Z");
}

TEST_F(CommandsTest, WhatAPowerCutHasLeftIsTakenOrDroppedAndNothingElse) {
  auto const publish = [&](std::string const& rest) {
    return Answer(R"({"command": "publish", "path": "half.mov", "rest": ")" + rest + "\"}");
  };
  EXPECT_TRUE(publish("both").contains("error"));
  EXPECT_EQ(publish("take")["files"][0]["done"], true);
}

TEST_F(CommandsTest, ListOfAFileIsThatFile) {
  auto const files = Answer(R"({"command": "list", "path": "half.mov"})")["files"];
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0]["path"], "half.mov");
}

TEST_F(CommandsTest, APathIsTheSameHoweverItIsSpelled) {
  for (auto const* path : {"half.mov", "./half.mov", "half.mov/", "//half.mov", ".//half.mov/."}) {
    auto const files = Answer(json{{"command", "list"}, {"path", path}}.dump())["files"];
    ASSERT_EQ(files.size(), 1U) << path;
    EXPECT_EQ(files[0]["path"], "half.mov") << path;
    EXPECT_EQ(files[0]["state"], "interrupted") << path;
  }
  for (auto const* path : {"", ".", "./", "/"}) {
    auto const files = Answer(json{{"command", "unfinished"}, {"path", path}}.dump())["files"];
    ASSERT_EQ(files.size(), 2U) << path;
    EXPECT_EQ(files[0]["path"], "half.mov") << path;
  }
}

TEST_F(CommandsTest, UnfinishedLeavesOutWhatIsUploaded) {
  auto const files = Answer(R"({"command": "unfinished", "path": ""})")["files"];
  EXPECT_EQ(files.size(), 2U);
}

TEST_F(CommandsTest, APathThatIsNotThereIsAnErrorWithItsName) {
  auto const answer = Answer(R"({"command": "list", "path": "no/such"})");
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("no/such"));
  EXPECT_THAT(Answer(R"({"command": "unfinished", "path": "../etc"})")["error"].get<std::string>(),
              HasSubstr("../etc"));
}

TEST_F(CommandsTest, ADecisionSaysOfEachFileWhetherItIsDone) {
  EXPECT_EQ(
      Answer(R"({"command": "publish", "path": "half.mov"})"),
      (json{{"files", json::array({{{"path", "half.mov"}, {"done", true}, {"error", nullptr}}})}}));
  auto const refused = Answer(R"({"command": "publish", "path": "done.mov"})")["files"][0];
  EXPECT_EQ(refused["done"], false);
  EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("uploaded already"));
  EXPECT_EQ(Answer(R"({"command": "retry", "path": ""})")["files"].size(), 1U);
  EXPECT_EQ(Answer(R"({"command": "accept", "path": ""})")["files"].size(), 0U);
  for (auto const* command : {"publish", "retry", "accept"}) {
    auto const answer = Answer(json{{"command", command}, {"path", "no/such"}}.dump());
    EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("no/such"));
  }
}

TEST_F(CommandsTest, ALongListComesInPiecesAndEndsWhenNobodyTakesIt) {
  for (InodeId id = 100; id < 1100; ++id) {
    Add("file" + std::to_string(id), id, Content::kFinished, 1, 0);
  }
  std::string whole;
  int pieces = 0;
  commands_.Answer(R"({"command": "list"})", [&](std::string_view piece) {
    EXPECT_LE(piece.size(), 70'000U);
    whole += piece;
    ++pieces;
    return true;
  });
  EXPECT_GT(pieces, 1);
  EXPECT_EQ(json::parse(whole)["files"].size(), 1003U);
  int taken = 0;
  commands_.Answer(R"({"command": "list"})", [&](std::string_view) {
    ++taken;
    return false;
  });
  EXPECT_LE(taken, 2) << "what was begun is ended";
}

TEST_F(CommandsTest, WhoeverWantsToWatchIsTold) {
  auto const some = Commands::WatchedBy(R"({"command": "watch", "path": "./a//b/"})");
  ASSERT_TRUE(some);
  EXPECT_EQ(some->path, "a/b");
  EXPECT_FALSE(some->live);
  auto const all = Commands::WatchedBy(R"({"command": "watch", "live": true})");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->path, "");
  EXPECT_TRUE(all->live);
  EXPECT_FALSE(Commands::WatchedBy(R"({"command": "list"})"));
  EXPECT_FALSE(Commands::WatchedBy("nonsense"));
}

TEST_F(CommandsTest, TheBacklogIsWhatIsLeftToSend) {
  EXPECT_EQ(Answer(R"({"command": "backlog"})"), (json{{"going", 1},
                                                       {"left", 7},
                                                       {"size", 7},
                                                       {"stuck", 1},
                                                       {"sent", 0},
                                                       {"reachable", false},
                                                       {"paused", false}}));
  EXPECT_TRUE(Answer(R"({"command": "backlog", "path": "no/such"})").contains("error"));
}

TEST_F(CommandsTest, SendingIsPausedUntilItIsResumed) {
  EXPECT_EQ(Answer(R"({"command": "pause"})"), json::object());
  EXPECT_EQ(Answer(R"({"command": "status"})")["paused"], true);
  Uploader next{{.client = {.endpoint = "http://tus/files/"}, .transfer = {}, .make_transport = {}},
                rules_,
                *store_,
                *spool_,
                clock_,
                QuietLogger()};
  Controls restored{*store_, next, bandwidth_, QuietLogger()};
  ASSERT_TRUE(Ok(restored.Restore(false)));
  EXPECT_TRUE(next.IsPaused()) << "a mount that was made anew, too";
  EXPECT_EQ(Answer(R"({"command": "resume"})"), json::object());
  EXPECT_EQ(Answer(R"({"command": "status"})")["paused"], false);
}

TEST_F(CommandsTest, ALimitHoldsUntilTheMountEnds) {
  EXPECT_EQ(Answer(R"({"command": "limit", "rate": 5000})"), json::object());
  EXPECT_EQ(Answer(R"({"command": "status"})")["limit"], 5000);
  EXPECT_TRUE(Answer(R"({"command": "limit", "rate": "fast"})").contains("error"));
  tus::BandwidthLimit next(70);
  Controls restored{*store_, uploader_, next, QuietLogger()};
  ASSERT_TRUE(Ok(restored.Restore(true)));
  EXPECT_EQ(next.Get(), 5000U) << "a successor";
  next.Set(70);
  ASSERT_TRUE(Ok(restored.Restore(false)));
  EXPECT_EQ(next.Get(), 70U) << "as the next mount was told";
  ASSERT_TRUE(Ok(restored.Restore(true)));
  EXPECT_EQ(next.Get(), 70U) << "and it was forgotten";
}

TEST_F(CommandsTest, TheLogLevelIsOneOfFour) {
  EXPECT_EQ(Answer(R"({"command": "log-level", "level": "warn"})"), json::object());
  EXPECT_EQ(Answer(R"({"command": "status"})")["log_level"], "warn");
  EXPECT_THAT(Answer(R"({"command": "log-level", "level": "loud"})")["error"].get<std::string>(),
              HasSubstr("'loud' is no log level"));
}

TEST_F(CommandsTest, TheServerIsAskedWhatItIsAndWhatTimeItHas) {
  answer_ = tus::HttpResponse{.status = 204,
                              .headers = {{"Tus-Resumable", "1.0.0"},
                                          {"Tus-Version", "1.0.0"},
                                          {"Date", "Thu, 01 Jan 1970 00:00:10 GMT"}},
                              .body = ""};
  auto const answer = Answer(R"({"command": "ask-server"})");
  EXPECT_EQ(answer["problem"], nullptr);
  EXPECT_EQ(answer["code"], nullptr);
  EXPECT_LT(answer["clock_ahead"], -1'000'000'000);
  EXPECT_GE(answer["took_ms"], 0);
}

TEST_F(CommandsTest, WhatStandsInTheWayOfTheServerIsNamed) {
  answer_ = tl::unexpected(tus::Error{.code = tus::ErrorCode::kUnreachable,
                                      .http_status = 0,
                                      .retry_after = {},
                                      .message = "no route to host"});
  auto const answer = Answer(R"({"command": "ask-server"})");
  EXPECT_EQ(answer["problem"], "no route to host");
  EXPECT_EQ(answer["code"], "unreachable");
  EXPECT_EQ(answer["clock_ahead"], nullptr);
}

TEST_F(CommandsTest, WhatWaitsLongestIsNamedWithItsAge) {
  auto const oldest = Answer(R"({"command": "status"})")["oldest_unsent"];
  EXPECT_EQ(oldest["path"], "half.mov");
  EXPECT_EQ(oldest["since"], "1970-01-01T00:00:00Z");
  EXPECT_GT(oldest["age"], 1'700'000'000);
}

TEST_F(CommandsTest, GarbageIsAnsweredWithASentence) {
  std::string const deep(30'000, '[');
  for (std::string const& request :
       {std::string(), std::string("nonsense"), std::string("[]"), std::string("null"),
        std::string("{}"), std::string(R"({"command": 5})"),
        std::string(R"({"command": "format"})"),
        std::string(R"({"command": {"a": 1}, "path": []})"), std::string("{\"command\": \"\xff\"}"),
        deep, deep + std::string(30'000, ']'), tusfs_testing::RandomBytes(1000)}) {
    auto const answer = Answer(request);
    EXPECT_TRUE(answer["error"].is_string()) << request.substr(0, 80);
  }
}

TEST_F(CommandsTest, AnAnswerIsOneLineWhateverNamesThereAre) {
  Add("new\nline", 20, Content::kFinished, 1, 0);
  EXPECT_EQ(Line(R"({"command": "list"})").find('\n'), std::string::npos);
}

}  // namespace
}  // namespace tusfs
