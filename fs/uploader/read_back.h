// Reads uploaded files back from the server: into a window of local disk while somebody reads them
// (Read), or whole and for good (Restore).
//
// Owned by main. FUSE threads call Read, Restore and Close, which never wait for the network; a few
// threads of its own download, streams before restorations, of which there are fewer than threads.
// `arrived` is called from these threads, with no lock held. After Stop nothing arrives any more,
// and what is not here is EAGAIN for good. Its lock comes before those of its streams.
#pragma once

#include <tusclient/client.h>
#include <tusclient/retry_policy.h>
#include <tusclient/transport.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "spool/spool.h"
#include "uploader/read_back_stream.h"
#include "uploader/remote_bytes.h"
#include "uploader/restoration.h"

namespace tusfs {

struct ReadBackOptions {
  tus::ClientOptions client{};
  std::function<std::unique_ptr<tus::HttpTransport>()> make_transport{};
  tus::RetryPolicy retry{};
  /// Bytes of local disk for each file that is being read; 16 MiB at least, and one block more.
  std::uint64_t window = std::uint64_t{64} << 20;
  /// While somebody waits, transient failures are tried again for so long.
  std::chrono::milliseconds patience{60'000};
  std::chrono::milliseconds idle{10'000};  ///< a download that nobody waits for ends
  int downloads = 4;                       ///< at a time
};

class ReadBack final : public RemoteBytes {
 public:
  /// All but `options` outlive it. `arrived`: a call for the file that failed with EAGAIN should be
  /// made again; it may come before that call has returned.
  ReadBack(ReadBackOptions options, Store& store, Spool& spool, Clock const& clock, Logger logger,
           std::function<void(InodeId)> arrived);
  ~ReadBack() override;
  ReadBack(ReadBack const&) = delete;
  ReadBack& operator=(ReadBack const&) = delete;

  /// Ends all downloads within 100 ms. Restorations that are not complete are undone.
  void Stop() EXCLUDES(mutex_);

  /// Errors beyond RemoteBytes: ESTALE where the bytes are here, or the file is not uploaded.
  [[nodiscard]] Result<std::size_t> Read(InodeId inode, std::uint64_t offset,
                                         std::span<std::byte> out) override EXCLUDES(mutex_);
  [[nodiscard]] Result<void> Restore(InodeId inode) override EXCLUDES(mutex_);
  void Close(InodeId inode) override EXCLUDES(mutex_);

 private:
  /// Of a file that is brought back, or could not be a moment ago.
  struct Restoring {
    std::shared_ptr<Restoration> running{};
    std::optional<Error> failure{};
    SteadyTime failed{};
  };
  /// What a thread is to do: one of the two.
  struct Job {
    std::shared_ptr<ReadBackStream> stream{};
    std::shared_ptr<Restoration> restoration{};
    InodeId inode = 0;
  };

  void Work(tus::Client& client) EXCLUDES(mutex_);
  [[nodiscard]] std::optional<Job> Take() EXCLUDES(mutex_);
  void RunRestoration(Job const& job, tus::Client& client) EXCLUDES(mutex_);
  void Enqueue(Job job) REQUIRES(mutex_);
  [[nodiscard]] Result<std::shared_ptr<ReadBackStream>> StreamOf(Remote remote) EXCLUDES(mutex_);
  [[nodiscard]] Result<void> CheckRoom(std::uint64_t size) const;

  ReadBackOptions const options_;
  Store& store_;
  Spool& spool_;
  Clock const& clock_;
  Logger const logger_;
  std::function<void(InodeId)> const arrived_;
  std::atomic<std::size_t> waiting_ = 0;  ///< streams that no thread has taken yet
  ReadBackStream::Shared const streams_shared_;
  Restoration::Shared const restorations_shared_;

  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindStore) ACQUIRED_BEFORE(lock_order::kBehindTables);
  CondVar work_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  int restoring_ GUARDED_BY(mutex_) = 0;  ///< threads that do
  std::deque<Job> stream_jobs_ GUARDED_BY(mutex_);
  std::deque<Job> restoration_jobs_ GUARDED_BY(mutex_);
  std::unordered_map<InodeId, std::shared_ptr<ReadBackStream>> streams_ GUARDED_BY(mutex_);
  std::unordered_map<InodeId, Restoring> restorations_ GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;  ///< of main alone
};

}  // namespace tusfs
