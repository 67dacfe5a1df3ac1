#include "uploader/facts.h"

#include <tusclient/checksum.h>
#include <tusclient/hex.h>

#include <array>
#include <span>
#include <utility>

namespace tusfs {
namespace {

using End = tus::UploadFacts::End;

constexpr std::size_t kLargestReceiptHead = 8192;
constexpr std::size_t kLargestReceiptBody = 4096;

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

std::string IdempotencyKeyOf(Upload const& upload, std::string_view more) {
  auto text = upload.id.ToString() + "\n" +
              (upload.length ? std::to_string(*upload.length) : "deferred") + "\n" + upload.path;
  text += more;
  tus::Hasher hasher(tus::ChecksumAlgorithm::kSha256);
  hasher.Update(std::as_bytes(std::span(text)));
  return tus::EncodeHex(hasher.Digest().substr(0, 16));
}

std::string ReceiptOf(std::vector<tus::Header> const& headers, std::string const& body) {
  std::string receipt;
  for (auto const& header : headers) {
    auto const line = header.name + ": " + header.value + "\n";
    if (receipt.size() + line.size() <= kLargestReceiptHead) receipt += line;
  }
  return receipt + "\n" + body.substr(0, kLargestReceiptBody);
}

tus::UploadFacts FactsOf(Work const& work, JobMemory const& memory, FileTime now) {
  auto const& upload = *work.upload;
  tus::UploadFacts facts;
  facts.confirmed = upload.offset;
  facts.announced = upload.frontier;
  if (work.finished()) facts.size = work.size();
  facts.floor = work.IsPart() ? 0 : work.inode.trimmed;
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
