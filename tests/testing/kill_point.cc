// The meaning of KillPoint in the tests' build of tusfs: death, where a test has asked for it.
//
// $TUSFS_KILL_FILE names a file with an opcode of FUSE, a moment, and perhaps the word "always":
// "35 decided". The first thread that comes to that moment of such a request removes the file
// (unless it says always) and dies with its process by SIGKILL.
#include "base/kill_point.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace tusfs {
namespace {

thread_local std::uint32_t current_opcode = 0;

char const* NameOf(KillMoment moment) {
  switch (moment) {
    case KillMoment::kReceived:
      return "received";
    case KillMoment::kDecided:
      return "decided";
    case KillMoment::kJournaled:
      return "journaled";
    case KillMoment::kExecuted:
      return "executed";
    case KillMoment::kReplying:
      return "replying";
    case KillMoment::kReplied:
      return "replied";
  }
  return "";
}

}  // namespace

void KillPoint(KillMoment moment, std::uint32_t opcode) {
  static char const* const path = std::getenv("TUSFS_KILL_FILE");
  if (path == nullptr) return;
  if (moment == KillMoment::kReceived) current_opcode = opcode;
  std::ifstream file(path);
  std::uint32_t wanted = 0;
  std::string name;
  std::string how_often;
  if (!(file >> wanted >> name) || wanted != current_opcode || name != NameOf(moment)) return;
  file >> how_often;
  // One thread dies for one file.
  if (how_often != "always" && ::unlink(path) != 0) return;
  ::kill(::getpid(), SIGKILL);
  ::pause();
}

}  // namespace tusfs
