#include "uploader/facts.h"

#include <array>
#include <utility>

namespace tusfs {
namespace {

using End = tus::UploadFacts::End;

constexpr std::array<std::pair<UploadEnd, End>, 5> kEnds{{
    {UploadEnd::kNotSent, End::kNotSent},
    {UploadEnd::kSent, End::kSent},
    {UploadEnd::kRefused, End::kRefused},
    {UploadEnd::kMissed, End::kMissed},
    {UploadEnd::kFailed, End::kFailed},
}};

End EndOf(Upload const& upload) {
  // What a rebuilt catalog has marked so has no more to say.
  if (upload.end == UploadEnd::kNotSent && upload.phase == UploadPhase::kFinalSent) {
    return End::kSent;
  }
  for (auto const& [ours, theirs] : kEnds) {
    if (ours == upload.end) return theirs;
  }
  return End::kSent;
}

}  // namespace

tus::UploadFacts FactsOf(Work const& work, JobMemory const& memory, FileTime now) {
  auto const& upload = *work.upload;
  tus::UploadFacts facts;
  facts.confirmed = upload.offset;
  facts.announced = upload.frontier;
  if (work.finished()) facts.size = work.inode.size;
  facts.floor = work.inode.trimmed;
  facts.end = EndOf(upload);
  facts.end_words = upload.end_words;
  facts.complete =
      upload.phase == UploadPhase::kComplete || upload.phase == UploadPhase::kVerifying;
  facts.expired = upload.expires != 0 && upload.expires < now;
  facts.lost_an_end = upload.lost_an_end;
  facts.most = memory.server.most;
  facts.locks = memory.server.locks;
  facts.mismatches = memory.server.mismatches;
  return facts;
}

void Remember(tus::UploadFacts const& facts, JobMemory& memory) {
  memory.server.most = facts.most;
  memory.server.locks = facts.locks;
  memory.server.mismatches = facts.mismatches;
}

void KeepEnd(tus::UploadFacts const& facts, Upload& upload) {
  for (auto const& [ours, theirs] : kEnds) {
    if (theirs == facts.end) upload.end = ours;
  }
  upload.end_words = facts.end_words;
  upload.lost_an_end = facts.lost_an_end;
}

}  // namespace tusfs
