// Ends of processes, as this kernel tells of them: each teller that it has.
#include "filesystem/process_ends.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace tusfs {
namespace {

using Teller = KernelProcessEnds::Teller;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// A child that ends when it is told to; somebody else's, for all that the watcher knows.
class Child {
 public:
  explicit Child(int code) {
    sigset_t end;
    sigset_t before;
    ::sigemptyset(&end);
    ::sigaddset(&end, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &end, &before);
    process_ = ::fork();
    if (process_ == 0) {
      int signal = 0;
      ::sigwait(&end, &signal);
      ::_exit(code);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Child() { End(); }
  [[nodiscard]] pid_t process() const { return process_; }
  void Kill() const { ::kill(process_, SIGKILL); }
  /// It ends, and is waited for.
  void End() {
    if (process_ <= 0) return;
    ::kill(process_, SIGUSR1);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }

 private:
  pid_t process_ = -1;
};

class Tellers : public testing::TestWithParam<Teller> {
 protected:
  void SetUp() override {
    auto const found = KernelProcessEnds::FindTeller();
    bool const has =
        GetParam() == Teller::kPidfd ? found == Teller::kPidfd : KernelProcessEnds::HasConnector();
    if (!has)
      GTEST_SKIP() << "SKIPPED: this kernel does not tell this user how others' processes end";
  }
  [[nodiscard]] std::vector<std::pair<pid_t, int>> Wait(seconds patience = seconds(10)) {
    std::vector<std::pair<pid_t, int>> ends;
    auto const deadline = steady_clock::now() + patience;
    while (ends.empty() && steady_clock::now() < deadline) {
      for (auto const& end : ends_.Wait(deadline)) ends.emplace_back(end.process, end.status);
    }
    return ends;
  }
  KernelProcessEnds ends_{GetParam()};
};

TEST_P(Tellers, SayWithWhatStatusAProcessEndedThatOthersHaveWaitedFor) {
  Child child(7);
  ASSERT_TRUE(ends_.Watch(child.process()));
  auto const process = child.process();
  child.End();
  EXPECT_THAT(Wait(), testing::ElementsAre(testing::Pair(process, 7 << 8)));
}

TEST_P(Tellers, SayWhichSignalEndedIt) {
  Child child(0);
  ASSERT_TRUE(ends_.Watch(child.process()));
  auto const process = child.process();
  child.Kill();
  EXPECT_THAT(Wait(), testing::ElementsAre(testing::Pair(process, SIGKILL)))
      << "nobody has waited for it yet";
}

TEST_P(Tellers, SayNothingOfWhoIsForgotten) {
  Child forgotten(1);
  Child child(2);
  ASSERT_TRUE(ends_.Watch(forgotten.process()));
  ASSERT_TRUE(ends_.Watch(child.process()));
  auto const process = child.process();
  ends_.Forget(forgotten.process());
  forgotten.End();
  child.End();
  EXPECT_THAT(Wait(), testing::ElementsAre(testing::Pair(process, 2 << 8)));
}

TEST_P(Tellers, CanBeWoken) {
  std::jthread const waker([this] { ends_.Wake(); });
  EXPECT_THAT(ends_.Wait(std::nullopt), testing::IsEmpty());
}

TEST_P(Tellers, DoNotWatchWhoHasGone) {
  Child child(1);
  auto const process = child.process();
  child.End();
  EXPECT_FALSE(ends_.Watch(process));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Tellers, testing::Values(Teller::kPidfd, Teller::kConnector),
                         [](auto const& kind) {
                           return kind.param == Teller::kPidfd ? "Pidfd" : "Connector";
                         });

TEST(ProcessEnds, WhereNobodyTellsNobodyIsWatched) {
  KernelProcessEnds ends(Teller::kNobody);
  EXPECT_FALSE(ends.Watch(::getpid()));
}

}  // namespace
}  // namespace tusfs
