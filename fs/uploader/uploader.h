// What to send next, and the threads that send it.
//
// The filesystem tells the uploader what happened to a file, after the catalog knows it; none of
// these calls waits for the network, and only LetGo waits at all. Whether a file is finished is
// decided there: here bytes are sent as they come, and the last one when the catalog says so.
// Everything that has to survive is in the catalog: Start finds it there.
#pragma once

#include <tusclient/transport.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "spool/spool.h"
#include "uploader/endpoint.h"
#include "uploader/interface_watch.h"
#include "uploader/links.h"
#include "uploader/priorities.h"
#include "uploader/publish_rules.h"
#include "uploader/queue.h"
#include "uploader/server_question.h"
#include "uploader/transfer.h"

namespace tusfs {

/// A link, and connections that go through its interface. `make_transport`: of any thread.
struct LinkWay {
  LinkOptions options;
  std::function<std::unique_ptr<tus::HttpTransport>()> make_transport;
};

struct UploaderOptions {
  tus::ClientOptions client;  ///< its endpoint is as tus::NormalizeEndpoint gives it
  tus::ChunkRules chunks{};
  bool defer_length = true;  ///< where the server has it
  int transfers = 4;         ///< threads that send, through each link
  TransferOptions transfer;
  std::function<std::unique_ptr<tus::HttpTransport>()> make_transport;
  std::function<double()> random{};  ///< in [0, 1), thread-safe; nothing: of its own
  /// Server() says another thing. Called with the lock of an endpoint held, or none: it notes that.
  std::function<void()> on_server_change{};
  /// Ways to the server; none: one, of make_transport, which questions always go.
  std::vector<LinkWay> links{};
  std::chrono::milliseconds patience{600'000};  ///< for a cheaper link
};

class Uploader {
 public:
  /// The collaborators outlive it.
  Uploader(UploaderOptions options, PublishRules const& rules, Store& store, Spool& spool,
           Clock const& clock, Logger const& logger);
  ~Uploader();

  /// Finds the work that the catalog knows of and starts the threads.
  [[nodiscard]] Result<void> Start();
  /// Finds it, and starts nothing: its turns are the caller's, with RunDue.
  [[nodiscard]] Result<void> Load();
  /// Does one thing that is due now, on the calling thread: asks the server what it is, or runs one
  /// job. False where nothing is. Not beside Start.
  bool RunDue();
  /// For an end that can wait: until the requests that join parts are answered, or `deadline`. No
  /// more of them go out.
  void AwaitJoins(SteadyTime deadline) { in_flight_.AwaitJoins(deadline); }
  /// Cancels what is being sent: the threads end within 100 ms but for a busy disk, and nobody
  /// waits for them here.
  void RequestStop();
  /// The same, and waits for the threads.
  void Stop();

  /// A file, or all that is and will be beneath a directory, goes before all others; or as the
  /// rules say again. Durable when it returns; what is being sent goes on. Errors: the catalog's.
  [[nodiscard]] Result<void> Prioritize(InodeId inode, bool first);
  /// Whether the file goes first, within a look at the catalog.
  [[nodiscard]] bool GoesFirst(View const& view, Inode const& inode) const {
    return PriorityOf(view, inode) == Priority::kHigh;
  }

  /// More bytes of a growing file are there, or it became finished.
  void Nudge(InodeId inode);

  /// A file is tried at once, whatever its last error said.
  void Retry(InodeId inode);

  /// An upload lost its owner (DetachUpload). `inode`, which had it, is cancelled where it is
  /// being sent.
  void Abandoned(InodeId inode, std::optional<Uuid> const& upload);

  /// There is nothing to send of the file any more.
  void Forget(InodeId inode);

  /// `range` is about to change (Version::Written::was_sent): cancels the open PATCH, waits until
  /// its transport has let go of the bytes (within 100 ms), and takes the upload away from the
  /// file. Where no byte of `range` was sent, nothing happens. Errors: the catalog's; EIO where
  /// bytes were trimmed, so that what was sent has to stay as it is.
  [[nodiscard]] Result<void> LetGo(InodeId inode, Version& version, ByteRange const& range);

  /// Nothing new is sent while it is paused; what is on its way goes on to the end of its request.
  /// The server is asked all the same whether it is there.
  void Pause(bool paused);
  [[nodiscard]] bool IsPaused() const { return queue_.IsPaused(); }

  [[nodiscard]] bool IsSending(InodeId inode) const;
  [[nodiscard]] InFlight const& in_flight() const { return in_flight_; }
  [[nodiscard]] Endpoint::State Server() const;
  /// In the order in which they were named; empty where there are none.
  [[nodiscard]] std::vector<LinkReport> LinkReports() const;

  /// Asks it now. Blocks (server_question.h).
  [[nodiscard]] ServerAnswer Ask(std::stop_token stop) const;

  /// Waits until the server was asked once, or `deadline`; returns what is known then.
  [[nodiscard]] Endpoint::State AwaitFirstAnswer(SteadyTime deadline) const;

 private:
  /// LetGo, of a file that goes in parts: of those that have a byte of `range`.
  [[nodiscard]] Result<void> LetGoOfParts(InodeId inode, Version& version, ByteRange const& range);
  /// Of the parts of the file that are being sent: those that have a byte of `range`, and those
  /// that are not among `all`, which are its own. Returns when none of them is.
  [[nodiscard]] std::vector<JobKey> BlockParts(InodeId inode, std::vector<Upload> const& all,
                                               ByteRange const& range);
  [[nodiscard]] Result<std::vector<Uuid>> TakeAwayParts(InodeId inode, Version& version,
                                                        std::vector<Upload> const& parts);
  [[nodiscard]] Result<bool> GoesInParts(InodeId inode) const;
  [[nodiscard]] std::vector<Uuid> PartsOf(InodeId inode) const;
  /// What is being sent of them, without waiting.
  void CancelParts(Uuid const& whole);
  /// A part of the file has something to do, in the file's turn.
  void SchedulePart(InodeId inode, Uuid const& part);
  /// What a person has said of it, or a rule of its path.
  [[nodiscard]] Priority PriorityOf(View const& view, Inode const& inode) const;
  [[nodiscard]] Priority PriorityOf(InodeId id) const;
  /// What a file has waited before this process began: since it was changed last.
  void CountWait(InodeId id);
  /// Whether a job need not be given back between two of its steps.
  [[nodiscard]] bool MayGoOn(Queue::Running const& job) const {
    return !job.stop.stop_requested() && !queue_.IsPaused();
  }
  /// A way to the server, and what is known of the server through it.
  struct Lane;
  [[nodiscard]] std::unique_ptr<Lane> MakeLane(std::size_t index);
  void StartThreads(Lane& lane);
  void Work(Lane& lane, std::stop_token const& stop);
  void WorkThroughLink(Lane& lane, std::stop_token const& stop);
  /// One turn of a transfer thread.
  void Turn(Lane& lane, Transfer& transfer, std::stop_token const& stop);
  void LookAtInterfaces();
  /// Something has changed of a link, by which the others go, too.
  void SpreadNews();
  /// An upload has nobody any more.
  void Terminate(Uuid const& upload);
  [[nodiscard]] std::unique_ptr<Transfer> MakeTransfer(Lane& lane, std::stop_token stop) const;
  /// Probes the server, or runs a job that becomes due before `deadline`, as the endpoint's gate
  /// says; false where there was none.
  bool Serve(Lane& lane, Transfer& transfer, Endpoint::Gate gate, std::stop_token const& stop,
             SteadyTime deadline);

  UploaderOptions const options_;
  PublishRules const& rules_;
  Store& store_;
  Spool& spool_;
  Clock const& clock_;
  Logger const logger_;
  std::shared_ptr<Queue> const queue_owner_;  ///< who hastens may outlive this
  Queue& queue_;
  Priorities priorities_;
  InFlight in_flight_;
  std::unique_ptr<Links> links_;  ///< null: there are none
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Transfer> own_;  ///< of RunDue
  InterfaceWatch interfaces_;
  std::vector<std::jthread> threads_;
};

}  // namespace tusfs
