#include "filesystem/recovery.h"

#include <tusclient/redact.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <limits>
#include <vector>

#include "base/file.h"
#include "catalog/give_up.h"
#include "catalog/life.h"
#include "catalog/tables.h"
#include "filesystem/left_open.h"

namespace tusfs {
namespace {

constexpr char const* kBootNote = "boot";

constexpr char const* kPowerCut = "the machine stopped before its bytes were on disk";
constexpr char const* kTorn =
    "the machine stopped while it was written over: its bytes may be partly old and partly new";

// How the last connection ended.
enum class LastEnd {
  kOrderly,    ///< all that was closed is on disk
  kSameBoot,   ///< processes died; the page cache has survived
  kOtherBoot,  ///< what was not synced may be gone
};

// Where the upload has to stay because only the server has some of the file's bytes: how many it
// has confirmed.
Result<std::uint64_t> ConfirmedOfTrimmed(View const& view, Inode const& inode) {
  if (inode.trimmed == 0) return std::uint64_t{0};
  auto const upload = FindUpload(view, inode.upload);
  if (!upload) return Failure(upload.error());
  return std::max(inode.trimmed, *upload ? (*upload)->offset : 0);
}

// The server may have bytes that the disk has lost, or has older ones of: another upload, where
// this one may be given up. `inode` is as the file is now.
Result<void> Detach(Transaction& transaction, Inode& inode) {
  auto const upload = FindUpload(transaction, inode.upload);
  if (!upload) return Failure(upload.error());
  if (!*upload) return {};
  bool const is_same = inode.rewrite == Rewrite::kNone && (*upload)->frontier == inode.size;
  auto const why = is_same ? GiveUpFor::kTrouble : GiveUpFor::kOtherBytes;
  if (WhyNotGivenUp(inode, **upload, why)) return {};
  auto const detached = DetachUpload(transaction, inode);
  if (!detached) return Failure(detached.error());
  return {};
}

// After another boot a file is what was synced of it: of what lies behind nobody knows whether it
// is whole. It stays where it is, and is said.
Result<void> CutToSynced(Transaction& transaction, Spool& spool, Inode& inode) {
  if (inode.synced) return {};
  auto const body = spool.Find(inode.version, Spool::kAsOnDisk, inode.trimmed);
  if (!body && body.error().code != ENOENT) return Failure(body.error());
  auto const on_disk = body ? (*body)->size() : 0;
  auto const confirmed = ConfirmedOfTrimmed(transaction, inode);
  if (!confirmed) return Failure(confirmed.error());
  auto const known = std::max(inode.synced_size, *confirmed);
  if (!body && known > 0) {
    life::Fail(inode, "its bytes are missing from the spool: " + Describe(body.error()));
    return {};
  }
  inode.size_before = std::max({inode.size_before, inode.size, on_disk});
  inode.size = std::min(known, on_disk);
  inode.held = on_disk - inode.size;
  inode.synced_size = inode.size;
  inode.synced = body.has_value();  // what can be read after a boot was on disk
  if (auto detached = Detach(transaction, inode); !detached) return detached;
  // Whoever called it complete had seen bytes that may be gone.
  inode.approved = inode.renamed = false;
  bool const is_torn = inode.rewrite != Rewrite::kNone;
  life::LosePower(inode, is_torn ? kTorn : kPowerCut, is_torn);
  if (is_torn) inode.rewrite = Rewrite::kTorn;
  // The name of a file that nobody synced may have come through without its body.
  if (!body) {
    if (auto made = spool.Create(inode.version); !made) return Failure(made.error());
  }
  return {};
}

// Of bytes that the disk has failed another boot may find fewer. A file that shows the size that it
// had would be taken for whole, by a copy that looks at size and time.
Result<void> ShowWhatIsLeft(Spool& spool, Inode& inode) {
  auto const body = spool.Find(inode.version, Spool::kAsOnDisk, inode.trimmed);
  if (!body && body.error().code == ENOENT) return {};
  if (!body) return Failure(body.error());
  if ((*body)->size() >= inode.size) return {};
  inode.size_before = std::max(inode.size_before, inode.size);
  inode.size = (*body)->size();
  inode.synced_size = std::min(inode.synced_size, inode.size);
  return {};
}

// Puts one unfinished file right.
Result<void> Mend(Transaction& transaction, Spool& spool, Unfinished const& unfinished,
                  LastEnd last, Inode& inode) {
  if (life::IsFinished(inode)) return {};
  if (life::HasFailed(inode)) return ShowWhatIsLeft(spool, inode);
  if (last == LastEnd::kOtherBoot) return CutToSynced(transaction, spool, inode);
  EndWriting(spool, unfinished, inode);
  return {};
}

Result<LastEnd> HowItEnded(Store const& store, RecoveryOptions const& options) {
  return store.Read([&](View const& view) -> Result<LastEnd> {
    auto const boot = GetNote(view, kBootNote);
    auto const connection = GetNote(view, kConnectionNote);
    auto const ended = GetNote(view, kEndedNote);
    if (!boot) return Failure(boot.error());
    if (!connection) return Failure(connection.error());
    if (!ended) return Failure(ended.error());
    if (!ended->empty() && *ended == *connection) return LastEnd::kOrderly;
    return *boot == options.boot_id ? LastEnd::kSameBoot : LastEnd::kOtherBoot;
  });
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
    PutNote(transaction, kEndedNote, "");
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
                              RecoveryOptions const& options) {
  auto const endpoint = store.Read([](View const& view) { return GetNote(view, kEndpointNote); });
  if (!endpoint) return Failure(endpoint.error());
  if (!endpoint->empty() && *endpoint != options.endpoint) {
    return Fail(EXDEV, "the state directory holds uploads to " + tus::RedactUrl(*endpoint) +
                           ", not to " + tus::RedactUrl(options.endpoint) +
                           (tus::HasSecret(*endpoint) || tus::HasSecret(options.endpoint)
                                ? ", or what is behind the '?' is another"
                                : "") +
                           ": mount that URL, or name another --state-dir");
  }
  auto const last = HowItEnded(store, options);
  if (!last) return Failure(last.error());
  auto const unfinished =
      store.Read([](View const& view) { return JudgeHandles(view, HandlesLeft::kUnknown, false); });
  if (!unfinished) return Failure(unfinished.error());
  auto const mended = ChangeWork(store, [&](Transaction& transaction, Inode& inode) {
    return Mend(transaction, spool, *unfinished, *last, inode);
  });
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
                            std::string(key) + " is '" + tus::RedactUrl(*then) + "', not '" +
                            tus::RedactUrl(now) + "'): unmount it and mount again");
  };
  if (auto same = check(kEndpointNote, options.endpoint); !same) return same;
  if (auto same = check(kBootNote, options.boot_id); !same) return same;
  if (auto same = check(kEndedNote, ""); !same) return same;
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
