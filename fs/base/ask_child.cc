#include "base/ask_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/file.h"

namespace tusfs {
namespace {

bool SendAll(int pipe, std::string const& text) {
  for (std::size_t at = 0; at < text.size();) {
    auto const written = ::write(pipe, text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += static_cast<std::size_t>(written);
  }
  return true;
}

/// All until the other end is closed. Errors: ETIMEDOUT, of read(2).
Result<std::string> ReceiveAll(int pipe, SteadyTime deadline) {
  std::string text;
  while (true) {
    auto const left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd ready{pipe, POLLIN, 0};
    auto const pause = static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
    int const polled = ::poll(&ready, 1, pause);
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) return Fail(ETIMEDOUT);
    char piece[4096];
    auto const got = ::read(pipe, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("read");
    if (got == 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<std::string> AskChild(std::function<std::string()> const& work,
                             std::chrono::milliseconds patience) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("pipe2");
  UniqueFd const reading(ends[0]);
  UniqueFd writing(ends[1]);
  auto const deadline = std::chrono::steady_clock::now() + patience;
  pid_t const child = ::fork();
  if (child < 0) return FailErrno("fork");
  if (child == 0) ::_exit(SendAll(writing.get(), work()) ? 0 : 1);
  writing.Reset();
  auto text = ReceiveAll(reading.get(), deadline);
  if (!text) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, WNOHANG);  // it may be waiting where no signal comes
    return text;
  }
  int status = -1;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (status != 0) return Fail(EIO, "the process that was asked died");
  return text;
}

}  // namespace tusfs
