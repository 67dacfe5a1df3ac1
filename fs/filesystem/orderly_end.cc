#include "filesystem/orderly_end.h"

#include <cerrno>
#include <utility>

#include "base/text.h"
#include "catalog/life.h"

namespace tusfs {
namespace {

// One syncfs waits for everything on that disk; it pays only for many files.
constexpr std::size_t kWorthOneSyncfs = 8;

bool NeedsSync(Inode const& inode) {
  bool const waits = life::IsClosed(inode);
  return waits && !inode.synced;
}

class BodySync {
 public:
  BodySync(Store& store, Spool& spool) : store_(store), spool_(spool) {}

  Result<void> Run() {
    for (InodeId after = 0;;) {
      auto const page = store_.Read([&](View const& view) { return ListWork(view, after, kPage); });
      if (!page) return Failure(page.error());
      if (page->empty()) return {};
      after = page->back();
      if (auto done = SyncSome(*page); !done) return done;
    }
  }

 private:
  Result<void> SyncSome(std::vector<InodeId> const& page) {
    std::vector<Inode> waiting;
    auto const looked = store_.Read([&](View const& view) -> Result<void> {
      for (auto const id : page) {
        auto inode = GetInode(view, id);
        if (!inode) return Failure(inode.error());
        if (NeedsSync(*inode)) waiting.push_back(*std::move(inode));
      }
      return {};
    });
    if (!looked || waiting.empty()) return looked;
    if (waiting.size() >= kWorthOneSyncfs && !std::exchange(flushed_, true)) spool_.Flush();
    for (auto& inode : waiting) {
      if (auto done = SyncOne(inode); !done) return done;
    }
    return store_.Update([&](Transaction& transaction) -> Result<void> {
      for (auto const& inode : waiting) PutInode(transaction, inode);
      return {};
    });
  }

  // The verdict is in the record. Errors: what says nothing of this one file.
  Result<void> SyncOne(Inode& inode) {
    auto const version = spool_.Find(inode.version, inode.size, inode.trimmed);
    if (!version && version.error().code != ENOENT) return Failure(version.error());
    auto const synced = version ? (*version)->Sync() : Result<void>(Failure(version.error()));
    if (!synced) return Fail(inode, Describe(synced.error()));
    if ((*version)->size() != inode.size) {
      return Fail(inode, "the spool has " + std::to_string((*version)->size()) + " bytes of its " +
                             std::to_string(inode.size));
    }
    inode.synced = true;
    inode.synced_size = inode.size;
    if (inode.rewrite == Rewrite::kBegun) inode.rewrite = Rewrite::kNone;
    return {};
  }

  Result<void> Fail(Inode& inode, std::string const& why) {
    life::Fail(inode, why);
    return {};
  }

  Store& store_;
  Spool& spool_;
  bool flushed_ = false;
};

}  // namespace

Result<void> EndConnection(Store& store, Spool& spool, ConnectionEnd const& end) {
  auto const unfinished = store.Read(
      [&](View const& view) { return JudgeHandles(view, end.handles, end.publish_unknown); });
  if (!unfinished) return Failure(unfinished.error());
  auto const closed = ChangeWork(store, [&](Transaction&, Inode& inode) -> Result<void> {
    EndWriting(spool, *unfinished, inode);
    return {};
  });
  if (!closed) return closed;
  auto const nameless = RemoveNameless(store);
  if (!nameless) return Failure(nameless.error());
  if (auto synced = BodySync(store, spool).Run(); !synced) return synced;
  auto const recorded = store.Update([](Transaction& transaction) -> Result<void> {
    auto const handles = ListHandles(transaction);
    if (!handles) return Failure(handles.error());
    for (auto const& handle : *handles) DeleteHandle(transaction, handle.id);
    auto const connection = GetNote(transaction, kConnectionNote);
    if (!connection) return Failure(connection.error());
    PutNote(transaction, kEndedNote, *connection);
    return {};
  });
  if (!recorded) return recorded;
  if (auto synced = store.Sync(); !synced) return synced;
  for (auto const version : *nameless) {
    // A leftover is swept by the next mount.
    [[maybe_unused]] auto const removed = spool.Remove(version);
  }
  return {};
}

}  // namespace tusfs
