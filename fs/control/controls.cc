#include "control/controls.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>

#include "catalog/tables.h"

namespace tusfs {
namespace {

// In the catalog: never renamed. Empty texts say nothing.
constexpr char const* kPausedKey = "paused";
constexpr char const* kLimitKey = "limit";

struct Level {
  char const* word;
  LogLevel level;
};
constexpr Level kLevels[] = {{"debug", LogLevel::kDebug},
                             {"info", LogLevel::kInfo},
                             {"warn", LogLevel::kWarn},
                             {"error", LogLevel::kError}};

}  // namespace

Result<void> Controls::Note(char const* key, std::string const& text) {
  auto const noted = store_.Update([&](Transaction& transaction) -> Result<void> {
    PutNote(transaction, key, text);
    return {};
  });
  return noted ? store_.Sync() : noted;
}

Result<void> Controls::Restore(bool same_mount) {
  auto const note = [&](char const* key) {
    return store_.Read([&](View const& view) { return GetNote(view, key); });
  };
  auto const paused = note(kPausedKey);
  if (!paused) return Failure(paused.error());
  if (!paused->empty()) {
    uploader_.Pause(true);
    logger_->Warn("sending is paused, nothing is uploaded until somebody says tusfsctl resume");
  }
  auto const limit = note(kLimitKey);
  if (!limit) return Failure(limit.error());
  if (limit->empty()) return {};
  if (!same_mount) {
    // A disk that is full does not keep a mount from coming up.
    if (auto noted = Note(kLimitKey, ""); !noted) {
      logger_->Warn("the limit of an earlier mount is not forgotten yet error=\"{}\"",
                    Describe(noted.error()));
    }
    return {};
  }
  std::uint64_t rate = 0;
  auto const* const end = limit->data() + limit->size();
  if (std::from_chars(limit->data(), end, rate).ptr == end) bandwidth_.Set(rate);
  return {};
}

Result<void> Controls::Pause(bool paused) {
  if (auto noted = Note(kPausedKey, paused ? "1" : ""); !noted) return noted;
  uploader_.Pause(paused);
  logger_->Info("{}", paused ? "sending is paused, by tusfsctl" : "sending goes on, by tusfsctl");
  return {};
}

Result<void> Controls::Limit(std::uint64_t rate) {
  if (auto noted = Note(kLimitKey, std::to_string(rate)); !noted) return noted;
  bandwidth_.Set(rate);
  logger_->Info("the limit of the rate is changed, by tusfsctl bytes_per_second={}", rate);
  return {};
}

Result<void> Controls::SetLogLevel(std::string const& word) {
  auto const* const found = std::find_if(std::begin(kLevels), std::end(kLevels),
                                         [&](Level const& level) { return word == level.word; });
  if (found == std::end(kLevels)) {
    return Fail(EINVAL, "'" + word + "' is no log level: it takes debug, info, warn or error");
  }
  logger_->SetLeast(found->level);
  return {};
}

std::string Controls::log_level() const {
  auto const least = logger_->least();
  auto const* const found = std::find_if(std::begin(kLevels), std::end(kLevels),
                                         [&](Level const& level) { return least == level.level; });
  return found == std::end(kLevels) ? "" : found->word;
}

}  // namespace tusfs
