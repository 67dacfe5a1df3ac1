// The logger is injected like any collaborator; rooms log for the operator:
// error = a person must act, warn = degraded but handled, info = life cycle, debug = per request.
#pragma once

#include <spdlog/logger.h>

#include <memory>

namespace tusfs {

using Logger = std::shared_ptr<spdlog::logger>;

}  // namespace tusfs
