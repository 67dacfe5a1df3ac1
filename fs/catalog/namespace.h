// Names: which inode a directory has under which name, in an order that survives changes.
//
// Rows: names (parent + name → entry), entries (parent + sequence → name, inode, type; the
// sequence is the readdir cookie and is never reused in a directory), links (inode + parent + name
// of the names beyond the primary one, which the inode itself remembers). Functions run inside
// the caller's Store::Read or Store::Update and write exactly what they say.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

/// Nothing where the directory has no such name.
[[nodiscard]] Result<std::optional<Entry>> FindEntry(View const& view, InodeId parent,
                                                     std::string_view name);

/// Adds `name` for `inode` to `parent`, which must not have it. The name becomes the inode's
/// primary one where it has none. Changes both records in memory (links stay the caller's); the
/// caller puts them.
void AddEntry(Transaction& transaction, Inode& parent, std::string_view name, Inode& inode);

/// Removes a name that FindEntry has just found. Where it was the inode's primary name, another
/// one takes its place, or none.
[[nodiscard]] Result<void> RemoveEntry(Transaction& transaction, InodeId parent,
                                       std::string_view name, Entry const& entry, Inode& inode);

/// The same for a name in whose place AddEntry puts another one at once: where it was the primary
/// name, that one will be.
void TakeEntry(Transaction& transaction, InodeId parent, std::string_view name, Entry const& entry,
               Inode& inode);

[[nodiscard]] Result<bool> IsEmptyDirectory(View const& view, InodeId directory);

/// Calls `visit(name, entry)` for the entries behind the cookie `after`, until it returns false.
[[nodiscard]] Result<void> VisitEntries(
    View const& view, InodeId directory, std::uint64_t after,
    std::function<bool(std::string_view, Entry const&)> const& visit);

/// The path of the inode's primary name, relative to the mount: "a/b", "" for the root.
/// Errors: ENOENT where it has no name any more.
[[nodiscard]] Result<std::string> PathOf(View const& view, Inode const& inode);

/// The same for a line of a log; "inode N" where there is no name.
[[nodiscard]] std::string PathForLog(Store const& store, InodeId inode);

struct Name {
  InodeId directory = 0;
  std::string name;
};
/// All names of the inode, the primary one first.
[[nodiscard]] Result<std::vector<Name>> NamesOf(View const& view, Inode const& inode);

/// The paths of all names of the inode, the primary one first.
[[nodiscard]] Result<std::vector<std::string>> PathsOf(View const& view, Inode const& inode);

constexpr std::size_t kLongestName = 255;  ///< bytes

/// The inode at a path relative to the mount. Errors: ENOENT, ENOTDIR, ENAMETOOLONG.
[[nodiscard]] Result<Inode> ResolvePath(View const& view, std::string_view path);

}  // namespace tusfs
