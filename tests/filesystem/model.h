// A tree of files in memory: what a filesystem is compared with.
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "filesystem/types.h"

namespace tusfs {

struct Node {
  FileType type = FileType::kRegular;
  std::string bytes;  // of a symlink: its target
  std::uint32_t mode = 0;
  std::uint32_t uid = 1000;
  std::uint32_t links = 1;
  std::map<std::string, std::shared_ptr<Node>> children;
  InodeId inode = 0;

  [[nodiscard]] bool IsDirectory() const { return type == FileType::kDirectory; }
  [[nodiscard]] bool IsRegular() const { return type == FileType::kRegular; }
};
using NodePtr = std::shared_ptr<Node>;

struct OpenNode {
  HandleId handle;
  NodePtr node;
  int flags;

  [[nodiscard]] bool MayWrite() const { return (flags & O_ACCMODE) != O_RDONLY; }
};

[[nodiscard]] inline NodePtr Child(NodePtr const& directory, std::string const& name) {
  auto const found = directory->children.find(name);
  return found == directory->children.end() ? nullptr : found->second;
}

[[nodiscard]] inline bool IsAtOrBeneath(NodePtr const& node, NodePtr const& top) {
  if (node == top) return true;
  for (auto const& [name, child] : top->children) {
    if (child->IsDirectory() && IsAtOrBeneath(node, child)) return true;
  }
  return false;
}

[[nodiscard]] inline std::size_t CountDirectories(NodePtr const& node) {
  std::size_t count = node->IsDirectory() ? 1 : 0;
  for (auto const& [name, child] : node->children) count += CountDirectories(child);
  return count;
}

inline void CollectFiles(NodePtr const& node, std::set<InodeId>& files) {
  if (node->IsRegular()) files.insert(node->inode);
  for (auto const& [name, child] : node->children) CollectFiles(child, files);
}

/// What rename(2) says, but for a directory that would move into itself.
[[nodiscard]] inline int ExpectedOfRename(NodePtr const& source, NodePtr const& target,
                                          unsigned flags) {
  if (!source) return ENOENT;
  if (target && flags == RENAME_NOREPLACE) return EEXIST;
  if (!target && flags == RENAME_EXCHANGE) return ENOENT;
  if (!target || target == source || flags == RENAME_EXCHANGE) return 0;
  if (target->IsDirectory() && !source->IsDirectory()) return EISDIR;
  if (!target->IsDirectory() && source->IsDirectory()) return ENOTDIR;
  return target->children.empty() ? 0 : ENOTEMPTY;
}

}  // namespace tusfs
