// libfuse's low-level callbacks, each a thin translation to one call of Filesystem.
#pragma once

#include "base/logger.h"
#include "filesystem/filesystem.h"

struct fuse_lowlevel_ops;

namespace tusfs {

class FuseServer;

/// What the callbacks get as their user data; outlives the session.
struct FuseContext {
  Filesystem& filesystem;
  Logger logger;
  FuseServer* server;
};

/// What libfuse does not tell a callback of the request that it is called for.
struct RequestFacts {
  RequestId id{};
  bool drops_privileges = false;  ///< see Caller
};

/// Says, for its lifetime, which request the callbacks of this thread are called for.
class CurrentRequest {
 public:
  explicit CurrentRequest(RequestFacts const& request);
  ~CurrentRequest();
  CurrentRequest(CurrentRequest const&) = delete;
  CurrentRequest& operator=(CurrentRequest const&) = delete;
};

[[nodiscard]] fuse_lowlevel_ops const& FuseOperations();

}  // namespace tusfs
