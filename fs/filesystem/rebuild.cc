#include "filesystem/rebuild.h"

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "catalog/kept.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

constexpr char const* kWhy =
    "the catalog was damaged, and this is what the disk has of it: copy it again, or publish it";
constexpr std::uint32_t kDirectoryMode = 0755;

class Rebuilder {
 public:
  Rebuilder(Store& store, Clock const& clock, RecoveryOptions const& options)
      : store_(store), clock_(clock), options_(options) {}

  Result<void> MakeRoot() {
    return store_.Update([&](Transaction& transaction) -> Result<void> {
      PutInode(transaction, NewDirectory(kRootInode));
      return {};
    });
  }

  /// At `path`, or in lost+found where that is taken.
  Result<void> Add(Spool::Found const& found, std::string path) {
    return store_.Update([&](Transaction& transaction) -> Result<void> {
      auto placed = Place(transaction, path);
      if (placed && placed->taken) {
        placed = Place(transaction, std::string(kLostAndFound) + "/" + std::to_string(found.id));
      }
      if (!placed) return Failure(placed.error());
      auto const number = transaction.NewNumber(Counter::kInode);
      if (!number) return Failure(number.error());
      auto inode = FileOf(found);
      inode.id = *number;
      AddEntry(transaction, placed->directory, placed->name, inode);
      if (found.description) GiveUpload(transaction, *found.description, inode);
      PutInode(transaction, placed->directory);
      PutInode(transaction, inode);
      return {};
    });
  }

 private:
  struct Placed {
    Inode directory;
    std::string name;
    bool taken = false;
  };

  [[nodiscard]] Inode NewDirectory(InodeId id) const {
    Inode directory;
    directory.id = id;
    directory.type = FileType::kDirectory;
    directory.mode = kDirectoryMode;
    directory.uid = options_.uid;
    directory.gid = options_.gid;
    directory.links = 2;
    directory.accessed = directory.modified = directory.changed = clock_.Wall();
    return directory;
  }

  Result<Placed> Place(Transaction& transaction, std::string_view path) const {
    auto at = GetInode(transaction, kRootInode);
    while (at) {
      auto const slash = path.find('/');
      auto const name = path.substr(0, slash);
      auto const entry = FindEntry(transaction, at->id, name);
      if (!entry) return Failure(entry.error());
      if (slash == std::string_view::npos) {
        return Placed{*std::move(at), std::string(name), entry->has_value()};
      }
      path.remove_prefix(slash + 1);
      if (*entry) {
        auto next = GetInode(transaction, (*entry)->inode);
        if (next && next->type != FileType::kDirectory) {
          return Placed{*std::move(at), std::string(name), true};
        }
        at = std::move(next);
        continue;
      }
      auto const number = transaction.NewNumber(Counter::kInode);
      if (!number) return Failure(number.error());
      auto made = NewDirectory(*number);
      AddEntry(transaction, *at, name, made);
      ++at->links;
      PutInode(transaction, *at);
      PutInode(transaction, made);
      at = std::move(made);
    }
    return Failure(at.error());
  }

  [[nodiscard]] Inode FileOf(Spool::Found const& found) const {
    Inode file;
    file.links = 1;
    file.mode = 0600;
    file.uid = options_.uid;
    file.gid = options_.gid;
    file.version = found.id;
    file.size = file.synced_size = found.size;
    file.accessed = file.modified = file.changed = clock_.Wall();
    life::FindUnfinished(file, kWhy);
    if (!found.description) return file;
    auto const& description = *found.description;
    file.mode = description.mode;
    file.uid = description.uid;
    file.gid = description.gid;
    file.modified = description.modified;
    file.trimmed = description.trimmed;
    if (description.state == Description::State::kUnfinished) return file;
    if (description.state == Description::State::kUploaded) {
      life::FindUploaded(file);
    } else {
      life::FindFinished(file);
    }
    return file;
  }

  // What was finished may have been published: with the last word of its upload unknown, the
  // server is asked first.
  void GiveUpload(Transaction& transaction, Description const& description, Inode& inode) const {
    bool const finished = life::IsFinished(inode);
    if (life::IsUploaded(inode)) MarkUploaded(transaction, inode, clock_.Wall());
    // Of an unfinished file only where the server has the only copy of its head.
    bool const goes_on = life::IsInterrupted(inode) && inode.trimmed > 0;
    bool const unfinished = life::IsInterrupted(inode);
    if (description.url.empty() || (unfinished && !goes_on)) return;
    Upload upload;
    upload.id = Uuid::Random();
    upload.owner = inode.id;
    upload.version = inode.version;
    if (goes_on) {
      life::Create(upload);
    } else if (finished) {
      life::SendEnd(upload);
    } else {
      life::Complete(upload);
    }
    upload.url = description.url;
    upload.last = upload.phase == UploadPhase::kComplete;
    upload.path = TargetPath(description.path);
    upload.frontier = inode.size;
    upload.offset = finished ? 0 : inode.size;
    if (goes_on) upload.offset = inode.trimmed;
    upload.handed = upload.offset;
    upload.created = clock_.Wall();
    PutUpload(transaction, upload);
    inode.upload = upload.id;
  }

  Store& store_;
  Clock const& clock_;
  RecoveryOptions const& options_;
};

}  // namespace

Result<Rebuilt> RebuildCatalog(Store& store, Spool const& spool, Clock const& clock,
                               RecoveryOptions const& options, Logger const& logger) {
  auto const all = spool.ListDescribed();
  if (!all) return Failure(all.error());
  if (!all->empty()) {
    // Whoever opens a version by its number finds the right one.
    auto const skipped = store.SkipNumbers(Counter::kVersion, all->back().id);
    if (!skipped) return Failure(skipped.error());
  }
  Rebuilder rebuilder(store, clock, options);
  if (auto made = rebuilder.MakeRoot(); !made) return Failure(made.error());
  Rebuilt rebuilt;
  // The newest first: an older body of the same file has lost its name.
  for (auto found = all->rbegin(); found != all->rend(); ++found) {
    auto const path = found->description
                          ? found->description->path
                          : std::string(kLostAndFound) + "/" + std::to_string(found->id);
    if (auto added = rebuilder.Add(*found, path); !added) return Failure(added.error());
    ++rebuilt.files;
    if (!found->description) ++rebuilt.nameless;
    logger->Warn("found again in the spool path=\"{}\" bytes={}", Printable(path), found->size);
  }
  if (auto synced = store.Sync(); !synced) return Failure(synced.error());
  return rebuilt;
}

Result<std::filesystem::path> SetCatalogAside(std::filesystem::path const& catalog,
                                              Clock const& clock) {
  std::filesystem::path aside = catalog;
  aside += ".damaged-" + std::to_string(clock.Wall() / 1'000'000'000);
  std::error_code failed;
  std::filesystem::rename(catalog, aside, failed);
  if (failed) return Fail(failed.value(), catalog.string() + ": " + failed.message());
  return aside;
}

}  // namespace tusfs
