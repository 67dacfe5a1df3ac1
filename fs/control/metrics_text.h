// tusfsctl metrics: the numbers of mounts as text for Prometheus, such as node_exporter's textfile
// collector takes from a file.
#pragma once

#include <string>
#include <vector>

namespace tusfs {

/// Texts of several mounts as one, in which each metric has its lines together, as the format wants
/// it.
[[nodiscard]] std::string MergeMetrics(std::vector<std::string> const& texts);

/// What there is of a mount whose daemon does not answer.
[[nodiscard]] std::string SilentMetrics(std::string const& mount);

struct MetricsOptions {
  std::string path{};  ///< of one mount; empty: all there are, which may be none
  std::string file{};  ///< is replaced as a whole, readable for all; empty: standard output
};
/// Returns kDone, also where a daemon does not answer, of which a number tells; or kNoAnswer with a
/// sentence.
[[nodiscard]] int PrintMetrics(MetricsOptions const& options);

}  // namespace tusfs
