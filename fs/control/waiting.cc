#include "control/waiting.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include "base/text.h"
#include "control/answers.h"
#include "control/outcome.h"
#include "control/progress.h"

namespace tusfs {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr milliseconds kBetweenTries{100};
constexpr milliseconds kBetweenQuestions{1000};  // of a daemon that does not tell
constexpr milliseconds kBetweenLines{1000};      // of the bar, where nothing is told
constexpr milliseconds kLongestWait{60'000};
constexpr std::size_t kLongestLine = 64 * 1024;
constexpr std::size_t kUsualColumns = 80;

std::size_t Columns() {
  winsize size{};
  bool const is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? size.ws_col : kUsualColumns;
}

class Waiting {
 public:
  Waiting(std::vector<Place> places, WaitOptions const& options)
      : options_(options), has_bar_(::isatty(STDERR_FILENO) != 0) {
    for (auto& place : places) waits_.push_back({.place = std::move(place)});
  }
  ~Waiting() { Clear(); }
  Waiting(Waiting const&) = delete;
  Waiting& operator=(Waiting const&) = delete;

  int Run() {
    auto const start = Now();
    std::optional<SteadyTime> deadline;
    if (options_.timeout) {
      auto const limit = std::min(std::chrono::duration<double>(*options_.timeout),
                                  std::chrono::duration<double>(std::chrono::hours(24 * 3650)));
      deadline = start + std::chrono::duration_cast<milliseconds>(limit);
    }
    while (true) {
      for (auto& wait : waits_) {
        if (!wait.connection && !wait.is_over && Now() >= wait.next_try) Connect(wait);
      }
      bool const is_late = deadline && Now() >= *deadline;
      if (ended_) return *ended_;
      if (is_late || IsToBeJudged()) {
        if (auto const judged = Judge(is_late)) return *judged;
      }
      Draw();
      Await(deadline);
    }
  }

 private:
  struct Wait {
    Place place;
    UniqueFd connection{};
    std::string text{};      ///< of a line that has not come whole
    json told{};             ///< the newest numbers; null: none yet
    FilesBeneath beneath{};  ///< the newest that it was told of what is not in the mount yet
    bool is_over = false;
    bool is_asked = false;  ///< it tells nothing of its own accord: it is asked at next_try
    SteadyTime next_try{};
  };

  static SteadyTime Now() { return std::chrono::steady_clock::now(); }

  void Connect(Wait& wait) {
    if (wait.is_asked) {
      wait.is_over = true;  // as far as it is told
      return;
    }
    auto connection = OpenRequest(wait.place, "watch");
    if (connection) {
      wait.connection = *std::move(connection);
      return;
    }
    wait.next_try = Now() + kBetweenTries;
    if (KeeperOf(wait.place.mount) == 0) ended_ = SayGone(wait);
  }

  int SayGone(Wait const& wait) {
    Clear();
    auto const& mount = wait.place.mount;
    if (mount.is_others) {
      // Nobody tells a group whether there is another daemon soon.
      return Complain("the daemon of '" + mount.mount +
                      "' has ended: it is being replaced, or the mount was unmounted; ask again");
    }
    auto const mounts = ListMounts();
    bool const is_there = std::any_of(mounts.begin(), mounts.end(), [&](MountEntry const& other) {
      return other.mount == mount.mount;
    });
    if (is_there) return Complain(Silence(Refreshed(mount)));
    auto const going = wait.told.is_null() ? 0 : NumberOf(wait.told, "going");
    return Complain(
        "'" + mount.mount + "' was unmounted" +
        (going > 0 ? ", " + Counted(going, "file is not uploaded", "files are not uploaded") : "") +
        ": what is left goes on when it is mounted again");
  }

  [[nodiscard]] bool IsToBeJudged() const {
    return std::all_of(waits_.begin(), waits_.end(), [](Wait const& wait) { return wait.is_over; });
  }

  // Looks at every file that is not uploaded. Nothing: some of them are going on.
  std::optional<int> Judge(bool is_late) {
    std::uint64_t going = 0;
    std::vector<json> stuck;
    std::string beneath;
    for (auto& wait : waits_) {
      // What it was told may be old, or nothing yet.
      if (auto const backlog = Request(wait.place, "backlog")) {
        wait.beneath = BeneathIn(*backlog);
      }
      std::uint64_t going_there = wait.beneath.Going();
      if (wait.beneath.All() > 0) {
        beneath += "tusfsctl: '" + Printable(wait.place.mount.mount) +
                   "': " + Describe(wait.beneath) + ", see tusfsctl status\n";
      }
      auto const visited = VisitFiles(
          wait.place, options_.strict ? "list" : "unfinished", {}, [&](json const& file) {
            auto const state = TextOf(file, "state");
            if (state == "uploaded" || (state == "local-only" && !options_.strict)) return;
            if (file.value("finishes", false)) {
              ++going_there;
            } else {
              stuck.push_back(file);
            }
          });
      auto const code = visited ? 0 : visited.error().code;
      if (code == ENOENT) return SayProblem(visited.error().context);
      if (code != 0 && KeeperOf(wait.place.mount) == 0) return SayGone(wait);
      if (code != 0) ++going_there;  // by and by
      going += going_there;
      if (going_there > 0 && wait.is_over) {
        wait.is_over = false;
        wait.next_try = Now() + (wait.is_asked ? kBetweenQuestions : kBetweenTries);
      }
    }
    if (going > 0 && !is_late) return std::nullopt;
    Clear();
    std::fputs(beneath.c_str(), stderr);
    if (going > 0) {
      std::fprintf(
          stderr, "tusfsctl: time is up, %s\n",
          Counted(going, "file is not uploaded yet", "files are not uploaded yet").c_str());
      return kTimeout;
    }
    for (auto const& file : stuck) std::fputs(ShowFile(file, false).c_str(), stdout);
    return stuck.empty() && beneath.empty() ? kDone : kStuck;
  }

  int SayProblem(std::string const& sentence) {
    Clear();
    return Complain(sentence);
  }

  void Await(std::optional<SteadyTime> const& deadline) {
    std::vector<pollfd> polled;
    auto until = Now() + (has_bar_ ? kBetweenLines : kLongestWait);
    if (deadline) until = std::min(until, *deadline);
    for (auto const& wait : waits_) {
      polled.push_back({wait.connection.get(), POLLIN, 0});
      if (!wait.connection && !wait.is_over) until = std::min(until, wait.next_try);
    }
    auto const left = std::chrono::ceil<milliseconds>(until - Now());
    auto const pause = static_cast<int>(std::max<milliseconds::rep>(left.count(), 0));
    if (::poll(polled.data(), polled.size(), pause) <= 0) return;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents != 0) Receive(waits_[i]);
    }
  }

  void Receive(Wait& wait) {
    char piece[4096];
    auto const n = ::recv(wait.connection.get(), piece, sizeof piece, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) wait.text.append(piece, static_cast<std::size_t>(n));
    for (auto end = wait.text.find('\n'); end != std::string::npos; end = wait.text.find('\n')) {
      auto const line = wait.text.substr(0, end);
      wait.text.erase(0, end + 1);
      Hear(wait, json::parse(line, nullptr, false));
    }
    bool const has_ended = n <= 0 || wait.text.size() > kLongestLine || wait.is_over;
    if (!has_ended) return;
    // Its successor says more.
    wait.connection = {};
    wait.text.clear();
    wait.next_try = Now() + kBetweenTries;
  }

  // An error is what the look at the files says better; where there is none, the daemon is one that
  // does not tell.
  void Hear(Wait& wait, json const& line) {
    wait.beneath = BeneathIn(line);
    if (!JudgeAnswer(line)) {
      wait.is_asked = true;
      wait.is_over = true;
    } else if (line.contains("over")) {
      wait.is_over = true;
    } else {
      wait.told = line;
      Note();
    }
  }

  // Of several paths beneath one mount the bytes over the wire are the same.
  void Note() {
    Progress::Numbers all;
    std::map<std::string, std::uint64_t> sent;
    for (auto const& wait : waits_) {
      if (wait.is_over || wait.told.is_null()) continue;
      all.files += NumberOf(wait.told, "going");
      all.left += NumberOf(wait.told, "left");
      all.size += NumberOf(wait.told, "size");
      all.reachable = all.reachable && wait.told.value("reachable", true);
      all.paused = all.paused || wait.told.value("paused", false);
      all.beneath.waiting += wait.beneath.waiting;
      all.beneath.failed += wait.beneath.failed;
      all.beneath.left += wait.beneath.left;
      sent[wait.place.mount.mount] = NumberOf(wait.told, "sent");
    }
    for (auto const& [mount, bytes] : sent) all.sent += bytes;
    progress_.Note(all, Now());
    is_noted_ = true;
  }

  void Draw() {
    if (!has_bar_ || !is_noted_) return;
    // The last column stays free: some terminals begin a line behind it.
    auto const columns = std::max<std::size_t>(Columns(), 2) - 1;
    std::fprintf(stderr, "\r%s\x1b[K", progress_.Line(columns, Now()).c_str());
    is_drawn_ = true;
  }

  void Clear() {
    if (std::exchange(is_drawn_, false)) std::fputs("\r\x1b[K", stderr);
  }

  WaitOptions const options_;
  bool const has_bar_;
  std::vector<Wait> waits_;
  Progress progress_;
  bool is_noted_ = false;
  bool is_drawn_ = false;
  std::optional<int> ended_;
};

}  // namespace

int WaitFor(std::vector<Place> places, WaitOptions const& options) {
  return Waiting(std::move(places), options).Run();
}

}  // namespace tusfs
