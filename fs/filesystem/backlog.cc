#include "filesystem/backlog.h"

#include <algorithm>
#include <vector>

namespace tusfs {

void Backlog::Count(InodeId inode, FileReport const& report) {
  Drop(inode);
  // What is never uploaded is nothing to wait for, and nothing that somebody has to mend.
  if (!report.finishes && report.state == "local-only") return;
  File const file{.left = report.size - std::min(report.size, report.offset + report.sending),
                  .size = report.size,
                  .is_going = report.finishes};
  files_.emplace(inode, file);
  if (file.is_going) {
    ++numbers_.going;
    numbers_.left += file.left;
    numbers_.size += file.size;
  } else {
    ++numbers_.stuck;
    stuck_.insert(inode);
  }
}

void Backlog::Drop(InodeId inode) {
  auto const found = files_.find(inode);
  if (found == files_.end()) return;
  if (found->second.is_going) {
    --numbers_.going;
    numbers_.left -= found->second.left;
    numbers_.size -= found->second.size;
  } else {
    --numbers_.stuck;
    stuck_.erase(inode);
  }
  files_.erase(found);
}

Result<void> Backlog::CountAnew() {
  files_.clear();
  stuck_.clear();
  numbers_ = {};
  return reporter_.VisitUnfinished(path_, [this](InodeId inode, FileReport const& report) {
    Count(inode, report);
    return true;
  });
}

Result<void> Backlog::Look(InodeId inode) {
  auto const report = reporter_.FindUnfinished(inode, path_);
  if (!report) return Failure(report.error());
  if (*report) {
    Count(inode, **report);
  } else {
    Drop(inode);
  }
  return {};
}

Result<void> Backlog::LookAtSome(std::size_t most) {
  std::vector<InodeId> chosen;
  auto const buckets = files_.bucket_count();
  for (std::size_t i = 0; i < buckets && chosen.size() < most; ++i) {
    next_bucket_ = (next_bucket_ + 1) % buckets;
    for (auto at = files_.begin(next_bucket_); at != files_.end(next_bucket_); ++at) {
      chosen.push_back(at->first);
    }
  }
  for (auto const inode : chosen) {
    if (auto looked = Look(inode); !looked) return looked;
  }
  return {};
}

}  // namespace tusfs
