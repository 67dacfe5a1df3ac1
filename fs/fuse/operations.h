// libfuse's low-level callbacks, each a thin translation to one call of Filesystem.
#pragma once

#include "base/logger.h"
#include "filesystem/filesystem.h"

struct fuse_lowlevel_ops;

namespace tusfs {

/// What the callbacks get as their user data; outlives the session.
struct FuseContext {
  Filesystem& filesystem;
  Logger logger;
};

[[nodiscard]] fuse_lowlevel_ops const& FuseOperations();

}  // namespace tusfs
