// What storms need whose mounts send files in parts (--parts): a join that was cut may have
// published, which nobody but a person can find out; and parts must not stay on the server.
//
// For the test's own thread; failures are those of the running test.
#pragma once

#include "testing/mounted_tusfs.h"
#include "testing/test_server.h"

namespace tusfs_testing {

/// `options` of a mount, with the smallest parts; what has lost its file is not kept for long.
[[nodiscard]] Command WithParts(Command options);

/// Waits until everything is uploaded. Looks on the server for each file of which the mount does
/// not know whether it was published, and says so (accept) or has it sent again (retry). Returns
/// how many were sent again.
int AwaitArrivalOfParts(MountedTusfs const& mount, TestServer const& server);

/// How often the mount said of a file, since it was mounted, that it may have been published.
[[nodiscard]] std::size_t UnknownCompletions(MountedTusfs const& mount);

/// Waits until the server has no part of which no whole was made. One without bytes may be one
/// whose creation was never answered, and `most` whole ones may be left: nobody knows whether they
/// were joined, so nobody deletes them.
void ExpectNoLooseParts(TestServer& server, std::size_t most);

}  // namespace tusfs_testing
