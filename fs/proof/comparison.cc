#include "proof/comparison.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/text.h"
#include "base/thread_name.h"
#include "proof/source_reader.h"
#include "proof/unicode.h"

namespace tusfs {
namespace {

// The longest one that fits.
std::string Mapped(std::string const& path, std::vector<PathMapping> const& mappings) {
  PathMapping const* best = nullptr;
  for (auto const& mapping : mappings) {
    bool const is_better = best == nullptr || mapping.from.size() > best->from.size();
    if (is_better && IsAtOrBeneath(path, mapping.from)) best = &mapping;
  }
  if (best == nullptr) return path;
  auto rest = path.substr(best->from.size());
  if (rest.starts_with('/')) rest.erase(0, 1);
  if (rest.empty()) return best->to;
  return best->to.empty() ? rest : best->to + "/" + rest;
}

}  // namespace

SourceComparison::SourceComparison(std::vector<SourceEntry> entries, KnownTree const& known,
                                   std::vector<PathMapping> const& mappings, bool counts_junk)
    : known_(known) {
  for (auto& entry : entries) {
    if (entry.is_junk && !counts_junk) {
      junk_.push_back(std::move(entry.path));
      continue;
    }
    auto path = Mapped(entry.path, mappings);
    files_.push_back({.entry = std::move(entry), .path = std::move(path)});
  }
  std::map<std::string, std::vector<std::string>> forms;
  for (auto const& [path, file] : known_.files) forms[Composed(path)].push_back(path);
  for (auto const& [path, file] : known_.unfinished) {
    if (!known_.files.contains(path)) forms[Composed(path)].push_back(path);
  }
  std::map<std::string, int> wanted;
  for (auto const& file : files_) ++wanted[Composed(file.path)];
  std::map<std::string, int> meant;
  for (auto& file : files_) {
    Match(file, forms, wanted);
    ++meant[file.path];
  }
  for (std::size_t i = 0; i < files_.size(); ++i) {
    auto& file = files_[i];
    if (meant.at(file.path) > 1) {
      file.verdict = {CardFinding::kUnproven,
                      "several files of the source would have this one name"};
      continue;
    }
    auto const found = known_.files.find(file.path);
    file.known = found == known_.files.end() ? nullptr : &found->second;
    auto const live = known_.unfinished.find(file.path);
    auto const unfinished = live == known_.unfinished.end() ? std::optional<UnfinishedFile>()
                                                            : std::optional(live->second);
    if (auto const verdict = JudgeUnread(file.entry, file.known, unfinished)) {
      file.verdict = *verdict;
      continue;
    }
    unread_.push_back(i);
    bytes_ += file.entry.size;
  }
  // The largest first, so that none of them is read alone at the end.
  std::ranges::stable_sort(unread_, std::greater<>(),
                           [&](std::size_t i) { return files_[i].entry.size; });
}

// Another form counts only where nothing else could be meant by it, on either side.
void SourceComparison::Match(ComparedFile& file,
                             std::map<std::string, std::vector<std::string>> const& forms,
                             std::map<std::string, int> const& wanted) const {
  if (known_.files.contains(file.path) || known_.unfinished.contains(file.path)) return;
  auto const composed = Composed(file.path);
  auto const found = forms.find(composed);
  bool const is_one = found != forms.end() && found->second.size() == 1 && wanted.at(composed) == 1;
  if (!is_one) return;
  file.path = found->second.front();
  file.has_another_form = true;
}

void SourceComparison::Judge(std::function<FileVerdict(ComparedFile const&)> const& judge) {
  for (auto const i : unread_) files_[i].verdict = judge(files_[i]);
}

void SourceComparison::Run(std::filesystem::path const& source, int jobs,
                           std::function<void(std::uint64_t)> const& passed,
                           std::stop_token const& stop) {
  std::atomic<std::size_t> next = 0;
  auto const work = [&] {
    for (auto i = next++; i < unread_.size(); i = next++) {
      auto& file = files_[unread_[i]];
      auto const bytes = ReadSource(
          source / file.entry.path, file.entry,
          [&](std::span<std::byte const> seen) { passed(seen.size()); }, stop);
      file.verdict = JudgeBytes(file.entry, *file.known, bytes);
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 1; i < jobs; ++i) {
    threads.emplace_back([&] {
      NameThread("reader");
      work();
    });
  }
  work();
}

}  // namespace tusfs
