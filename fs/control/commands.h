// What tusfsctl may ask a daemon: JSON in, JSON out (tusfsctl(1), "JSON", has the fields; scripts
// depend on them).
//
//   {"command": "status"}                     → the status object
//   {"command": "list", "path": P}            → {"files": […]}; "urls": true adds the upload URLs
//   {"command": "unfinished", "path": P}      → {"files": […]}, those that are not uploaded
//   {"command": "publish", "path": P}         → {"files": […]} with path, done and error of each;
//   also "retry", "accept" and "discard"        for a directory of those that were meant; publish
//                                               takes "rest": "take" or "drop", too
// P is relative to the mount; empty names and "." in it say nothing. A failure answers
// {"error": SENTENCE}.
#pragma once

#include <string>

#include "control/registry.h"
#include "filesystem/decisions.h"
#include "filesystem/report.h"

namespace tusfs {

class Commands {
 public:
  /// The collaborators outlive the commands.
  Commands(MountEntry entry, Reporter const& reporter, Decisions& decisions)
      : entry_(std::move(entry)), reporter_(reporter), decisions_(decisions) {}

  /// Answers one request; never throws, whatever the text is.
  [[nodiscard]] std::string Answer(std::string const& request) const;

  /// The answer to "status" in one line (SummaryOf), or why there is none.
  [[nodiscard]] std::string Summary() const;

 private:
  MountEntry const entry_;
  Reporter const& reporter_;
  Decisions& decisions_;
};

}  // namespace tusfs
