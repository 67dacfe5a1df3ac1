// Time between tries: backoff that progress resets, and the point at which to give up.
//
// Lives as long as one call of Upload, and is used by its thread only.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>

#include "tusclient/error.h"
#include "tusclient/upload.h"

namespace tus {

class Pacer {
 public:
  /// `options` outlives the pacer; its random, now and wait are set.
  explicit Pacer(UploadOptions const& options);

  /// Something was achieved that had not been before.
  void Progressed();

  /// Waits after a failure: by backoff, and at least `least`. Returns the error that ends the call:
  /// `error` where it is time to give up, kCancelled where it was stopped.
  [[nodiscard]] std::optional<Error> Failed(Error const& error, std::stop_token const& stop,
                                            std::chrono::milliseconds least = {});

 private:
  UploadOptions const& options_;
  int failures_ = 0;  ///< in a row, until something was achieved
  std::chrono::steady_clock::time_point progressed_;
};

}  // namespace tus
