// Whether a file of a card is on the server, by what the ledger and the mount know of its path: the
// one place that says so. Every doubt is a no.
//
// Pure functions; what was read comes in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/block_digest.h"
#include "catalog/proof_record.h"
#include "proof/source_tree.h"

namespace tusfs {

/// Words of these are in the JSON of tusfsctl verify; scripts depend on them.
enum class CardFinding {
  kOnServer,    ///< the bytes that the server has confirmed are those of the source
  kNotYet,      ///< it is in the mount, and not on the server yet
  kDifferent,   ///< the server has other bytes under its name
  kMissing,     ///< nobody knows of it
  kRejected,    ///< the server has refused it, or the disk has failed it
  kHeldBack,    ///< it waits for a person, or is never uploaded
  kUnproven,    ///< it may be there, and nothing proves it
  kUnreadable,  ///< of the source
  kChanging,    ///< the source changed while it was read
};
[[nodiscard]] std::string_view NameOf(CardFinding finding);

/// The last that became of a path, as the ledger has it.
struct KnownFile {
  Proof proof;
  std::vector<BlockDigest> blocks{};  ///< empty: only their root is known
  bool is_elsewhere = false;          ///< on another server than the mount's
  bool before_damage = false;         ///< what came after it may have been lost
};

/// What a mount says of a path whose file is not uploaded.
struct UnfinishedFile {
  std::string state;
  std::string error;  ///< may be empty
};

/// What was read of a file.
struct SourceBytes {
  std::vector<BlockDigest> blocks{};
  std::string problem{};      ///< why it could not be read
  bool was_changing = false;  ///< its size or time is another one by now
};

struct FileVerdict {
  CardFinding finding = CardFinding::kMissing;
  std::string why{};  ///< for a person; empty where the finding says it all
};

/// What can be said before the bytes are read; nothing: they have to be.
[[nodiscard]] std::optional<FileVerdict> JudgeUnread(
    SourceEntry const& entry, KnownFile const* known,
    std::optional<UnfinishedFile> const& unfinished);

/// Of one that JudgeUnread had nothing to say of.
[[nodiscard]] FileVerdict JudgeBytes(SourceEntry const& entry, KnownFile const& known,
                                     SourceBytes const& bytes);

}  // namespace tusfs
