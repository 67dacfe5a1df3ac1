// How a step of a transfer ends: what the ledger keeps of it, and when to look again.
#include <tusclient/origin.h>

#include "base/text.h"
#include "uploader/links.h"
#include "uploader/transfer.h"

namespace tusfs {
namespace {

/// As when there are no more descriptors: what is in the way goes by itself, or never.
constexpr std::chrono::seconds kAfterLocalTrouble{10};

}  // namespace

Transfer::Outcome Transfer::Now(std::uint64_t bytes_left) const {
  return {.next = shared_.clock.Steady(), .bytes_left = bytes_left};
}

Transfer::Outcome Transfer::Complete(Work const& work, std::string const& receipt,
                                     JobMemory const& memory) {
  if (VerificationOf(work) == Verification::kOff) {
    return Uploaded(work, receipt, memory, ProvedBy::kOffset);
  }
  auto const recorded = ledger_.Verifying(work, receipt, DigestsOf(work, memory));
  return recorded ? Now() : Postpone(recorded.error());
}

Transfer::Outcome Transfer::Uploaded(Work const& work, std::string const& receipt,
                                     JobMemory const& memory, ProvedBy proved) {
  auto const recorded = ledger_.Complete(work, receipt, DigestsOf(work, memory), proved);
  if (!recorded) return Postpone(recorded.error());
  if (!*recorded) return Now();  // it is another file by now
  return Over();
}

// What an upload that was adopted, or found complete after a restart, is known by already.
WholeDigests Transfer::DigestsOf(Work const& work, JobMemory const& memory) const {
  if (work.inode.size == 0) return FileDigest(shared_.options.sha256).Digests(0);
  bool const is_its_own = memory.passed.digest && memory.passed.upload == work.upload->id;
  auto digests = is_its_own ? memory.passed.digest->Digests(work.inode.size) : WholeDigests{};
  return digests.xxh128.empty() ? work.upload->digests : digests;
}

Transfer::Outcome Transfer::StartOver(Work const& work, std::string const& why, JobMemory& memory,
                                      GiveUpFor reason, bool adoptable) {
  if (work.IsPart()) return LosePart(work, why);
  if (auto const kept = WhyNotGivenUp(work.inode, *work.upload, reason)) {
    return Refuse(work, why + ", and " + *kept, memory);
  }
  auto const over = ledger_.StartOver(work, reason, adoptable);
  if (!over) return Postpone(over.error());
  if (over->kept) return Now();  // it has become another case meanwhile
  shared_.logger->Tell(LogLevel::kWarn, About(work),
                       "upload starts over path=\"{}\" confirmed={} reason=\"{}\"",
                       Printable(work.path), work.upload->offset, why);
  if (over->ownerless) shared_.terminate(*over->ownerless);
  return Now();
}

Transfer::Outcome Transfer::GiveUp(Work const& work) {
  auto const over = ledger_.StartOver(work, GiveUpFor::kTrouble, true);
  if (!over) return Postpone(over.error());
  if (over->kept) return Over();  // for the time when it has another name again
  shared_.logger->Tell(LogLevel::kInfo, About(work),
                       "upload given up, the file has a name that is never uploaded path=\"{}\"",
                       Printable(work.path));
  if (over->ownerless) shared_.terminate(*over->ownerless);
  return Over();
}

Transfer::Outcome Transfer::Unconfirmed(Work const& work, std::string const& why) {
  auto const recorded = ledger_.Unconfirmed(work, why);
  return recorded ? Outcome{} : Postpone(recorded.error());
}

Transfer::Outcome Transfer::Refuse(Work const& work, std::string const& why, JobMemory& memory) {
  return RefuseFor(shared_.options.retry_failed, work, why, memory);
}

Transfer::Outcome Transfer::RefuseFor(std::chrono::milliseconds time, Work const& work,
                                      std::string const& why, JobMemory& memory) {
  if (work.IsPart()) return RefusePart(work, why, time < shared_.options.retry_failed);
  auto const recorded = ledger_.Refused(work, why);
  if (!recorded) return Postpone(recorded.error());
  memory.recheck = true;
  memory.trouble.refused_until = shared_.clock.Steady() + time;
  return {.next = memory.trouble.refused_until};
}

Transfer::Outcome Transfer::RefuseSize(Work const& work, std::uint64_t most, JobMemory& memory) {
  return Refuse(work, "the server takes at most " + std::to_string(most) + " bytes a file", memory);
}

Transfer::Outcome Transfer::LostBytes(InodeId id, std::optional<VersionId> version,
                                      std::string const& why) {
  auto const recorded = ledger_.LostBytes(id, version, why);
  return recorded ? Over() : Postpone(recorded.error());
}

bool Transfer::HasStalled(JobMemory& memory) const {
  if (shared_.options.give_up.count() == 0) return false;
  auto const now = shared_.clock.Steady();
  if (!memory.trouble.stalled_since) memory.trouble.stalled_since = now;
  // While the server does not answer it is not the file's fault.
  auto const since = std::max(*memory.trouble.stalled_since, shared_.endpoint.state().changed);
  return now - since >= shared_.options.give_up;
}

Transfer::Outcome Transfer::GiveUpTrying(Work const& work, std::string const& last,
                                         JobMemory& memory) {
  auto const seconds = std::chrono::ceil<std::chrono::seconds>(shared_.options.give_up).count();
  auto const why = "given up: for " + std::to_string(seconds) +
                   " s the server has taken no more of it, the last was: " + last;
  memory.trouble.stalled_since.reset();
  if (MayBePublished(work.upload)) return Unconfirmed(work, why);
  return FailFor(work, why, shared_.options.retry_failed, memory);
}

Transfer::Outcome Transfer::FailFor(Work const& work, std::string const& why,
                                    std::chrono::milliseconds pause, JobMemory& memory) {
  if (work.IsPart()) return RefusePart(work, why, pause < shared_.options.retry_failed);
  auto const recorded = ledger_.GivenUp(work, why);
  if (!recorded) return Postpone(recorded.error());
  memory.recheck = true;
  memory.trouble.refused_until = shared_.clock.Steady() + pause;
  return {.next = memory.trouble.refused_until};
}

// Whether the server, or whoever made it, has put it on another host than the endpoint's: what is
// wrong there is no outage of the endpoint.
bool Transfer::IsElsewhere(Upload const& upload) const {
  return !upload.url.empty() && !tus::AreOfOneOrigin(upload.url, shared_.url);
}

Transfer::Outcome Transfer::BackOff(tus::Error const& error, JobMemory& memory, bool elsewhere) {
  memory.recheck = true;
  if (error.code == tus::ErrorCode::kCancelled) return Now();
  if (elsewhere) {
    ++memory.trouble.failures;
    return {.next = shared_.clock.Steady() +
                    shared_.options.retry.Delay(memory.trouble.failures, error, shared_.random)};
  }
  bool const is_denial = tus::IsDenial(error);
  if (tus::IsOutage(error.code) || (error.code == tus::ErrorCode::kUnauthorized && !is_denial)) {
    shared_.endpoint.Failed(error);
  } else if (tus::IsDoubtful(error)) {
    shared_.endpoint.Doubted(error);
  }
  // Without a connection it is the endpoint that backs off; what came back for one upload may be
  // about that one alone.
  if (error.code == tus::ErrorCode::kUnreachable) return Now();
  ++memory.trouble.failures;
  return {.next = shared_.clock.Steady() +
                  shared_.options.retry.Delay(memory.trouble.failures, error, shared_.random)};
}

bool Transfer::MayLeaveLink(tus::Error const& error, JobMemory const& memory) const {
  constexpr int kMost = 3;
  return error.is_others && shared_.link != nullptr && memory.trouble.links_left < kMost &&
         shared_.link->HasOthers();
}

Transfer::Outcome Transfer::LeaveLink(tus::Error const& error, JobMemory& memory) {
  ++memory.trouble.links_left;
  memory.recheck = true;
  shared_.endpoint.Failed(error);
  return Now();
}

Transfer::Outcome Transfer::NoteAndBackOff(Work const& work, tus::Error const& error,
                                           JobMemory& memory) {
  bool const elsewhere = work.upload && IsElsewhere(*work.upload);
  bool const is_its_own = elsewhere || !tus::IsOutage(error.code);
  if (is_its_own && error.code != tus::ErrorCode::kCancelled && HasStalled(memory)) {
    return GiveUpTrying(work, error.message, memory);
  }
  if (auto noted = ledger_.NoteError(work, error.message); !noted) {
    shared_.logger->Tell(LogLevel::kWarn, About(work), "error not kept path=\"{}\" error=\"{}\"",
                         Printable(work.path), Describe(noted.error()));
  }
  return BackOff(error, memory, elsewhere);
}

Transfer::Outcome Transfer::Postpone(Error const& error) {
  shared_.logger->Error("upload postponed, the catalog or the spool cannot be used error=\"{}\"",
                        Describe(error));
  return {.next = shared_.clock.Steady() + kAfterLocalTrouble};
}

}  // namespace tusfs
