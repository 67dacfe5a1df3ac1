// What the catalog says of an upload before and after each request: the ledger of the transfers.
//
// Every entry is one journaled operation; those that a power cut must not forget say so. The order
// is what makes an upload resumable and published once:
//   Intend → POST → Created → Announce → PATCH → Confirmed …    Announce(last), durably → Complete
//   (or Verifying → GET → Complete)
// An entry is made only where the upload is still the file's own; false means that it is not any
// more (removed, truncated, rewritten), and the caller looks again. Thread-safe, never waits for
// the network.
#pragma once

#include <tusclient/client.h>
#include <tusclient/judge.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "catalog/give_up.h"
#include "catalog/parts.h"
#include "catalog/proofs.h"
#include "catalog/records.h"
#include "catalog/store.h"
#include "spool/spool.h"
#include "uploader/publish_rules.h"
#include "uploader/queue.h"

namespace tusfs {

class ServerLink;

/// A file, or a part of one, that may have something to send, as one look at the catalog saw it.
struct Work {
  Inode inode;
  std::string path;              ///< under which it would be declared now
  std::optional<Upload> upload;  ///< the file's, or the part
  std::shared_ptr<Version> version;
  std::uint64_t changes = 0;  ///< of the version, from before that look
  bool ignored = false;       ///< its name is one that is never uploaded

  std::optional<Upload> whole{};  ///< of a part

  [[nodiscard]] bool IsPart() const { return whole.has_value(); }
  /// Its end is known: that of a part always is.
  [[nodiscard]] bool finished() const { return IsPart() || inode.content == Content::kFinished; }
  /// Where the upload begins in the file, and how many bytes it has when it is complete.
  [[nodiscard]] std::uint64_t begin() const { return IsPart() ? upload->begin : 0; }
  [[nodiscard]] std::uint64_t size() const {
    return IsPart() ? upload->length.value_or(0) : inode.size;
  }
  /// What the inode has for its upload.
  [[nodiscard]] Uuid const& FilesUpload() const { return IsPart() ? whole->id : upload->id; }
  /// Bytes of the file that are left when the upload is at `offset`: a part of a large file waits
  /// for small ones as that does.
  [[nodiscard]] std::uint64_t LeftFrom(std::uint64_t offset) const {
    auto const at = IsPart() ? whole->offset : offset;
    return inode.size > at ? inode.size - at : 0;
  }
};

/// For the log. `work` outlives it.
[[nodiscard]] LogSubject About(Work const& work);

/// Tells `version`, where it does not know it yet, what was sent of it: `upload` is its file's.
/// Errors: the catalog's.
[[nodiscard]] Result<void> KnowSent(View const& view, std::optional<Upload> const& upload,
                                    Version& version);

/// Bytes [begin, end) of an upload.
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool last = false;  ///< completes the upload
};

class Ledger {
 public:
  /// The collaborators outlive the ledger.
  Ledger(Store& store, Spool& spool, PublishRules const& rules, Clock const& clock, Logger logger)
      : store_(store), spool_(spool), rules_(rules), clock_(clock), logger_(std::move(logger)) {}

  /// Nothing for what is no file, has no name any more, or is uploaded: where its bytes are then
  /// does not matter. Errors: ENODATA where the spool does not have the bytes; EAGAIN where it
  /// changed meanwhile.
  [[nodiscard]] Result<std::optional<Work>> Look(InodeId inode) const;

  /// Gives the file an upload that is about to be created (or the one of an earlier try); of known
  /// length where the file is finished. Nothing where the file has changed.
  [[nodiscard]] Result<std::optional<Upload>> Intend(Work const& work);

  /// The server has made it. `headers`: of its own, as Upload has them.
  [[nodiscard]] Result<bool> Created(Work const& work, tus::Created const& created,
                                     std::string const& headers = {});
  /// The server has made it, but its file went away meanwhile: it waits for its termination.
  [[nodiscard]] Result<void> CreatedForNobody(Upload upload, tus::Created const& created,
                                              std::string const& headers = {});
  /// It has got other headers, and maybe another URL, under which it is the same upload.
  [[nodiscard]] Result<bool> Renewed(Work const& work, std::optional<std::string> const& url,
                                     std::string const& headers);

  /// `range` is about to be sent. Claims all up to its end; for the last range, seals the version
  /// and is durable: when it returns, or where `when_durable` is given, when that is called by a
  /// thread of the store's. Errors: ENODATA where the spool cannot read the bytes.
  [[nodiscard]] Result<bool> Announce(Work const& work, Range const& range,
                                      std::function<void()> const& when_durable = {});
  /// Nothing of the last range that was announced has been sent, and nothing will be.
  [[nodiscard]] Result<bool> TakeBack(Work const& work);

  /// What became of the request that completes it, where that was not answered 2xx.
  [[nodiscard]] Result<bool> NoteEnd(Work const& work, tus::UploadFacts const& facts);

  /// `warning`: what a person should know all the same, or nothing.
  [[nodiscard]] Result<bool> Confirmed(Work const& work, tus::Patched const& answer,
                                       std::string const& warning = {});
  /// HEAD said how far the server is, and that the upload is not complete.
  [[nodiscard]] Result<bool> Incomplete(Work const& work, tus::UploadStatus const& status,
                                        tus::UploadFacts const& facts);
  /// The server has all of it, which remains to be verified.
  [[nodiscard]] Result<bool> Verifying(Work const& work, std::string const& receipt,
                                       WholeDigests const& digests);
  /// The file is uploaded, and has its proof (catalog/proofs.h). `digests`: as far as known.
  [[nodiscard]] Result<bool> Complete(Work const& work, std::string const& receipt,
                                      WholeDigests const& digests, ProvedBy proved);

  /// With the reason, for a person.
  [[nodiscard]] Result<bool> Refused(Work const& work, std::string const& why);
  [[nodiscard]] Result<bool> Unconfirmed(Work const& work, std::string const& why);
  /// kRefused by us, for nothing goes on: a later try may go on with it.
  [[nodiscard]] Result<bool> GivenUp(Work const& work, std::string const& why);
  [[nodiscard]] Result<bool> NoteError(Work const& work, std::string const& message);

  struct StartedOver {
    bool kept = false;                ///< it may not be given up: nothing was done
    std::optional<Uuid> ownerless{};  ///< to terminate
  };
  /// Takes the upload away from the file, which will get a new one. `adoptable`: see DetachUpload.
  [[nodiscard]] Result<StartedOver> StartOver(Work const& work, GiveUpFor why, bool adoptable);

  /// The bytes (of `version`, where it is known) are lost here: the file fails for good, unless it
  /// is uploaded.
  [[nodiscard]] Result<void> LostBytes(InodeId inode, std::optional<VersionId> version,
                                       std::string const& why);

  /// The ownerless uploads of the path under which the file would be declared: at rest or not, the
  /// one with the most bytes first.
  [[nodiscard]] Result<std::vector<Upload>> Adoptable(Work const& work) const;
  [[nodiscard]] Result<std::optional<BlockDigest>> DigestOf(Uuid const& upload,
                                                            std::uint64_t block) const;
  /// The file takes the candidate over; all that the server has of it was compared and is equal.
  /// False where the file has changed, or somebody else was faster.
  [[nodiscard]] Result<bool> Adopt(Work const& work, Candidate const& candidate);
  /// An ownerless upload to which nothing is on its way any more: from now on it may be adopted.
  /// Returns until when by the wall clock, nothing where it cannot be adopted.
  [[nodiscard]] Result<std::optional<FileTime>> Rest(Upload upload, FileTime timeout);
  /// Nobody may adopt it any more.
  [[nodiscard]] Result<void> Retire(Upload const& upload);

  /// An upload that lost its owner; nothing where it was terminated already.
  [[nodiscard]] Result<std::optional<Upload>> FindOwnerless(Uuid const& id) const;
  /// The server has it no more, or nobody will ask.
  [[nodiscard]] Result<void> Terminated(Upload const& upload);

  /// Counts `sent` body bytes before byte `end` that went over the wire, of the mount and of the
  /// upload, and which of them had done so before, by whatever process; of the link, too, where
  /// there is one.
  [[nodiscard]] Result<void> Count(Work const& work, std::uint64_t end, std::uint64_t sent,
                                   ServerLink* link = nullptr);

  // ---- parts (ledger_parts.cc). `work` is the whole's, but for LookAtPart and RefusedPart.

  /// A part that is to be sent; nothing where it is not, or not now. Errors: as of Look.
  [[nodiscard]] Result<std::optional<Work>> LookAtPart(Uuid const& part) const;
  [[nodiscard]] Result<std::vector<Upload>> PartsOf(Work const& work) const;
  /// Where those begin whose bytes were changed when they had been sent.
  [[nodiscard]] Result<std::vector<std::uint64_t>> ChangedParts(Work const& work) const;
  /// Gives the file an upload that goes in parts. False where the file has changed.
  [[nodiscard]] Result<bool> BeginParts(Work const& work, std::uint64_t part_size);
  /// The whole is called as the file is by now.
  [[nodiscard]] Result<bool> RenameParts(Work const& work);
  /// A part that is about to be created; nothing where the whole is another one by now.
  [[nodiscard]] Result<std::optional<Uuid>> MakePart(Work const& work, ByteRange const& range);
  /// Parts of these very bytes of the file's path, which lost their file.
  [[nodiscard]] Result<std::vector<Upload>> AdoptableParts(Work const& work,
                                                           ByteRange const& range) const;
  /// The whole takes it over, as far as its record says; it has to be asked for first. False where
  /// somebody else was faster.
  [[nodiscard]] Result<bool> AdoptPart(Work const& work, Upload const& part);
  /// The whole goes on without these. Returns those that have to be terminated.
  [[nodiscard]] Result<std::vector<Uuid>> TakeAwayParts(Work const& work,
                                                        std::vector<Upload> const& parts);
  /// The server has less of a part than it had confirmed.
  [[nodiscard]] Result<bool> RewindPart(Work const& work, Upload const& part, std::uint64_t offset);
  /// The server does not want a part, which the whole will be told. `passes`: that may be over
  /// soon.
  [[nodiscard]] Result<bool> RefusedPart(Work const& work, std::string const& why, bool passes);
  /// The whole goes on, which was refused.
  [[nodiscard]] Result<bool> GoOnInParts(Work const& work);
  /// Its parts, all of which are complete, are about to be joined under the file's path. Seals the
  /// version; durable. False where something has changed.
  [[nodiscard]] Result<bool> AnnounceJoin(Work const& work);
  /// Nothing was joined: `refused` has the server's words, where it gave some.
  [[nodiscard]] Result<bool> MissedJoin(Work const& work, std::string const& refused = {});
  /// The parts are one upload, which remains to be verified. `ends`: the parts are to be
  /// terminated, and are returned. Nothing where the file is another one by now.
  [[nodiscard]] Result<std::optional<std::vector<Uuid>>> Joined(Work const& work,
                                                                std::string const& url,
                                                                std::string const& receipt,
                                                                bool ends);
  /// A whole that nobody adopts goes. Returns its parts, to be terminated.
  [[nodiscard]] Result<std::vector<Uuid>> Dissolve(Upload const& whole);

 private:
  static Result<bool> NotePart(Transaction& transaction, Upload const& part,
                               std::string const& error_before);
  /// What may be said again and again of an upload has a proof when it is said first.
  Result<bool> ChangeWithProof(Work const& work, Fate fate, std::string const& why,
                               std::function<void(Upload&)> const& change);
  void LetGoOfBytes(Transaction& transaction, Inode& inode);
  static Result<void> CountArrived(Transaction& transaction, Upload& upload);
  Result<bool> Change(Work const& work,
                      std::function<bool(Transaction&, Inode&, Upload&)> const& change);

  Store& store_;
  Spool& spool_;
  PublishRules const& rules_;
  Clock const& clock_;
  Logger const logger_;
};

}  // namespace tusfs
