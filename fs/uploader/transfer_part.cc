// One part of a file (transfer_parts.cc): created, asked for and sent as an upload of its own,
// which publishes nothing.
#include <cerrno>

#include "base/text.h"
#include "catalog/life.h"
#include "uploader/facts.h"
#include "uploader/transfer.h"

namespace tusfs {

Transfer::Outcome Transfer::StepOfUpload(Uuid const& id, JobMemory& memory, std::stop_token stop) {
  auto const looked = ledger_.LookAtPart(id);
  if (!looked && looked.error().code == EAGAIN) return Now();
  // What is lost of the file its own job finds.
  if (!looked && looked.error().code == ENODATA) return Over();
  if (!looked) return Postpone(looked.error());
  return *looked ? SendPart(**looked, memory, std::move(stop))
                 : Terminate(id, memory, std::move(stop));
}

Transfer::Outcome Transfer::SendPart(Work const& work, JobMemory& memory, std::stop_token stop) {
  if (memory.version != 0 && memory.version != work.inode.version) memory = JobMemory{};
  memory.version = work.inode.version;
  // The file's own job calls it again.
  if (work.ignored || (!Streams(work) && !life::IsFinished(work.inode))) return Over();
  auto const& part = *work.upload;
  if (part.phase == UploadPhase::kRefused) return Over();
  // The file has become shorter, and nothing of this had been sent.
  if (RangeOf(part).end > work.version->size()) return PartDone(work);
  if (part.phase == UploadPhase::kIntent) return CreatePart(work, memory);
  if (part.offset == work.size()) return PartDone(work);
  if (memory.recheck) return Ask(work, memory, std::move(stop));
  // Whoever changes the file waits for this one's end, even where it has lost its file meanwhile.
  shared_.in_flight.PartBegun(work.inode.id, part.id);
  auto const outcome = Patch(work, memory, std::move(stop));
  shared_.in_flight.PartEnded(work.inode.id, part.id);
  return outcome;
}

Transfer::Outcome Transfer::CreatePart(Work const& work, JobMemory& memory) {
  tus::CreateRequest request;
  request.length = work.size();
  request.partial = true;
  request.idempotency_key = IdempotencyKeyOf(*work.upload);
  request.stop = end_;  // as in Create
  auto const answer = client_.Create(request);
  if (!answer && answer.error().http_status == 501) {
    shared_.endpoint.LearnNoJoin(answer.error().message);
    return RefusePart(work, answer.error().message, false);
  }
  if (!answer) return CreateFailed(work, answer.error(), memory);
  shared_.endpoint.Succeeded();
  if (auto const outcome = NotKept(work, *answer, {})) return *outcome;
  memory.recheck = false;
  // How many parts there may be goes by how long their URLs are.
  shared_.nudge(work.inode.id);
  return Now(work.size());
}

// The file's own job says what follows.
Transfer::Outcome Transfer::PartDone(Work const& work) const {
  shared_.nudge(work.inode.id);
  return Over();
}

Transfer::Outcome Transfer::RefusePart(Work const& work, std::string const& why, bool passes) {
  auto const recorded = ledger_.RefusedPart(work, why, passes);
  if (!recorded) return Postpone(recorded.error());
  shared_.nudge(work.inode.id);
  return Over();
}

Transfer::Outcome Transfer::LosePart(Work const& work, std::string const& why) {
  auto whole = work;
  whole.upload = work.whole;
  whole.whole.reset();
  auto const ownerless = ledger_.TakeAwayParts(whole, {*work.upload});
  if (!ownerless) return Postpone(ownerless.error());
  shared_.logger->Tell(
      LogLevel::kWarn, About(whole),
      "a part of a file starts over path=\"{}\" begin={} confirmed={} reason=\"{}\"",
      Printable(work.path), work.begin(), work.upload->offset, why);
  for (auto const& id : *ownerless) shared_.terminate(id);
  shared_.nudge(work.inode.id);
  return Over();
}

}  // namespace tusfs
