#include "filesystem/xattrs.h"

#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "catalog/tables.h"
#include "filesystem/attributes.h"
#include "uploader/inherited_metadata.h"

namespace tusfs {
namespace {

constexpr std::string_view kStatusPrefix = "user.tusfs.";
constexpr std::array<std::string_view, 3> kNamespaces = {"user.", "trusted.", "security."};
constexpr std::string_view kLabel = "security.selinux";
constexpr std::size_t kPageOfXattrs = 1024;
constexpr std::size_t kMostBytes = std::size_t{64} << 10;  // of one inode, as on ext4 and the like

// ACLs (system.posix_acl_*) are nobody's here: the mode is all there is.
bool IsKept(std::string_view name) {
  for (auto const prefix : kNamespaces) {
    if (name.starts_with(prefix) && name.size() > prefix.size()) return true;
  }
  return false;
}

// Alone, without the name of an attribute.
bool IsNamespace(std::string_view name) {
  return std::find(kNamespaces.begin(), kNamespaces.end(), name) != kNamespaces.end();
}

bool IsStatus(std::string_view name) { return name.starts_with(kStatusPrefix); }

// Of a receipt, what tells nothing about who sent the file, where it is and what may be done with
// it.
std::string HarmlessPart(std::string_view receipt) {
  constexpr std::array<std::string_view, 8> kHarmless{
      "content-length", "content-type",  "date",          "etag",
      "last-modified",  "tus-resumable", "upload-length", "upload-offset"};
  std::string harmless;
  while (!receipt.empty()) {
    auto const line = receipt.substr(0, receipt.find('\n'));
    if (line.empty()) break;  // the body follows
    receipt.remove_prefix(std::min(line.size() + 1, receipt.size()));
    std::string name(line.substr(0, line.find(':')));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    bool const shown = std::find(kHarmless.begin(), kHarmless.end(), name) != kHarmless.end();
    if (shown) harmless += std::string(line) + "\n";
  }
  return harmless;
}

Result<std::size_t> BytesOf(View const& view, InodeId inode) {
  auto const names = ListXattrs(view, inode);
  if (!names) return Failure(names.error());
  std::size_t bytes = 0;
  for (auto const& name : *names) {
    auto const value = FindXattr(view, inode, name);
    if (!value) return Failure(value.error());
    bytes += name.size() + value->value_or("").size();
  }
  return bytes;
}

}  // namespace

Result<std::string> Xattrs::GetStatus(Caller const& caller, InodeId id,
                                      std::string_view field) const {
  auto const inode = store_.Read([&](View const& view) { return GetInode(view, id); });
  if (!inode) return Failure(inode.error());
  if (inode->type == FileType::kDirectory) return Fail(ENODATA);
  auto const report = reporter_.Describe(id);
  if (!report) return Failure(report.error());
  bool const is_owner = caller.uid == 0 || caller.uid == inode->uid;
  std::string value;
  if (field == "state") {
    value = report->state;
  } else if (field == "offset") {
    value = std::to_string(report->offset);
  } else if (field == "size") {
    value = std::to_string(report->size);
  } else if (field == "error") {
    value = report->error;
  } else if (field == "receipt") {
    value = is_owner ? report->receipt : HarmlessPart(report->receipt);
  } else if (field == "url") {
    if (!is_owner) return Fail(EACCES);
    value = report->url;
  }
  if (value.empty()) return Fail(ENODATA);
  return value;
}

// Whether any file may have one: looked up once, a page at a time, so that nobody waits for long.
bool Xattrs::MayHaveLabels() const {
  if (labels_ != Labels::kNotKnown) return labels_ == Labels::kSome;
  for (XattrKey after;;) {
    auto const page =
        store_.Read([&](View const& view) { return ListAllXattrs(view, after, kPageOfXattrs); });
    if (!page) return true;
    bool const some = std::any_of(page->begin(), page->end(),
                                  [](XattrKey const& xattr) { return xattr.name == kLabel; });
    auto unknown = Labels::kNotKnown;  // a label may have come meanwhile
    if (some || page->size() < kPageOfXattrs) {
      labels_.compare_exchange_strong(unknown, some ? Labels::kSome : Labels::kNone);
      return labels_ == Labels::kSome;
    }
    after = page->back();
  }
}

Result<std::string> Xattrs::Get(Caller const& caller, InodeId id, std::string_view name) const {
  if (!IsKept(name)) return Fail(EOPNOTSUPP);
  // ls -l asks for it, file by file, until it hears that there are none. Where SELinux is at work
  // the kernel answers by itself.
  if (name == kLabel && !MayHaveLabels()) return Fail(EOPNOTSUPP);
  if (IsStatus(name)) return GetStatus(caller, id, name.substr(kStatusPrefix.size()));
  auto value = store_.Read([&](View const& view) { return FindXattr(view, id, name); });
  if (!value) return Failure(value.error());
  if (!*value) return Fail(ENODATA);
  return **std::move(value);
}

Result<std::vector<std::string>> Xattrs::List(Caller const& caller, InodeId id) const {
  auto names = store_.Read([&](View const& view) { return ListXattrs(view, id); });
  // What others may not read they are not told of.
  if (names && caller.uid != 0) {
    std::erase_if(*names, [](std::string const& name) { return name.starts_with("trusted."); });
  }
  return names;
}

Result<void> Xattrs::Set(Caller const& caller, InodeId id, std::string_view name,
                         std::string_view value, int flags) {
  if (IsStatus(name)) return Fail(EPERM);
  if (IsNamespace(name)) return Fail(EINVAL);
  if (!IsKept(name)) return Fail(EOPNOTSUPP);
  if (auto const why = WhyNoMetadataKey(name)) return Fail(EINVAL, *why);
  if (name == kLabel) labels_ = Labels::kSome;
  auto const decide = [&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, id);
    if (!inode) return Failure(inode.error());
    auto const old = FindXattr(transaction, id, name);
    if (!old) return Failure(old.error());
    if (*old && (flags & XATTR_CREATE) != 0) return Fail(EEXIST);
    if (!*old && (flags & XATTR_REPLACE) != 0) return Fail(ENODATA);
    auto const used = BytesOf(transaction, id);
    if (!used) return Failure(used.error());
    auto const freed = *old ? name.size() + (*old)->size() : 0;
    if (*used - freed + name.size() + value.size() > kMostBytes) return Fail(ENOSPC);
    PutXattr(transaction, id, name, value);
    inode->changed = clock_.Wall();
    PutInode(transaction, *inode);
    replies_.Remember(transaction, caller, id);
    return {};
  };
  auto set = replies_.DecideOnce(caller, decide, Done);
  if (set && name == kCapability) MayHavePrivileges(id);
  return set;
}

Result<void> Xattrs::Remove(Caller const& caller, InodeId id, std::string_view name) {
  if (IsStatus(name)) return Fail(EPERM);
  if (!IsKept(name)) return Fail(EOPNOTSUPP);
  auto const decide = [&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, id);
    if (!inode) return Failure(inode.error());
    auto const old = FindXattr(transaction, id, name);
    if (!old) return Failure(old.error());
    if (!*old) return Fail(ENODATA);
    DeleteXattr(transaction, id, name);
    inode->changed = clock_.Wall();
    PutInode(transaction, *inode);
    replies_.Remember(transaction, caller, id);
    return {};
  };
  return replies_.DecideOnce(caller, decide, Done);
}

void Xattrs::MayHavePrivileges(InodeId inode) {
  auto const file = open_.FindFile(inode);
  if (!file) return;
  MutexLock lock(file->mutex);
  file->is_unprivileged = false;
}

}  // namespace tusfs
