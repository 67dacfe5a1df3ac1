#include "filesystem/report.h"

#include <algorithm>
#include <cerrno>

#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

constexpr std::size_t kPage = 1024;

std::string_view StateOf(Inode const& inode, std::optional<Upload> const& upload, bool sending) {
  switch (inode.content) {
    case Content::kWriting:
      return "writing";
    case Content::kSettling:
      return "settling";
    case Content::kInterrupted:
      return "interrupted";
    case Content::kFailed:
      return "failed";
    case Content::kUploaded:
      return "uploaded";
    case Content::kFinished:
      break;
  }
  if (!upload) return "queued";
  switch (upload->phase) {
    case UploadPhase::kRefused:
      return "failed";
    case UploadPhase::kUnconfirmed:
      return "unconfirmed";
    default:
      return sending || upload->offset > 0 ? "uploading" : "queued";
  }
}

bool IsOnItsWay(std::string_view state) {
  return state == "writing" || state == "settling" || state == "queued" || state == "uploading";
}

bool IsBeneath(std::string_view path, std::string_view top) {
  if (top.empty() || path == top) return true;
  return path.size() > top.size() && path.starts_with(top) && path[top.size()] == '/';
}

}  // namespace

Result<FileReport> Reporter::Describe(View const& view, Inode const& inode,
                                      std::string path) const {
  FileReport report;
  report.path = std::move(path);
  report.state = "local-only";
  // The record of an open file lags behind its bytes.
  auto const version = spool_.FindOpen(inode.version);
  report.size = version ? version->size() : inode.size;
  if (inode.type == FileType::kSymlink) {
    report.error = "a symbolic link is not uploaded";
    return report;
  }
  auto const upload = FindUpload(view, inode.upload);
  if (!upload) return Failure(upload.error());
  report.state = StateOf(inode, *upload, uploader_.IsSending(inode.id));
  report.error = inode.reason;
  if (*upload) {
    report.offset = (*upload)->offset;
    report.url = (*upload)->url;
    report.receipt = (*upload)->receipt;
    if ((*upload)->phase <= UploadPhase::kFinalSent) report.expires = (*upload)->expires;
    if (report.error.empty()) report.error = (*upload)->error;
  }
  bool const waits_for_name = report.state == "settling" && IsTemporaryName(inode.name);
  if (waits_for_name) report.error = "waits for its final name";
  report.finishes = !waits_for_name && IsOnItsWay(report.state);
  return report;
}

Result<FileReport> Reporter::Describe(InodeId id) const {
  return store_.Read([&](View const& view) -> Result<FileReport> {
    auto const inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    auto path = PathOf(view, *inode);
    if (!path && path.error().code != ENOENT) return Failure(path.error());
    return Describe(view, *inode, path.value_or(""));
  });
}

Result<std::vector<FileReport>> Reporter::List(std::string const& path) const {
  auto const top = store_.Read([&](View const& view) { return ResolvePath(view, path); });
  if (!top) return Failure(top.error());
  std::vector<FileReport> reports;
  if (top->type != FileType::kDirectory) {
    auto report = store_.Read([&](View const& view) { return Describe(view, *top, path); });
    if (!report) return Failure(report.error());
    reports.push_back(std::move(*report));
    return reports;
  }
  std::vector<std::pair<InodeId, std::string>> directories{{top->id, path}};
  while (!directories.empty()) {
    auto const directory = directories.back().first;
    auto const prefix = directories.back().second.empty() ? "" : directories.back().second + "/";
    directories.pop_back();
    std::vector<std::pair<InodeId, std::string>> below;
    for (std::uint64_t cookie = 0, more = 1; more != 0;) {
      auto const listed = ListSome(directory, prefix, cookie, reports, below);
      if (!listed) return Failure(listed.error());
      more = *listed;
      cookie = more;
    }
    directories.insert(directories.end(), below.rbegin(), below.rend());
  }
  return reports;
}

// One page of a directory in one look, so that nobody else waits for long. Returns the cookie to go
// on from, 0 at the end.
Result<std::uint64_t> Reporter::ListSome(
    InodeId directory, std::string const& prefix, std::uint64_t cookie,
    std::vector<FileReport>& reports,
    std::vector<std::pair<InodeId, std::string>>& directories) const {
  return store_.Read([&](View const& view) -> Result<std::uint64_t> {
    std::optional<Error> failure;
    std::size_t seen = 0;
    std::uint64_t last = 0;
    auto const visit = [&](std::string_view name, Entry const& entry) {
      if (++seen > kPage) return false;
      last = entry.sequence;
      auto full = prefix + std::string(name);
      if (entry.type == FileType::kDirectory) {
        directories.emplace_back(entry.inode, std::move(full));
        return true;
      }
      auto inode = GetInode(view, entry.inode);
      auto report = inode ? Describe(view, *inode, std::move(full))
                          : Result<FileReport>(Failure(inode.error()));
      if (!report) {
        failure = report.error();
        return false;
      }
      if (inode->parent != directory || inode->name != name) {
        report->state = "local-only";
        report->error = "another name of a file that is uploaded under its first one";
      }
      reports.push_back(std::move(*report));
      return true;
    };
    auto const visited = VisitEntries(view, directory, cookie, visit);
    if (failure) return Failure(*failure);
    if (!visited) return Failure(visited.error());
    return seen > kPage ? last : 0;
  });
}

Result<std::vector<FileReport>> Reporter::Unfinished(std::string const& path) const {
  auto const top = store_.Read([&](View const& view) { return ResolvePath(view, path); });
  if (!top) return Failure(top.error());
  std::vector<FileReport> reports;
  InodeId after = 0;
  while (true) {
    auto const page = store_.Read([&](View const& view) { return ListWork(view, after, kPage); });
    if (!page) return Failure(page.error());
    if (page->empty()) return reports;
    after = page->back();
    auto const described = store_.Read([&](View const& view) -> Result<void> {
      for (auto const id : *page) {
        auto const inode = GetInode(view, id);
        if (!inode || inode->links == 0) continue;
        auto const names = PathsOf(view, *inode);
        if (!names) return Failure(names.error());
        auto const beneath =
            std::find_if(names->begin(), names->end(),
                         [&](std::string const& name) { return IsBeneath(name, path); });
        if (beneath == names->end()) continue;
        auto report = Describe(view, *inode, *beneath);
        if (!report) return Failure(report.error());
        reports.push_back(std::move(*report));
      }
      return {};
    });
    if (!described) return Failure(described.error());
  }
}

Result<StatusReport> Reporter::Status() const {
  auto const files = List("");
  if (!files) return Failure(files.error());
  StatusReport status;
  for (auto const& file : *files) {
    ++status.files[file.state];
    if (file.state == "local-only") continue;
    status.accepted += file.size;
    status.confirmed += std::min(file.offset, file.size);
    status.spool_used += file.size;
  }
  auto const totals = store_.Read([](View const& view) { return GetTotals(view); });
  if (!totals) return Failure(totals.error());
  status.sent = totals->sent;
  status.resent = totals->resent;
  if (auto const space = spool_.Measure()) status.spool_limit = status.spool_used + space->free;
  status.server = uploader_.Server();
  return status;
}

}  // namespace tusfs
