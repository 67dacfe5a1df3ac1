// The control socket: one line asks, one line answers, and nothing that comes in does harm.
#include "control/socket.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <future>
#include <semaphore>
#include <thread>

#include "base/fakes.h"
#include "control/group_access.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;

// Answers with what `make` makes of the request.
Answerer With(std::function<std::string(std::string const&)> make) {
  return [make = std::move(make)](std::string const& request, Peer& peer) {
    peer.Send(make(request));
  };
}

class SocketTest : public testing::Test {
 protected:
  SocketTest() {
    auto server = ControlServer::Start(
        path_, With([](std::string const& request) { return "you said " + request; }),
        QuietLogger());
    EXPECT_TRUE(Ok(server));
    if (server) server_ = std::move(*server);
  }

  // Connects as a program that does not know the manners.
  [[nodiscard]] UniqueFd Connect() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  tusfs_testing::TempDir const dir_;
  std::filesystem::path const path_ = dir_ / "control.sock";
  std::unique_ptr<ControlServer> server_;
};

TEST(GroupAccess, AProcessIsOfItsOwnGroupAndOfItsFurtherOnes) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd const one(ends[0]);
  UniqueFd const other(ends[1]);
  EXPECT_TRUE(IsOfGroup(one.get(), ::getegid()));
  std::vector<gid_t> further(65536);
  auto const count = ::getgroups(static_cast<int>(further.size()), further.data());
  ASSERT_GE(count, 0);
  further.resize(static_cast<std::size_t>(count));
  for (auto const group : further) EXPECT_TRUE(IsOfGroup(one.get(), group)) << group;
  constexpr gid_t kNobodys = 3'999'999'999;
  EXPECT_FALSE(IsOfGroup(one.get(), kNobodys));
}

TEST(GroupAccess, AGroupIsANameOrANumber) {
  EXPECT_EQ(FindGroup("4711"), 4711u);
  EXPECT_EQ(FindGroup("root"), 0u);
  EXPECT_THAT(FindGroup("no such group").error().context, HasSubstr("'no such group'"));
  EXPECT_FALSE(FindGroup("47x"));
}

TEST_F(SocketTest, WhoIsNotLetInIsToldSoWhereOthersMayCome) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: another user is root's to be";
  auto const shared = dir_ / "shared.sock";
  auto server = ControlServer::Start(shared, With([](std::string const&) { return "answered"; }),
                                     QuietLogger(), [](int) { return false; });
  ASSERT_TRUE(Ok(server));
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  EXPECT_EQ(Ask(shared, "x"), "answered") << "its own user";
  auto const child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setgroups(0, nullptr) != 0 || ::setuid(65534) != 0) ::_exit(2);
    auto const refused = Ask(shared, "x");
    bool const is_told =
        refused && refused->find("members of its --control-group may ask") != std::string::npos;
    ::_exit(is_told && !Ask(path_, "x") ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(SocketTest, AnswersWhatItIsAsked) {
  EXPECT_EQ(Ask(path_, "hello"), "you said hello");
  EXPECT_EQ(Ask(path_, ""), "you said ");
  EXPECT_EQ(Ask(path_, std::string("\0\xff", 2)), "you said " + std::string("\0\xff", 2));
}

TEST_F(SocketTest, AnAnswerThatTakesLongHoldsUpNoOther) {
  std::counting_semaphore<8> go(0);
  server_.reset();
  auto server = ControlServer::Start(path_, With([&](std::string const& request) {
                                       if (request == "list") go.acquire();
                                       return "this is " + request;
                                     }),
                                     QuietLogger());
  ASSERT_TRUE(Ok(server));
  std::vector<std::jthread> lists;
  for (int i = 0; i < 5; ++i) {
    lists.emplace_back([&] { EXPECT_EQ(Ask(path_, "list"), "this is list"); });
  }
  EXPECT_EQ(Ask(path_, "status"), "this is status");
  go.release(5);
}

TEST_F(SocketTest, AnswersManyAtATime) {
  std::atomic<int> answered = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 20; ++i) {
          auto const text = std::to_string(t) + "." + std::to_string(i);
          if (Ask(path_, text) == "you said " + text) ++answered;
        }
      });
    }
  }
  EXPECT_EQ(answered, 160);
}

TEST_F(SocketTest, LongAnswersComeWhole) {
  auto const path = dir_ / "long.sock";
  std::string const answer(5'000'000, 'a');
  auto const server =
      ControlServer::Start(path, With([&](std::string const&) { return answer; }), QuietLogger());
  ASSERT_TRUE(Ok(server));
  EXPECT_TRUE(Ask(path, "x") == answer);
}

TEST_F(SocketTest, AnAnswerMayComeInPieces) {
  auto const path = dir_ / "pieces.sock";
  auto const server = ControlServer::Start(
      path,
      [](std::string const&, Peer& peer) {
        for (auto const* piece : {"one ", "", "two ", "three"}) EXPECT_TRUE(peer.Send(piece));
      },
      QuietLogger());
  ASSERT_TRUE(Ok(server));
  EXPECT_EQ(Ask(path, "x"), "one two three");
}

TEST_F(SocketTest, AConnectionThatIsTakenIsAnsweredByWhoeverHasIt) {
  auto const path = dir_ / "taken.sock";
  UniqueFd taken;
  std::binary_semaphore is_taken(0);
  auto server = ControlServer::Start(
      path,
      [&](std::string const&, Peer& peer) {
        taken = peer.Take();
        is_taken.release();
      },
      QuietLogger());
  ASSERT_TRUE(Ok(server));
  auto const connection = Open(path, "watch");
  ASSERT_TRUE(Ok(connection));
  is_taken.acquire();
  server->reset();
  ASSERT_EQ(::write(taken.get(), "later\n", 6), 6);
  char text[7] = {};
  EXPECT_EQ(::read(connection->get(), text, 6), 6);
  EXPECT_STREQ(text, "later\n");
}

TEST_F(SocketTest, NobodyIsSentMoreThanHeTakes) {
  auto const path = dir_ / "gone.sock";
  std::promise<bool> outcome;
  auto const server = ControlServer::Start(
      path,
      [&](std::string const&, Peer& peer) {
        std::string const piece(1'000'000, 'a');
        bool is_taken = true;
        for (int i = 0; i < 100 && is_taken; ++i) is_taken = peer.Send(piece);
        outcome.set_value(is_taken);
      },
      QuietLogger());
  ASSERT_TRUE(Ok(server));
  { auto const left = Open(path, "list"); }
  EXPECT_FALSE(outcome.get_future().get());
}

TEST_F(SocketTest, AnOversizedRequestIsDroppedAndTheNextOneIsServed) {
  EXPECT_FALSE(Ask(path_, std::string(1'000'000, 'x')));
  EXPECT_EQ(Ask(path_, "hello"), "you said hello");
}

TEST_F(SocketTest, APeerThatLeavesInTheMiddleDoesNoHarm) {
  {
    auto const fd = Connect();
    ASSERT_EQ(::write(fd.get(), "half a req", 10), 10);
  }
  { auto const fd = Connect(); }
  {
    auto const fd = Connect();  // asks, and does not wait for the answer
    ASSERT_EQ(::write(fd.get(), "x\n", 2), 2);
  }
  EXPECT_EQ(Ask(path_, "hello"), "you said hello");
}

TEST_F(SocketTest, NobodyThereIsSaidSo) {
  auto const missing = Ask(dir_ / "missing.sock", "x");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_THAT(missing.error().context, HasSubstr("missing.sock"));
  server_.reset();
  EXPECT_EQ(CodeOf(Ask(path_, "x")), ENOENT) << "its name is gone with it";
}

TEST_F(SocketTest, WhatADeadDaemonLeftIsReplaced) {
  auto const path = dir_ / "dead.sock";
  {
    UniqueFd const fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_EQ(CodeOf(Ask(path, "x")), ECONNREFUSED);
  auto const server =
      ControlServer::Start(path, With([](std::string const&) { return "new"; }), QuietLogger());
  ASSERT_TRUE(Ok(server));
  EXPECT_EQ(Ask(path, "x"), "new");
}

TEST_F(SocketTest, ANameTooLongForASocketIsRefusedWithASentence) {
  auto const path = dir_ / std::string(120, 's');
  auto const server =
      ControlServer::Start(path, With([](std::string const&) { return ""; }), QuietLogger());
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ENAMETOOLONG);
  EXPECT_EQ(CodeOf(Ask(path, "x")), ENAMETOOLONG);
}

}  // namespace
}  // namespace tusfs
