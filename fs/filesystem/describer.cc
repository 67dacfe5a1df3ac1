#include "filesystem/describer.h"

#include <chrono>
#include <deque>
#include <utility>
#include <vector>

#include "base/thread_name.h"
#include "catalog/codec.h"
#include "catalog/kept.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

// Many changes of one file in a row are one.
constexpr std::chrono::milliseconds kGather{200};
/// What was uploaded so long before the end of a daemon may be undescribed.
constexpr FileTime kBeforeItsEnd = 10'000'000'000;

Description::State StateOf(Content content) {
  switch (content) {
    case Content::kFinished:
      return Description::State::kFinished;
    case Content::kUploaded:
      return Description::State::kUploaded;
    case Content::kWriting:
    case Content::kSettling:
    case Content::kInterrupted:
    case Content::kFailed:
      break;
  }
  return Description::State::kUnfinished;
}

}  // namespace

Describer::Describer(Store& store, Spool& spool, Logger logger)
    : store_(store), spool_(spool), logger_(std::move(logger)) {
  observing_ = store_.Observe(
      [this](Table table, std::string_view key, std::optional<std::string_view> value) {
        if (!value) return;
        if (table == Table::kInodes) {
          Note(KeyNumber(key));
        } else if (table == Table::kNames) {
          auto const entry = DecodeEntry(*value);
          if (entry && entry->type == FileType::kDirectory) NoteMoved(entry->inode);
        } else if (table == Table::kUploads) {
          auto const upload = DecodeUpload({}, *value);
          // Of an upload only its URL is written down, which comes before its first byte.
          if (upload && upload->owner != 0 && upload->offset == 0) Note(upload->owner);
        }
      });
  thread_ = std::jthread([this](std::stop_token stop) {
    NameThread("describer");
    Run(std::move(stop));
  });
}

Describer::~Describer() {
  store_.EndObserving(observing_);
  thread_.request_stop();
  {
    MutexLock lock(mutex_);
    noted_.NotifyAll();
  }
  thread_.join();
  Catch();
}

void Describer::Note(InodeId inode) {
  MutexLock lock(mutex_);
  if (inodes_.empty()) noted_.NotifyOne();
  inodes_.insert(inode);
}

void Describer::NoteUnfinished(std::stop_token const& stop) {
  // Where the catalog has trouble, they are described when they are changed.
  static_cast<void>(VisitWork(store_, stop, [this](InodeId inode) { Note(inode); }));
}

void Describer::NoteLastUploaded(std::stop_token const& stop) {
  // In order of time, so the last ones are behind all others.
  std::deque<KeptFile> last;
  for (KeptFile after; !stop.stop_requested();) {
    auto const page = store_.Read([&](View const& view) { return ListKept(view, after, kPage); });
    if (!page || page->empty()) break;
    after = page->back();
    last.insert(last.end(), page->begin(), page->end());
    while (last.front().used < after.used - kBeforeItsEnd) last.pop_front();
  }
  for (auto const& file : last) Note(file.inode);
}

void Describer::NoteMoved(InodeId directory) {
  MutexLock lock(mutex_);
  if (inodes_.empty()) noted_.NotifyOne();
  inodes_.insert(directory);
  moved_.insert(directory);
}

void Describer::AddBeneath(std::set<InodeId> directories, std::set<InodeId>& inodes) const {
  while (!directories.empty()) {
    auto const directory = directories.extract(directories.begin()).value();
    auto const visited = store_.Read([&](View const& view) {
      return VisitEntries(view, directory, 0, [&](std::string_view, Entry const& entry) {
        (entry.type == FileType::kDirectory ? directories : inodes).insert(entry.inode);
        return true;
      });
    });
    if (!visited) return;  // whoever needs the catalog says what is wrong with it
  }
}

void Describer::Run(std::stop_token stop) {
  NoteUnfinished(stop);
  NoteLastUploaded(stop);
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      while (inodes_.empty() && !stop.stop_requested()) noted_.Wait(mutex_);
      auto const until = std::chrono::steady_clock::now() + kGather;
      while (!stop.stop_requested() && noted_.WaitUntil(mutex_, until)) {
      }
    }
    Catch();
  }
}

void Describer::Catch() {
  std::set<InodeId> inodes;
  std::set<InodeId> moved;
  {
    MutexLock lock(mutex_);
    inodes = std::exchange(inodes_, {});
    moved = std::exchange(moved_, {});
  }
  AddBeneath(std::move(moved), inodes);
  for (auto const inode : inodes) Describe(inode);
}

void Describer::Describe(InodeId id) {
  VersionId version = 0;
  auto const description = store_.Read([&](View const& view) -> Result<Description> {
    auto const inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    if (inode->type != FileType::kRegular || inode->version == 0) return Fail(ENOENT);
    auto path = PathOf(view, *inode);
    if (!path) return Failure(path.error());
    auto const upload = FindUpload(view, inode->upload);
    version = inode->version;
    return Description{.state = StateOf(inode->content),
                       .path = *std::move(path),
                       .mode = inode->mode,
                       .uid = inode->uid,
                       .gid = inode->gid,
                       .modified = inode->modified,
                       .trimmed = inode->trimmed,
                       .url = upload && *upload ? (*upload)->url : std::string()};
  });
  if (!description) return;  // it has gone
  auto const described = spool_.Describe(version, *description);
  bool const matters = !described && described.error().code != ENOENT;
  if (!matters || std::exchange(complained_, true)) return;
  logger_->Warn(
      "spool files cannot be described: if the catalog is ever lost, so are the names of the files "
      "error=\"{}\"",
      tusfs::Describe(described.error()));
}

}  // namespace tusfs
