// WaitFor, against daemons of every kind.
#include "control/waiting.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "base/fakes.h"
#include "control/outcome.h"
#include "control/socket.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

class WaitingTest : public testing::Test {
 protected:
  WaitingTest() { ::setenv("TUSFS_RUNTIME_DIR", dir_.path().c_str(), 1); }

  // A daemon that answers with what `answer` makes of the command.
  void Serve(std::function<std::string(std::string const& command)> answer) {
    auto server = ControlServer::Start(
        place_.mount.socket,
        [answer = std::move(answer)](std::string const& request, Peer& peer) {
          peer.Send(answer(json::parse(request)["command"].get<std::string>()));
        },
        QuietLogger());
    ASSERT_TRUE(Ok(server));
    server_ = *std::move(server);
  }

  int Wait(WaitOptions const& options = {}) {
    CaptureStdout();
    CaptureStderr();
    auto const code = WaitFor({place_}, options);
    out_ = GetCapturedStdout();
    err_ = GetCapturedStderr();
    return code;
  }

  static std::string Files(std::vector<json> const& files) { return json{{"files", files}}.dump(); }
  static json File(std::string const& state, bool finishes) {
    return {{"path", "clip"}, {"state", state}, {"size", 5}, {"offset", 0}, {"finishes", finishes}};
  }

  tusfs_testing::TempDir const dir_;
  Place const place_{{.mount = "/mnt/ingest",
                      .url = "http://tus/files/",
                      .state_dir = "/state",
                      .socket = dir_ / "control.sock"},
                     ""};
  std::unique_ptr<ControlServer> server_;
  std::string out_;
  std::string err_;
};

TEST_F(WaitingTest, WhatIsOverIsLookedAtFileByFile) {
  Serve([](std::string const& command) {
    return command == "watch" ? R"({"over": true})"
                              : Files({File("interrupted", false), File("local-only", false)});
  });
  EXPECT_EQ(Wait(), kStuck);
  EXPECT_THAT(out_, HasSubstr("interrupted"));
  EXPECT_EQ(err_, "") << "there is no bar in a pipe";
}

TEST_F(WaitingTest, ADaemonThatCannotTellIsAsked) {
  std::atomic<int> asked = 0;
  Serve([&](std::string const& command) -> std::string {
    if (command == "watch") return R"({"error": "unknown command 'watch'"})";
    return ++asked == 1 ? Files({File("queued", true)}) : Files({});
  });
  EXPECT_EQ(Wait(), kDone);
  EXPECT_EQ(asked, 2);
}

TEST_F(WaitingTest, WhatIsSaidTooEarlyIsNotBelieved) {
  std::atomic<int> asked = 0;
  Serve([&](std::string const& command) -> std::string {
    if (command == "watch") return R"({"over": true})";
    return ++asked == 1 ? Files({File("queued", true)}) : Files({});
  });
  EXPECT_EQ(Wait(), kDone);
  EXPECT_EQ(asked, 2);
}

TEST_F(WaitingTest, AfterItsTimeItSaysHowManyAreLeft) {
  Serve([](std::string const& command) {
    return command == "watch" ? R"({"going": 7, "left": 1, "stuck": 0, "sent": 0})"
                              : Files({File("queued", true), File("writing", true)});
  });
  EXPECT_EQ(Wait({.timeout = 0.3}), kTimeout);
  EXPECT_THAT(err_, HasSubstr("time is up, 2 files are not uploaded yet"));
}

TEST_F(WaitingTest, WhatADaemonIsTooOldForIsSaidWithTheWayOut) {
  Serve([](std::string const& command) {
    return json{{"error", "unknown command '" + command + "'"}}.dump();
  });
  auto const answer = Request(place_, "backlog");
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().context, HasSubstr("'tusfsctl restart /mnt/ingest'"));
}

TEST_F(WaitingTest, AListThatEndsEarlyIsNoList) {
  Serve([](std::string const&) { return R"({"files": [{"path": "a"}, {"pa)"; });
  int visited = 0;
  auto const listed = VisitFiles(place_, "list", {}, [&](json const&) { ++visited; });
  EXPECT_EQ(visited, 1);
  EXPECT_EQ(CodeOf(listed), EPROTO);
}

TEST_F(WaitingTest, WhatADaemonSaysBehindAListIsAnError) {
  Serve([](std::string const&) { return R"({"files": [{"path": "a"}], "error": "the disk"})"; });
  auto const listed = VisitFiles(place_, "list", {}, [](json const&) {});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().context, "the disk");
}

TEST_F(WaitingTest, APathThatIsNotThereIsSaidWithTheDaemonsWords) {
  Serve([](std::string const&) { return R"({"error": "'no/such': No such file"})"; });
  EXPECT_EQ(Wait(), kNoAnswer);
  EXPECT_THAT(err_, HasSubstr("'no/such': No such file"));
}

TEST_F(WaitingTest, AMountThatHasGoneIsSaid) {
  EXPECT_EQ(Wait(), kNoAnswer);
  EXPECT_THAT(err_, HasSubstr("'/mnt/ingest' was unmounted"));
}

TEST_F(WaitingTest, AGroupIsNotToldThatAMountWasUnmountedWhoseDaemonIsReplaced) {
  auto others = place_;
  others.mount.is_others = true;
  CaptureStderr();
  auto const code = WaitFor({others}, {});
  EXPECT_EQ(code, kNoAnswer);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("'/mnt/ingest' has ended: it is being replaced, or"));
}

TEST_F(WaitingTest, AnAnswerOfAnotherShapeIsNoSuccess) {
  Serve([](std::string const& command) {
    return command == "watch" ? R"({"over": true})" : R"({"files": 5})";
  });
  EXPECT_THROW(static_cast<void>(WaitFor({place_}, {})), json::exception);
}

}  // namespace
}  // namespace tusfs
