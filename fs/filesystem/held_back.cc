#include "filesystem/held_back.h"

#include <optional>

#include "base/message_ids.h"
#include "base/text.h"

namespace tusfs {
namespace {

// Files that went while they waited are among them: beyond so many it begins anew.
constexpr std::size_t kMostKnown = 65'536;

struct Words {
  LogLevel level;
  char const* text;
};

/// Nothing where somebody else tells, or nothing holds it.
std::optional<Words> WordsOf(Hold hold) {
  switch (hold) {
    case Hold::kManual:
      return Words{LogLevel::kWarn, "file is held back until somebody says 'tusfsctl publish'"};
    case Hold::kRename:
      return Words{LogLevel::kInfo,
                   "file is held back until it is renamed, or somebody says 'tusfsctl publish'"};
    case Hold::kTemporary:
      return Words{LogLevel::kInfo,
                   "file is held back until it has its final name, or somebody says 'tusfsctl "
                   "publish'"};
    case Hold::kWritten:
      return Words{LogLevel::kInfo,
                   "file is held back until all of it was written, or somebody says 'tusfsctl "
                   "publish'"};
    case Hold::kCompanion:
      return Words{LogLevel::kInfo,
                   "file is held back until another one beside it is gone, or somebody says "
                   "'tusfsctl publish'"};
    case Hold::kAfter:
      return Words{LogLevel::kInfo,
                   "file is held back until others are on the server, or somebody says 'tusfsctl "
                   "publish'"};
    case Hold::kNone:
    case Hold::kIgnored:
    case Hold::kCommand:
      break;
  }
  return std::nullopt;
}

}  // namespace

void HeldBack::Note(InodeId inode, Hold hold, std::string const& path) {
  auto const words = WordsOf(hold);
  if (!IsNews(inode, words ? hold : Hold::kNone) || !words) return;
  logger_->Tell(words->level, {.file = path, .message_id = message_id::kHeldBack}, "{} path=\"{}\"",
                words->text, Printable(path));
}

bool HeldBack::IsNews(InodeId inode, Hold hold) {
  MutexLock lock(mutex_);
  if (hold == Hold::kNone) {
    told_.erase(inode);
    return false;
  }
  if (told_.size() >= kMostKnown) told_.clear();
  auto const [row, is_new] = told_.try_emplace(inode, hold);
  return is_new || std::exchange(row->second, hold) != hold;
}

}  // namespace tusfs
