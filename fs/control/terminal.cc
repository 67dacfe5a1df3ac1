#include "control/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace tusfs {
namespace {

sigset_t Heard() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (int const signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP}) {
    ::sigaddset(&signals, signal);
  }
  return signals;
}

// A terminal that is gone takes nothing, and its end is a signal.
void Say(std::string_view text) {
  while (!text.empty()) {
    auto const n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

bool Terminal::IsThere() {
  auto const* const kind = std::getenv("TERM");
  bool const is_dumb = kind == nullptr || *kind == '\0' || std::string_view(kind) == "dumb";
  return ::isatty(STDOUT_FILENO) != 0 && !is_dumb;
}

bool Terminal::HasColours() {
  auto const* const none = std::getenv("NO_COLOR");
  return none == nullptr || *none == '\0';
}

FrameSize Terminal::Size() {
  winsize size{};
  bool const is_known =
      ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
  if (!is_known) return {};
  return {.columns = size.ws_col, .rows = size.ws_row};
}

Result<Terminal> Terminal::Take() {
  auto const heard = Heard();
  UniqueFd signals(::signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return FailErrno("signalfd");
  return Terminal(std::move(signals));
}

Terminal::Terminal(UniqueFd signals) : signals_(std::move(signals)) {
  auto const heard = Heard();
  ::sigprocmask(SIG_BLOCK, &heard, nullptr);
  termios now{};
  if (::isatty(STDIN_FILENO) != 0 && ::tcgetattr(STDIN_FILENO, &now) == 0) keyboard_ = now;
  Enter();
}

Terminal::Terminal(Terminal&& other) noexcept
    : signals_(std::move(other.signals_)),
      keyboard_(other.keyboard_),
      drawn_(std::move(other.drawn_)),
      is_ours_(std::exchange(other.is_ours_, false)) {}

Terminal::~Terminal() {
  if (!is_ours_) return;
  Leave();
  auto const heard = Heard();
  ::sigprocmask(SIG_UNBLOCK, &heard, nullptr);
}

void Terminal::Enter() {
  if (keyboard_) {
    auto quiet = *keyboard_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
  }
  Say("\x1b[?1049h\x1b[?25l");
  drawn_.clear();
  is_ours_ = true;
}

void Terminal::Leave() {
  Say("\x1b[?25h\x1b[?1049l");
  if (keyboard_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &*keyboard_);
}

void Terminal::Draw(std::vector<std::string> const& lines) {
  // No line end behind the last one, which would move all of it up.
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[K";
  }
  text += "\x1b[J";
  if (text == drawn_) return;
  drawn_ = text;
  Say(text);
}

bool Terminal::HearKey() {
  pollfd waiting{STDIN_FILENO, POLLIN, 0};
  if (!keyboard_ || ::poll(&waiting, 1, 0) <= 0) return true;
  char key = 0;
  return ::read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != '\x04';
}

bool Terminal::Hear() {
  if (!HearKey()) return false;
  signalfd_siginfo heard{};
  while (::read(signals_.get(), &heard, sizeof heard) == sizeof heard) {
    switch (heard.ssi_signo) {
      case SIGWINCH:
        drawn_.clear();
        break;
      case SIGTSTP:
        Leave();
        ::kill(::getpid(), SIGSTOP);
        Enter();
        break;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace tusfs
