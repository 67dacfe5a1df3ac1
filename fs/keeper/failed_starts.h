// Starts of a service that failed one after the other: each is followed by a longer pause than the
// one before. systemd 252 has one pause for all restarts (RestartSec=), and it has to be short, for
// programs wait while a mount that is alive is taken over.
//
// Used by the keeper's process, from its main thread. What is remembered is lost at a reboot.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace tusfs {

class FailedStarts {
 public:
  /// Of the mount at `mountpoint`, remembered in `runtime_directory` (RuntimeDirectory()).
  FailedStarts(std::filesystem::path runtime_directory, std::string const& mountpoint);

  /// One more has failed. The pause until the next: 100 ms after the first, doubling to 30 s; 30 s
  /// where it cannot be remembered.
  [[nodiscard]] std::chrono::milliseconds Add() const;

  /// One has succeeded, or somebody does not want another one.
  void Forget() const;

 private:
  std::filesystem::path directory_;
  std::string name_;
};

}  // namespace tusfs
