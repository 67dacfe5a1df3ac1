// Runs a program to its end, for whether it succeeds.
//
// Blocks the calling thread for as long as the program takes; no lock may be held meanwhile.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"

namespace tusfs {

/// Starts `argv` (looked up in PATH, without a shell, without input, with none of our descriptors)
/// and waits until it has ended with status 0. It has a process group of its own, which is killed
/// after `timeout`, or within 100 ms when `stop` says so. Errors: a phrase such as "exited with
/// status 1: WORDS", with the first words that it printed; ECANCELED after `stop`.
[[nodiscard]] Result<void> RunProgram(std::vector<std::string> const& argv,
                                      std::chrono::milliseconds timeout, std::stop_token stop);

}  // namespace tusfs
