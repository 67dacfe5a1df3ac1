// What happens in one life of a mount: steps that a seed gives, and that can be dropped one by one.
//
// A step means something wherever it stands: one that cannot be done (a name that is not there, a
// program that does not run) does nothing. So a history that fails can be made shorter.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "machine.h"
#include "server.h"

namespace tusfs_life {

enum class Kind : std::uint8_t {
  // Programs: names are of a small pool, so that they meet.
  kCopy,             ///< a: name, b: size, c: which bytes; all of it at once
  kBegin,            ///< a: program, b: name, c: size; half of it
  kMore,             ///< a: program, b: size; at the end
  kWriteAt,          ///< a: program, b: offset, c: size
  kChildCloses,      ///< a: program; another process holds the file on
  kClose,            ///< a: program
  kKilled,           ///< a: program
  kFsync,            ///< a: program
  kRewrite,          ///< a: name, b: offset, c: size; in place
  kAppend,           ///< a: name, b: size
  kTruncate,         ///< a: name, b: size; without a handle
  kRename,           ///< a: from, b: to
  kExchange,         ///< a, b: names
  kLink,             ///< a: of, b: name
  kUnlink,           ///< a: name
  kMakeDirectory,    ///< a: directory
  kRemoveDirectory,  ///< a: directory
  kMoveDirectory,    ///< a: from, b: to
  kSyncDirectory,
  kCopyLarge,     ///< a: name
  kCopiesAtOnce,  ///< a: the first of three names, b: size
  kOpenToRead,    ///< a: reader, b: name
  kRead,          ///< a: reader
  kCloseReader,   ///< a: reader
  // A person.
  kPublish,  ///< a: name, as those that follow
  kRetry,
  kAccept,
  kDiscard,
  kEvict,
  kTrim,
  kReclaim,
  // Time, the server, the machine.
  kWait,    ///< a: milliseconds
  kServer,  ///< a: mishap, b: how many requests
  kServerDown,
  kServerUp,
  kWipe,  ///< a: with what is finished
  kUmount,
  kReboot,   ///< a: 0: the disk is synced first; 1: the power goes right after the umount
  kStop,     ///< of the service, whoever has files open
  kUpgrade,  ///< the daemon is killed, and a successor takes over
  kKillAll,
  kPowerCut,
  kDieSoon,    ///< a: 0 the daemon, 1 all, 2 the power; b: after how many changes of the disk
  kClockJump,  ///< a: seconds, b: backwards
  kRemount,    ///< a: bits of MountSettings
  kMeanwhile,  ///< the next step happens while the next body is on its way to the server
  kDiskFails,  ///< a: 0 a write, 1 a sync, 2 no room, of the spool; 3 a write, 4 a sync, of the
               ///< catalog
  kCount,
};

struct Step {
  Kind kind = Kind::kWait;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
};

struct History {
  std::uint64_t seed = 0;
  Server::Options server;
  MountSettings settings;
  std::vector<Step> steps;
};

/// `in_parts`: of larger files, which go in parts (--parts).
[[nodiscard]] History MakeHistory(std::uint64_t seed, bool in_parts = false);
/// Its word, as Describe has it.
[[nodiscard]] char const* WordOf(Kind kind);
/// One line.
[[nodiscard]] std::string Describe(Step const& step);
/// The settings and the steps, a line each.
[[nodiscard]] std::string Describe(History const& history);

/// A word that Decode understands, to live it again.
[[nodiscard]] std::string Encode(History const& history);
[[nodiscard]] History Decode(std::string const& word);

/// The shortest history found that still fails.
[[nodiscard]] History Shrink(History history, std::function<bool(History const&)> const& fails);

[[nodiscard]] std::string const& NameAt(std::uint32_t index);
[[nodiscard]] std::string const& DirectoryAt(std::uint32_t index);

}  // namespace tusfs_life
