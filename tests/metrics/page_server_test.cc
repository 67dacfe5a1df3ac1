// The page over HTTP: who gets in, what is told, and that no crowd and no deaf peer holds it up.
#include "metrics/page_server.h"

#include <gmock/gmock.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "base/fakes.h"
#include "base/file_digest.h"
#include "base/mutex.h"
#include "metrics/sockets.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using httplib::Headers;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using tusfs_testing::WaitFor;

constexpr char kTheToken[] = "0123456789abcdef";

// A mount that can be looked at, and that says when it is not.
class FakeMount {
 public:
  bool Watch(UniqueFd& connection) {
    MutexLock lock(mutex_);
    ++watched_;
    connection_ = std::move(connection);
    SayLocked();
    return true;
  }
  void Become(int going) {
    MutexLock lock(mutex_);
    going_ = going;
    SayLocked();
  }
  std::string Ask(std::string const& request) {
    MutexLock lock(mutex_);
    asked_.push_back(json::parse(request));
    return answer_;
  }
  void AnswerWith(std::string answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  [[nodiscard]] std::vector<json> asked() {
    MutexLock lock(mutex_);
    return asked_;
  }
  [[nodiscard]] int watched() {
    MutexLock lock(mutex_);
    return watched_;
  }

 private:
  void SayLocked() REQUIRES(mutex_) {
    json const line{{"going", going_},
                    {"left", going_ * 1000},
                    {"size", going_ * 1000},
                    {"stuck", 0},
                    {"sent", 0},
                    {"reachable", true},
                    {"paused", false},
                    {"server", {{"since", "2026-05-04T12:30:00Z"}, {"error", nullptr}}},
                    {"sending", json::array()},
                    {"stuck_files", json::array()}};
    auto const text = line.dump() + "\n";
    if (connection_) ::send(connection_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }

  Mutex mutex_;
  UniqueFd connection_ GUARDED_BY(mutex_);
  int going_ GUARDED_BY(mutex_) = 0;
  int watched_ GUARDED_BY(mutex_) = 0;
  std::vector<json> asked_ GUARDED_BY(mutex_);
  std::string answer_ GUARDED_BY(mutex_) = "{}";
};

// Reads events on a thread of its own.
class EventReader {
 public:
  EventReader(int port, Headers headers) : client_("127.0.0.1", port) {
    client_.set_read_timeout(60);
    thread_ = std::jthread([this, headers = std::move(headers)] {
      client_.Get("/events", headers, [this](char const* data, std::size_t size) {
        MutexLock lock(mutex_);
        text_.append(data, size);
        return true;
      });
      over_ = true;
    });
  }
  ~EventReader() {
    while (!over_) client_.stop();  // does nothing to one that has not connected yet
  }
  [[nodiscard]] std::string text() {
    MutexLock lock(mutex_);
    return text_;
  }
  [[nodiscard]] int Count() {
    auto const all = text();
    int count = 0;
    for (auto at = all.find("data: {"); at != std::string::npos; at = all.find("data: {", at + 1)) {
      ++count;
    }
    return count;
  }
  [[nodiscard]] bool IsOver() const { return over_; }

 private:
  httplib::Client client_;
  Mutex mutex_;
  std::string text_ GUARDED_BY(mutex_);
  std::atomic<bool> over_ = false;
  std::jthread thread_;
};

class PageServerTest : public testing::Test {
 protected:
  void SetUp() override { Start(false); }
  void Start(bool has_actions) {
    server_.reset();
    auto const address = ListenAddress{.host = "127.0.0.1", .port = port_};
    auto server = PageServer::Start(
        {.address = address,
         .token = kTheToken,
         .facts = {.mount = "/mnt",
                   .url = "http://server/",
                   .version = "1",
                   .has_actions = has_actions}},
        {.watch = [this](UniqueFd& connection) { return mount_.Watch(connection); },
         .ask = [this](std::string const& request) { return mount_.Ask(request); }},
        history_, QuietLogger());
    ASSERT_TRUE(server);
    server_ = *std::move(server);
    ASSERT_TRUE(WaitFor([&] { return static_cast<bool>(client_.Get("/page.css")); }));
  }

  // As a browser has it behind the first visit.
  [[nodiscard]] Headers In() {
    auto const entered = client_.Get((std::string("/?token=") + kTheToken).c_str());
    auto const cookie = entered->get_header_value("Set-Cookie");
    return {{"Cookie", cookie.substr(0, cookie.find(';'))}};
  }
  [[nodiscard]] Headers InWithOrigin() {
    auto headers = In();
    headers.emplace("Origin", "http://127.0.0.1:" + std::to_string(port_));
    return headers;
  }
  int Post(char const* path, Headers const& headers, httplib::Params const& fields) {
    auto const answer = client_.Post(path, headers, fields);
    last_ = answer ? answer->body : "";
    return answer ? answer->status : 0;
  }

  int const port_ = FreePort();
  FakeMount mount_;
  RateHistory const history_{0};
  httplib::Client client_{"127.0.0.1", port_};
  std::string last_;
  std::unique_ptr<PageServer> server_;
};

TEST_F(PageServerTest, WithoutTheTokenNothingIsToldOfTheMount) {
  for (auto const* path : {"/", "/events", "/?token=", "/?token=0123456789abcdeg", "/other"}) {
    auto const answer = client_.Get(path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 401) << path;
    EXPECT_THAT(answer->body, Not(HasSubstr("/mnt"))) << path;
    EXPECT_FALSE(answer->has_header("Set-Cookie")) << path;
  }
  EXPECT_EQ(mount_.watched(), 0) << "and nobody looks at it";
}

TEST_F(PageServerTest, TheTokenLeavesTheAddressForACookie) {
  auto const entered = client_.Get((std::string("/?token=") + kTheToken).c_str());
  EXPECT_EQ(entered->status, 303);
  EXPECT_EQ(entered->get_header_value("Location"), "/");
  auto const page = client_.Get("/", In());
  EXPECT_EQ(page->status, 200);
  EXPECT_THAT(page->body, HasSubstr("Safe to go: everything is on the server"));
  EXPECT_THAT(page->body, Not(HasSubstr(kTheToken)));
  EXPECT_THAT(page->get_header_value("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_EQ(page->get_header_value("Cache-Control"), "no-store");
}

TEST_F(PageServerTest, TheTokenCanBeTypedIn) {
  EXPECT_EQ(Post("/enter", {{"Origin", "http://127.0.0.1:" + std::to_string(port_)}},
                 {{"token", kTheToken}}),
            303);
  EXPECT_EQ(Post("/enter", {{"Origin", "http://127.0.0.1:" + std::to_string(port_)}},
                 {{"token", "wrong"}}),
            401);
}

TEST_F(PageServerTest, AHostThatIsNotOursIsRefusedWhateverItBrings) {
  auto headers = In();
  headers.emplace("Host", "evil.example");
  EXPECT_EQ(client_.Get("/", headers)->status, 421);
  EXPECT_EQ(client_.Get("/page.js", {{"Host", "evil.example"}})->status, 421);
}

TEST_F(PageServerTest, EventsComeWhenSomethingChangesAtMostOneASecond) {
  EventReader reader(port_, In());
  ASSERT_TRUE(WaitFor([&] { return reader.Count() == 1; }));
  auto const start = std::chrono::steady_clock::now();
  for (int i = 1; i <= 50; ++i) mount_.Become(i);
  ASSERT_TRUE(WaitFor([&] { return reader.text().find("50 files, ") != std::string::npos; }));
  auto const took = std::chrono::steady_clock::now() - start;
  EXPECT_LE(reader.Count() - 1, took / std::chrono::seconds(1) + 1);
  EXPECT_EQ(mount_.watched(), 1);
}

TEST_F(PageServerTest, WhoeverIsOneTooManyTakesThePlaceOfTheOldest) {
  auto const headers = In();
  std::vector<std::unique_ptr<EventReader>> readers;
  for (std::size_t i = 0; i < PageFeed::kMostReaders + 1; ++i) {
    readers.push_back(std::make_unique<EventReader>(port_, headers));
    ASSERT_TRUE(WaitFor([&] { return readers.back()->Count() == 1; })) << i;
  }
  EXPECT_TRUE(WaitFor([&] { return readers.front()->IsOver(); }));
  EXPECT_THAT(readers.front()->text(), HasSubstr("event: replaced"));
  EXPECT_FALSE(readers[1]->IsOver());
  EXPECT_EQ(client_.Get("/", headers)->status, 200) << "and the page is there for others";
  server_.reset();  // hangs up on all
  for (auto const& reader : readers) EXPECT_TRUE(WaitFor([&] { return reader->IsOver(); }));
}

TEST_F(PageServerTest, PeersThatNeverReadHoldUpNobody) {
  auto const headers = In();
  auto const cookie = headers.find("Cookie")->second;
  std::vector<UniqueFd> deaf;
  for (int i = 0; i < 20; ++i) {
    deaf.push_back(ConnectTo(port_));
    std::string const request =
        "GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: " + cookie + "\r\n\r\n";
    ASSERT_GT(::send(deaf.back().get(), request.data(), request.size(), MSG_NOSIGNAL), 0);
  }
  for (int i = 1; i <= 20; ++i) mount_.Become(i);
  httplib::Client client("127.0.0.1", port_);
  client.set_read_timeout(30);
  auto const page = client.Get("/", headers);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  auto const start = std::chrono::steady_clock::now();
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST_F(PageServerTest, ForReadingNothingIsDone) {
  EXPECT_EQ(Post("/act", InWithOrigin(), {{"command", "pause"}, {"path", ""}}), 403);
  EXPECT_THAT(mount_.asked(), testing::IsEmpty());
}

TEST_F(PageServerTest, AButtonAsksWhatTusfsctlWould) {
  Start(true);
  EXPECT_EQ(Post("/act", InWithOrigin(), {{"command", "pause"}, {"path", ""}}), 303);
  EXPECT_EQ(Post("/act", InWithOrigin(), {{"command", "retry"}, {"path", Hex("a\nb")}}), 303);
  auto const asked = mount_.asked();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0]["command"], "pause");
  EXPECT_EQ(asked[1], (json{{"command", "retry"}, {"path", "a\nb"}}));
  mount_.AnswerWith(R"({"files":[{"path":"a","done":false,"error":"it is <gone>"}]})");
  EXPECT_EQ(Post("/act", InWithOrigin(), {{"command", "retry"}, {"path", Hex("a")}}), 409);
  EXPECT_THAT(last_, HasSubstr("it is &lt;gone&gt;"));
}

TEST_F(PageServerTest, WhatIsNoButtonOrComesFromElsewhereIsNotDone) {
  Start(true);
  EXPECT_EQ(Post("/act", InWithOrigin(), {{"command", "discard"}, {"path", Hex("a")}}), 400);
  EXPECT_EQ(Post("/act", InWithOrigin(), {{"command", "retry"}, {"path", ""}}), 400);
  EXPECT_EQ(Post("/act", InWithOrigin(), {}), 400);
  EXPECT_EQ(Post("/act", In(), {{"command", "pause"}}), 403) << "no origin";
  auto headers = In();
  headers.emplace("Origin", "http://evil.example");
  EXPECT_EQ(Post("/act", headers, {{"command", "pause"}}), 403);
  EXPECT_EQ(Post("/act", {{"Origin", "http://127.0.0.1:" + std::to_string(port_)}},
                 {{"command", "pause"}}),
            401)
      << "no token";
  EXPECT_EQ(Post("/act", InWithOrigin(), {{"path", std::string(20'000, 'a')}}), 413);
  EXPECT_THAT(mount_.asked(), testing::IsEmpty());
}

TEST_F(PageServerTest, PathsThatNobodyHasAreNoTrouble) {
  auto const headers = In();
  EXPECT_EQ(client_.Get("/nothing", headers)->status, 404);
  EXPECT_EQ(client_.Get(("/" + std::string(6000, '(')).c_str(), headers)->status, 404);
  EXPECT_EQ(client_.Delete("/", headers)->status, 405);
}

}  // namespace
}  // namespace tusfs
