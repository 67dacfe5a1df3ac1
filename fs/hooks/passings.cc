#include "hooks/passings.h"

#include <tusclient/redact.h>

#include <optional>
#include <set>

#include "base/message_ids.h"
#include "base/text.h"
#include "catalog/codec.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

using life::Standing;

struct File {
  Inode inode;
  std::optional<Upload> upload;

  [[nodiscard]] Standing standing() const { return life::StandingOf(inode, upload); }
};

/// Nothing where it is none, or cannot be read: whoever needs the catalog says what is wrong.
std::optional<File> FindFile(View const& view, InodeId id) {
  auto inode = GetInode(view, id);
  if (!inode || inode->type != FileType::kRegular || inode->links == 0) return std::nullopt;
  auto upload = FindUpload(view, inode->upload);
  if (!upload) return std::nullopt;
  return File{*std::move(inode), *std::move(upload)};
}

/// Whose state may be another one.
std::set<InodeId> FilesTouched(Transaction const& transaction) {
  std::set<InodeId> files;
  for (auto const& key : transaction.PutInto(Table::kInodes)) files.insert(KeyNumber(key));
  for (auto const& key : transaction.PutInto(Table::kUploads)) {
    auto const row = transaction.Get(Table::kUploads, key);
    if (!row || !*row) continue;
    auto const upload = DecodeUpload({}, **row);
    // Other phases need nobody, and a complete one comes with its file.
    bool const counts = upload && (upload->phase == UploadPhase::kRefused ||
                                   upload->phase == UploadPhase::kUnconfirmed);
    if (counts && upload->owner != 0) files.insert(upload->owner);
  }
  return files;
}

bool IsPassing(Standing into, std::optional<File> const& before) {
  if (!before) return into != Standing::kUploaded;
  return before->standing() != into;
}

Passing PassingOf(File const& file, std::string path) {
  Passing passing;
  passing.into = file.standing();
  passing.is_refused = !life::HasFailed(file.inode);
  passing.inode = file.inode.id;
  passing.path = std::move(path);
  passing.size = file.inode.size;
  passing.modified = file.inode.modified;
  if (passing.into != Standing::kUploaded) passing.reason = file.inode.reason;
  if (!file.upload) return passing;
  passing.upload = file.upload->id;
  passing.url = tus::RedactUrl(file.upload->url);
  bool const says_why = passing.into != Standing::kUploaded && passing.reason.empty();
  if (says_why) passing.reason = file.upload->error;
  return passing;
}

struct Words {
  LogLevel level;
  std::string_view message_id;
  char const* text;
};

Words WordsOf(Passing const& passing) {
  switch (passing.into) {
    case Standing::kInterrupted:
      return {LogLevel::kWarn, message_id::kInterrupted,
              "file is interrupted and will not be published: copy it here again, or say 'tusfsctl "
              "publish'"};
    case Standing::kUnconfirmed:
      return {LogLevel::kError, message_id::kUnconfirmed,
              "completion unknown: look on the server, then say 'tusfsctl accept' or 'tusfsctl "
              "retry'"};
    case Standing::kFailed:
      if (passing.is_refused) {
        return {LogLevel::kError, message_id::kFailed,
                "the server does not take a file, its bytes are kept: mend what it says, then say "
                "'tusfsctl retry'"};
      }
      return {LogLevel::kError, message_id::kFailed,
              "file failed on the local disk and will not be published: copy it here again"};
    case Standing::kUploaded:
    case Standing::kOpen:
      break;
  }
  return {LogLevel::kInfo, message_id::kUploaded, "uploaded"};
}

}  // namespace

std::vector<Passing> PassingsOf(Transaction const& transaction, PublishRules const& rules) {
  std::vector<Passing> passings;
  for (auto const id : FilesTouched(transaction)) {
    auto const after = FindFile(transaction, id);
    // Most operations leave a file open: what it was before need not be read for them.
    if (!after || after->standing() == Standing::kOpen) continue;
    if (!IsPassing(after->standing(), FindFile(transaction.Before(), id))) continue;
    auto path = PathOf(transaction, after->inode);
    if (!path) continue;
    bool const is_uploaded = after->standing() == Standing::kUploaded;
    if (!is_uploaded && rules.IgnoredBy(*path)) continue;
    passings.push_back(PassingOf(*after, *std::move(path)));
  }
  return passings;
}

void LogPassing(Log& log, Passing const& passing) {
  auto const words = WordsOf(passing);
  LogSubject const subject{.file = passing.path,
                           .upload = passing.upload.IsNil() ? "" : passing.upload.ToString(),
                           .message_id = words.message_id};
  auto const tail =
      passing.reason.empty() ? std::string() : " reason=\"" + Printable(passing.reason) + "\"";
  log.Tell(words.level, subject, "{} path=\"{}\" size={}{}", words.text, Printable(passing.path),
           passing.size, tail);
}

}  // namespace tusfs
