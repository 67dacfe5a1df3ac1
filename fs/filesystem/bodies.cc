#include "filesystem/bodies.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include "catalog/life.h"
#include "catalog/tables.h"
#include "filesystem/attributes.h"

namespace tusfs {
namespace {

constexpr char const* kNotHere =
    "its bytes are on the server only: with --read-back they could be read from there";

}  // namespace

void ForgetDecisions(Inode& inode) {
  inode.renamed = inode.approved = inode.synced = false;
  inode.size_before = inode.held = 0;
  if (life::IsUploaded(inode) && inode.regrown < std::numeric_limits<std::uint8_t>::max())
    ++inode.regrown;
}

// An upload that knows its length cannot become another one, and where bytes are on the server
// only, no other upload can have them.
Result<void> CheckChangeable(View const& view, Inode const& inode) {
  if (inode.trimmed == 0) return {};
  auto const upload = FindUpload(view, inode.upload);
  if (!upload) return Failure(upload.error());
  if (!*upload || !(*upload)->length) return {};
  return Fail(EIO, "its length was declared to the server, and its first " +
                       std::to_string(inode.trimmed) + " bytes are not here (trim=confirmed)");
}

Bodies::Bodies(Store& store, Spool& spool, Uploader& uploader, Finishing& finishing,
               OpenFiles const& open, Turns& turns, Removal& removal, RemoteBytes* remote,
               Clock const& clock, Logger logger)
    : store_(store),
      spool_(spool),
      uploader_(uploader),
      finishing_(finishing),
      open_(open),
      turns_(turns),
      removal_(removal),
      remote_(remote),
      clock_(clock),
      logger_(std::move(logger)),
      numbers_(store) {}

// ---- having them

Result<std::shared_ptr<Version>> Bodies::Make() {
  while (true) {
    auto const id = numbers_.Next();
    if (!id) return Failure(id.error());
    auto version = spool_.Create(*id);
    // Bytes of a catalog that was restored from an older copy keep their number.
    if (version || version.error().code != EEXIST) return version;
  }
}

void Bodies::Discard(Version const& version) {
  if (auto removed = spool_.Remove(version.id()); !removed) {
    logger_->Warn("spool file not removed, the next start tries again error=\"{}\"",
                  Describe(removed.error()));
  }
}

Result<void> Bodies::Load(ActiveFile& file, Inode const& inode) {
  if (file.version && file.version->id() == inode.version) return {};
  auto version = spool_.Find(inode.version, inode.size, inode.trimmed);
  if (!version && version.error().code == ENOENT) {
    return Fail(EIO,
                "the bytes of inode " + std::to_string(inode.id) + " are missing from the spool");
  }
  if (!version) return Failure(version.error());
  file.version = std::move(*version);
  return {};
}

// ---- stubs

Result<void> Bodies::Restore(ActiveFile& file, Inode& inode) {
  if (inode.version != 0) return Load(file, inode);
  return inode.size > 0 ? BringBack(file, inode) : GiveEmpty(file, inode);
}

Result<void> Bodies::BringBack(ActiveFile& file, Inode& inode) {
  if (remote_ == nullptr) return Fail(EIO, kNotHere);
  if (auto restored = remote_->Restore(inode.id); !restored) return restored;
  auto const now = store_.Read([&](View const& view) { return GetInode(view, inode.id); });
  if (!now) return Failure(now.error());
  inode = *now;
  return Load(file, inode);
}

Result<void> Bodies::GiveEmpty(ActiveFile& file, Inode& inode) {
  auto empty = Make();
  if (!empty) return Failure(empty.error());
  auto const given = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto current = GetInode(transaction, inode.id);
    if (!current) return Failure(current.error());
    inode.version = current->version = (*empty)->id();
    PutInode(transaction, *current);
    return {};
  });
  if (!given) {
    Discard(**empty);
    return given;
  }
  // Found again, it is not taken for a version that was never sent: what is empty was uploaded so.
  empty->reset();
  return Load(file, inode);
}

Result<std::size_t> Bodies::ReadStub(ActiveFile& file, std::uint64_t offset,
                                     std::span<std::byte> out) {
  auto const inode = store_.Read([&](View const& view) { return GetInode(view, file.inode); });
  if (!inode) return Failure(inode.error());
  if (inode->version != 0) {  // somebody has brought them back
    MutexLock lock(file.mutex);
    if (auto loaded = Load(file, *inode); !loaded) return Failure(loaded.error());
    return file.version->Read(offset, out);
  }
  if (offset >= inode->size) return 0;
  if (remote_ == nullptr) return Fail(EIO, kNotHere);
  return remote_->Read(file.inode, offset, out);
}

void Bodies::CloseStub(InodeId inode) {
  if (remote_ != nullptr) remote_->Close(inode);
}

// ---- changing how many there are

Result<std::optional<Uuid>> Bodies::Replace(Transaction& transaction, Inode& inode,
                                            VersionId version) {
  auto ownerless = DetachUpload(transaction, inode);
  if (!ownerless) return ownerless;
  removal_.RemoveBytesWhenDurable(transaction, inode.version);
  turns_.Leave(inode.version);
  inode.version = version;
  inode.size = inode.synced_size = inode.trimmed = 0;
  inode.rewrite = Rewrite::kNone;
  inode.modified = inode.changed = clock_.Wall();
  ForgetDecisions(inode);
  inode.regrown = 0;  // a new body under an old name
  life::BeginVersion(inode, HasWriters(inode.id));
  return ownerless;
}

Result<void> Bodies::Resize(ActiveFile& file, std::uint64_t size) {
  return size == 0 ? Empty(file) : ChangeSize(file, size);
}

Result<void> Bodies::Empty(ActiveFile& file) {
  auto version = Make();
  if (!version) return Failure(version.error());
  auto const id = file.inode;
  auto const ownerless =
      store_.Update([&](Transaction& transaction) -> Result<std::optional<Uuid>> {
        auto inode = GetInode(transaction, id);
        if (!inode) return Failure(inode.error());
        auto replaced = Replace(transaction, *inode, (*version)->id());
        if (replaced) PutInode(transaction, *inode);
        return replaced;
      });
  if (!ownerless) {
    Discard(**version);
    return Failure(ownerless.error());
  }
  file.version = std::move(*version);
  uploader_.Abandoned(id, *ownerless);
  return {};
}

Result<void> Bodies::ChangeSize(ActiveFile& file, std::uint64_t size) {
  if (auto dropped = file.version->DropTail(); !dropped) return dropped;
  file.changed_from = std::min({file.changed_from, size, file.version->size()});
  if (auto begun = BeginResize(file, size); !begun) return begun;
  auto const truncated = Truncate(file, size);
  if (truncated) file.version->SetModified(clock_.Wall());
  auto const ended = EndResize(file);
  finishing_.Settle(file.inode);
  return truncated ? ended : truncated;
}

// Should the daemon die over it, the file is not finished.
Result<void> Bodies::BeginResize(ActiveFile& file, std::uint64_t size) {
  return store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    if (auto changeable = CheckChangeable(transaction, *inode); !changeable) return changeable;
    inode->synced_size = std::min(inode->synced_size, size);
    ForgetDecisions(*inode);
    life::BeginResize(*inode);
    PutInode(transaction, *inode);
    return {};
  });
}

Result<void> Bodies::Truncate(ActiveFile& file, std::uint64_t size) {
  auto const old_size = file.version->size();
  if (size < old_size) {
    // A power cut must not bring the old size back without its bytes.
    if (auto synced = store_.Sync(); !synced) return synced;
  }
  while (true) {
    auto const changed = file.version->Truncate(size);
    if (!changed) return Failure(changed.error());
    if (!changed->was_sent) return {};
    auto let_go = uploader_.LetGo(file.inode, *file.version, *changed->was_sent);
    if (!let_go) return let_go;
  }
}

Result<void> Bodies::EndResize(ActiveFile& file) {
  auto const version = file.version;
  return store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    CatchUp(*inode, version.get());
    life::EndResize(*inode, HasWriters(file.inode));
    PutInode(transaction, *inode);
    return {};
  });
}

}  // namespace tusfs
