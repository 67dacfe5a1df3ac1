// A card beside a mount, file by file: which names belong together, and what is to be said of each.
//
// Made of what was listed and what is known; Run reads the source, with several threads. One thread
// owns it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "proof/source_tree.h"
#include "proof/verdict.h"

namespace tusfs {

/// What the server and the mount have, by path relative to where the source belongs.
struct KnownTree {
  std::map<std::string, KnownFile> files{};
  std::map<std::string, UnfinishedFile> unfinished{};
  std::string server{};  ///< the one that is meant, as ServerOf has it; empty: not known
};

/// Paths of the source that begin with `from` (or are that) have it replaced by `to`; both
/// relative.
struct PathMapping {
  std::string from;
  std::string to;
};

struct ComparedFile {
  SourceEntry entry;
  std::string path{};             ///< in the mount, as far as it is known there; else as mapped
  bool has_another_form = false;  ///< the mount has it under another form of Unicode
  FileVerdict verdict{};
  KnownFile const* known = nullptr;  ///< of the tree
};

class SourceComparison {
 public:
  /// `known` outlives it. Junk is left out, unless it is wanted.
  SourceComparison(std::vector<SourceEntry> entries, KnownTree const& known,
                   std::vector<PathMapping> const& mappings, bool counts_junk);

  /// Bytes that are to be read.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  /// Reads what has to be read, `jobs` files at a time. `passed` is called from any of them.
  void Run(std::filesystem::path const& source, int jobs,
           std::function<void(std::uint64_t)> const& passed, std::stop_token const& stop);

  /// In place of Run: what stands for the source says so.
  void Judge(std::function<FileVerdict(ComparedFile const&)> const& judge);

  [[nodiscard]] std::vector<ComparedFile> const& files() const { return files_; }
  [[nodiscard]] std::vector<std::string> const& junk() const { return junk_; }

 private:
  void Match(ComparedFile& file, std::map<std::string, std::vector<std::string>> const& forms,
             std::map<std::string, int> const& wanted) const;

  KnownTree const& known_;
  std::vector<ComparedFile> files_;
  std::vector<std::size_t> unread_;  ///< of these
  std::vector<std::string> junk_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tusfs
