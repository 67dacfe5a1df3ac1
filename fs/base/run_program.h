// Runs a program to its end: for whether it succeeds, or for what it prints.
//
// Blocks the calling thread for as long as the program takes; no lock may be held meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace tusfs {

struct ProgramRun {
  std::vector<std::string> argv;  ///< looked up in PATH, without a shell
  std::chrono::milliseconds timeout{};
  std::string input{};  ///< its standard input
  /// Bytes of standard output that are wanted. 0: none, it only says why it failed.
  std::size_t most_output = 0;
  /// "NAME=VALUE" of its whole environment; nothing: ours.
  std::optional<std::vector<std::string>> environment{};
  /// Called with what it said, whether it succeeded or not: on standard error, and on standard
  /// output where that is not wanted; the first `most_words` bytes. Not where it was not started.
  std::function<void(std::string_view)> said{};
  std::size_t most_words = 200;
};

/// Starts it with none of our descriptors, waits until it has ended with status 0, and gives what
/// it printed. It has a process group of its own, which is killed after the timeout, or within 100
/// ms when `stop` says so. Errors: a phrase such as "exited with status 1: WORDS", with the first
/// words of its standard error, and of its output where that is not wanted; EFBIG where it printed
/// more than is wanted; ECANCELED after `stop`.
[[nodiscard]] Result<std::string> RunProgram(ProgramRun const& run, std::stop_token stop);

}  // namespace tusfs
