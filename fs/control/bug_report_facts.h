// What a report says of the machine, beside what mounts say of themselves. Asks nobody over the
// network, and changes nothing.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace tusfs {

/// This program: its version, its compiler, its libraries.
[[nodiscard]] std::string VersionFacts();

/// Kernel, distribution, processors, memory, since when it runs; without its name.
[[nodiscard]] std::string MachineFacts();

/// Of the state directory, which has the spool in it: type and room of its filesystem.
[[nodiscard]] std::string FilesystemFacts(std::string const& state_dir);

/// What systemd keeps of crashes of tusfs. Errors: a phrase, where it does not or nobody may see.
[[nodiscard]] Result<std::string> CrashFacts();

/// What each thread of the process waits for in the kernel, as far as this user may see it. Empty:
/// there is no such process of tusfs.
[[nodiscard]] std::string ThreadFacts(pid_t process);

struct ConfigurationFacts {
  std::string file;
  std::string settings;  ///< as tusfs --check-config shows them, or what is wrong with it
};
/// Of each configuration of the machine, at most 16.
[[nodiscard]] std::vector<ConfigurationFacts> Configurations();

/// Lines of --check-config without what may be a secret and is none of its own: arguments of
/// programs, values of metadata.
[[nodiscard]] std::string WithoutArguments(std::string const& settings);

}  // namespace tusfs
