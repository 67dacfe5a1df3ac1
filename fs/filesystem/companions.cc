#include "filesystem/companions.h"

#include <array>
#include <string_view>
#include <utility>

#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kAround{
    {{"", ".aria2"}, {"", ".st"}, {".~lock.", "#"}}};
/// The one that a browser writes is made right behind the one that it reserves.
constexpr std::size_t kMostNames = 256;

/// Whether what is called so beside the file has bytes that the file lacks.
bool IsAhead(View const& view, Inode const& inode, Entry const& entry) {
  auto const other = GetInode(view, entry.inode);
  return other && other->id != inode.id && (inode.size == 0 || inode.size < other->size);
}

// Of a file that is empty.
std::optional<std::string> PartOf(View const& view, Inode const& inode) {
  auto const own = FindEntry(view, inode.parent, inode.name);
  if (!own || !*own) return std::nullopt;
  std::optional<std::string> found;
  std::size_t seen = 0;
  auto const visited = VisitEntries(
      view, inode.parent, (*own)->sequence, [&](std::string_view name, Entry const& entry) {
        bool const is_part = FinalNameOf(name) == inode.name && IsAhead(view, inode, entry);
        if (is_part) found = std::string(name);
        return !found && ++seen < kMostNames;
      });
  return visited ? found : std::nullopt;
}

}  // namespace

std::optional<std::string> CompanionOf(View const& view, Inode const& inode) {
  for (auto const& [before, behind] : kAround) {
    auto name = std::string(before) + inode.name + std::string(behind);
    auto const entry = FindEntry(view, inode.parent, name);
    if (entry && *entry) return name;
  }
  auto part = inode.name + ".part";
  auto const beside = FindEntry(view, inode.parent, part);
  if (beside && *beside && IsAhead(view, inode, **beside)) return part;
  return inode.size == 0 ? PartOf(view, inode) : std::nullopt;
}

}  // namespace tusfs
