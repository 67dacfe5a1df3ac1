#include "model.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

namespace tusfs_life {

std::uint64_t HashOf(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

FilePtr Model::Find(std::string const& path) const {
  auto const found = names().find(path);
  return found == names().end() ? nullptr : found->second;
}

std::vector<std::string> Model::NamesOf(FilePtr const& file) const {
  std::vector<std::string> paths;
  for (auto const& [path, other] : names()) {
    if (other == file) paths.push_back(path);
  }
  return paths;
}

bool Model::IsEmpty(std::string const& directory) const {
  auto const next = names().lower_bound(directory + "/");
  return next == names().end() || !next->first.starts_with(directory + "/");
}

bool Model::HasParent(std::string const& path) const {
  auto const directory = DirectoryOf(path);
  if (directory.empty()) return true;
  auto const found = Find(directory);
  return found && found->is_directory;
}

tusfs::InodeId Model::ParentOf(std::string const& path) const {
  auto const directory = DirectoryOf(path);
  return directory.empty() ? tusfs::kRootInode : Find(directory)->inode;
}

void Model::Become(Names names, std::int64_t time) { trees_.push_back({std::move(names), time}); }

void Model::Synced() { trees_.erase(trees_.begin(), trees_.end() - 1); }

void Model::SyncedBefore(std::int64_t time) {
  while (trees_.size() > 1 && trees_[1].time < time) trees_.erase(trees_.begin());
}

void Model::Restore(std::size_t tree) {
  auto kept = std::move(trees_[tree]);
  trees_.clear();
  trees_.push_back(std::move(kept));
}

FilePtr Model::NewFile(bool is_directory) {
  auto file = std::make_shared<File>();
  file->number = static_cast<int>(files_.size()) + 1;
  file->is_directory = is_directory;
  files_.push_back(file);
  return file;
}

}  // namespace tusfs_life
