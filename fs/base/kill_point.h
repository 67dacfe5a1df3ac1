// Moments of a request's life at which the daemon's death would matter most.
//
// KillPoint does nothing in the program that is installed. The tests link one of their own in its
// place, which dies there by SIGKILL when the test says so (tests/testing/kill_point.cc).
#pragma once

#include <cstdint>

namespace tusfs {

enum class KillMoment {
  kReceived,   ///< the request is in its slot, nothing was done
  kDecided,    ///< the catalog has decided the change, and has not journaled it
  kJournaled,  ///< journaled, not applied
  kExecuted,   ///< done, the reply is not stored yet
  kReplying,   ///< the reply is stored, and not sent
  kReplied,    ///< sent, the slot is not free yet
};

/// `opcode`: of FUSE, with kReceived; the later moments of the thread belong to the same request.
void KillPoint(KillMoment moment, std::uint32_t opcode = 0);

}  // namespace tusfs
