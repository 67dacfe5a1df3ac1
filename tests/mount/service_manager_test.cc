// tusfs as a service: what it tells the service manager, and how it ends where there is no mount.
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// The end of sd_notify(3) that is the service manager's.
class NotifySocket {
 public:
  explicit NotifySocket(fs::path const& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << path;
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    // Whoever tells something waits when ten words have not been heard.
    thread_ = std::jthread([this](std::stop_token const& stop) {
      while (!stop.stop_requested()) Hear();
    });
  }
  ~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    thread_.request_stop();
    thread_.join();
    ::close(fd_);
  }
  NotifySocket(NotifySocket const&) = delete;
  NotifySocket& operator=(NotifySocket const&) = delete;

  /// What `systemctl status` would show now.
  std::string Status() {
    std::lock_guard const lock(mutex_);
    Read();
    return status_;
  }
  bool IsReady() {
    std::lock_guard const lock(mutex_);
    Read();
    return ready_;
  }

 private:
  void Hear() {
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, 50) <= 0) return;
    std::lock_guard const lock(mutex_);
    Read();
  }
  void Read() {
    char text[8192];
    for (ssize_t got = 0; (got = ::recv(fd_, text, sizeof text, 0)) >= 0;) {
      std::string const message(text, static_cast<std::size_t>(got));
      if (message == "READY=1") ready_ = true;
      if (message.starts_with("STATUS=")) status_ = message.substr(7);
    }
  }

  int const fd_;
  std::mutex mutex_;
  std::jthread thread_;
  std::string status_;
  bool ready_ = false;
};

class ServiceManagerTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    manager_.emplace(dir_ / "notify");
  }

  /// As the unit does it, with a configuration file of these lines.
  [[nodiscard]] Command ServiceOf(std::string const& lines) const {
    WriteFile(dir_ / "rig.toml", "mountpoint = \"" + (dir_ / "mnt").string() +
                                     "\"\nvolatile = true\nstate-dir = \"" +
                                     (dir_ / "state").string() + "\"\n" + lines);
    return {TusfsProgram(), "--foreground", "--make-mountpoint", "--config", dir_ / "rig.toml"};
  }
  [[nodiscard]] std::string Url() const { return "url = \"" + server_->Url() + "\"\n"; }

  std::optional<NotifySocket> manager_;
};

TEST_F(ServiceManagerTest, AWrongConfigurationEndsWithTwoAtOnceAndIsTold) {
  WriteFile(dir_ / "file", "x");
  for (std::string const& lines :
       {std::string("url = \"ftp://host/\"\n"), Url() + "token-file = \"/no/such/token\"\n",
        Url() + "setle = 2\n", Url() + "finish-command = \"no-such-program\"\n"}) {
    auto const ended = RunProgram(ServiceOf(lines), std::chrono::seconds(20));
    EXPECT_EQ(ended.code, 2) << lines << ended.err;
  }
  fs::create_directories(dir_ / "mnt/treasure");
  auto const ended = RunProgram(ServiceOf(Url()), std::chrono::seconds(20));
  EXPECT_EQ(ended.code, 2) << ended.err;
  EXPECT_THAT(manager_->Status(), AllOf(StartsWith("not mounted: "), HasSubstr("is not empty")));
  EXPECT_FALSE(manager_->IsReady());
}

TEST_F(ServiceManagerTest, AStateDirectoryOfAnotherUrlEndsWithTwo) {
  {
    MountedTusfs mount(server_->Url(), {"--state-dir", dir_ / "state"});
    ASSERT_EQ(mount.Mount(), "");
    EXPECT_EQ(mount.Unmount(), 0);
  }
  auto const ended =
      RunProgram(ServiceOf("url = \"http://127.0.0.1:9/other/\"\n"), std::chrono::seconds(20));
  EXPECT_EQ(ended.code, 2) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("holds uploads to"));
}

TEST_F(ServiceManagerTest, WhatMayMendItselfIsPutOffLongerEachTimeAndEndsWithOne) {
  // A mount that is there already may end by itself. It is none of a service.
  manager_.reset();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  manager_.emplace(dir_ / "manager");
  Command const again{TusfsProgram(),     "--foreground", server_->Url(),
                      mount.mountpoint(), "--state-dir",  dir_ / "other"};
  for (auto const* const pause : {" 100 ms", " 200 ms", " 400 ms"}) {
    auto const ended = RunProgram(again, std::chrono::seconds(20));
    EXPECT_EQ(ended.code, 1) << ended.err;
    EXPECT_THAT(manager_->Status(), AllOf(HasSubstr("already mounted"),
                                          HasSubstr("next try is in" + std::string(pause))));
  }
}

TEST_F(ServiceManagerTest, AStopDoesNotWaitForWhatIsPutOff) {
  manager_.reset();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  manager_.emplace(dir_ / "manager");
  Command const again{TusfsProgram(),     "--foreground", server_->Url(),
                      mount.mountpoint(), "--state-dir",  dir_ / "other"};
  for (auto const& entry : fs::directory_iterator(dir_ / "run")) {
    if (entry.path().extension() != ".json") continue;
    WriteFile(fs::path(entry.path()).replace_extension(".starts"), "9");
  }
  ChildProcess service;
  service.Start(again, dir_ / "out", dir_ / "err");
  ASSERT_TRUE(WaitFor([&] { return manager_->Status().find("30000 ms") != std::string::npos; }))
      << manager_->Status();
  service.Signal(SIGTERM);
  auto const ended = service.Wait(std::chrono::seconds(10));
  ASSERT_TRUE(ended) << "it waits for half a minute";
  EXPECT_EQ(ended->code, 0);
}

TEST_F(ServiceManagerTest, ItsStatusIsWhatTusfsctlSaysAndIsKeptCurrent) {
  MountedTusfs mount(server_->Url(), {"--settle", "0.1"});
  ASSERT_EQ(mount.Mount(), "");
  auto const says = [&](std::string const& words) {
    return WaitFor([&] { return manager_->Status().find(words) != std::string::npos; });
  };
  EXPECT_TRUE(says("safe: 100% (0 B of 0 B on the server")) << manager_->Status();
  Copy(Source("clip", 3 * kMiB), mount / "clip");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_TRUE(says("safe: 100% (3.0 MiB of 3.0 MiB on the server, 0 B to go)"))
      << manager_->Status();
  EXPECT_THAT(RunProgram({TusfsctlProgram(), "status", mount.mountpoint()}).out,
              HasSubstr(manager_->Status().substr(std::string("safe: ").size())));
  server_->Kill();
  WriteFile(mount / "later", "hello");
  EXPECT_TRUE(says("server not usable since ")) << manager_->Status();
  EXPECT_TRUE(says("5 B to go")) << manager_->Status();
  server_->Restart();
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_TRUE(says("0 B to go)")) << manager_->Status();
  EXPECT_TRUE(WaitFor([&] { return manager_->Status().ends_with("to go)"); }))
      << "the server is back: " << manager_->Status();
}

TEST_F(ServiceManagerTest, TheMountPointIsMadeSoThatOthersComeThrough) {
  auto command = ServiceOf("");
  command.insert(command.end(), {server_->Url(), dir_ / "a/b/mnt"});
  auto const before = ::umask(0077);
  ChildProcess service;
  service.Start(command, dir_ / "out", dir_ / "err");
  ::umask(before);
  ASSERT_TRUE(WaitFor([&] { return manager_->IsReady(); })) << ReadFile(dir_ / "err");
  EXPECT_TRUE(IsMounted(dir_ / "a/b/mnt"));
  for (auto const* const made : {"a", "a/b"}) {
    EXPECT_EQ(fs::status(dir_ / made).permissions(), fs::perms(0755)) << made;
  }
  service.Signal(SIGTERM);
  auto const ended = service.Wait(std::chrono::seconds(20));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 0);
  EXPECT_EQ(fs::status(dir_ / "a/b/mnt").permissions(), fs::perms(0755));
}

}  // namespace
}  // namespace tusfs_testing
