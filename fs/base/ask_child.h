// What may wait for ever, for a disk or a server that does not answer, done by a child process.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/error.h"

namespace tusfs {

/// Runs `work` in a child of this process, which has one thread, and returns what it gives. A child
/// that takes longer is killed; nobody waits for one that cannot be. Errors: ETIMEDOUT; EIO where
/// the child died; of pipe(2) and fork(2).
[[nodiscard]] Result<std::string> AskChild(std::function<std::string()> const& work,
                                           std::chrono::milliseconds patience);

}  // namespace tusfs
