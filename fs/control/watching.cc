#include "control/watching.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <clocale>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "control/answers.h"
#include "control/outcome.h"
#include "control/progress.h"
#include "control/terminal.h"
#include "control/watch_frame.h"

namespace tusfs {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr milliseconds kBetweenConnections{200};
constexpr milliseconds kBetweenPictures{1000};  // where a rate may have gone
constexpr std::size_t kLongestNews = 4 * 1024 * 1024;

SteadyTime Steady() { return std::chrono::steady_clock::now(); }

class Watching {
 public:
  explicit Watching(Place place)
      : place_(std::move(place)),
        title_(place_.mount.mount + (place_.path.empty() ? "" : "/" + place_.path)) {}

  int Run() {
    if (Terminal::IsThere()) {
      auto terminal = Terminal::Take();
      if (!terminal) return Complain(terminal.error().context);
      terminal_.emplace(*std::move(terminal));
    }
    while (!ended_) {
      if (!connection_ && Steady() >= next_try_) Connect();
      if (ended_) break;
      Show();
      Await();
    }
    terminal_.reset();  // what is said now is to stay
    return sentence_.empty() ? *ended_ : Complain(sentence_);
  }

 private:
  void End(int code, std::string sentence = {}) {
    ended_ = code;
    sentence_ = std::move(sentence);
  }

  void Connect() {
    auto connection = OpenRequest(place_, "watch", {{"live", true}});
    if (connection) {
      connection_ = *std::move(connection);
      return;
    }
    next_try_ = Steady() + kBetweenConnections;
    if (KeeperOf(place_.mount) != 0) return;
    auto const mounts = ListMounts();
    bool const is_there = std::any_of(mounts.begin(), mounts.end(), [&](MountEntry const& other) {
      return other.mount == place_.mount.mount;
    });
    End(kNoAnswer,
        is_there ? Silence(Refreshed(place_.mount)) : "'" + place_.mount.mount + "' was unmounted");
  }

  void Show() {
    if (told_.is_null()) return;
    auto const now = Steady();
    if (terminal_) {
      auto lines =
          WatchFrame(told_, progress_, now, title_, Terminal::Size(), Terminal::HasColours());
      if (!connection_ && !lines.empty()) {
        lines.back() =
            Fitted("The daemon does not answer; it is asked again.", Terminal::Size().columns);
      }
      return terminal_->Draw(lines);
    }
    if (now < shown_at_ + kBetweenPictures) return;
    auto line = Printable(WatchLine(progress_, now));
    if (line == shown_) return;
    shown_ = std::move(line);
    shown_at_ = now;
    std::printf("%s\n", shown_.c_str());
    if (std::fflush(stdout) != 0) End(kNoAnswer, "the output cannot be written");
  }

  [[nodiscard]] int Patience() const {
    if (!connection_) return static_cast<int>(kBetweenConnections.count());
    bool const is_going = !told_.is_null() && NumberOf(told_, "going") > 0;
    // What was told a moment ago may still have to be shown.
    bool const is_late = Steady() < shown_at_ + kBetweenPictures;
    return is_going || is_late ? static_cast<int>(kBetweenPictures.count()) : -1;
  }

  void Await() {
    pollfd waiting[] = {{connection_.get(), POLLIN, 0},
                        {terminal_ ? terminal_->signals() : -1, POLLIN, 0},
                        {terminal_ && ::isatty(STDIN_FILENO) != 0 ? STDIN_FILENO : -1, POLLIN, 0},
                        // Who has read enough is seen at once, where nothing is written either.
                        {terminal_ ? -1 : STDOUT_FILENO, 0, 0}};
    if (::poll(waiting, 4, Patience()) < 0) return;
    if ((waiting[1].revents | waiting[2].revents) != 0 && !terminal_->Hear()) return End(kDone);
    if ((waiting[3].revents & (POLLERR | POLLHUP)) != 0) return End(kDone);
    if (waiting[0].revents != 0) Receive();
  }

  void Receive() {
    char piece[16 * 1024];
    auto const n = ::recv(connection_.get(), piece, sizeof piece, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) text_.append(piece, static_cast<std::size_t>(n));
    for (auto end = text_.find('\n'); end != std::string::npos && !ended_; end = text_.find('\n')) {
      auto line = json::parse(text_.substr(0, end), nullptr, false);
      text_.erase(0, end + 1);
      Hear(std::move(line));
    }
    if (n > 0 && text_.size() <= kLongestNews) return;
    // Its successor says more.
    connection_ = {};
    text_.clear();
    next_try_ = Steady() + kBetweenConnections;
  }

  void Hear(json line) {
    if (auto const judged = JudgeAnswer(line); !judged) {
      return End(kNoAnswer, judged.error().context);
    }
    if (!line.contains("stuck_files")) {
      return End(kNoAnswer, "the daemon of '" + place_.mount.mount +
                                "' is older than this tusfsctl: start the installed one with "
                                "'tusfsctl restart " +
                                place_.mount.mount + "'");
    }
    progress_.Note(NumbersOf(line), Steady());
    told_ = std::move(line);
  }

  Place const place_;
  std::string const title_;
  std::optional<Terminal> terminal_;
  UniqueFd connection_;
  SteadyTime next_try_{};
  std::string text_;  ///< of a line that has not come whole
  json told_;         ///< the newest; null: none yet
  Progress progress_;
  std::string shown_;
  SteadyTime shown_at_{};
  std::optional<int> ended_;
  std::string sentence_;
};

}  // namespace

int Watch(Place place) {
  // Names are UTF-8, and are as wide as that is.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  return Watching(std::move(place)).Run();
}

}  // namespace tusfs
