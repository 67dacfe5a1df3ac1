#include "tus_upload_order.h"

#include <cstdio>
#include <utility>

namespace tus_upload {

std::optional<std::size_t> TakenUp::Earlier(std::string const& key, std::size_t file) {
  std::lock_guard const lock(mutex_);
  auto const [taken, is_new] = files_.emplace(key, file);
  return is_new ? std::nullopt : std::optional(taken->second);
}

void UrlsInOrder::Known(std::size_t file, std::string url) {
  if (!wanted_) return;
  std::lock_guard const lock(mutex_);
  entries_[file].known = true;
  entries_[file].url = std::move(url);
  Print();
}

void UrlsInOrder::SameAs(std::size_t file, std::size_t other) {
  if (!wanted_) return;
  std::lock_guard const lock(mutex_);
  entries_[file].same_as = other;
  Print();
}

void UrlsInOrder::Print() {
  for (; printed_ < entries_.size(); ++printed_) {
    auto const& own = entries_[printed_];
    auto const& entry = own.same_as ? entries_[*own.same_as] : own;
    if (!entry.known) return;
    if (!entry.url.empty()) std::printf("%s\n", entry.url.c_str());
  }
}

}  // namespace tus_upload
