#include "uploader/read_back.h"

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>

#include "base/text.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

/// So long a failure is told to who asks, before it is tried again.
constexpr std::chrono::seconds kFailureLasts{1};
constexpr std::uint64_t kLeastWindow = 4 * kDigestBlock;

double RandomFraction() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

FetchRetry RetryOf(ReadBackOptions const& options) {
  return {.policy = options.retry, .patience = options.patience, .random = RandomFraction};
}

}  // namespace

ReadBack::ReadBack(ReadBackOptions options, Store& store, Spool& spool, Clock const& clock,
                   Logger logger, std::function<void(InodeId)> arrived)
    : options_(std::move(options)),
      store_(store),
      spool_(spool),
      clock_(clock),
      logger_(std::move(logger)),
      arrived_(std::move(arrived)),
      streams_shared_{.store = store_,
                      .budget = spool_.budget(),
                      .clock = clock_,
                      .logger = logger_,
                      .retry = RetryOf(options_),
                      .window = std::max(options_.window, kLeastWindow),
                      .idle = options_.idle,
                      .arrived = arrived_,
                      .crowded = [this] { return waiting_ > 0; }},
      restorations_shared_{.store = store_,
                           .spool = spool_,
                           .clock = clock_,
                           .logger = logger_,
                           .retry = RetryOf(options_)} {
  for (int i = 0; i < std::max(options_.downloads, 1); ++i) {
    threads_.emplace_back([this] {
      auto const transport = options_.make_transport();
      tus::Client client(options_.client, *transport);
      Work(client);
    });
  }
}

ReadBack::~ReadBack() { Stop(); }

void ReadBack::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stream_jobs_.clear();
    restoration_jobs_.clear();
    for (auto const& [inode, stream] : streams_) stream->Cancel();
    for (auto const& [inode, restoring] : restorations_) {
      if (restoring.running) restoring.running->Cancel();
    }
    work_.NotifyAll();
  }
  threads_.clear();
}

// ---- threads

void ReadBack::Work(tus::Client& client) {
  while (auto const job = Take()) {
    if (job->stream) {
      job->stream->Run(client);
    } else {
      RunRestoration(*job, client);
    }
  }
}

std::optional<ReadBack::Job> ReadBack::Take() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (!stream_jobs_.empty()) {
      auto job = std::move(stream_jobs_.front());
      stream_jobs_.pop_front();
      waiting_ = stream_jobs_.size();
      return job;
    }
    // Who reads should not have to wait until a large file is back.
    if (!restoration_jobs_.empty() && restoring_ < std::max(options_.downloads - 1, 1)) {
      auto job = std::move(restoration_jobs_.front());
      restoration_jobs_.pop_front();
      ++restoring_;
      return job;
    }
    work_.Wait(mutex_);
  }
  return std::nullopt;
}

void ReadBack::RunRestoration(Job const& job, tus::Client& client) {
  auto const done = job.restoration->Run(client);
  {
    MutexLock lock(mutex_);
    --restoring_;
    work_.NotifyAll();
    if (stopping_) return;
    auto& restoring = restorations_[job.inode];
    restoring.running.reset();
    if (done) {
      restorations_.erase(job.inode);
    } else {
      restoring.failure = done.error();
      restoring.failed = clock_.Steady();
    }
  }
  auto const path = PathForLog(store_, job.inode);
  if (done) {
    logger_->Tell(LogLevel::kInfo, {.file = path}, "an uploaded file was brought back path=\"{}\"",
                  Printable(path));
  } else {
    logger_->Tell(LogLevel::kWarn, {.file = path},
                  "an uploaded file could not be brought back path=\"{}\" error=\"{}\"",
                  Printable(path), Describe(done.error()));
  }
  arrived_(job.inode);
}

void ReadBack::Enqueue(Job job) {
  if (stopping_) return;
  if (job.restoration) {
    restoration_jobs_.push_back(std::move(job));
  } else {
    stream_jobs_.push_back(std::move(job));
    waiting_ = stream_jobs_.size();
    // A thread may be busy waiting for somebody who has stopped reading.
    for (auto const& [inode, stream] : streams_) stream->Nudge();
  }
  work_.NotifyAll();
}

// ---- calls

Result<std::size_t> ReadBack::Read(InodeId inode, std::uint64_t offset, std::span<std::byte> out) {
  auto remote = store_.Read([&](View const& view) { return FindRemote(view, inode); });
  if (!remote) return Failure(remote.error());
  if (out.empty() || offset >= remote->size) return 0;
  auto const stream = StreamOf(*std::move(remote));
  if (!stream) return Failure(stream.error());
  bool start = false;
  auto got = (*stream)->Read(offset, out, start);
  if (start) {
    MutexLock lock(mutex_);
    Enqueue({.stream = *stream, .inode = inode});
  }
  return got;
}

/// The file's stream; a new one where it has another upload by now.
Result<std::shared_ptr<ReadBackStream>> ReadBack::StreamOf(Remote remote) {
  std::shared_ptr<ReadBackStream> old;  // goes without the lock
  MutexLock lock(mutex_);
  auto const found = streams_.find(remote.inode);
  if (found != streams_.end()) {
    auto const& known = found->second->remote();
    if (known.upload == remote.upload && known.size == remote.size) return found->second;
    old = std::move(found->second);
    streams_.erase(found);
    old->Cancel();
  }
  auto scratch = spool_.Scratch();
  if (!scratch) {
    return Fail(EIO,
                "no file on the local disk to read it back into: " + Describe(scratch.error()));
  }
  auto const inode = remote.inode;
  auto stream =
      std::make_shared<ReadBackStream>(streams_shared_, std::move(remote), *std::move(scratch));
  streams_.emplace(inode, stream);
  return stream;
}

Result<void> ReadBack::CheckRoom(std::uint64_t size) const {
  auto const limit = spool_.budget().limit();
  auto const used = spool_.budget().used();
  if (size <= limit - std::min(limit, used)) return {};
  return Fail(ENOSPC, "there is no room to bring its " + std::to_string(size) + " bytes back");
}

Result<void> ReadBack::Restore(InodeId inode) {
  auto const record = store_.Read([&](View const& view) { return GetInode(view, inode); });
  if (!record) return Failure(record.error());
  if (record->version != 0) return {};
  auto const remote = store_.Read([&](View const& view) { return FindRemote(view, inode); });
  if (!remote) return Failure(remote.error());
  MutexLock lock(mutex_);
  if (auto const found = restorations_.find(inode); found != restorations_.end()) {
    auto const& restoring = found->second;
    if (restoring.running) return Fail(EAGAIN);
    if (clock_.Steady() - restoring.failed < kFailureLasts) return Failure(*restoring.failure);
    restorations_.erase(found);
  }
  if (stopping_) return Fail(EAGAIN);
  if (auto room = CheckRoom(remote->size); !room) return room;
  auto restoration = std::make_shared<Restoration>(restorations_shared_, *remote);
  restorations_[inode].running = restoration;
  Enqueue({.restoration = std::move(restoration), .inode = inode});
  return Fail(EAGAIN);
}

void ReadBack::Close(InodeId inode) {
  std::shared_ptr<ReadBackStream> stream;  // goes without the lock
  MutexLock lock(mutex_);
  if (auto const found = restorations_.find(inode);
      found != restorations_.end() && !found->second.running) {
    restorations_.erase(found);
  }
  auto const found = streams_.find(inode);
  if (found == streams_.end()) return;
  stream = std::move(found->second);
  streams_.erase(found);
  stream->Cancel();
}

}  // namespace tusfs
