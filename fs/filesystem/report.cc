#include "filesystem/report.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/text.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/companions.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

// Of one look, in which nobody else changes anything.
constexpr std::chrono::microseconds kLongestLook{250};
constexpr std::chrono::microseconds kPauseOfReport{100};
constexpr std::size_t kSmallPage = 64;
// Whose rows are worth being let go of again.
constexpr std::uint64_t kManyFiles = 10'000;
constexpr std::string_view kLocalOnly = "local-only";

// Why what is no regular file stays here.
std::string WhyOfItsKind(FileType type) {
  switch (type) {
    case FileType::kSymlink:
      return "a symbolic link is not uploaded";
    case FileType::kFifo:
      return "a named pipe is not uploaded";
    case FileType::kSocket:
      return "a socket is not uploaded";
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      return "a device is not uploaded";
    case FileType::kDirectory:
    case FileType::kRegular:
      break;
  }
  return {};
}

std::string_view StateOf(Inode const& inode, std::optional<Upload> const& upload, bool sending) {
  using life::Standing;
  switch (life::StandingOf(inode, upload)) {
    case Standing::kInterrupted:
      return "interrupted";
    case Standing::kFailed:
      return "failed";
    case Standing::kUploaded:
      return "uploaded";
    case Standing::kUnconfirmed:
      return "unconfirmed";
    case Standing::kOpen:
      break;
  }
  if (life::IsBeingWritten(inode)) return "writing";
  if (life::IsSettling(inode)) return "settling";
  bool const is_refused = upload && upload->phase == UploadPhase::kRefused;
  if (!upload || is_refused) return "queued";
  return sending || upload->offset > 0 ? "uploading" : "queued";
}

std::string WhatFor(Hold hold) {
  switch (hold) {
    case Hold::kTemporary:
      return "waits for its final name";
    case Hold::kRename:
      return "waits for a rename";
    case Hold::kCommand:
      return "waits for the command";
    case Hold::kManual:
      return "waits for tusfsctl publish";
    case Hold::kWritten:
      return "is finished when all of it was written";
    case Hold::kCompanion:
      return "waits until another file beside it is gone: ";
    case Hold::kAfter:
      return "waits until another file is on the server: ";
    case Hold::kNone:
    case Hold::kIgnored:
      break;
  }
  return {};
}

constexpr int kMostHops = 64;

std::string PathOfInode(View const& view, InodeId id) {
  auto const inode = GetInode(view, id);
  return inode ? PathOf(view, *inode).value_or(inode->name) : "";
}

bool IsOnItsWay(std::string_view state) {
  return state == "writing" || state == "settling" || state == "queued" || state == "uploading";
}

// What parts hold is not the file's before they are joined: until then a byte is missing, as it is
// of what goes in one.
std::uint64_t OffsetOf(Upload const& upload, std::uint64_t size) {
  return upload.HasParts() ? std::min(upload.offset, std::max<std::uint64_t>(size, 1) - 1)
                           : upload.offset;
}

// What the server has of a file for good. Of an upload that it may have forgotten that is nothing.
std::uint64_t SafeOf(FileReport const& file) {
  return file.state == "unconfirmed" ? 0 : std::min(file.offset, file.size);
}

}  // namespace

std::string DescribeCut(Inode const& inode) {
  auto const had = std::to_string(std::max(inode.size_before, inode.size + inode.held));
  auto const whole = std::to_string(inode.size);
  if (inode.held == 0) return "of its " + had + " bytes only " + whole + " are left";
  return "of its " + had + " bytes " + whole + " are known to be whole, " +
         std::to_string(inode.held) + " more are kept and may be";
}

std::chrono::seconds StatusReport::OldestUnsentAge(FileTime now) const {
  if (oldest_unsent.empty()) return std::chrono::seconds(0);
  // A clock that was set back makes nothing younger than now.
  std::chrono::nanoseconds const age(std::max<FileTime>(now - oldest_unsent_at, 0));
  return std::chrono::duration_cast<std::chrono::seconds>(age);
}

Result<FileReport> Reporter::Describe(View const& view, Inode const& inode,
                                      std::string path) const {
  FileReport report;
  report.path = std::move(path);
  report.state = kLocalOnly;
  report.size = inode.size;
  report.error = WhyOfItsKind(inode.type);
  if (inode.type != FileType::kRegular) return report;
  // The record of an open file lags behind its bytes.
  if (auto const version = spool_.FindOpen(inode.version)) report.size = version->size();
  auto const upload = FindUpload(view, inode.upload);
  if (!upload) return Failure(upload.error());
  if (!life::IsUploaded(inode) && !MayBePublished(*upload)) {
    if (auto const pattern = finishing_.rules().IgnoredBy(report.path)) {
      report.error = "its name matches the ignored pattern " + *pattern;
      return report;
    }
  }
  report.state = StateOf(inode, *upload, uploader_.IsSending(inode.id));
  report.goes_first = !life::IsUploaded(inode) && uploader_.GoesFirst(view, inode);
  report.error = inode.reason;
  bool const is_interrupted = life::IsInterrupted(inode);
  if (inode.IsCut() && (is_interrupted || life::HasFailed(inode))) {
    report.held = inode.held;
    auto const left = report.size + report.held;
    report.missing = inode.size_before - std::min(inode.size_before, left);
  }
  if (inode.IsCut() && is_interrupted) {
    report.error +=
        (report.error.empty() ? "" : "; ") + DescribeCut(inode) + " (see tusfsctl publish --rest)";
  }
  if (*upload) {
    report.offset = OffsetOf(**upload, report.size);
    auto const reached = std::min(uploader_.in_flight().EndOf(inode.id), report.size);
    report.sending = reached - std::min(reached, report.offset);
    report.url = (*upload)->url;
    report.receipt = (*upload)->receipt;
    if (life::MayExpire((*upload)->phase)) report.expires = (*upload)->expires;
    if (report.error.empty()) report.error = (*upload)->error;
    bool const renamed = report.state == "uploaded" && !report.path.empty() &&
                         (*upload)->path != TargetPath(report.path);
    if (renamed) report.error = "uploaded as " + (*upload)->path;
    bool const is_past = (*upload)->phase == UploadPhase::kComplete && !(*upload)->last;
    if (report.state == "uploaded" && is_past && !renamed) {
      report.error = "something else may have been published under this name since";
    }
  }
  report.finishes = IsOnItsWay(report.state);
  if (finishing_.rules().Settles(inode)) DescribeHold(view, inode, report);
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

// At the end of the chain of those that wait for others. A circle ends by itself (after_rules.h).
bool Reporter::WillBeUploaded(View const& view, InodeId id) const {
  for (int hops = 0; hops < kMostHops; ++hops) {
    auto const next = finishing_.AwaitedBy(id);
    if (next) {
      id = *next;
      continue;
    }
    auto const inode = GetInode(view, id);
    if (!inode || life::IsUploaded(*inode)) return true;  // it waits for it no longer
    auto const report = Describe(view, *inode, PathOfInode(view, id));
    return !report || report->finishes;
  }
  return true;
}

void Reporter::DescribeHold(View const& view, Inode const& inode, FileReport& report) const {
  auto const& rules = finishing_.rules();
  auto hold = rules.HoldOf(inode, report.path);
  bool const may_have = hold == Hold::kNone && !inode.approved;
  auto const companion = may_have ? CompanionOf(view, inode) : std::nullopt;
  if (companion) hold = Hold::kCompanion;
  auto const awaited = may_have && !companion ? finishing_.AwaitedBy(inode.id) : std::nullopt;
  if (awaited) hold = Hold::kAfter;
  auto waits = WhatFor(hold);
  if (companion) waits += Printable(*companion);
  if (hold == Hold::kCommand) {
    if (auto const answer = finishing_.CommandAnswer(inode.id)) waits += ": " + *answer;
  }
  if (hold == Hold::kNone && inode.regrown > 0 && !inode.approved) {
    auto const time = finishing_.times().QuietTimeOf(inode, rules.by_path.SettleOf(report.path));
    auto const seconds = time.count() / 1000;
    waits = "was changed after it was uploaded, and settles for " + std::to_string(seconds) + " s";
  }
  if (awaited) waits += Printable(PathOfInode(view, *awaited));
  if (!waits.empty()) report.error += (report.error.empty() ? "" : "; ") + waits;
  report.finishes = hold == Hold::kNone || hold == Hold::kCommand || hold == Hold::kWritten ||
                    (awaited && WillBeUploaded(view, *awaited));
}

Result<FileReport> Reporter::DescribeOtherName(View const& view, Inode const& inode,
                                               std::string path) const {
  auto const first = PathOf(view, inode);
  if (!first) return Failure(first.error());
  auto report = Describe(view, inode, *first);
  if (!report) return report;
  report->path = std::move(path);
  report->state = kLocalOnly;
  report->error = "another name of " + *first;
  report->finishes = false;
  return report;
}

Reporter::Moment Reporter::Now() const {
  auto const totals = store_.Read([](View const& view) { return GetTotals(view); });
  // Where the catalog fails, whoever looks at files is told.
  return {.sent = totals ? totals->sent : 0,
          .reachable = uploader_.Server().reachable,
          .paused = uploader_.IsPaused(),
          .beneath = NotedBeneath()};
}

void Reporter::NoteBeneath(FilesBeneath const& beneath) {
  MutexLock lock(mutex_);
  beneath_ = beneath;
}

FilesBeneath Reporter::NotedBeneath() const {
  MutexLock lock(mutex_);
  return beneath_;
}

Result<FileType> Reporter::KindOf(std::string const& path) const {
  return store_.Read([&](View const& view) -> Result<FileType> {
    auto const top = ResolvePath(view, path);
    if (!top) return Failure(top.error());
    return top->type;
  });
}

Result<std::vector<FileReport>> Reporter::List(std::string const& path) const {
  std::vector<FileReport> reports;
  auto const visited = VisitAll(path, [&](FileReport const& report) {
    reports.push_back(report);
    return true;
  });
  if (!visited) return Failure(visited.error());
  return reports;
}

Result<void> Reporter::VisitOne(Inode const& top, std::string const& path,
                                Visit const& visit) const {
  auto const report = store_.Read([&](View const& view) {
    bool const is_first = PathOf(view, top).value_or("") == path;
    return is_first ? Describe(view, top, path) : DescribeOtherName(view, top, path);
  });
  if (!report) return Failure(report.error());
  visit(*report);
  return {};
}

Result<void> Reporter::VisitAll(std::string const& path, Visit const& visit) const {
  auto const top = store_.Read([&](View const& view) { return ResolvePath(view, path); });
  if (!top) return Failure(top.error());
  if (top->type != FileType::kDirectory) return VisitOne(*top, path, visit);
  std::vector<std::pair<InodeId, std::string>> directories{{top->id, path}};
  std::uint64_t visited = 0;
  while (!directories.empty()) {
    auto const [directory, name] = directories.back();
    directories.pop_back();
    auto const prefix = name.empty() ? "" : name + "/";
    auto const before = visited;
    std::vector<std::pair<InodeId, std::string>> below;
    for (std::uint64_t cookie = 0, more = 1; more != 0;) {
      std::vector<FileReport> page;
      auto const listed = ListSome(directory, prefix, cookie, page, below);
      if (!listed) return Failure(listed.error());
      visited += page.size();
      for (auto const& report : page) {
        if (!visit(report)) return {};
      }
      more = *listed;
      cookie = more;
      // A lock that is let go and taken again at once is not given to those who wait.
      if (more != 0) std::this_thread::sleep_for(kPauseOfReport);
    }
    if (visited == before && below.empty() && !name.empty()) {
      FileReport empty;
      empty.path = name;
      empty.state = kLocalOnly;
      empty.error = "an empty directory is not uploaded";
      if (!visit(empty)) return {};
    }
    directories.insert(directories.end(), below.rbegin(), below.rend());
  }
  if (visited > kManyFiles) store_.LetGoOfPages();
  return {};
}

// One page of a directory in one look, so that nobody else waits for long. Returns the cookie to go
// on from, 0 at the end.
Result<std::uint64_t> Reporter::ListSome(
    InodeId directory, std::string const& prefix, std::uint64_t cookie,
    std::vector<FileReport>& reports,
    std::vector<std::pair<InodeId, std::string>>& directories) const {
  return store_.Read([&](View const& view) -> Result<std::uint64_t> {
    std::optional<Error> failure;
    auto const end = std::chrono::steady_clock::now() + kLongestLook;
    bool more = false;
    std::uint64_t last = 0;
    auto const visit = [&](std::string_view name, Entry const& entry) {
      more = last != 0 && std::chrono::steady_clock::now() >= end;
      if (more) return false;
      last = entry.sequence;
      auto full = prefix + std::string(name);
      if (entry.type == FileType::kDirectory) {
        directories.emplace_back(entry.inode, std::move(full));
        return true;
      }
      auto const inode = GetInode(view, entry.inode);
      if (!inode) {
        failure = inode.error();
        return false;
      }
      bool const is_first = inode->parent == directory && inode->name == name;
      auto report = is_first ? Describe(view, *inode, std::move(full))
                             : DescribeOtherName(view, *inode, std::move(full));
      if (!report) {
        failure = report.error();
        return false;
      }
      reports.push_back(std::move(*report));
      return true;
    };
    auto const visited = VisitEntries(view, directory, cookie, visit);
    if (failure) return Failure(*failure);
    if (!visited) return Failure(visited.error());
    return more ? last : 0;
  });
}

Result<std::optional<FileReport>> Reporter::FindUnfinished(View const& view, InodeId id,
                                                           std::string const& path) const {
  auto const inode = GetInode(view, id);
  if (!inode && inode.error().code == ENOENT) return std::nullopt;
  if (!inode) return Failure(inode.error());
  bool const has_nothing = inode->type != FileType::kRegular || inode->links == 0;
  if (has_nothing || life::IsUploaded(*inode)) return std::nullopt;
  auto const names = PathsOf(view, *inode);
  if (!names) return Failure(names.error());
  auto const beneath = std::find_if(names->begin(), names->end(), [&](std::string const& name) {
    return IsAtOrBeneath(name, path);
  });
  if (beneath == names->end()) return std::nullopt;
  auto report = Describe(view, *inode, names->front());
  if (!report) return Failure(report.error());
  report->path = *beneath;
  return std::optional(*std::move(report));
}

Result<std::optional<FileReport>> Reporter::FindUnfinished(InodeId inode,
                                                           std::string const& path) const {
  return store_.Read([&](View const& view) { return FindUnfinished(view, inode, path); });
}

Result<void> Reporter::VisitUnfinished(std::string const& path, VisitFile const& visit) const {
  auto const top = store_.Read([&](View const& view) { return ResolvePath(view, path); });
  if (!top) return Failure(top.error());
  if (top->type != FileType::kDirectory) {
    auto const report = FindUnfinished(top->id, path);
    if (!report) return Failure(report.error());
    if (*report) visit(top->id, **report);
    return {};
  }
  InodeId after = 0;
  while (true) {
    auto const ids =
        store_.Read([&](View const& view) { return ListWork(view, after, kSmallPage); });
    if (!ids) return Failure(ids.error());
    if (ids->empty()) return {};
    after = ids->back();
    std::vector<std::pair<InodeId, FileReport>> page;
    auto const described = store_.Read([&](View const& view) -> Result<void> {
      for (auto const id : *ids) {
        auto report = FindUnfinished(view, id, path);
        if (!report) return Failure(report.error());
        if (*report) page.emplace_back(id, **std::move(report));
      }
      return {};
    });
    if (!described) return Failure(described.error());
    for (auto const& [id, report] : page) {
      if (!visit(id, report)) return {};
    }
    std::this_thread::sleep_for(kPauseOfReport);
  }
}

Result<std::vector<FileReport>> Reporter::Unfinished(std::string const& path) const {
  std::vector<FileReport> reports;
  auto const visited = VisitUnfinished(path, [&](InodeId, FileReport const& report) {
    reports.push_back(report);
    return true;
  });
  if (!visited) return Failure(visited.error());
  return reports;
}

// As List would show it under all its names.
Result<void> Reporter::Count(View const& view, Inode const& inode, StatusReport& status) const {
  if (inode.links == 0 || inode.id == kRootInode) return {};
  if (inode.type == FileType::kDirectory) {
    auto const empty = IsEmptyDirectory(view, inode.id);
    if (!empty) return Failure(empty.error());
    if (*empty) ++status.files[kLocalOnly];
    return {};
  }
  if (inode.links > 1) status.files[kLocalOnly] += inode.links - 1;
  if (inode.type == FileType::kRegular && life::IsUploaded(inode)) {
    // In the long run nearly all are such, and everything is known of them.
    ++status.files[StateOf(inode, {}, false)];
    status.accepted += inode.size;
    status.confirmed += inode.size;
    return {};
  }
  auto const path = PathOf(view, inode);
  if (!path) return Failure(path.error());
  auto const file = Describe(view, inode, *path);
  if (!file) return Failure(file.error());
  ++status.files[file->state];
  if (life::IsInterrupted(inode)) {
    status.interrupted += file->size - std::min(file->size, inode.trimmed);
    bool const is_oldest =
        status.oldest_interrupted.empty() || inode.changed < status.oldest_interrupted_at;
    if (is_oldest) {
      status.oldest_interrupted = *path;
      status.oldest_interrupted_at = inode.changed;
    }
  }
  if (file->state == kLocalOnly) return {};
  if (status.oldest_unsent.empty() || inode.changed < status.oldest_unsent_at) {
    status.oldest_unsent = *path;
    status.oldest_unsent_at = inode.changed;
  }
  status.accepted += file->size + file->held + file->missing;
  status.held += file->held;
  status.confirmed += SafeOf(*file);
  status.sending += file->sending;
  return {};
}

Result<StatusReport> Reporter::Status() const {
  StatusReport status;
  auto const counted = VisitInodes(
      store_, {}, [&](View const& view, Inode const& inode) { return Count(view, inode, status); });
  if (!counted) return Failure(counted.error());
  auto const totals = store_.Read([](View const& view) { return GetTotals(view); });
  if (!totals) return Failure(totals.error());
  status.sent = totals->sent;
  status.resent = totals->resent;
  status.dropped_files = totals->dropped_files;
  status.dropped_bytes = totals->dropped_bytes;
  auto const& budget = spool_.budget();
  status.spool_used = budget.used();
  status.spool_limit = budget.limit();
  status.waiting = budget.waiting();
  status.beneath = NotedBeneath();
  status.server = uploader_.Server();
  status.links = uploader_.LinkReports();
  return status;
}

}  // namespace tusfs
