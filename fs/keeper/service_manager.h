// What systemd does for a keeper that runs as its service: it keeps the mount's descriptors when
// every process of the service dies, hears when the mount is live, and watches over it. Elsewhere
// nothing of this has an effect.
#pragma once

#include <chrono>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"

namespace tusfs {

class ServiceManager {
 public:
  explicit ServiceManager(Logger logger) : logger_(std::move(logger)) {}

  struct Kept {
    UniqueFd device;  ///< /dev/fuse of the mount
    UniqueFd slots;   ///< the memory of its requests
  };
  /// What it kept for this service, once. Nothing where there is not both.
  [[nodiscard]] std::optional<Kept> TakeKept() const;

  /// Hands it copies of both.
  void Keep(UniqueFd const& device, UniqueFd const& slots) const;
  void ForgetKept() const;

  void Ready() const;
  void Stopping() const;

  /// How often StillAlive is wanted; nothing: not at all.
  [[nodiscard]] std::optional<std::chrono::microseconds> WatchInterval() const;
  void StillAlive() const;

 private:
  Logger const logger_;
};

}  // namespace tusfs
