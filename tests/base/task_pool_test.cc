#include "base/task_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>

#include "testing/wait_for.h"

namespace tusfs {
namespace {

using tusfs_testing::WaitFor;

TEST(TaskPoolTest, ATaskThatWaitsHoldsUpNoOther) {
  std::counting_semaphore<8> go(0);
  std::atomic<int> done = 0;
  TaskPool pool(3, 16);
  for (int i = 0; i < 2; ++i) pool.Add([&] { go.acquire(); });
  for (int i = 0; i < 20; ++i) pool.Add([&] { ++done; });
  EXPECT_TRUE(WaitFor([&] { return done == 20; }));
  go.release(2);
}

TEST(TaskPoolTest, WhoeverAddsMoreThanThereIsRoomForWaits) {
  std::counting_semaphore<8> go(0);
  std::atomic<int> added = 0;
  TaskPool pool(1, 2);
  std::jthread const adder([&] {
    for (int i = 0; i < 6; ++i) {
      pool.Add([&] { go.acquire(); });
      ++added;
    }
  });
  EXPECT_TRUE(WaitFor([&] { return added == 3; }));
  go.release(6);
  EXPECT_TRUE(WaitFor([&] { return added == 6; }));
}

TEST(TaskPoolTest, WhoeverOnlyTriesToAddDoesNotWait) {
  std::binary_semaphore begun(0);
  std::counting_semaphore<8> go(0);
  TaskPool pool(1, 1);
  EXPECT_TRUE(pool.TryAdd([&] {
    begun.release();
    go.acquire();
  }));
  begun.acquire();
  EXPECT_TRUE(pool.TryAdd([] {}));
  EXPECT_FALSE(pool.TryAdd([] {})) << "one runs and one waits";
  go.release();
  EXPECT_TRUE(WaitFor([&] { return pool.TryAdd([] {}); }));
  pool.Stop();
  EXPECT_FALSE(pool.TryAdd([] {}));
}

TEST(TaskPoolTest, ItsEndWaitsForWhatRunsAndDropsTheRest) {
  std::binary_semaphore begun(0);
  std::counting_semaphore<8> go(0);
  std::atomic<int> done = 0;
  {
    TaskPool pool(1, 16);
    pool.Add([&] {
      begun.release();
      go.acquire();
      ++done;
    });
    for (int i = 0; i < 5; ++i) pool.Add([&] { ++done; });
    begun.acquire();
    std::jthread const later([&] { go.release(); });
    pool.Stop();
    pool.Add([&] { ++done; });
  }
  EXPECT_GE(done, 1);
}

}  // namespace
}  // namespace tusfs
