// Filesystem: what of the spool will go without anybody's help, and what goes by rule.
#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/filesystem.h"

namespace tusfs {
namespace {

constexpr std::size_t kPage = 256;

bool WaitsForSomebody(Inode const& inode, std::string const& path,
                      std::optional<Upload> const& upload, PublishRules const& rules) {
  switch (inode.content) {
    case Content::kSettling: {
      auto const hold = rules.HoldOf(inode, path);
      return hold != Hold::kNone && hold != Hold::kCommand;
    }
    case Content::kInterrupted:
      return !rules.Settles(inode);
    case Content::kFinished:
      if (rules.IgnoredBy(path) && !MayBePublished(upload)) return true;
      return upload && (upload->phase == UploadPhase::kUnconfirmed ||
                        (upload->phase == UploadPhase::kRefused && !upload->error.empty()));
    case Content::kFailed:
    case Content::kWriting:
    case Content::kUploaded:
      break;
  }
  return true;
}

}  // namespace

Result<Filesystem::Outlook> Filesystem::LookAhead(bool trims, std::stop_token stop) const {
  Outlook outlook;
  InodeId after = 0;
  for (bool more = true; more && !stop.stop_requested();) {
    // Pages, so that nobody else waits for long.
    auto const looked = store_.Read([&](View const& view) -> Result<void> {
      auto const page = ListWork(view, after, kPage);
      if (!page) return Failure(page.error());
      more = !page->empty();
      for (auto const id : *page) {
        after = id;
        auto const inode = GetInode(view, id);
        if (!inode || inode->links == 0) continue;
        auto const bytes = inode->size - std::min(inode->size, inode->trimmed);
        if (open_.Count(id).writing > 0 || life::IsBeingWritten(*inode)) {
          outlook.goes_on = outlook.goes_on || trims;
          continue;
        }
        auto const path = PathOf(view, *inode);
        if (!path) return Failure(path.error());
        auto const upload = FindUpload(view, inode->upload);
        if (!upload) return Failure(upload.error());
        if (!WaitsForSomebody(*inode, *path, *upload, uploader_.rules())) {
          outlook.goes_on = outlook.goes_on || bytes > 0;
          continue;
        }
        outlook.stuck += bytes;
        if (!life::IsInterrupted(*inode) || inode->trimmed > 0 || bytes == 0) continue;
        outlook.interrupted.push_back({.since = inode->changed, .inode = id});
      }
      return {};
    });
    if (!looked) return Failure(looked.error());
  }
  std::ranges::sort(outlook.interrupted, {}, &Outlook::Interrupted::since);
  return outlook;
}

Result<std::string> Filesystem::PathOfFile(InodeId id) const {
  return store_.Read([&](View const& view) -> Result<std::string> {
    auto const inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    return PathOf(view, *inode);
  });
}

Result<std::optional<std::uint64_t>> Filesystem::DropInterrupted(InodeId id) {
  std::string path;
  std::uint64_t bytes = 0;
  auto const dropped =
      RemoveFile(id, [&](Transaction& transaction, Inode const& inode) -> Result<bool> {
        bool const may_go = inode.type == FileType::kRegular && life::IsInterrupted(inode) &&
                            inode.trimmed == 0 && !uploader_.rules().Settles(inode) &&
                            open_.FindFile(id) == nullptr;
        if (!may_go) return false;
        path = PathOf(transaction, inode).value_or(inode.name);
        bytes = inode.size;
        auto totals = GetTotals(transaction);
        if (!totals) return Failure(totals.error());
        ++totals->dropped_files;
        totals->dropped_bytes += bytes;
        PutTotals(transaction, *totals);
        return true;
      });
  if (!dropped) return Failure(dropped.error());
  if (!*dropped) return std::optional<std::uint64_t>();
  logger_->Warn(
      "an interrupted file is given up, the spool is full (full=drop-interrupted) path=\"{}\" "
      "bytes={}",
      Printable(path), bytes);
  return std::optional(bytes);
}

}  // namespace tusfs
