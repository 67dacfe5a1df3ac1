// The orderly end of a kernel connection: umount, SIGTERM, the stop of a service. What was closed
// cleanly is brought to disk and said to be there, so that the next mount goes on with it, on
// whatever boot.
#pragma once

#include "base/error.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "filesystem/left_open.h"
#include "spool/spool.h"

namespace tusfs {

struct ConnectionEnd {
  HandlesLeft handles = HandlesLeft::kUnknown;
  bool publish_unknown = false;  ///< as of PublishRules
};

/// Ends the connection that the catalog is of. Once, when its last call was answered and nobody
/// else uses store and spool: the filesystem serves no more, and the uploader has stopped.
///  1. The handles are closed, and with them the files that were open.
///  2. Every unfinished body is put on disk. One that the disk fails is failed, for good.
///  3. The last record says that this connection has ended so. Recover believes it.
/// Waits for the disk, never for the network. All of it is durable on return; where the process
/// dies before, nothing is lost but what step 3 would have said. Errors: of the catalog.
[[nodiscard]] Result<void> EndConnection(Store& store, Spool& spool, ConnectionEnd const& end);

}  // namespace tusfs
