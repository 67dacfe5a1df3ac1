// RequestThreads: calls that wait do not keep the others out.
#include "fuse/request_threads.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "testing/wait_for.h"

namespace tusfs {
namespace {

using tusfs_testing::WaitFor;

// Requests are numbers in a semaphore: each is executed at once, or waits until a test lets it go.
class RequestThreadsTest : public testing::Test {
 protected:
  void Serve(RequestThreads::Options const& options) {
    RequestThreads::InstallSignal();
    threads_ = std::make_unique<RequestThreads>(
        options, RequestThreads::Calls{.receive = [this](unsigned) { return Receive(); },
                                       .execute = [this](unsigned index) { Execute(index); },
                                       .prepare = [this](unsigned index) { prepared_ = index + 1; },
                                       .let_go = [this](unsigned count) { prepared_ = count; }});
    server_ = std::thread([this] { threads_->Run(); });
  }
  void TearDown() override {
    LetGo();
    threads_->Stop();
    server_.join();
    ::close(requests_);
  }

  void Request(int count = 1) { ::eventfd_write(requests_, static_cast<eventfd_t>(count)); }
  void Hold() {
    std::scoped_lock const lock(mutex_);
    held_ = true;
  }
  void LetGo() {
    std::scoped_lock const lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  [[nodiscard]] int waiting() const { return in_hand_; }

  std::atomic<int> executed_ = 0;
  std::atomic<unsigned> prepared_ = 0;
  std::unique_ptr<RequestThreads> threads_;

 private:
  bool Receive() const {
    eventfd_t one = 0;
    return ::read(requests_, &one, sizeof one) == sizeof one;
  }
  void Execute(unsigned) {
    ++in_hand_;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !held_; });
    --in_hand_;
    ++executed_;
  }

  int const requests_ = ::eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  std::atomic<int> in_hand_ = 0;
  std::thread server_;
};

TEST_F(RequestThreadsTest, ServesWithTheFewestWhenNothingIsSlow) {
  Serve({.fewest = 2, .most = 8});
  for (int i = 0; i < 200; ++i) {
    Request();
    ASSERT_TRUE(WaitFor([&] { return executed_ > i; }));
  }
  EXPECT_EQ(threads_->count(), 2U);
}

TEST_F(RequestThreadsTest, OneMoreIsThereThanThoseThatWait) {
  Serve({.fewest = 2, .most = 8});
  Hold();
  Request(5);
  ASSERT_TRUE(WaitFor([&] { return waiting() == 5; }));
  EXPECT_GT(threads_->count(), 5U - 1);
  EXPECT_EQ(prepared_, threads_->count());
}

TEST_F(RequestThreadsTest, TheirNumberHasABound) {
  Serve({.fewest = 1, .most = 3, .stuck_after = std::chrono::milliseconds(1)});
  Hold();
  Request(10);
  ASSERT_TRUE(WaitFor([&] { return waiting() == 3; }));
  LetGo();
  EXPECT_TRUE(WaitFor([&] { return executed_ == 10; }));
  EXPECT_EQ(threads_->count(), 3U);
}

TEST_F(RequestThreadsTest, ThoseThatWereAddedEndWhenNothingIsSlowAnyMore) {
  Serve({.fewest = 2, .most = 8, .idle_after = std::chrono::milliseconds(50)});
  Hold();
  Request(6);
  ASSERT_TRUE(WaitFor([&] { return waiting() == 6; }));
  LetGo();
  ASSERT_TRUE(WaitFor([&] { return threads_->count() == 2; }));
  EXPECT_EQ(prepared_, 2U);
  Request(3);
  EXPECT_TRUE(WaitFor([&] { return executed_ == 9; }));
}

TEST_F(RequestThreadsTest, EndsWhatWasBegunBeforeItEnds) {
  Serve({.fewest = 2, .most = 2});
  Hold();
  Request(2);
  ASSERT_TRUE(WaitFor([&] { return waiting() == 2; }));
  threads_->Stop();
  LetGo();
  EXPECT_TRUE(WaitFor([&] { return executed_ == 2; }));
}

}  // namespace
}  // namespace tusfs
