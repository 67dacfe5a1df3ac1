// The page of a real mount, as a person's browser has it: $TUSFS_SCREENSHOTS keeps what it looked
// like.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "mount/browser.h"
#include "mount/mount_test.h"
#include "testing/http_client.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSafe[] = "Safe to go: everything is on the server";

class PageTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    Mount({"--page-actions"});
  }
  void Mount(Command more) {
    Command options{"--page", "127.0.0.1:" + std::to_string(Port()), "--settle", "0.1"};
    options.insert(options.end(), more.begin(), more.end());
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), options);
    ASSERT_EQ(mount_->Mount(), "");
    ASSERT_TRUE(WaitFor([&] { return HttpCall("GET", Address() + "page.css").status == 200; }));
  }

  // Of this process, so that tests beside each other do not meet.
  [[nodiscard]] static int Port() { return 20'000 + static_cast<int>(::getpid()) % 10'000; }
  [[nodiscard]] static std::string Address() {
    return "http://127.0.0.1:" + std::to_string(Port()) + "/";
  }
  // What its owner is shown.
  [[nodiscard]] std::string Link() const {
    auto const answer = TusfsCtl({"page", mount_->mountpoint()});
    EXPECT_EQ(answer.code, 0) << answer.err;
    return answer.out.substr(0, answer.out.find('\n'));
  }
  [[nodiscard]] std::string Cookie() const {
    auto const entered = HttpCall("GET", Link());
    auto const found = entered.headers.find("set-cookie");
    return found == entered.headers.end() ? "" : found->second.substr(0, found->second.find(';'));
  }
  [[nodiscard]] std::string Page() const {
    return HttpCall("GET", Address(), {{"Cookie", Cookie()}}).body;
  }

  // A file whose writer is killed.
  void Interrupt(std::string const& name) const {
    ChildProcess writer;
    auto const said = dir_ / "writer";
    std::filesystem::remove(said);
    writer.Start({"sh", "-c", "exec 3>\"$1\"; echo part >&3; echo open; exec sleep 100", "sh",
                  *mount_ / name},
                 said, dir_ / "err");
    ASSERT_TRUE(WaitFor([&] { return ReadFile(said) == "open\n"; }));
    writer.Signal(SIGKILL);
    ASSERT_TRUE(writer.Wait(std::chrono::seconds(20)));
    ASSERT_TRUE(WaitFor([&] { return mount_->State(name) == "interrupted"; })) << name;
  }

  // How often threads of the daemon with such a name have gone to sleep.
  [[nodiscard]] long Sleeps(std::vector<std::string> const& names) const {
    long sleeps = 0;
    auto const tasks = "/proc/" + std::to_string(mount_->DaemonPid()) + "/task";
    for (auto const& task : std::filesystem::directory_iterator(tasks)) {
      std::ifstream comm(task.path() / "comm");
      std::string name;
      std::getline(comm, name);
      if (std::find(names.begin(), names.end(), name) == names.end()) continue;
      std::ifstream status(task.path() / "status");
      for (std::string line; std::getline(status, line);) {
        std::string const field = "voluntary_ctxt_switches:";
        if (line.starts_with(field)) sleeps += std::stol(line.substr(field.size()));
      }
    }
    return sleeps;
  }

  static void Keep(Browser& browser, std::string const& name) {
    if (auto const* const kept = std::getenv("TUSFS_SCREENSHOTS")) {
      browser.Screenshot(std::filesystem::path(kept) / (name + ".png"));
    }
  }

  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(PageTest, NamesTheLinks) {
  EXPECT_EQ(mount_->Unmount(), 0);
  Mount({"--link", "cable=lo", "--link", "lte=usb0,cost=5"});
  EXPECT_THAT(Page(), HasSubstr("over cable (lo), lte (usb0)"));
}

TEST_F(PageTest, SaysWhetherItIsSafeToGo) {
  EXPECT_THAT(Page(), HasSubstr(kSafe));
  Interrupt("cut.mov");
  EXPECT_TRUE(WaitFor([&] {
    return Page().find("1 file needs you; the rest is on the server") != std::string::npos;
  }));
  EXPECT_THAT(Page(), HasSubstr("or send it as it is: tusfsctl publish"));
}

TEST_F(PageTest, ItsTokenIsTheOwnersAndInNoLog) {
  auto const link = Link();
  EXPECT_THAT(link, HasSubstr("?token="));
  auto const token = link.substr(link.find('=') + 1);
  EXPECT_EQ(token.size(), 32U);
  EXPECT_EQ(HttpCall("GET", Address()).status, 401);
  EXPECT_THAT(mount_->Log(), Not(HasSubstr(token)));
  EXPECT_THAT(TusfsCtl({"status", "--json", mount_->mountpoint()}).out, Not(HasSubstr(token)));
  EXPECT_THAT(TusfsCtl({"status", mount_->mountpoint()}).out, HasSubstr("page    " + Address()));
  mount_->KillDaemon();
  EXPECT_TRUE(WaitFor([&] { return HttpCall("GET", Link()).status == 303; }));
  EXPECT_EQ(Link(), link) << "a bookmark outlives the daemon";
}

TEST_F(PageTest, OnesOwnTokenIsTaken) {
  mount_.reset();
  auto const file = dir_ / "token";
  WriteFile(file, "a-token-of-my-own\n");
  Mount({"--page-token-file", file});
  EXPECT_THAT(Link(), HasSubstr("?token=a-token-of-my-own"));
  mount_.reset();
  WriteFile(file, "short\n");
  mount_ = std::make_unique<MountedTusfs>(
      server_->Url(), Command{"--page", std::to_string(Port()), "--page-token-file", file});
  ASSERT_EQ(mount_->Mount(), "") << "what is wrong with it costs the page, and not the mount";
  EXPECT_EQ(TusfsCtl({"page", mount_->mountpoint()}).code, 2);
  EXPECT_THAT(mount_->Log(), HasSubstr("holds no token"));
}

TEST_F(PageTest, AButtonDoesWhatTusfsctlDoes) {
  Interrupt("cut.mov");
  auto const pressed = HttpCall("POST", Address() + "act",
                                {{"Cookie", Cookie()},
                                 {"Origin", Address().substr(0, Address().size() - 1)},
                                 {"Content-Type", "application/x-www-form-urlencoded"}},
                                "command=publish&path=6375742e6d6f76");
  EXPECT_EQ(pressed.status, 303) << pressed.body;
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(mount_->State("cut.mov"), "uploaded");
}

TEST_F(PageTest, WhatNobodyLooksAtAndAPageThatIsIdleWakeNobody) {
  ChildProcess reader;
  auto const events = dir_ / "events";
  reader.Start({"curl", "-sN", "-H", "Cookie: " + Cookie(), Address() + "events"}, events,
               dir_ / "err");
  ASSERT_TRUE(WaitFor([&] { return ReadFile(events).find("data: {") != std::string::npos; }));
  std::vector<std::string> const threads{"page", "page feed", "watchers"};
  auto const before = Sleeps(threads);
  EXPECT_GT(before, 0);
  std::this_thread::sleep_for(std::chrono::seconds(3));  // of which nothing may come
  EXPECT_EQ(Sleeps(threads), before);
  WriteFile(*mount_ / "file", "news");
  EXPECT_TRUE(WaitFor([&] { return ReadFile(events).find("4 B in all") != std::string::npos; }));
}

TEST_F(PageTest, ManyFilesMakeItNoLonger) {
  ASSERT_EQ(TusfsCtl({"pause", mount_->mountpoint()}).code, 0);
  constexpr int kFiles = 20'000;
  for (int i = 0; i < kFiles; ++i) {
    auto const path = *mount_ / ("f" + std::to_string(i) + ".part");
    int const fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    ASSERT_GE(fd, 0);
    ::close(fd);
  }
  ASSERT_TRUE(WaitFor([&] { return Page().find("20000 files need you") != std::string::npos; }));
  auto const start = std::chrono::steady_clock::now();
  auto const page = Page();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_LT(page.size(), 64U * 1024);
  EXPECT_THAT(page, HasSubstr("and 19980 more"));
}

class BrowserTest : public PageTest {
 protected:
  void SetUp() override {
    if (auto const why = Browser::WhyNot(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    PageTest::SetUp();
  }
  static std::string Text(Browser& browser, std::string const& id) {
    // Where it is another page, all that it says.
    auto const text =
        browser.Run("return (document.getElementById('" + id + "') || document.body).innerText");
    return text.is_string() ? text.get<std::string>() : "";
  }
};

TEST_F(BrowserTest, IsToldOfWhatChangesWhileItIsOpen) {
  Browser browser(360);
  browser.Open(Link());
  EXPECT_EQ(browser.Run("return location.href"), Address()) << "the token is not in the address";
  EXPECT_TRUE(WaitFor([&] { return Text(browser, "live") == "Live"; }));
  EXPECT_THAT(Text(browser, "state"), HasSubstr(kSafe));
  Keep(browser, "safe-360");
  Interrupt("cut.mov");
  EXPECT_TRUE(WaitFor([&] {
    return Text(browser, "state").find("1 file needs you") != std::string::npos;
  })) << Text(browser, "state");
  EXPECT_THAT(Text(browser, "needs"), HasSubstr("cut.mov"));
  static_cast<void>(browser.Run("document.querySelector('#needs button').click()"));
  EXPECT_TRUE(WaitFor([&] { return mount_->State("cut.mov") == "uploaded"; }));
  EXPECT_TRUE(WaitFor([&] { return Text(browser, "state").find(kSafe) != std::string::npos; }))
      << Text(browser, "state");
}

TEST_F(BrowserTest, ComesBackWhenTheDaemonDoes) {
  Browser browser(1280);
  browser.Open(Link());
  EXPECT_TRUE(WaitFor([&] { return Text(browser, "live") == "Live"; }));
  mount_->KillDaemon();
  Interrupt("cut.mov");
  EXPECT_TRUE(WaitFor([&] {
    return Text(browser, "state").find("1 file needs you") != std::string::npos;
  })) << Text(browser, "state");
}

TEST_F(BrowserTest, HostileNamesAreTextAndFitOnAPhone) {
  for (std::string const name : {"<img src=x onerror=document.title=1>.mov", "a\nb\x1b[2J.mov",
                                 "\xe2\x80\xaevom.exe", "it's \"quoted\" & more.mov"}) {
    Interrupt(name);
  }
  Interrupt(std::string(250, 'w'));
  for (int const width : {360, 1280}) {
    Browser browser(width);
    browser.Open(Link());
    EXPECT_TRUE(WaitFor([&] { return Text(browser, "live") == "Live"; }));
    EXPECT_EQ(browser.Run("return document.images.length"), 0);
    EXPECT_THAT(Text(browser, "needs"), HasSubstr("<img src=x"));
    EXPECT_NE(browser.Run("return document.title"), "1");
    auto const wide = browser.Run("return document.documentElement.scrollWidth");
    ASSERT_TRUE(wide.is_number());
    EXPECT_LE(wide.get<int>(), width) << "it is not wider than the window";
    EXPECT_THAT(Text(browser, "rate"), HasSubstr("The last hour"));
    Keep(browser, "hostile-" + std::to_string(width));
  }
}

}  // namespace
}  // namespace tusfs_testing
