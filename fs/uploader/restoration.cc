#include "uploader/restoration.h"

#include <cerrno>
#include <utility>

#include "catalog/kept.h"
#include "catalog/tables.h"

namespace tusfs {

Result<void> Restoration::Run(tus::Client& client) {
  auto done = Create();
  if (!done) return done;
  done = Download(client);
  if (done) done = version_->Sync();
  // Who opens it from now on must not take it for a version that was never sent.
  version_.reset();
  if (done) done = Adopt();
  if (!done) Discard();
  return done;
}

Result<void> Restoration::Create() {
  while (true) {
    auto const id = shared_.store.Update(
        [](Transaction& transaction) { return transaction.NewNumber(Counter::kVersion); });
    if (!id) return Failure(id.error());
    auto version = shared_.spool.Create(*id);
    if (version) {
      id_ = *id;
      version_ = *std::move(version);
      return {};
    }
    // Bytes of a catalog that was restored from an older copy keep their number.
    if (version.error().code != EEXIST) return Failure(version.error());
  }
}

Result<void> Restoration::Download(tus::Client& client) {
  Patience patience(shared_.retry);
  while (next_ < remote_.blocks()) {
    auto const first = next_;
    auto const end = FetchBlocks(client, shared_.store, remote_, first, *this, stop_.get_token());
    if (stop_.stop_requested()) return Fail(ECANCELED, "bringing it back was given up");
    if (end.own) return Failure(*end.own);
    if (!end.server) continue;
    if (next_ > first) patience.Renew();
    auto const delay = patience.Spend(*end.server, shared_.clock.Steady());
    if (!delay) return Failure(delay.error());
    Wait(*delay);
  }
  return {};
}

bool Restoration::Wants(std::uint64_t) { return !stop_.stop_requested(); }

Result<void> Restoration::Write(std::uint64_t offset, std::span<std::byte const> bytes) {
  auto const written = version_->Write(offset, bytes);
  if (!written) return Failure(written.error());
  return {};
}

void Restoration::Arrived(std::uint64_t block) { next_ = block + 1; }

Result<void> Restoration::Adopt() {
  return shared_.store.Update([&](Transaction& transaction) -> Result<void> {
    auto const remote = FindRemote(transaction, remote_.inode);
    if (!remote) return Failure(remote.error());
    if (remote->upload != remote_.upload || remote->size != remote_.size) {
      return Fail(ESTALE, "the file has changed meanwhile");
    }
    auto inode = GetInode(transaction, remote_.inode);
    if (!inode) return Failure(inode.error());
    inode->version = id_;
    inode->synced_size = remote_.size;
    inode->trimmed = 0;
    UseKept(transaction, *inode, shared_.clock.Wall());
    PutInode(transaction, *inode);
    return {};
  });
}

void Restoration::Discard() {
  if (auto removed = shared_.spool.Remove(id_); !removed) {
    shared_.logger->Warn("spool file not removed, the next start tries again error=\"{}\"",
                         Describe(removed.error()));
  }
}

void Restoration::Wait(std::chrono::milliseconds delay) {
  auto const until = shared_.clock.Steady() + delay;
  MutexLock lock(mutex_);
  while (!stop_.stop_requested() && shared_.clock.Steady() < until) {
    cancelled_.WaitUntil(mutex_, until);
  }
}

void Restoration::Cancel() {
  stop_.request_stop();
  MutexLock lock(mutex_);
  cancelled_.NotifyAll();
}

}  // namespace tusfs
