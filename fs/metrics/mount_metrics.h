// The numbers of a mount as Prometheus takes them. tusfs(1), "METRICS", has the list; dashboards
// and alerts depend on the names.
#pragma once

#include <string>

#include "filesystem/report.h"
#include "metrics/request_metrics.h"

namespace tusfs {

/// What does not change while a daemon lives.
struct MountFacts {
  std::string mount;      ///< a label of every sample
  std::string version;    ///< of this program
  double started_at = 0;  ///< when this daemon was, in seconds since 1970
};

/// The text format 0.0.4, as an answer to GET /metrics. `now`: when `status` was asked.
[[nodiscard]] std::string MountMetrics(MountFacts const& facts, StatusReport const& status,
                                       RequestMetrics const& requests, FileTime now);

}  // namespace tusfs
