#include "base/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <system_error>

#include "base/file.h"
#include "base/text.h"

extern char** environ;

namespace tusfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostToldWords = 200;  // bytes
constexpr int kPollMilliseconds = 20;

struct Descriptors {
  int input;
  int output;
  int words;
};

/// As exec takes them. `texts` outlive it.
std::vector<char*> PointersTo(std::vector<std::string> const& texts) {
  std::vector<char*> pointers;
  for (auto const& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// 0 or an errno.
int Spawn(pid_t& pid, ProgramRun const& run, Descriptors const& descriptors) {
  auto const words = PointersTo(run.argv);
  std::vector<std::string> const none_given;
  auto const variables = PointersTo(run.environment ? *run.environment : none_given);
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, descriptors.input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, descriptors.output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, descriptors.words, STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // Signals as every program expects them.
  sigset_t none{};
  sigset_t all{};
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  int const code = ::posix_spawnp(&pid, words[0], &actions, &attributes, words.data(),
                                  run.environment ? variables.data() : environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return code;
}

/// A file without a name that is read from its beginning: no program is too slow to take it.
Result<UniqueFd> FileOf(std::string const& text) {
  UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) return FailErrno("cannot be started");
  auto const written = WriteFully(file.get(), std::as_bytes(std::span(text)), 0);
  if (!written) return Failure(written.error());
  return file;
}

/// What comes out of a pipe, as much of it as is wanted; the rest is read, too, and counted.
class Outlet {
 public:
  explicit Outlet(std::size_t most) : most_(most) {}

  Result<void> Open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("cannot be started");
    reading_ = UniqueFd(ends[0]);
    writing_ = UniqueFd(ends[1]);
    return {};
  }
  [[nodiscard]] int writing() const { return writing_.get(); }
  void WasHandedOn() { writing_.Reset(); }

  [[nodiscard]] pollfd Question() const {
    return {.fd = is_over_ ? -1 : reading_.get(), .events = POLLIN, .revents = 0};
  }
  void Drain() {
    std::array<char, 4096> block{};
    auto const count = ::read(reading_.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) return;
    is_over_ = count <= 0;
    if (is_over_) return;
    auto const came = static_cast<std::size_t>(count);
    text_.append(block.data(), std::min(came, most_ - text_.size()));
    total_ += came;
  }

  [[nodiscard]] bool is_over() const { return is_over_; }
  [[nodiscard]] bool is_cut() const { return total_ > most_; }
  [[nodiscard]] std::string const& text() const { return text_; }

 private:
  std::size_t const most_;
  UniqueFd reading_;
  UniqueFd writing_;
  bool is_over_ = false;
  std::size_t total_ = 0;
  std::string text_;
};

std::string OneLine(std::string words) {
  while (!words.empty() && words.back() == '\n') words.pop_back();
  std::replace(words.begin(), words.end(), '\n', ' ');
  return Printable(words);
}

/// Until it has ended; its status.
Result<int> Await(pid_t pid, Outlet& output, Outlet& words, ProgramRun const& run,
                  std::stop_token const& stop) {
  auto const deadline = Clock::now() + run.timeout;
  int status = 0;
  while (true) {
    std::array questions{output.Question(), words.Question()};
    ::poll(questions.data(), questions.size(), kPollMilliseconds);
    if (questions[0].revents != 0) output.Drain();
    if (questions[1].revents != 0) words.Drain();
    // A child of the program that keeps a pipe open is not waited for.
    bool const silent = questions[0].revents == 0 && questions[1].revents == 0;
    bool const is_over = output.is_over() && words.is_over();
    if ((silent || is_over) && ::waitpid(pid, &status, WNOHANG) == pid) return status;
    if (!stop.stop_requested() && Clock::now() < deadline) continue;
    ::kill(-pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (stop.stop_requested()) return Fail(ECANCELED, "was stopped");
    return Fail(ETIMEDOUT,
                "did not end within " + std::to_string(run.timeout.count() / 1000) + " s");
  }
}

}  // namespace

Result<std::string> RunProgram(ProgramRun const& run, std::stop_token stop) {
  bool const is_wanted = run.most_output > 0;
  Outlet output(run.most_output);
  Outlet words(run.most_words);
  auto const input = FileOf(run.input);
  if (!input) return Failure(input.error());
  if (auto opened = words.Open(); !opened) return Failure(opened.error());
  if (auto opened = output.Open(); !opened) return Failure(opened.error());
  pid_t pid = 0;
  Descriptors const descriptors{.input = input->get(),
                                .output = is_wanted ? output.writing() : words.writing(),
                                .words = words.writing()};
  if (int const code = Spawn(pid, run, descriptors); code != 0) {
    return Fail(code, "cannot be started: " + std::generic_category().message(code));
  }
  output.WasHandedOn();
  words.WasHandedOn();
  auto const status = Await(pid, output, words, run, stop);
  if (run.said) run.said(words.text());
  if (!status) return Failure(status.error());
  if (*status == 0 && is_wanted && output.is_cut()) {
    return Fail(EFBIG, "printed more than " + std::to_string(run.most_output) + " bytes");
  }
  if (*status == 0) return output.text();
  auto const said = OneLine(words.text().substr(0, kMostToldWords));
  return Fail(ECHILD,
              (WIFEXITED(*status) ? "exited with status " + std::to_string(WEXITSTATUS(*status))
                                  : "was killed by signal " + std::to_string(WTERMSIG(*status))) +
                  (said.empty() ? "" : ": " + said));
}

}  // namespace tusfs
