// After the last byte: whether what the server has is what was sent (TransferOptions::verify).
#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "catalog/adoptable.h"
#include "uploader/fetch.h"
#include "uploader/transfer.h"

namespace tusfs {
namespace {

/// So often a file is sent before somebody has to look at it; each time is a publication.
constexpr int kMostSent = 3;
constexpr int kMaxUnreadable = 3;

// Holds blocks of which no digest is known, as that of a release before digests, against the
// spool's bytes; FetchBlocks looks after all others.
class Comparison : public BlockSink {
 public:
  Comparison(Store const& store, Work const& work, std::uint64_t& verified)
      : store_(store), work_(work), verified_(verified) {}

  bool Wants(std::uint64_t block) override {
    auto const end = std::min((block + 1) * kDigestBlock, work_.inode.size);
    auto const sent =
        store_.Read([&](View const& view) { return FindDigest(view, work_.upload->id, block); });
    compares_ = !sent || !*sent || (*sent)->length != end - block * kDigestBlock;
    return true;
  }

  Result<void> Write(std::uint64_t offset, std::span<std::byte const> bytes) override {
    while (compares_ && !bytes.empty()) {
      auto const piece = std::span(own_).first(std::min(own_.size(), bytes.size()));
      auto const got = work_.version->Read(offset, piece);
      if (!got) return Failure(got.error());
      if (*got != piece.size() || !std::ranges::equal(piece, bytes.first(piece.size()))) {
        differs_ = true;
        return Fail(EIO, "what the server gives is not what was sent: bytes from " +
                             std::to_string(offset) + " on differ");
      }
      offset += piece.size();
      bytes = bytes.subspan(piece.size());
    }
    return {};
  }

  void Arrived(std::uint64_t block) override { verified_ = block + 1; }

  [[nodiscard]] bool differs() const { return differs_; }

 private:
  Store const& store_;
  Work const& work_;
  std::uint64_t& verified_;
  bool compares_ = false;
  bool differs_ = false;
  std::array<std::byte, 65536> own_{};
};

}  // namespace

Transfer::Outcome Transfer::Verify(Work const& work, JobMemory& memory, std::stop_token stop) {
  auto const& upload = *work.upload;
  if (VerificationOf(work) == Verification::kOff) {
    return Uploaded(work, upload.receipt, memory, ProvedBy::kOffset);
  }
  auto const status = client_.Head(upload.url, stop, HeadersOf(upload));
  if (!status && tus::IsMiss(status.error())) {
    return VerifyGone(work, status.error(), memory, stop);
  }
  if (!status && status.error().code == tus::ErrorCode::kRefused) {
    return NotReadable(work, status.error(), memory);
  }
  if (!status) return NoteAndBackOff(work, status.error(), memory);
  memory.server.gone_at.reset();
  auto const length = status->length.value_or(work.inode.size);
  if (status->offset != work.inode.size || length != work.inode.size) {
    return Wrong(work,
                 "the server has " + std::to_string(status->offset) + " of " +
                     std::to_string(length) + " bytes, and had confirmed " +
                     std::to_string(work.inode.size),
                 memory);
  }
  bool const reads = VerificationOf(work) == Verification::kDownload && work.inode.size > 0;
  return reads ? VerifyBytes(work, memory, std::move(stop))
               : Uploaded(work, upload.receipt, memory, ProvedBy::kHead);
}

Transfer::Outcome Transfer::VerifyBytes(Work const& work, JobMemory& memory, std::stop_token stop) {
  if (memory.verification.upload != work.upload->id) {
    memory.verification.upload = work.upload->id;
    memory.verification.blocks = 0;
  }
  auto const before = memory.verification.blocks;
  Comparison comparison(shared_.store, work, memory.verification.blocks);
  Remote const remote{.inode = work.inode.id,
                      .upload = work.upload->id,
                      .url = work.upload->url,
                      .headers = HeadersOf(*work.upload),
                      .size = work.inode.size};
  auto const end =
      FetchBlocks(client_, shared_.store, remote, memory.verification.blocks, comparison, stop);
  if (memory.verification.blocks > before) memory.trouble.failures = 0;
  if (end.is_wrong || comparison.differs()) return Wrong(work, end.own->context, memory);
  if (end.own) return Postpone(*end.own);
  if (!end.server) return Uploaded(work, work.upload->receipt, memory, ProvedBy::kDownload);
  switch (end.server->code) {
    case tus::ErrorCode::kGone:
      return VerifyGone(work, *end.server, memory, stop);
    case tus::ErrorCode::kRefused:
    case tus::ErrorCode::kProtocol:
    case tus::ErrorCode::kNotTus:
      return NotReadable(work, *end.server, memory);
    default:
      return NoteAndBackOff(work, *end.server, memory);
  }
}

Transfer::Outcome Transfer::VerifyGone(Work const& work, tus::Error const& error, JobMemory& memory,
                                       std::stop_token stop) {
  if (auto const wait = SecondLook(work, error, memory, std::move(stop))) return *wait;
  return Unconfirmed(work,
                     "the server has confirmed all of it, and does not know it any more: it cannot "
                     "be verified");
}

Transfer::Outcome Transfer::Wrong(Work const& work, std::string const& how, JobMemory& memory) {
  shared_.logger->Tell(LogLevel::kError, About(work),
                       "the server does not have what was sent path=\"{}\" tusfsId={} how=\"{}\"",
                       Printable(work.path), work.upload->id.ToString(), how);
  if (++memory.server.wrong >= kMostSent) {
    return Unconfirmed(work, "it was sent " + std::to_string(memory.server.wrong) +
                                 " times, and never right: " + how);
  }
  // A publication that is wrong is the one that a second one mends.
  if (auto const kept = WhyNotGivenUp(work.inode, *work.upload, GiveUpFor::kOtherBytes)) {
    return Unconfirmed(work, how + ", and " + *kept);
  }
  return StartOver(work, how, memory, GiveUpFor::kOtherBytes);
}

Transfer::Outcome Transfer::NotReadable(Work const& work, tus::Error const& error,
                                        JobMemory& memory) {
  // The endpoint has just answered, so this is no outage of it.
  if (++memory.trouble.failures < kMaxUnreadable) {
    return {.next = shared_.clock.Steady() +
                    shared_.options.retry.Delay(memory.trouble.failures, error, shared_.random)};
  }
  return Unconfirmed(
      work, "the server has confirmed all of it, but it cannot be verified: " + error.message);
}

}  // namespace tusfs
