#include "filesystem/removal.h"

#include <cerrno>

#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/directory.h"

namespace tusfs {

Result<Removal::Aftermath> Removal::RemoveName(Transaction& transaction, Inode& parent,
                                               std::string_view name, Entry const& entry,
                                               Inode& inode, Fate fate) {
  bool const is_last = IsDirectory(inode) || inode.links == 1;
  if (is_last) {
    if (auto noted = NoteFate(transaction, inode, fate); !noted) return Failure(noted.error());
  }
  bool const was_first = inode.parent == parent.id && inode.name == name;
  if (auto removed = RemoveEntry(transaction, parent.id, name, entry, inode); !removed) {
    return Failure(removed.error());
  }
  parent.modified = parent.changed = inode.changed = clock_.Wall();
  if (IsDirectory(inode)) {
    --parent.links;
    inode.links = 0;
  } else {
    --inode.links;
  }
  if (inode.links > 0) {
    if (was_first) NoteRename(inode);
    PutInode(transaction, inode);
    return Aftermath{.renamed = was_first ? inode.id : 0};
  }
  if (open_.Count(inode.id).handles == 0) return DropInode(transaction, inode);
  auto const ownerless = DetachUpload(transaction, inode);
  if (!ownerless) return Failure(ownerless.error());
  PutInode(transaction, inode);
  return Aftermath{.removed = inode.id, .ownerless = *ownerless};
}

Result<Removal::Aftermath> Removal::RemoveNames(Transaction& transaction, Inode inode, Fate fate) {
  auto const names = NamesOf(transaction, inode);
  if (!names) return Failure(names.error());
  Aftermath aftermath;
  for (auto const& [parent, name] : *names) {
    auto directory = GetDirectory(transaction, parent);
    if (!directory) return Failure(directory.error());
    auto const entry = FindEntry(transaction, parent, name);
    if (!entry) return Failure(entry.error());
    if (!*entry) return Fail(EUCLEAN, "a name of a file is missing in its directory");
    auto left = RemoveName(transaction, *directory, name, **entry, inode, fate);
    if (!left) return left;
    PutInode(transaction, *directory);
    if (left->removed != 0) aftermath = *left;
  }
  return aftermath;
}

// Of what was never written there is nothing to say.
Result<void> Removal::NoteFate(Transaction& transaction, Inode const& inode, Fate fate) const {
  if (inode.type != FileType::kRegular || life::IsUploaded(inode) || inode.size == 0) return {};
  auto const upload = FindUpload(transaction, inode.upload);
  if (!upload) return Failure(upload.error());
  return PutProof(transaction, fate, inode, *upload ? &**upload : nullptr, inode.reason,
                  clock_.Wall());
}

Result<Removal::Aftermath> Removal::DropInode(Transaction& transaction, Inode& inode) {
  auto const ownerless = DetachUpload(transaction, inode);
  if (!ownerless) return Failure(ownerless.error());
  if (auto deleted = DeleteInode(transaction, inode); !deleted) return Failure(deleted.error());
  RemoveBytesWhenDurable(transaction, inode.version);
  return Aftermath{.removed = inode.id, .ownerless = *ownerless};
}

void Removal::RemoveBytesWhenDurable(Transaction& transaction, VersionId version) {
  if (version == 0) return;
  // The store may run this when all that stands above it has gone.
  transaction.WhenDurable(
      [&spool = spool_, logger = logger_, version, going = spool_.budget().NoteGoing()] {
        if (auto removed = spool.Remove(version); !removed) {
          logger->Warn("spool file not removed, the next start tries again error=\"{}\"",
                       Describe(removed.error()));
        }
      });
}

void Removal::NoteRename(Inode& inode) {
  inode.renamed = true;
  if (auto const file = open_.FindFile(inode.id)) file->may_be_renamed = true;
}

void Removal::Tell(Aftermath const& aftermath) {
  if (aftermath.renamed != 0) TellRenamed(aftermath.renamed);
  if (aftermath.removed == 0) return;
  uploader_.Abandoned(aftermath.removed, aftermath.ownerless);
  uploader_.Forget(aftermath.removed);
}

void Removal::TellRenamed(InodeId inode) {
  finishing_.Settle(inode);
  uploader_.Nudge(inode);
}

}  // namespace tusfs
