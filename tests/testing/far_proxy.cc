#include "testing/far_proxy.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <string>

namespace tusfs_testing {
namespace {

constexpr std::size_t kMostAtOnce = 64 * 1024;
constexpr std::uint64_t kTenSegments = 10 * 1460;
constexpr std::chrono::milliseconds kLongestWait{1000};

}  // namespace

FarProxy::Clock::time_point FarProxy::Line::Pass(std::uint64_t bytes) {
  auto const now = Clock::now();
  if (rate_ == 0) return now;
  std::chrono::duration<double> const takes(static_cast<double>(bytes) /
                                            static_cast<double>(rate_));
  std::lock_guard const lock(mutex_);
  free_at_ = std::max(free_at_, now) + std::chrono::duration_cast<Clock::duration>(takes);
  return free_at_;
}

/// One direction of a connection. Of its thread.
class FarProxy::Way {
 public:
  Way(int from, int to, Line& line, FarOptions const& options)
      : from_(from),
        to_(to),
        line_(line),
        one_way_(std::chrono::duration_cast<Clock::duration>(options.round_trip) / 2),
        most_(options.window),
        window_(std::min(kTenSegments, options.window)) {}

  /// Nothing arrives before.
  void BeginAt(Clock::time_point time) { begins_at_ = time; }
  /// Whether more may be read now.
  [[nodiscard]] bool wants_more() const { return open_ && on_the_way_ < window_; }
  [[nodiscard]] int from() const { return from_; }
  /// There is nothing to come any more, and all has arrived.
  [[nodiscard]] bool over() const { return !open_ && flying_.empty(); }

  /// Reads what there is, as much as the window takes.
  void Read() {
    std::string bytes(std::min<std::uint64_t>(kMostAtOnce, window_ - on_the_way_), '\0');
    auto const got = ::recv(from_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    if (bytes.empty()) open_ = false;
    on_the_way_ += bytes.size();
    auto const arrives = std::max(line_.Pass(bytes.size()), begins_at_) + one_way_;
    flying_.push_back({arrives, std::move(bytes)});
  }

  /// Hands over what has arrived; false where nobody takes it.
  [[nodiscard]] bool Deliver(Clock::time_point now) {
    while (!flying_.empty() && flying_.front().time <= now) {
      auto const& bytes = flying_.front().bytes;
      if (bytes.empty()) {
        ::shutdown(to_, SHUT_WR);
      } else {
        if (!SendAll(to_, bytes)) return false;
        answers_.push_back({flying_.front().time + one_way_, bytes.size()});
      }
      flying_.pop_front();
    }
    while (!answers_.empty() && answers_.front().time <= now) {
      on_the_way_ -= answers_.front().size;
      window_ = std::min(most_, window_ + answers_.front().size);
      answers_.pop_front();
    }
    return true;
  }

  /// When Deliver has something to do next; `limit` where that is later, or never.
  [[nodiscard]] Clock::time_point Next(Clock::time_point limit) const {
    if (!flying_.empty()) limit = std::min(limit, flying_.front().time);
    if (!answers_.empty()) limit = std::min(limit, answers_.front().time);
    return limit;
  }

 private:
  struct Flying {
    Clock::time_point time;
    std::string bytes;  ///< none: the end
  };
  struct Answer {
    Clock::time_point time;  ///< when it is known at this end that they have arrived
    std::uint64_t size;
  };

  int const from_;
  int const to_;
  Line& line_;
  Clock::duration const one_way_;
  std::uint64_t const most_;
  std::uint64_t window_;
  std::uint64_t on_the_way_ = 0;  ///< bytes of which it is not known that they have arrived
  Clock::time_point begins_at_{};
  bool open_ = true;
  std::deque<Flying> flying_;
  std::deque<Answer> answers_;
};

FarProxy::FarProxy(std::uint16_t backend, FarOptions const& options)
    : options_(options),
      up_(options.bytes_per_second),
      down_(options.bytes_per_second),
      relays_([this](int client, int server) { Serve(client, server); }) {
  relays_.Open(backend);
}

void FarProxy::Serve(int client, int server) {
  Way up(client, server, up_, options_);
  Way down(server, client, down_, options_);
  up.BeginAt(Clock::now() + options_.round_trip);
  while (relays_.open() && !down.over()) {
    auto const now = Clock::now();
    if (!up.Deliver(now) || !down.Deliver(now)) return;
    pollfd wait[2] = {{.fd = up.wants_more() ? up.from() : -1, .events = POLLIN, .revents = 0},
                      {.fd = down.wants_more() ? down.from() : -1, .events = POLLIN, .revents = 0}};
    auto const until = down.Next(up.Next(now + kLongestWait)) - Clock::now();
    auto const left = std::max(std::chrono::nanoseconds(until), std::chrono::nanoseconds(0));
    timespec const limit{.tv_sec = left / std::chrono::seconds(1),
                         .tv_nsec = (left % std::chrono::seconds(1)).count()};
    if (::ppoll(wait, 2, &limit, nullptr) < 0) return;
    if (wait[0].revents != 0) up.Read();
    if (wait[1].revents != 0) down.Read();
  }
}

}  // namespace tusfs_testing
