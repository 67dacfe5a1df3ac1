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

std::optional<std::string> PartOf(View const& view, Inode const& inode, Entry const& own) {
  std::optional<std::string> found;
  std::size_t seen = 0;
  auto const visited = VisitEntries(
      view, inode.parent, own.sequence, [&](std::string_view name, Entry const& entry) {
        if (entry.inode != inode.id && FinalNameOf(name) == inode.name) {
          auto const part = GetInode(view, entry.inode);
          if (part && (inode.size == 0 || inode.size < part->size)) found = std::string(name);
        }
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
  auto const part = inode.name + ".part";
  auto const beside = FindEntry(view, inode.parent, part);
  if (beside && *beside) {
    auto const other = GetInode(view, (*beside)->inode);
    if (other && (inode.size == 0 || inode.size < other->size)) return part;
  }
  if (inode.size > 0) return std::nullopt;
  auto const own = FindEntry(view, inode.parent, inode.name);
  return own && *own ? PartOf(view, inode, **own) : std::nullopt;
}

}  // namespace tusfs
