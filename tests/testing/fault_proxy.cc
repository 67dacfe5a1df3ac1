#include "testing/fault_proxy.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace tusfs_testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Small, so that a slow connection is slow all the time.
constexpr std::size_t kFaultStep = 16 * 1024;

void Reset(int fd) {
  // Connecting to "no address" drops a TCP socket with a RST at once, whoever else holds it.
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  ::connect(fd, &nobody, sizeof nobody);
}

/// False when the connection was given up before.
bool Pause(int client, milliseconds duration) {
  pollfd hangup{.fd = client, .events = 0, .revents = 0};
  return ::poll(&hangup, 1, static_cast<int>(duration.count())) == 0;
}

/// Takes what comes until the client gives up.
void Swallow(int client, milliseconds duration) {
  auto const end = steady_clock::now() + duration;
  char buffer[kFaultStep];
  for (auto now = steady_clock::now(); now < end; now = steady_clock::now()) {
    auto const left = std::chrono::ceil<milliseconds>(end - now);
    pollfd wait{.fd = client, .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(left.count())) == 0) return;
    if (::recv(client, buffer, sizeof buffer, 0) <= 0) return;
  }
}

}  // namespace

ConnectionFault ConnectionFault::Cut(Direction direction, std::uint64_t bytes) {
  return {.kind = Kind::kCut, .direction = direction, .after = bytes};
}

ConnectionFault ConnectionFault::Reset(Direction direction, std::uint64_t bytes) {
  return {.kind = Kind::kReset, .direction = direction, .after = bytes};
}

ConnectionFault ConnectionFault::Stall(Direction direction, std::uint64_t bytes,
                                       milliseconds duration) {
  return {.kind = Kind::kStall, .direction = direction, .after = bytes, .duration = duration};
}

ConnectionFault ConnectionFault::BlackHole(std::uint64_t bytes, milliseconds duration) {
  return {.kind = Kind::kBlackHole, .after = bytes, .duration = duration};
}

ConnectionFault ConnectionFault::End(Direction direction, std::uint64_t bytes) {
  return {.kind = Kind::kEnd, .direction = direction, .after = bytes};
}

ConnectionFault ConnectionFault::Rewrite(std::uint64_t answers,
                                         std::function<std::string(std::string_view)> rewrite) {
  return {.kind = Kind::kRewrite,
          .direction = Direction::kAnswers,
          .after = answers,
          .rewrite = std::move(rewrite)};
}

ConnectionFault ConnectionFault::RewriteLast(std::uint64_t answers,
                                             std::function<std::string(std::string_view)> rewrite) {
  auto fault = Rewrite(answers, std::move(rewrite));
  fault.kind = Kind::kRewriteLast;
  return fault;
}

FaultProxy::FaultProxy(std::uint16_t backend)
    : backend_(backend), relays_([this](int client, int server) { Serve(client, server); }) {
  Open();
}

std::string FaultProxy::Url() const {
  return "http://127.0.0.1:" + std::to_string(port()) + "/files/";
}

void FaultProxy::Add(ConnectionFault fault) {
  std::lock_guard const lock(mutex_);
  faults_.push_back(std::move(fault));
}

void FaultProxy::Clear() {
  {
    std::lock_guard const lock(mutex_);
    faults_.clear();
  }
  SetRate(0);
  SetAnswerDelay(milliseconds(0));
}

void FaultProxy::Serve(int client, int server) {
  ++connections_;
  Way requests{.direction = Direction::kRequests, .from = client, .to = server};
  Way answers{.direction = Direction::kAnswers, .from = server, .to = client};
  bool goes_on = true;
  while (goes_on && answers.open && relays_.open()) {
    pollfd wait[2] = {{.fd = requests.open ? client : -1, .events = POLLIN, .revents = 0},
                      {.fd = server, .events = POLLIN, .revents = 0}};
    if (::poll(wait, 2, 1000) < 0) return;
    if (wait[1].revents != 0) goes_on = Forward(answers, client, server);
    if (wait[0].revents != 0 && goes_on) goes_on = Forward(requests, client, server);
  }
}

bool FaultProxy::Forward(Way& way, int client, int server) {
  char buffer[kFaultStep];
  ssize_t const got = ::recv(way.from, buffer, sizeof buffer, 0);
  if (got <= 0) {
    way.open = false;
    if (way.passes) ::shutdown(way.to, SHUT_WR);
    return got == 0;
  }
  std::span<char const> bytes(buffer, static_cast<std::size_t>(got));
  bool const is_answer = way.direction == Direction::kAnswers;
  auto const delay = answer_delay_.load();
  if (is_answer && delay.count() > 0 && !Pause(client, delay)) return false;
  while (way.passes) {
    auto const hit = Take(way.direction, bytes.size());
    auto const passing = bytes.first(hit ? hit->before : bytes.size());
    if (!is_answer) rate_.Take(passing.size());
    if (!SendAll(way.to, passing)) return false;
    if (!hit) return true;
    bytes = bytes.subspan(passing.size());
    if (hit->fault.rewrites()) {
      bool const sent = SendAll(way.to, hit->fault.rewrite({bytes.data(), bytes.size()}));
      return sent && hit->fault.kind == ConnectionFault::Kind::kRewrite;
    }
    if (!Break(hit->fault, way, client, server)) return false;
    if (bytes.empty()) return true;
  }
  return true;
}

bool FaultProxy::Break(ConnectionFault const& fault, Way& way, int client, int server) {
  using Kind = ConnectionFault::Kind;
  switch (fault.kind) {
    case Kind::kStall:
      return Pause(client, fault.duration);
    case Kind::kEnd:
      ::shutdown(way.to, SHUT_WR);
      way.passes = false;
      return true;
    case Kind::kBlackHole:
      Swallow(client, fault.duration);
      [[fallthrough]];
    case Kind::kReset:
      Reset(server);
      Reset(client);
      return false;
    default:
      return false;
  }
}

std::optional<FaultProxy::Hit> FaultProxy::Take(Direction direction, std::size_t size) {
  std::lock_guard const lock(mutex_);
  auto const next = std::ranges::find(faults_, direction, &ConnectionFault::direction);
  if (next == faults_.end()) return std::nullopt;
  if (next->after > (next->rewrites() ? 0 : size)) {
    next->after -= next->rewrites() ? 1 : size;
    return std::nullopt;
  }
  auto const before = static_cast<std::size_t>(next->after);
  Hit hit{.fault = std::move(*next), .before = before};
  faults_.erase(next);
  ++hits_;
  return hit;
}

}  // namespace tusfs_testing
