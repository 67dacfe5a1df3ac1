// What keeps files in their order and apart from each other while several go at once.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tus_upload {

/// Which uploads this command has taken up. Thread-safe.
class TakenUp {
 public:
  /// The file that took the upload `key` up, where another than `file` did; else `file` does now.
  [[nodiscard]] std::optional<std::size_t> Earlier(std::string const& key, std::size_t file);

 private:
  std::mutex mutex_;
  std::map<std::string, std::size_t> files_;  // under mutex_
};

/// Prints one URL a line on standard output, in the order of the files, as soon as all before are
/// known. Thread-safe.
class UrlsInOrder {
 public:
  /// Prints nothing unless `wanted`.
  UrlsInOrder(std::size_t files, bool wanted) : wanted_(wanted), entries_(wanted ? files : 0) {}

  /// Empty: that file has none.
  void Known(std::size_t file, std::string url);
  /// Of the same upload as `other`.
  void SameAs(std::size_t file, std::size_t other);

 private:
  struct Entry {
    bool known = false;
    std::string url;
    std::optional<std::size_t> same_as;
  };

  bool const wanted_;
  std::mutex mutex_;
  std::vector<Entry> entries_;  // under mutex_, as is what follows
  std::size_t printed_ = 0;

  void Print();
};

}  // namespace tus_upload
