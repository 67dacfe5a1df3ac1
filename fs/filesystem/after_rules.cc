#include "filesystem/after_rules.h"

#include <algorithm>
#include <set>
#include <stop_token>

#include "base/text.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

bool Matches(std::vector<Glob> const& globs, std::string const& path) {
  if (globs.empty()) return false;
  auto const names = NamesOfPath(path);
  return std::ranges::any_of(globs, [&](Glob const& glob) { return glob.Matches(names); });
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

Result<bool> AfterRules::Holds(InodeId inode, std::string const& path) {
  auto awaits = rules_.by_path.AwaitedBy(path);
  if (awaits.empty()) {
    Forget(inode);
    return false;
  }
  if (auto const last = AwaitedBy(inode)) {
    auto const other = Find(*last);
    // Whether one that waits itself still counts depends on others.
    if (other && other->awaits.empty() && Matches(awaits, other->path)) return true;
  }
  auto const found = Search({inode, path, std::move(awaits)});
  if (!found) return Failure(found.error());
  if (*found == 0) {
    Forget(inode);
    return false;
  }
  MutexLock lock(mutex_);
  awaited_[inode] = *found;
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

std::optional<AfterRules::Other> AfterRules::Find(InodeId id) const {
  auto const found = store_.Read([&](View const& view) -> Result<std::optional<Other>> {
    auto const inode = GetInode(view, id);
    bool const counts =
        inode && inode->links > 0 && inode->type == FileType::kRegular && !life::IsUploaded(*inode);
    if (!counts) return std::optional<Other>();
    auto const path = PathOf(view, *inode);
    if (!path || rules_.IgnoredBy(*path)) return std::optional<Other>();
    Other other{id, TargetPath(*path), {}};
    bool const is_ready = rules_.Settles(*inode) && rules_.HoldOf(*inode, *path) == Hold::kNone;
    if (is_ready && !inode->approved) other.awaits = rules_.by_path.AwaitedBy(*path);
    return std::optional(std::move(other));
  });
  return found.value_or(std::nullopt);
}

Result<InodeId> AfterRules::Search(Other const& file) const {
  InodeId blocker = 0;
  std::vector<Other> waiting;
  std::stop_source enough;
  auto const visited = VisitWork(store_, enough.get_token(), [&](InodeId id) {
    if (id == file.inode || blocker != 0) return;
    auto other = Find(id);
    if (!other) return;
    if (!other->awaits.empty()) {
      waiting.push_back(*std::move(other));
    } else if (Matches(file.awaits, other->path)) {
      blocker = id;
      enough.request_stop();
    }
  });
  if (!visited) return Failure(visited.error());
  return blocker != 0 ? blocker : SearchAmong(file, waiting);
}

InodeId AfterRules::SearchAmong(Other const& file, std::vector<Other> const& waiting) const {
  std::vector<Other const*> all{&file};
  for (auto const& other : waiting) all.push_back(&other);
  auto const waits = [&](std::size_t one, std::size_t for_other) {
    return Matches(all[one]->awaits, all[for_other]->path);
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
    logger_->Tell(LogLevel::kWarn, {.file = file.path},
                  "files wait for each other, the oldest goes first path=\"{}\" other=\"{}\"",
                  Printable(file.path), Printable(all[passed]->path));
  }
  return 0;
}

}  // namespace tusfs
