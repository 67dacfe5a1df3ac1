// tusfsctl watch in a terminal, and on a pipe.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSafe[] = "Safe to go: everything is on the server";
constexpr char kOtherScreen[] = "\x1b[?1049h";
constexpr char kOwnScreen[] = "\x1b[?25h\x1b[?1049l";

// A terminal with a program in it.
class Pty {
 public:
  Pty(Command const& command, std::vector<std::string> const& environment) {
    winsize const size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    int slave = -1;
    EXPECT_EQ(::openpty(&master_, &slave, nullptr, nullptr, &size), 0);
    EXPECT_EQ(::tcgetattr(master_, &before_), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::login_tty(slave);
      for (auto const& variable : environment) ::putenv(const_cast<char*>(variable.c_str()));
      std::vector<char*> words;
      for (auto const& word : command) words.push_back(const_cast<char*>(word.c_str()));
      words.push_back(nullptr);
      ::execvp(words[0], words.data());
      ::_exit(127);
    }
    slave_ = slave;  // so that what the terminal is set to outlives the program
  }
  ~Pty() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(master_);
    ::close(slave_);
  }
  Pty(Pty const&) = delete;
  Pty& operator=(Pty const&) = delete;

  /// All that has come so far.
  std::string const& Text() {
    pollfd waiting{master_, POLLIN, 0};
    char piece[4096];
    while (::poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLIN) != 0) {
      auto const n = ::read(master_, piece, sizeof piece);
      if (n <= 0) break;
      text_.append(piece, static_cast<std::size_t>(n));
    }
    return text_;
  }
  [[nodiscard]] bool Shows(std::string const& what, std::size_t from = 0) {
    return WaitFor([&] { return Text().find(what, from) != std::string::npos; });
  }
  void Type(char key) { EXPECT_EQ(::write(master_, &key, 1), 1); }
  void Resize(unsigned short columns) {
    winsize const size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::ioctl(master_, TIOCSWINSZ, &size), 0);
  }
  /// The exit status; -1 where it does not end.
  int End() {
    int status = 0;
    bool const ended = WaitFor([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    if (ended) pid_ = -1;
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  [[nodiscard]] bool IsStopped() const {
    siginfo_t seen{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &seen, WSTOPPED | WNOHANG) == 0 &&
           seen.si_pid == pid_;
  }
  void Continue() const { ::kill(pid_, SIGCONT); }
  [[nodiscard]] bool IsAsBefore() const {
    termios now{};
    return ::tcgetattr(master_, &now) == 0 && now.c_lflag == before_.c_lflag;
  }

 private:
  int master_ = -1;
  int slave_ = -1;
  termios before_{};
  pid_t pid_ = -1;
  std::string text_;
};

class WatchTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--settle", "0.1"});
    ASSERT_EQ(mount_->Mount(), "");
  }
  [[nodiscard]] Command WatchCommand() const {
    return {TusfsctlProgram(), "watch", mount_->mountpoint()};
  }
  // One that waits for its final name.
  void AddStuck(std::string const& name) const { WriteFile(*mount_ / name, "x"); }

  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(WatchTest, ShowsWhatChangesAndGivesTheTerminalBack) {
  Pty terminal(WatchCommand(), {"TERM=xterm"});
  ASSERT_TRUE(terminal.Shows(kSafe)) << terminal.Text();
  EXPECT_THAT(terminal.Text(), HasSubstr(kOtherScreen));
  EXPECT_FALSE(terminal.IsAsBefore()) << "what is typed is not shown";
  AddStuck("clip.part");
  ASSERT_TRUE(terminal.Shows("1 file needs you")) << terminal.Text();
  EXPECT_TRUE(terminal.Shows("clip.part"));
  terminal.Type('\x03');
  EXPECT_EQ(terminal.End(), 0);
  EXPECT_TRUE(terminal.Shows(kOwnScreen));
  EXPECT_TRUE(terminal.IsAsBefore());
}

TEST_F(WatchTest, QEndsItToo) {
  Pty terminal(WatchCommand(), {"TERM=xterm", "NO_COLOR=1"});
  ASSERT_TRUE(terminal.Shows(kSafe));
  EXPECT_THAT(terminal.Text(), Not(HasSubstr("\x1b[1;32m"))) << "without colours";
  terminal.Type('q');
  EXPECT_EQ(terminal.End(), 0);
  EXPECT_TRUE(terminal.IsAsBefore());
}

TEST_F(WatchTest, FitsAWindowThatIsMadeSmaller) {
  AddStuck("a-name-that-is-longer-than-a-narrow-window.part");
  Pty terminal(WatchCommand(), {"TERM=xterm"});
  ASSERT_TRUE(terminal.Shows("narrow-window.part"));
  auto const before = terminal.Text().size();
  terminal.Resize(24);
  EXPECT_TRUE(terminal.Shows("  a-name-that-is-long...\x1b[K", before)) << terminal.Text();
}

TEST_F(WatchTest, LetsGoOfTheTerminalWhileItIsStopped) {
  Pty terminal(WatchCommand(), {"TERM=xterm"});
  ASSERT_TRUE(terminal.Shows(kSafe));
  terminal.Type('\x1a');
  EXPECT_TRUE(WaitFor([&] { return terminal.IsStopped(); }));
  EXPECT_TRUE(terminal.Shows(kOwnScreen));
  EXPECT_TRUE(terminal.IsAsBefore());
  auto const before = terminal.Text().size();
  terminal.Continue();
  EXPECT_TRUE(terminal.Shows(kSafe, before)) << "and shows it again";
}

TEST_F(WatchTest, GoesOnWithTheNextDaemonAndEndsWithTheMount) {
  Pty terminal(WatchCommand(), {"TERM=xterm"});
  ASSERT_TRUE(terminal.Shows(kSafe));
  mount_->KillDaemon();
  AddStuck("clip.part");
  EXPECT_TRUE(terminal.Shows("1 file needs you")) << terminal.Text();
  EXPECT_EQ(mount_->Unmount(), 0);
  EXPECT_EQ(terminal.End(), 2);
  EXPECT_TRUE(terminal.Shows("was unmounted"));
  EXPECT_TRUE(terminal.IsAsBefore());
}

TEST_F(WatchTest, OnADumbTerminalAndOnAPipeItPrintsLines) {
  Pty terminal(WatchCommand(), {"TERM=dumb"});
  ASSERT_TRUE(terminal.Shows(std::string(kSafe) + "\r\n"));
  EXPECT_THAT(terminal.Text(), Not(HasSubstr("\x1b")));

  ChildProcess piped;
  piped.Start(WatchCommand(), dir_ / "out", dir_ / "err");
  ASSERT_TRUE(WaitFor([&] { return ReadFile(dir_ / "out") == std::string(kSafe) + "\n"; }));
  AddStuck("\x1b[2J.part");
  EXPECT_TRUE(WaitFor(
      [&] { return ReadFile(dir_ / "out").find("1 file needs you") != std::string::npos; }));
  EXPECT_THAT(ReadFile(dir_ / "out"), Not(HasSubstr("\x1b")));
}

TEST_F(WatchTest, WhoHasReadEnoughEndsIt) {
  auto const first = RunProgram(
      {"sh", "-c", "\"$0\" watch \"$1\" | head -n 1", TusfsctlProgram(), mount_->mountpoint()},
      std::chrono::seconds(20));
  EXPECT_EQ(first.code, 0);
  EXPECT_EQ(first.out, std::string(kSafe) + "\n");
}

TEST_F(WatchTest, APathThatIsNotThereIsSaid) {
  auto const answer = TusfsCtl({"watch", *mount_ / "no/such"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("no/such"));
}

}  // namespace
}  // namespace tusfs_testing
