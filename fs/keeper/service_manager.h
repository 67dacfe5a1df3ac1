// What systemd does for a keeper that runs as its service: it keeps the mount's descriptors when
// every process of the service dies, hears when the mount is live, and watches over it. Elsewhere
// nothing of this has an effect.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"

namespace tusfs {

class ServiceManager {
 public:
  explicit ServiceManager(Logger logger) : logger_(std::move(logger)) {}

  struct Kept {
    UniqueFd device;                ///< /dev/fuse of the mount
    UniqueFd slots;                 ///< the memory of its requests
    UniqueFd beneath = UniqueFd();  ///< what is still to be taken in; or none
  };
  /// What it kept for this service, once. Nothing where the first two are not both there.
  [[nodiscard]] std::optional<Kept> TakeKept() const;
  /// The settings beside it, before that is taken. Nothing where there is
  /// no mount, or none beside it.
  [[nodiscard]] std::optional<std::string> KeptSettings() const;

  /// Hands it copies of both, and what the mount goes on with where its configuration cannot be
  /// read any more: in memory alone, for there may be a secret in it.
  void Keep(UniqueFd const& device, UniqueFd const& slots, std::string const& settings) const;
  /// Other settings than those before.
  void KeepSettings(std::string const& settings) const;
  /// The directory beneath the mount, until what is in it is taken in. Behind Keep.
  void KeepBeneath(UniqueFd const& beneath) const;
  void ForgetBeneath() const;
  void ForgetKept() const;

  /// Whether this process is the main one of a service that tells how it is.
  [[nodiscard]] bool IsThere() const;

  /// What `systemctl status` shows of the service; one line.
  void Status(std::string const& line) const;

  void Ready() const;
  void Stopping() const;

  /// How often StillAlive is wanted; nothing: not at all.
  [[nodiscard]] std::optional<std::chrono::microseconds> WatchInterval() const;
  void StillAlive() const;

 private:
  Logger const logger_;
};

}  // namespace tusfs
