#include "uploader/inherited_metadata.h"

#include <algorithm>

#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr int kDeepest = 4096;  // a catalog that is damaged may have a ring of directories

bool IsOurs(std::string_view key) { return key == "tusfsId" || key == "tusfsEncoding"; }

auto Find(auto& metadata, std::string_view key) {
  return std::ranges::find(metadata, key, [](auto const& pair) { return pair.first; });
}

Result<void> AddOf(View const& view, InodeId inode, tus::Metadata& metadata) {
  auto const names = ListXattrs(view, inode);
  if (!names) return Failure(names.error());
  for (auto const& name : *names) {
    if (!name.starts_with(kMetadataPrefix)) continue;
    auto key = name.substr(kMetadataPrefix.size());
    if (IsOurs(key) || Find(metadata, key) != metadata.end()) continue;
    auto value = FindXattr(view, inode, name);
    if (!value) return Failure(value.error());
    metadata.emplace_back(std::move(key), std::move(*value).value_or(""));
  }
  return {};
}

}  // namespace

Result<tus::Metadata> InheritedMetadata(View const& view, Inode const& inode) {
  tus::Metadata metadata;
  auto id = inode.id;
  auto parent = inode.parent;
  for (int depth = 0; depth < kDeepest; ++depth) {
    if (auto added = AddOf(view, id, metadata); !added) return Failure(added.error());
    if (id == kRootInode || parent == 0) break;
    id = parent;
    auto const directory = GetInode(view, id);
    if (!directory) return Failure(directory.error());
    parent = directory->parent;
  }
  return metadata;
}

tus::Metadata WithInherited(tus::Metadata metadata, tus::Metadata const& inherited) {
  for (auto const& [key, value] : inherited) {
    auto const found = Find(metadata, key);
    if (value.empty()) {
      if (found != metadata.end()) metadata.erase(found);
    } else if (found != metadata.end()) {
      found->second = value;
    } else {
      metadata.emplace_back(key, value);
    }
  }
  return metadata;
}

std::optional<std::string> WhyNoMetadataKey(std::string_view attribute) {
  if (!attribute.starts_with(kMetadataPrefix)) return std::nullopt;
  std::string const key(attribute.substr(kMetadataPrefix.size()));
  if (IsOurs(key)) return "'" + key + "' is what tusfs itself goes by";
  auto const encoded = tus::EncodeMetadata({{key, ""}});
  return encoded ? std::nullopt : std::optional(encoded.error().message);
}

}  // namespace tusfs
