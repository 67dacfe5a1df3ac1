// Runs a program for what it prints.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "tusclient/error.h"

namespace tus {

/// What `argv` printed on standard output, up to 64 KiB of it. It runs without a shell and without
/// input, in a process group of its own that is killed when the program has not ended after
/// `timeout`, or when `stop` fires (within 100 ms). Errors: kUnauthorized with a sentence that
/// names the program and has the first words of its standard error; kCancelled.
[[nodiscard]] Result<std::string> RunCommand(std::vector<std::string> const& argv,
                                             std::chrono::milliseconds timeout,
                                             std::stop_token stop);

}  // namespace tus
