#include "keeper/daemon_side.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/thread_name.h"

namespace tusfs {
namespace {

constexpr char const* kName = "TUSFS_DAEMON";
constexpr std::size_t kLongestUrl = std::size_t{64} << 10;

std::string TextOf(UniqueFd const& fd) {
  if (!fd) return {};
  std::string text(kLongestUrl, '\0');
  auto const got = ReadFully(fd.get(), std::as_writable_bytes(std::span(text)), 0);
  text.resize(got.value_or(0));
  return text;
}

}  // namespace

std::string DaemonVariable(int link, int slots, int url) {
  auto text = std::string(kName) + "=" + std::to_string(link) + "," + std::to_string(slots);
  return url < 0 ? text : text + "," + std::to_string(url);
}

std::optional<KeeperLine> KeeperLine::FromEnvironment() {
  auto const* const value = std::getenv(kName);
  if (value == nullptr) return std::nullopt;
  int link = -1;
  int slots = -1;
  int url = -1;
  if (std::sscanf(value, "%d,%d,%d", &link, &slots, &url) < 2) return std::nullopt;
  // A variable that came from elsewhere names no descriptors of ours.
  if (::fcntl(link, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(slots, F_SETFD, FD_CLOEXEC) != 0) {
    return std::nullopt;
  }
  ::unsetenv(kName);
  return KeeperLine(Link(UniqueFd(link)), UniqueFd(slots), TextOf(UniqueFd(url)));
}

Result<UniqueFd> KeeperLine::TakeMount() {
  if (auto asked = link_.Send(Word::kWantMount); !asked) return Failure(asked.error());
  while (auto message = link_.Receive()) {
    if (message->word == Word::kBeneath) beneath_ = BeneathOf(message->text);
    if (message->word == Word::kMount && message->fd) return std::move(message->fd);
    if (message->word == Word::kNoMount) break;
  }
  return Fail(ECANCELED, "the keeper gives no mount");
}

std::jthread KeeperLine::Watch(Calls calls) {
  return std::jthread([this, calls = std::move(calls)](std::stop_token stop) {
    NameThread("keeper line");
    // Wakes Receive, which then finds the line ended.
    std::stop_callback const wake(stop, [this] { ::shutdown(link_.fd(), SHUT_RD); });
    while (auto const message = link_.Receive()) {
      if (message->word == Word::kPing && calls.is_alive()) (void)link_.Send(Word::kPong);
      if (message->word == Word::kHandOver) calls.hand_over();
      if (message->word == Word::kBeneath) calls.beneath(BeneathOf(message->text));
    }
    if (!stop.stop_requested()) calls.alone();
  });
}

}  // namespace tusfs
