// Serves one kernel connection: reads requests into their slots, executes them, answers.
//
// The connection and the slots are older than this process and may outlive it: whatever moment it
// is killed at, a successor finds each unanswered request in its slot (request_slots.h).
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <memory>
#include <set>
#include <stop_token>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "fuse/held_requests.h"
#include "fuse/operations.h"
#include "fuse/request_slots.h"
#include "fuse/request_threads.h"

struct fuse_session;

namespace tusfs {

/// Why FuseServer::Serve came back.
enum class ServingEnd {
  kNotYet,
  kUnmounted,  ///< the mount is gone
  kStopped,    ///< by Stop: a successor may go on
  kFinished,   ///< by Finish: the mount is to end
  kFailed,     ///< /dev/fuse cannot be read: a successor should try
};

class FuseServer {
 public:
  /// Serves `device`, an open and mounted /dev/fuse. `slots` and `filesystem` outlive the server.
  [[nodiscard]] static Result<std::unique_ptr<FuseServer>> Attach(UniqueFd device,
                                                                  RequestSlots& slots,
                                                                  Filesystem& filesystem,
                                                                  Logger logger);
  /// The mount stays.
  ~FuseServer();

  /// Answers what a predecessor left unanswered. Once, before Serve.
  void TakeOver();

  /// Serves until the mount is gone, or Stop or Finish is called; what was begun is answered.
  ServingEnd Serve();

  /// Ends Serve, from another thread.
  void Stop();

  /// The same when what the kernel has to tell was heard: of files that were closed before this
  /// call, the close. Waits for that, not for long where others go on working.
  void Finish();

  // For the callbacks, about the request that the calling thread executes.
  /// Its reply is held until the filesystem says that its writer may go on.
  void AnswerLater(HeldWrite const& write);
  /// It is executed again when bytes of its inode have arrived; it gets no reply now.
  void ExecuteLater();

  /// Bytes of `inode` that calls wait for are here, or will not come.
  void BytesArrived(InodeId inode) EXCLUDES(mutex_);

 private:
  FuseServer(RequestSlots& slots, Filesystem& filesystem, Logger logger);

  static ssize_t AnswerFromLibfuse(int device, iovec* pieces, int count, void* context);
  ssize_t Answer(int device, iovec* pieces, int count);
  void RestoreSession();
  void Replay(RequestSlots::Slot const& slot);
  void Execute(RequestSlots::Slot const& slot, bool replayed);
  bool HoldReply(RequestSlots::Slot const& slot, iovec const* pieces, int count);
  void HoldRequest(RequestSlots::Slot const& slot, std::uint64_t arrivals);
  void AnswerError(std::uint64_t unique, int error) const;

  /// A thread that answers what is held.
  void AnswerHeld(std::stop_token stop);
  /// Returns whether it needs to be looked at again.
  bool TryAnswer(HeldRequests::Held const& held, std::set<InodeId> const& arrived,
                 bool look_closer);
  void ExecuteHeld(HeldRequests::Held const& held);
  [[nodiscard]] std::set<InodeId> TakeArrived() EXCLUDES(mutex_);
  /// Something is held, or what is held may be answered.
  void NoteHeld() EXCLUDES(mutex_);
  /// Waits for that.
  void AwaitHeld(std::stop_token const& stop) EXCLUDES(mutex_);
  /// Waits for a request on a thread that serves. Returns whether it has one now.
  bool Receive(unsigned index);
  void ExecuteReceived();
  void End(ServingEnd end);

  FuseContext context_;
  RequestSlots& slots_;
  HeldRequests held_;
  fuse_session* session_ = nullptr;
  int device_ = -1;       ///< the session's
  bool swallow_ = false;  ///< while the session is restored, nothing is answered
  std::atomic<ServingEnd> end_ = ServingEnd::kNotYet;
  std::atomic<unsigned> executing_ = 0;
  std::atomic<std::uint64_t> executed_ = 0;
  RequestThreads threads_;
  std::atomic<std::uint64_t> arrivals_ = 0;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar held_changed_;
  bool has_news_ GUARDED_BY(mutex_) = false;  ///< for the thread that answers what is held
  std::set<InodeId> arrived_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
