// How a file takes over an upload of its path whose bytes turn out to be its own.
//
// Its blocks are compared with the digests of what was sent to that upload, as they are written.
// Equal, as far as the server has bytes: the upload goes on from there. Different: it is not this
// file's. Bytes that were compared count as sent, so that nobody changes them unseen. An upload
// that is complete is taken only where it was the last one to be published under the path: after A,
// B and A the server would else end with B.
#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "uploader/transfer.h"

namespace tusfs {
namespace {

/// The transfer that was cancelled lets go of its upload within so long.
constexpr std::chrono::milliseconds kUnrest{50};
/// While the spool is short of room, whether it still may grow is looked at so often.
constexpr std::chrono::milliseconds kShortOfRoom{1000};
constexpr int kBlocksAtOnce = 64;  // then others get their turn

}  // namespace

std::optional<Transfer::Outcome> Transfer::Adopt(Work const& work, JobMemory& memory,
                                                 std::stop_token stop) {
  if (shared_.options.adopt_timeout.count() == 0) return std::nullopt;
  if (memory.after_finish && !work.finished()) return std::nullopt;
  if (work.finished() && work.inode.size == 0) return std::nullopt;
  auto const uploads = ledger_.Adoptable(work);
  if (!uploads) return Postpone(uploads.error());
  for (auto const& upload : *uploads) {
    auto const& unfit = memory.adoption.unfit;
    if (std::find(unfit.begin(), unfit.end(), upload.id) != unfit.end()) continue;
    // Asking for an upload cuts a PATCH that is still on its way to it.
    if (upload.at_rest == 0) return Outcome{.next = shared_.clock.Steady() + kUnrest};
    auto const& candidate = memory.adoption.candidate;
    if (!candidate || candidate->id != upload.id || candidate->version != work.version) {
      return Consider(work, upload, memory, std::move(stop));
    }
    return Compare(work, upload, memory);
  }
  return std::nullopt;
}

Transfer::Outcome Transfer::Consider(Work const& work, Upload const& upload, JobMemory& memory,
                                     std::stop_token stop) {
  auto const status = client_.Head(upload.url, std::move(stop), HeadersOf(upload));
  bool const is_useless = !status && (status.error().code == tus::ErrorCode::kGone ||
                                      status.error().code == tus::ErrorCode::kRefused);
  if (!status && !is_useless) return BackOff(status.error(), memory);
  memory.trouble.failures = 0;
  // What is complete would stand for this file as it is, so nothing may have come after it.
  bool const is_past = !is_useless && status->Complete() && !upload.last;
  if (is_useless || is_past || status->offset > upload.frontier) {
    memory.adoption.unfit.push_back(upload.id);
    return Now();
  }
  memory.adoption.candidate = Candidate{.id = upload.id,
                                        .version = work.version,
                                        .offset = status->offset,
                                        .length = status->length,
                                        .complete = status->Complete(),
                                        .equal_blocks = 0};
  return Now();
}

Transfer::Outcome Transfer::Compare(Work const& work, Upload const& upload, JobMemory& memory) {
  auto& candidate = *memory.adoption.candidate;
  auto& version = *work.version;
  auto const known = work.finished() ? work.inode.size : version.prefix();
  bool const length_differs =
      candidate.length &&
      (work.finished() ? *candidate.length != work.inode.size : *candidate.length < version.size());
  if (length_differs) return Differs(work, upload, memory);
  for (int turn = 0; candidate.equal_blocks * kDigestBlock < candidate.offset; ++turn) {
    if (turn == kBlocksAtOnce) return Now();
    auto const block = candidate.equal_blocks;
    auto const begin = block * kDigestBlock;
    auto const sent = ledger_.DigestOf(candidate.id, block);
    if (!sent) return Postpone(sent.error());
    auto const needed = std::min(kDigestBlock, candidate.offset - begin);
    if (!*sent || (*sent)->length < needed) return Differs(work, upload, memory);
    auto const end = begin + (*sent)->length;
    if (end > known) {
      if (work.finished()) return Differs(work, upload, memory);
      if (version.NotifyAt(end)) return Now();
      auto const room = shared_.spool.budget().room();
      // Its writer has to wait, so what there is to compare with would never come.
      if (room == Room::kNone) return Differs(work, upload, memory);
      bool const soon = room != Room::kPlenty;
      return {.next = soon ? std::optional(shared_.clock.Steady() + kShortOfRoom) : std::nullopt,
              .bytes_left = work.inode.size};
    }
    if (!version.Claim({0, end})) return Now();
    auto const own = version.DigestOf(block, (*sent)->length);
    if (!own && own.error().code != ENODATA) {
      return LostBytes(work.inode.id, version.id(),
                       "its bytes cannot be read: " + Describe(own.error()));
    }
    if (!own) return Postpone(own.error());
    if (*own != **sent) return Differs(work, upload, memory);
    ++candidate.equal_blocks;
  }
  // A length that was declared already has to be this file's, which its end will tell.
  if (candidate.length && !work.finished()) return {};
  return AdoptCandidate(work, memory);
}

Transfer::Outcome Transfer::AdoptCandidate(Work const& work, JobMemory& memory) {
  auto const candidate = *std::exchange(memory.adoption.candidate, std::nullopt);
  auto const adopted = ledger_.Adopt(work, candidate);
  if (!adopted) return Postpone(adopted.error());
  if (!*adopted) return Now();
  shared_.logger->Tell(LogLevel::kInfo, {.file = work.path, .upload = candidate.id.ToString()},
                       "the server has bytes of this file already path=\"{}\" tusfsId={} bytes={}",
                       Printable(work.path), candidate.id.ToString(), candidate.offset);
  memory.recheck = false;
  return Now(work.inode.size > candidate.offset ? work.inode.size - candidate.offset : 0);
}

Transfer::Outcome Transfer::Differs(Work const& work, Upload const& upload, JobMemory& memory) {
  auto const candidate = *std::exchange(memory.adoption.candidate, std::nullopt);
  memory.adoption.unfit.push_back(candidate.id);
  work.version->ReleaseAll();  // nothing of it was sent
  if (candidate.complete) return Now();
  // The file that it was begun for is another one now.
  if (auto retired = ledger_.Retire(upload); !retired) return Postpone(retired.error());
  shared_.terminate(candidate.id);
  return Now();
}

}  // namespace tusfs
