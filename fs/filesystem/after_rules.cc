#include "filesystem/after_rules.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/text.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

bool Matches(std::vector<Glob> const& globs, std::vector<std::string> const& names) {
  return std::ranges::any_of(globs, [&](Glob const& glob) { return glob.Matches(names); });
}

std::string PathOfNames(std::vector<std::string> const& names) {
  std::string path;
  for (auto const& name : names) path += (path.empty() ? "" : "/") + name;
  return path;
}

/// All that can be reached from the first of `count` files by `leads`, which says whether the
/// second file follows the first one.
template <typename Leads>
std::set<std::size_t> Reach(std::size_t count, Leads const& leads) {
  std::set<std::size_t> left;
  for (std::size_t i = 1; i < count; ++i) left.insert(i);
  std::set<std::size_t> reached;
  std::vector<std::size_t> next{0};
  while (!next.empty() && !left.empty()) {
    auto const at = next.back();
    next.pop_back();
    for (auto other = left.begin(); other != left.end();) {
      if (!leads(at, *other)) {
        ++other;
        continue;
      }
      reached.insert(*other);
      next.push_back(*other);
      other = left.erase(other);
    }
  }
  return reached;
}

}  // namespace

Result<bool> AfterRules::Holds(InodeId inode, std::string const& path, Others& others) {
  auto awaits = rules_.by_path.AwaitedBy(path);
  if (awaits.empty()) {
    Forget(inode);
    return false;
  }
  if (auto const last = AwaitedBy(inode)) {
    auto const other = Find(*last);
    if (!other) return Failure(other.error());
    // Whether one that waits itself still counts depends on others.
    bool const is_known = *other && (*other)->awaits.empty();
    if (is_known && Matches(awaits, (*other)->names)) return true;
  }
  if (!others) {
    auto all = FindAll();
    if (!all) return Failure(all.error());
    others = *std::move(all);
  }
  auto const found = Search({inode, NamesOfPath(path), std::move(awaits)}, *others);
  if (found == 0) {
    Forget(inode);
    return false;
  }
  MutexLock lock(mutex_);
  awaited_[inode] = found;
  return true;
}

void AfterRules::Forget(InodeId inode) {
  MutexLock lock(mutex_);
  awaited_.erase(inode);
}

std::optional<InodeId> AfterRules::AwaitedBy(InodeId inode) const {
  MutexLock lock(mutex_);
  auto const found = awaited_.find(inode);
  return found == awaited_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t AfterRules::Count() const {
  MutexLock lock(mutex_);
  return awaited_.size();
}

Result<std::optional<AfterRules::Other>> AfterRules::Find(InodeId id) const {
  return store_.Read([&](View const& view) -> Result<std::optional<Other>> {
    auto const inode = GetInode(view, id);
    if (!inode && inode.error().code != ENOENT) return Failure(inode.error());
    bool const counts =
        inode && inode->links > 0 && inode->type == FileType::kRegular && !life::IsUploaded(*inode);
    if (!counts) return std::optional<Other>();
    auto const path = PathOf(view, *inode);
    if (!path && path.error().code != ENOENT) return Failure(path.error());
    if (!path || rules_.IgnoredBy(*path)) return std::optional<Other>();
    Other other{id, NamesOfPath(TargetPath(*path)), {}};
    bool const is_ready = rules_.Settles(*inode) && rules_.HoldOf(*inode, *path) == Hold::kNone;
    if (is_ready && !inode->approved) other.awaits = rules_.by_path.AwaitedBy(*path);
    return std::optional(std::move(other));
  });
}

Result<std::vector<AfterRules::Other>> AfterRules::FindAll() const {
  std::vector<Other> others;
  std::optional<Error> trouble;
  auto const visited = VisitWork(store_, {}, [&](InodeId id) {
    auto other = Find(id);
    if (!other) trouble = other.error();
    if (other && *other) others.push_back(**std::move(other));
  });
  if (!visited) return Failure(visited.error());
  if (trouble) return Failure(*trouble);
  return others;
}

InodeId AfterRules::Search(Other const& file, std::vector<Other> const& others) const {
  std::vector<Other const*> all{&file};
  for (auto const& other : others) {
    if (other.inode == file.inode) continue;
    if (!other.awaits.empty()) {
      all.push_back(&other);
    } else if (Matches(file.awaits, other.names)) {
      return other.inode;
    }
  }
  return SearchAmong(all);
}

// Among those that wait themselves; the first of `all` is the file that is asked about.
InodeId AfterRules::SearchAmong(std::vector<Other const*> const& all) const {
  auto const& file = *all.front();
  auto const waits = [&](std::size_t one, std::size_t for_other) {
    return Matches(all[one]->awaits, all[for_other]->names);
  };
  auto const ahead = Reach(all.size(), waits);
  if (ahead.empty()) return 0;
  auto const behind =
      Reach(all.size(), [&](std::size_t one, std::size_t other) { return waits(other, one); });
  bool is_oldest = true;
  for (auto const i : ahead) {
    is_oldest = is_oldest && (!behind.contains(i) || file.inode < all[i]->inode);
  }
  InodeId passed = 0;
  for (auto const i : ahead) {
    if (!waits(0, i)) continue;
    if (!is_oldest || !behind.contains(i)) return all[i]->inode;
    passed = i;
  }
  if (passed != 0) {
    auto const path = PathOfNames(file.names);
    logger_->Tell(LogLevel::kWarn, {.file = path},
                  "files wait for each other, the oldest goes first path=\"{}\" other=\"{}\"",
                  Printable(path), Printable(PathOfNames(all[passed]->names)));
  }
  return 0;
}

}  // namespace tusfs
