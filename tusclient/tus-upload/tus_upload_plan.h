// Which files a command uploads: those that it names, and those in the folders that it names.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "tus_upload_options.h"
#include "tus_upload_report.h"

namespace tus_upload {

struct PlannedFile {
  std::string path;        ///< as it was named, or the folder as it was named and what follows
  std::uint64_t size = 0;  ///< bytes; 0 where that is not known
  bool found = false;      ///< in a folder
};

struct Plan {
  std::vector<PlannedFile> files;
  std::uint64_t failed = 0;  ///< folders, and what is in them, that could not be looked at
  bool cut_short = false;    ///< by a signal

  [[nodiscard]] std::uint64_t Bytes() const;
};

/// With options.recursive folders are walked, depth first, by the bytes of the names. A symbolic
/// link is followed where it was named, and skipped where it is found; so are devices, pipes,
/// sockets and the state directory. Tells `report` of all that is skipped and cannot be read. Ends
/// early, with what it has, when `stop` is requested.
[[nodiscard]] Plan MakePlan(Options const& options, Report& report, std::stop_token const& stop);

}  // namespace tus_upload
