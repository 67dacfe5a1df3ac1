// One step of one upload: looks at the ledger and the version, sends one request, and records what
// the server confirmed.
//
// Each transfer thread owns a Transfer with its own connection. A step blocks on the network and
// holds no lock meanwhile. What the catalog must know before a request goes out is ledger.h's.
#pragma once

#include <tusclient/client.h>
#include <tusclient/judge.h>
#include <tusclient/retry_policy.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "uploader/create_command.h"
#include "uploader/endpoint.h"
#include "uploader/in_flight.h"
#include "uploader/ledger.h"
#include "uploader/links.h"
#include "uploader/queue.h"
#include "uploader/target.h"
#include "uploader/verification.h"

namespace tusfs {

struct TransferOptions {
  tus::RetryPolicy retry{};
  std::vector<tus::MetadataTemplate> metadata = DefaultMetadata();
  bool checksums = true;  ///< of each PATCH, where the server has them
  Verification verify = Verification::kOff;
  bool sha256 = true;  ///< of what goes out, for the ledger
  /// A growing file with less than a chunk to send waits this long for more.
  std::chrono::milliseconds patience{1000};
  /// An upload that the server does not know is believed to be gone after this long.
  std::chrono::milliseconds gone_after{10'000};
  /// How long an upload that lost its file is kept for another copy of that; 0: not at all.
  std::chrono::milliseconds adopt_timeout{0};
  /// A refused file is tried again after this long; but not where the server has refused what it
  /// is: that is the same the next time.
  std::chrono::milliseconds retry_failed{3'600'000};
  bool retry_refused = false;  ///< that, too
  /// A file of which the server, while it answers, has taken no more for so long fails; 0: none.
  std::chrono::milliseconds give_up{0};
  CreateCommandOptions create{};
  /// Bytes of the first part of a larger file, a multiple of kDigestBlock; 0: files go in one.
  std::uint64_t part_size = 0;
  bool delete_parts = false;  ///< once they are joined, as servers copy them
};

class Transfer {
 public:
  /// What all transfers share; outlives them.
  struct Shared {
    Store& store;
    Spool& spool;
    Endpoint& endpoint;
    std::string url;  ///< the endpoint's, normalized; may have a secret
    Clock const& clock;
    Logger logger;
    TransferOptions options;
    PublishRules const& rules;
    std::function<double()> random;                  ///< in [0, 1); thread-safe
    std::function<void(Uuid)> terminate;             ///< an upload has lost its owner
    std::function<void(InodeId)> nudge{};            ///< the file's own job has something to do
    std::function<void(InodeId, Uuid)> send_part{};  ///< of the file
    /// What a file waited for is there: its job is due (Queue::Hasten). Called by the store's
    /// thread of actions, as long as that lives. Empty: nothing is announced ahead.
    std::function<void(InodeId)> hasten{};
    /// Files that are announced and wait for the disk.
    std::shared_ptr<std::atomic<int>> announced = std::make_shared<std::atomic<int>>(0);
    InFlight& in_flight;
    ServerLink* link = nullptr;  ///< that it goes through; null: there are none
  };

  /// `end` stops what is not cancelled with its file.
  Transfer(Shared& shared, tus::ClientOptions client, std::unique_ptr<tus::HttpTransport> transport,
           std::stop_token end = {});

  using Outcome = Queue::After;

  /// Does the next thing for a file (key.inode), or for a part of one or an ownerless upload
  /// (key.upload).
  [[nodiscard]] Outcome Step(JobKey const& key, JobMemory& memory, std::stop_token stop);

  /// Asks the endpoint what it is.
  void Probe(std::stop_token stop);

 private:
  Outcome Send(InodeId id, JobMemory& memory, std::stop_token stop);
  /// What may be sent from `offset` on; nothing where the writer has to go on first.
  std::optional<Range> Available(Work const& work, JobMemory& memory, std::uint64_t offset,
                                 std::optional<SteadyTime>& look_again) const;

  /// Of a finished file: as much in one body as costs no second reading, and no patience.
  Range NextOfFinished(Work const& work, std::uint64_t offset) const;

  /// Nothing where there is no upload that might be this file's.
  std::optional<Outcome> Adopt(Work const& work, JobMemory& memory, std::stop_token stop);
  Outcome Consider(Work const& work, Upload const& upload, JobMemory& memory, std::stop_token stop);
  Outcome Compare(Work const& work, Upload const& upload, JobMemory& memory);
  Outcome AdoptCandidate(Work const& work, JobMemory& memory);
  Outcome Differs(Work const& work, Upload const& upload, JobMemory& memory);

  /// What counts for a file: what a rule says of the path under which it is declared, or what the
  /// options say.
  [[nodiscard]] Verification VerificationOf(Work const& work) const;
  [[nodiscard]] std::vector<tus::MetadataTemplate> TemplatesFor(std::string const& path) const;
  /// Whether it may be sent before it is finished.
  [[nodiscard]] bool Streams(Work const& work) const;

  /// Why the server cannot be told of this file; nothing where it can.
  [[nodiscard]] std::optional<std::string> WhyNotDeclarable(Work const& work,
                                                            tus::Metadata const& inherited) const;
  /// What its directories say (inherited_metadata.h).
  [[nodiscard]] Result<tus::Metadata> InheritedBy(Work const& work) const;
  Outcome Create(Work const& work, JobMemory& memory);
  /// Records what was made, here or by the create command; nothing where it is the file's now.
  std::optional<Outcome> NotKept(Work const& work, tus::Created const& made,
                                 std::vector<tus::Header> const& headers);
  /// What the create command makes of it.
  [[nodiscard]] Result<CreateAnswer> AskHowToCreate(Work const& work, tus::Metadata metadata) const;
  /// In hex, where the metadata wants it.
  [[nodiscard]] tus::Result<std::string> Sha1Of(Work const& work) const;
  /// It did not say.
  Outcome NotAnswered(Work const& work, Error const& error, JobMemory& memory);
  /// Other headers for an upload whose own were refused, after a pause.
  Outcome RenewLater(Work const& work, tus::Error const& error, JobMemory& memory);
  Outcome Renew(Work const& work, JobMemory& memory);
  Outcome CreateFailed(Work const& work, tus::Error const& error, JobMemory& memory);
  /// As CreateFailed, where credentials or a rule allow this file no upload, or none at all.
  /// Whether what is in the way of a creation is there to stay, after one more try.
  [[nodiscard]] bool StaysTaken(JobMemory& memory) const;
  Outcome Denied(Work const& work, tus::Error const& error, JobMemory& memory);

  /// When to send an empty PATCH, so that a server that counts from the last one does not let the
  /// upload of a slow writer expire; nothing where it does not expire, or where that did not help.
  [[nodiscard]] std::optional<SteadyTime> RefreshAt(Work const& work,
                                                    JobMemory const& memory) const;
  Outcome Refresh(Work const& work, JobMemory& memory, std::stop_token stop);

  /// A file that the server has refused before.
  Outcome TryAgain(Work const& work, JobMemory& memory, std::stop_token stop);
  Outcome Ask(Work const& work, JobMemory& memory, std::stop_token stop);
  /// Of an upload that is not found: when to look again; nothing where that is to be believed.
  [[nodiscard]] std::optional<Outcome> SecondLook(Work const& work, tus::Error const& error,
                                                  JobMemory& memory, std::stop_token stop);
  /// The judge wants another upload; but not for ever.
  Outcome StartOverOrFail(Work const& work, std::string const& why, JobMemory& memory);
  /// The server has deleted it before its end.
  void NoteExpiry(Work const& work, JobMemory& memory) const;
  /// `error`: what came back, where it was one.
  Outcome CarryOut(Work const& work, tus::Judgement const& judgement, tus::Error const* error,
                   std::uint64_t bytes_left, JobMemory& memory);

  // Ahead of its turn to be sent (transfer_ahead.cc).
  /// A small file that goes out at once need not wait for the disk here, while others could be
  /// sent: what hastens its job when the announcement is durable. Empty where it has to be awaited.
  [[nodiscard]] std::function<void()> AnnounceAhead(Work const& work, Range const& range,
                                                    JobMemory& memory) const;
  /// Nothing of what was announced ahead has been sent, and it must not be any more.
  Outcome TakeBack(Work const& work, JobMemory& memory);
  Outcome Patch(Work const& work, JobMemory& memory, std::stop_token stop);
  /// The same, or its first part: as long as the link's other bodies, and within its budget. One
  /// smallest body goes in any case: a link whose budget is spent is not asked.
  [[nodiscard]] Range FitToLink(Work const& work, Range range, LinkHold& hold) const;
  Outcome SendAndJudge(Work const& work, Range const& range, JobMemory& memory,
                       std::stop_token stop);
  /// Of all that the upload was completed with, where they are known.
  [[nodiscard]] WholeDigests DigestsOf(Work const& work, JobMemory const& memory) const;
  /// What sees the upload's bytes go out.
  [[nodiscard]] FileDigest* DigestFor(Work const& work, JobMemory& memory) const;
  /// Notes in `range` what left the machine.
  [[nodiscard]] tus::Result<tus::Patched> SendRange(Work const& work, tus::SentRange& range,
                                                    JobMemory& memory, std::stop_token stop);
  Outcome PatchFailed(Work const& work, tus::SentRange const& sent, tus::UploadFacts const& facts,
                      tus::Judgement const& judgement, tus::Error const& error, JobMemory& memory);

  Outcome Verify(Work const& work, JobMemory& memory, std::stop_token stop);
  Outcome VerifyBytes(Work const& work, JobMemory& memory, std::stop_token stop);
  Outcome VerifyGone(Work const& work, tus::Error const& error, JobMemory& memory,
                     std::stop_token stop);
  Outcome Wrong(Work const& work, std::string const& how, JobMemory& memory);
  /// A server that does not give its uploads back, or that gives something else.
  Outcome NotReadable(Work const& work, tus::Error const& error, JobMemory& memory);

  Outcome Terminate(Uuid const& id, JobMemory& memory, std::stop_token stop);
  Outcome End(Upload const& upload, JobMemory& memory, std::stop_token stop);

  // In parts (transfer_parts.cc). The file's own job makes them and joins them; each is sent by a
  // job of its own.

  /// Whether this file may go in parts.
  [[nodiscard]] bool MayGoInParts(Work const& work, JobMemory const& memory) const;
  /// Gives it an upload of parts; nothing where it goes in one.
  std::optional<Outcome> BeginParts(Work const& work, JobMemory& memory);
  Outcome SendParts(Work const& work, JobMemory& memory, std::stop_token stop);
  /// What there is to be made: all that a finished file lacks, one of a growing file.
  Outcome MakeParts(Work const& work, std::vector<Upload> const& parts, JobMemory& memory,
                    std::stop_token const& stop);
  /// Of a growing file: one that is written, and has to be made. Asks to hear of the others.
  [[nodiscard]] Result<std::optional<ByteRange>> FirstWritten(Work const& work,
                                                              std::vector<Upload> const& parts,
                                                              std::size_t most) const;
  Outcome MakePart(Work const& work, ByteRange const& range, std::stop_token const& stop);
  /// Whether another upload of the path had it; nothing where it has to be made.
  [[nodiscard]] Result<bool> AdoptPart(Work const& work, ByteRange const& range,
                                       std::stop_token const& stop);
  [[nodiscard]] Result<bool> IsEqual(Work const& work, Upload const& part,
                                     std::stop_token const& stop) const;
  Outcome GoOnInParts(Work const& work, JobMemory& memory);
  Outcome TakeAway(Work const& work, std::vector<Upload> const& parts);
  /// As one upload, from now on.
  Outcome GoInOne(Work const& work, std::string const& why, JobMemory& memory);
  Outcome PartRefused(Work const& work, std::vector<Upload> const& parts, Upload const& part,
                      JobMemory& memory);
  /// After the server has not found one of them.
  Outcome AskForParts(Work const& work, std::vector<Upload> const& parts, JobMemory& memory,
                      std::stop_token const& stop);
  Outcome Join(Work const& work, std::vector<Upload> const& parts, JobMemory& memory,
               std::stop_token stop);
  Outcome AskToJoin(Work const& work, tus::ConcatenateRequest const& request, JobMemory& memory);
  /// Once more, where the answer is there and could not be recorded.
  Outcome Joined(Work const& work, JobMemory& memory);
  Outcome NotJoined(Work const& work, tus::Judgement const& judgement, tus::Error const& error,
                    JobMemory& memory);

  // One part (transfer_part.cc).
  Outcome StepOfUpload(Uuid const& id, JobMemory& memory, std::stop_token stop);
  Outcome SendPart(Work const& work, JobMemory& memory, std::stop_token stop);
  Outcome CreatePart(Work const& work, JobMemory& memory);
  Outcome PartDone(Work const& work) const;
  Outcome RefusePart(Work const& work, std::string const& why, bool passes);
  /// Another one, where it is wanted.
  Outcome LosePart(Work const& work, std::string const& why);

  // How a step ends.
  [[nodiscard]] Outcome Now(std::uint64_t bytes_left = 0) const;
  [[nodiscard]] static Outcome Over() { return {.next = std::nullopt, .over = true}; }
  /// The server says that it has all of it.
  Outcome Complete(Work const& work, std::string const& receipt, JobMemory const& memory);
  Outcome Uploaded(Work const& work, std::string const& receipt, JobMemory const& memory,
                   ProvedBy proved);
  /// Another upload; where this one has to stay the file's (catalog/give_up.h), it is refused until
  /// a later try, which goes on from where the server is.
  Outcome StartOver(Work const& work, std::string const& why, JobMemory& memory,
                    GiveUpFor reason = GiveUpFor::kTrouble, bool adoptable = false);
  /// Takes the upload away from a file that is not to have one now. It may have to stay.
  Outcome GiveUp(Work const& work);
  Outcome Unconfirmed(Work const& work, std::string const& why);
  Outcome RefuseSize(Work const& work, std::uint64_t most, JobMemory& memory);
  Outcome Refuse(Work const& work, std::string const& why, JobMemory& memory);
  /// Of a refusal that may pass: how long it is left alone.
  [[nodiscard]] std::chrono::milliseconds PauseAfter(tus::Error const& error,
                                                     JobMemory& memory) const;
  Outcome RefuseForNow(Work const& work, tus::Error const& error, JobMemory& memory);
  Outcome RefuseFor(std::chrono::milliseconds time, Work const& work, std::string const& why,
                    JobMemory& memory);
  Outcome LostBytes(InodeId id, std::optional<VersionId> version, std::string const& why);
  /// Whether it is time to give the file up (give_up).
  [[nodiscard]] bool HasStalled(JobMemory& memory) const;
  Outcome GiveUpTrying(Work const& work, std::string const& last, JobMemory& memory);
  /// It fails, and is gone on with after the pause.
  Outcome FailFor(Work const& work, std::string const& why, std::chrono::milliseconds pause,
                  JobMemory& memory);
  /// Whether `error` is no tus server's, as of a portal or a firewall, and another link reaches
  /// the server: then this link is wrong, and not the file. Not again and again: it may be what is
  /// asked for that both links' firewalls answer.
  [[nodiscard]] bool MayLeaveLink(tus::Error const& error, JobMemory const& memory) const;
  /// The link is out of use; the job is due at once, for another one.
  Outcome LeaveLink(tus::Error const& error, JobMemory& memory);
  /// A request that failed: backoff for this upload, or an outage of the endpoint.
  Outcome BackOff(tus::Error const& error, JobMemory& memory, bool elsewhere = false);
  [[nodiscard]] bool IsElsewhere(Upload const& upload) const;
  Outcome NoteAndBackOff(Work const& work, tus::Error const& error, JobMemory& memory);
  /// The catalog or the spool is in trouble: nothing is decided, look again later.
  Outcome Postpone(Error const& error);

  Shared& shared_;
  Ledger ledger_;
  std::unique_ptr<tus::HttpTransport> transport_;
  tus::Client client_;
  std::stop_token const end_;
};

}  // namespace tusfs
