// What a person changes in a running mount: whether and how fast it sends, and how much it logs.
//
// Sending stays paused until it is resumed, whatever dies meanwhile: that is in the catalog. A
// limit holds until the mount ends, a log level until the daemon does. Any thread.
#pragma once

#include <tusclient/bandwidth.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "uploader/uploader.h"

namespace tusfs {

class Controls {
 public:
  /// The collaborators outlive it.
  Controls(Store& store, Uploader& uploader, tus::BandwidthLimit& bandwidth, Logger logger)
      : store_(store), uploader_(uploader), bandwidth_(bandwidth), logger_(std::move(logger)) {}

  /// Once, before anything is sent: what was said to an earlier daemon. `same_mount`: it served
  /// this one. Errors: the catalog's.
  [[nodiscard]] Result<void> Restore(bool same_mount);

  /// Durable when it returns.
  [[nodiscard]] Result<void> Pause(bool paused);
  [[nodiscard]] bool IsPaused() const { return uploader_.IsPaused(); }

  /// What the server says now, asked with the credentials of the uploads. Blocks for as long as
  /// that takes, or until it is stopped.
  [[nodiscard]] ServerAnswer AskServer(std::stop_token stop) const {
    return uploader_.Ask(std::move(stop));
  }

  /// Of all uploads together, in bytes per second; 0: none. Holds for bodies on their way, too.
  [[nodiscard]] Result<void> Limit(std::uint64_t rate);
  [[nodiscard]] std::uint64_t limit() const { return bandwidth_.Get(); }

  /// debug, info, warn or error. Errors: EINVAL with a sentence.
  [[nodiscard]] Result<void> SetLogLevel(std::string const& word);
  [[nodiscard]] std::string log_level() const;

 private:
  [[nodiscard]] Result<void> Note(char const* key, std::string const& text);

  Store& store_;
  Uploader& uploader_;
  tus::BandwidthLimit& bandwidth_;
  Logger const logger_;
};

}  // namespace tusfs
