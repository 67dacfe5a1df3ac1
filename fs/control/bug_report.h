// tusfsctl report-bug: all that a person needs who has to find out why a mount does not do as it
// should, as one archive, without what is nobody's business (redactor.h). It asks the daemons of
// mounts, and nobody over the network; what does not answer is named in it.
#pragma once

#include <string>

namespace tusfs {

struct BugReportOptions {
  std::string file{};       ///< the archive; empty: tusfs-report-YYYYMMDD-HHMMSS.tar.gz, here
  std::string path{};       ///< of one mount; empty: all there are, which may be none
  bool with_names = false;  ///< of files
};

/// Puts words of a command line, of which each may be the archive or the mount, into `options`; the
/// archive is the one that ends in .tar.gz. A sentence where they do not fit; else empty.
[[nodiscard]] std::string SortWords(std::string const& first, std::string const& second,
                                    BugReportOptions& options);

/// Writes the archive, mode 0600, and never over a file that is there, and prints what is in it.
/// Returns kDone, also where mounts do not answer, or kNoAnswer with a sentence.
[[nodiscard]] int ReportBug(BugReportOptions options);

}  // namespace tusfs
