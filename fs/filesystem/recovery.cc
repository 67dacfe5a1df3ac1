#include "filesystem/recovery.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <limits>
#include <map>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr char const* kEndpointNote = "endpoint";
constexpr char const* kBootNote = "boot";
constexpr char const* kConnectionNote = "connection";
constexpr std::size_t kPage = 256;
constexpr auto kAsOnDisk = std::numeric_limits<std::uint64_t>::max();

// Why a file is not finished, by what its handles of the last connection say; nothing where each
// of them was closed cleanly.
using Unfinished = std::map<InodeId, std::string>;

Result<Unfinished> CloseHandles(Store& store) {
  Unfinished unfinished;
  auto const handles = store.Read([](View const& view) { return ListHandles(view); });
  if (!handles) return Failure(handles.error());
  for (auto const& handle : *handles) {
    if (!handle.changed) continue;
    if (handle.dirty) {
      unfinished[handle.inode] = "it was being written when the mount ended";
    } else if (handle.verdict != Verdict::kClean) {
      unfinished[handle.inode] = handle.reason;
    }
  }
  return unfinished;
}

// The version as the disk has it after the same boot: writes reach it before the catalog.
Result<void> TakeFromDisk(Spool& spool, Inode& inode) {
  auto const version = spool.Find(inode.version, kAsOnDisk, inode.trimmed);
  if (!version) return Failure(version.error());
  auto const modified = (*version)->ModifiedOnDisk();
  if (!modified) return Failure(modified.error());
  if ((*version)->size() != inode.size) inode.modified = inode.changed = *modified;
  inode.size = (*version)->size();
  return {};
}

Result<void> Interrupt(Inode& inode, std::string reason) {
  inode.content = Content::kInterrupted;
  inode.reason = std::move(reason);
  return {};
}

// Puts one unfinished file right; `same_boot`: its page cache has survived.
Result<void> Mend(Transaction& transaction, Spool& spool, Inode& inode,
                  Unfinished const& unfinished, bool same_boot) {
  bool const open = inode.content == Content::kWriting;
  if (inode.content == Content::kFinished || inode.content == Content::kFailed) return {};
  if (!same_boot) {
    // The server may have bytes that the disk has lost, or has older ones of.
    auto const detached = DetachUpload(transaction, inode);
    if (!detached) return Failure(detached.error());
    inode.size = inode.synced_size;
    // Whoever called it complete had seen bytes that may be gone.
    inode.approved = inode.renamed = false;
    // The name of a file that nobody synced may have come through without its empty body.
    auto const body = spool.Find(inode.version, inode.size, inode.trimmed);
    if (!body && body.error().code == ENOENT && inode.size == 0) {
      if (auto made = spool.Create(inode.version); !made) return Failure(made.error());
    }
    if (inode.content == Content::kInterrupted) return {};
    return Interrupt(inode, "the machine stopped before its bytes were on disk");
  }
  if (!open) return {};
  if (auto taken = TakeFromDisk(spool, inode); !taken) {
    inode.content = Content::kFailed;
    inode.reason = "its bytes are missing from the spool: " + Describe(taken.error());
    return {};
  }
  if (auto const found = unfinished.find(inode.id); found != unfinished.end()) {
    return Interrupt(inode, found->second);
  }
  if (!inode.reason.empty()) return Interrupt(inode, inode.reason);
  inode.content = Content::kSettling;
  return {};
}

Result<void> MendFiles(Store& store, Spool& spool, Unfinished const& unfinished, bool same_boot,
                       Logger const& logger) {
  InodeId after = 0;
  while (true) {
    auto const page = store.Read([&](View const& view) { return ListWork(view, after, kPage); });
    if (!page) return Failure(page.error());
    if (page->empty()) return {};
    after = page->back();
    auto const mended = store.Update([&](Transaction& transaction) -> Result<void> {
      for (auto const id : *page) {
        auto inode = GetInode(transaction, id);
        if (!inode) return Failure(inode.error());
        auto const before = inode->content;
        if (auto done = Mend(transaction, spool, *inode, unfinished, same_boot); !done) return done;
        if (before != Content::kInterrupted && inode->content == Content::kInterrupted) {
          logger->Warn(
              "file is interrupted and will not be published name=\"{}\" size={} "
              "reason=\"{}\"",
              Printable(inode->name), inode->size, inode->reason);
        }
        PutInode(transaction, *inode);
      }
      return {};
    });
    if (!mended) return mended;
  }
}

// Removes the inodes without a name; only open handles have kept them. Returns the versions that
// they had.
Result<std::vector<VersionId>> RemoveNameless(Store& store) {
  std::vector<VersionId> versions;
  auto const handles = store.Read([](View const& view) { return ListHandles(view); });
  if (!handles) return Failure(handles.error());
  for (auto const& handle : *handles) {
    VersionId version = 0;
    auto const removed = store.Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, handle.inode);
      if (!inode && inode.error().code == ENOENT) return {};  // open more than once
      if (!inode) return Failure(inode.error());
      if (inode->links > 0) return {};
      version = inode->version;
      auto detached = DetachUpload(transaction, *inode);
      if (!detached) return Failure(detached.error());
      return DeleteInode(transaction, *inode);
    });
    if (!removed) return Failure(removed.error());
    if (version != 0) versions.push_back(version);
  }
  return versions;
}

// The last record of a recovery: a kill before it repeats everything.
Result<std::uint64_t> BeginConnection(Store& store, Clock const& clock,
                                      RecoveryOptions const& options) {
  return store.Update([&](Transaction& transaction) -> Result<std::uint64_t> {
    auto const handles = ListHandles(transaction);
    if (!handles) return Failure(handles.error());
    for (auto const& handle : *handles) DeleteHandle(transaction, handle.id);
    PutNote(transaction, kEndpointNote, options.endpoint);
    PutNote(transaction, kBootNote, options.boot_id);
    auto const root = GetInode(transaction, kRootInode);
    if (!root && root.error().code != ENOENT) return Failure(root.error());
    if (!root) {
      Inode fresh;
      fresh.id = kRootInode;
      fresh.type = FileType::kDirectory;
      fresh.mode = 0755;
      fresh.uid = options.uid;
      fresh.gid = options.gid;
      fresh.links = 2;
      fresh.accessed = fresh.modified = fresh.changed = clock.Wall();
      PutInode(transaction, fresh);
    }
    auto const connection = transaction.NewNumber(Counter::kConnection);
    if (connection) PutNote(transaction, kConnectionNote, std::to_string(*connection));
    return connection;
  });
}

}  // namespace

Result<std::uint64_t> Recover(Store& store, Spool& spool, Clock const& clock,
                              RecoveryOptions const& options, Logger logger) {
  auto const endpoint = store.Read([](View const& view) { return GetNote(view, kEndpointNote); });
  auto const boot = store.Read([](View const& view) { return GetNote(view, kBootNote); });
  if (!endpoint) return Failure(endpoint.error());
  if (!boot) return Failure(boot.error());
  if (!endpoint->empty() && *endpoint != options.endpoint) {
    return Fail(EXDEV, "the state directory holds uploads to " + *endpoint +
                           ", not to this server: mount that URL, or name another --state-dir");
  }
  auto const unfinished = CloseHandles(store);
  if (!unfinished) return Failure(unfinished.error());
  auto const mended = MendFiles(store, spool, *unfinished, *boot == options.boot_id, logger);
  if (!mended) return Failure(mended.error());
  auto const needless = RemoveNameless(store);
  if (!needless) return Failure(needless.error());
  auto const connection = BeginConnection(store, clock, options);
  if (!connection) return connection;
  if (auto synced = store.Sync(); !synced) return Failure(synced.error());
  for (auto const version : *needless) {
    if (auto removed = spool.Remove(version); !removed) return Failure(removed.error());
  }
  return connection;
}

Result<void> Resume(Store const& store, RecoveryOptions const& options, std::uint64_t connection) {
  auto const check = [&](char const* key, std::string const& now) -> Result<void> {
    auto const then = store.Read([&](View const& view) { return GetNote(view, key); });
    if (!then) return Failure(then.error());
    if (*then == now) return {};
    return Fail(ESTALE, "the state directory is not as this mount has left it (its " +
                            std::string(key) + " is '" + *then + "', not '" + now +
                            "'): unmount it and mount again");
  };
  if (auto same = check(kEndpointNote, options.endpoint); !same) return same;
  if (auto same = check(kBootNote, options.boot_id); !same) return same;
  return check(kConnectionNote, std::to_string(connection));
}

// Safe beside the filesystem, because only versions of earlier processes are looked at:
//  * This process numbers its versions from FirstNumber on, so one below it is never just being
//    made by somebody who has not told the catalog yet. What lies above it without being ours
//    belongs to a newer catalog, of which this one may be a copy.
//  * A version is given to an inode once, by the call that made it. So none below that number
//    comes to an inode, or to another one, any more: a reference can only go away.
//  * VisitInodes misses no inode that has such a reference now and keeps it.
// What is found without a reference may have lost it a moment ago, and a power cut would bring that
// back: hence the Sync, since bytes go last. Removing it a second time when the store has
// committed, as the filesystem does, is harmless.
Result<std::uint64_t> SweepLeftovers(Store& store, Spool& spool, std::stop_token stop) {
  auto const first_of_ours = store.FirstNumber(Counter::kVersion);
  std::vector<VersionId> there;
  auto const listed = spool.Sweep(
      [&](VersionId version) {
        if (version < first_of_ours) there.push_back(version);
        return true;
      },
      stop);
  if (!listed) return listed;
  if (there.empty()) return 0;  // no need to ask a catalog of many names
  std::sort(there.begin(), there.end());
  std::vector<VersionId> used;
  auto const visited =
      VisitInodes(store, stop, [&](View const&, Inode const& inode) -> Result<void> {
        bool const is_there = std::binary_search(there.begin(), there.end(), inode.version);
        if (is_there) used.push_back(inode.version);
        return {};
      });
  if (!visited) return Failure(visited.error());
  if (stop.stop_requested()) return 0;
  std::sort(used.begin(), used.end());
  std::vector<VersionId> needless;
  std::set_difference(there.begin(), there.end(), used.begin(), used.end(),
                      std::back_inserter(needless));
  if (needless.empty()) return 0;
  if (auto synced = store.Sync(); !synced) return Failure(synced.error());
  return spool.Sweep(
      [&](VersionId version) {
        return !std::binary_search(needless.begin(), needless.end(), version);
      },
      stop);
}

Result<std::string> ReadBootId() {
  auto text = ReadSmallFile("/proc/sys/kernel/random/boot_id");
  if (!text) return text;
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return text;
}

}  // namespace tusfs
