// What is mounted where, as this process sees it (/proc/self/mountinfo). Asks the kernel only, so
// that a mount which hangs does not hang who asks.
#pragma once

#include <string>
#include <vector>

namespace tusfs {

struct MountLine {
  std::string device;      ///< MAJOR:MINOR, the same for all mounts of one filesystem
  std::string root;        ///< the directory of the filesystem that is seen; "/": all of it
  std::string mountpoint;  ///< where
  std::string options;     ///< of this mount, separated by commas
  std::string type;
  std::string source;
  std::string filesystem_options;  ///< of the filesystem, whatever mount of it
};

/// In the order in which they were mounted: of two at one place the later one covers the other.
[[nodiscard]] std::vector<MountLine> ReadMountTable();

/// The line of that table, "ID PARENT DEVICE ROOT MOUNTPOINT OPTIONS [FIELDS…] - TYPE SOURCE
/// OPTIONS".
[[nodiscard]] MountLine ParseMountLine(std::string const& line);

}  // namespace tusfs
