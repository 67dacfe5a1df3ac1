// One mount: the libfuse session and the threads that serve it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/logger.h"
#include "fuse/operations.h"

struct fuse_session;

namespace tusfs {

struct MountOptions {
  std::string mountpoint;  ///< absolute
  std::string source;      ///< shown by mount(8) and df(1)
  bool allow_other = false;
  std::vector<std::string> kernel;  ///< noexec, nodev and the like
};

class FuseServer {
 public:
  /// Mounts. `filesystem` outlives the server. Errors carry a sentence.
  [[nodiscard]] static Result<std::unique_ptr<FuseServer>> Mount(MountOptions const& options,
                                                                 Filesystem& filesystem,
                                                                 Logger logger);
  /// Unmounts where that has not happened yet.
  ~FuseServer();

  /// Serves until the mount is unmounted or Stop is called. Requests that are open then fail for
  /// their callers.
  void Serve();

  /// Ends Serve, from another thread.
  void Stop();

 private:
  FuseServer(Filesystem& filesystem, Logger logger);
  void ServeOnThread();

  FuseContext context_;
  fuse_session* session_ = nullptr;
  bool mounted_ = false;
  std::atomic<bool> ending_ = false;
};

/// What keeps a mount from being made at `mountpoint`; clears a stale tusfs mount on the way.
/// Returns the absolute path. Errors carry a sentence that names the way out.
[[nodiscard]] Result<std::string> PrepareMountpoint(std::string const& mountpoint, bool nonempty,
                                                    Logger const& logger);

}  // namespace tusfs
