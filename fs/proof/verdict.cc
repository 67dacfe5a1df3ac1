#include "proof/verdict.h"

#include <algorithm>

namespace tusfs {
namespace {

constexpr char const* kReplaced =
    "what the mount has under this name is not on the server, which may have an older one: it is ";

FileVerdict OfUnfinished(UnfinishedFile const& file, bool was_uploaded) {
  auto const why = (was_uploaded ? kReplaced : "it is ") + file.state +
                   (file.error.empty() ? "" : ": " + file.error);
  if (file.state == "failed") return {CardFinding::kRejected, why};
  bool const waits = file.state == "interrupted" || file.state == "local-only";
  if (waits) return {CardFinding::kHeldBack, why};
  if (file.state == "unconfirmed") return {CardFinding::kUnproven, why};
  return {CardFinding::kNotYet, why};
}

// Of one whose last word is not that the server has all of it.
FileVerdict OfOther(Proof const& proof) {
  auto const because = proof.reason.empty() ? "" : ": " + proof.reason;
  switch (proof.fate) {
    case Fate::kRefused:
      return {CardFinding::kRejected, "the server has refused it" + because};
    case Fate::kUnconfirmed:
      return {CardFinding::kUnproven, "nobody can tell whether it was published" + because};
    case Fate::kAccepted:
      return {CardFinding::kUnproven, "a person said that the server has it, the server did not"};
    case Fate::kDiscarded:
      return {CardFinding::kMissing, "it was discarded before it was uploaded"};
    case Fate::kDropped:
      return {CardFinding::kMissing, "it was given up to make room before it was uploaded"};
    case Fate::kRemoved:
      return {CardFinding::kMissing, "it was removed from the mount before it was uploaded"};
    case Fate::kUploaded:
      break;
  }
  return {CardFinding::kUnproven, "it is not known how the server came to it"};
}

bool IsByTheServer(ProvedBy proved) {
  return proved == ProvedBy::kOffset || proved == ProvedBy::kHead || proved == ProvedBy::kDownload;
}

std::string FromByte(std::size_t block) {
  return "other bytes from block " + std::to_string(block) + " on (byte " +
         std::to_string(block * kDigestBlock) + ")";
}

}  // namespace

std::string_view NameOf(CardFinding finding) {
  switch (finding) {
    case CardFinding::kOnServer:
      return "on the server";
    case CardFinding::kNotYet:
      return "here, not yet there";
    case CardFinding::kDifferent:
      return "different";
    case CardFinding::kMissing:
      return "missing";
    case CardFinding::kRejected:
      return "rejected";
    case CardFinding::kHeldBack:
      return "held back";
    case CardFinding::kUnproven:
      return "unproven";
    case CardFinding::kUnreadable:
      return "unreadable";
    case CardFinding::kChanging:
      return "changing";
  }
  return "";
}

std::optional<FileVerdict> JudgeUnread(SourceEntry const& entry, KnownFile const* known,
                                       std::optional<UnfinishedFile> const& unfinished) {
  if (!entry.problem.empty()) return FileVerdict{CardFinding::kUnreadable, entry.problem};
  if (unfinished) {
    return OfUnfinished(*unfinished, known != nullptr && known->proof.fate == Fate::kUploaded);
  }
  if (known == nullptr) return FileVerdict{CardFinding::kMissing, {}};
  auto const& proof = known->proof;
  if (proof.fate != Fate::kUploaded || !IsByTheServer(proof.proved)) return OfOther(proof);
  if (known->is_elsewhere) {
    return FileVerdict{CardFinding::kUnproven,
                       "it was uploaded to another server: " + proof.server};
  }
  if (known->before_damage) {
    return FileVerdict{
        CardFinding::kUnproven,
        "the ledger is damaged behind its row: what became of it later is not known"};
  }
  if (proof.size != entry.size) {
    return FileVerdict{CardFinding::kDifferent, "it has " + std::to_string(entry.size) +
                                                    " bytes, on the server " +
                                                    std::to_string(proof.size)};
  }
  if (proof.root.empty()) {
    return FileVerdict{CardFinding::kUnproven, "no digests are known of what was uploaded"};
  }
  return std::nullopt;
}

FileVerdict JudgeBytes(SourceEntry const& entry, KnownFile const& known, SourceBytes const& bytes) {
  if (!bytes.problem.empty()) return {CardFinding::kUnreadable, bytes.problem};
  bool const is_whole = AreOf(bytes.blocks, entry.size);
  if (bytes.was_changing || !is_whole) {
    return {CardFinding::kChanging,
            "it changed while it was read: try again when nobody writes to it"};
  }
  if (RootOf(bytes.blocks) == known.proof.root) return {CardFinding::kOnServer, {}};
  auto const at = std::ranges::mismatch(bytes.blocks, known.blocks).in1 - bytes.blocks.begin();
  bool const knows_where = known.blocks.size() == bytes.blocks.size();
  return {CardFinding::kDifferent,
          knows_where ? FromByte(static_cast<std::size_t>(at)) : std::string("other bytes")};
}

}  // namespace tusfs
