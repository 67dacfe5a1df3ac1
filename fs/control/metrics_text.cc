#include "control/metrics_text.h"

#include <sys/stat.h>

#include <cstdio>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/outcome.h"
#include "control/place.h"

namespace tusfs {
namespace {

constexpr std::string_view kHelp = "# HELP ";
constexpr mode_t kForAll = 0644;

// Of a label; the rest has been made printable.
std::string Escaped(std::string const& text) {
  std::string escaped;
  for (char const c : Printable(text)) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

Result<std::string> TextOfMount(Place const& place) {
  auto const answer = Request(place, "metrics");
  if (answer) return TextOf(*answer, "text");
  if (answer.error().code == ENOTCONN) return SilentMetrics(place.mount.mount);
  return Failure(answer.error());
}

}  // namespace

std::string MergeMetrics(std::vector<std::string> const& texts) {
  struct Metric {
    std::string head;  ///< HELP and TYPE
    std::string samples;
  };
  std::map<std::string, Metric> metrics;
  for (auto const& text : texts) {
    std::istringstream lines(text);
    Metric* metric = nullptr;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(kHelp)) {
        auto const name = line.substr(kHelp.size(), line.find(' ', kHelp.size()) - kHelp.size());
        metric = &metrics[name];
        if (metric->samples.empty()) metric->head.clear();
      }
      if (metric == nullptr || line.empty()) continue;
      bool const is_head = line.starts_with('#');
      if (!is_head) {
        metric->samples += line + "\n";
      } else if (metric->samples.empty()) {
        metric->head += line + "\n";
      }
    }
  }
  std::string merged;
  for (auto const& [name, metric] : metrics) merged += metric.head + metric.samples;
  return merged;
}

std::string SilentMetrics(std::string const& mount) {
  return "# HELP tusfs_up Whether the daemon answers\n# TYPE tusfs_up gauge\ntusfs_up{mount=\"" +
         Escaped(mount) + "\"} 0\n";
}

int PrintMetrics(MetricsOptions const& options) {
  if (auto free = CheckReplaceable(options.file); !options.file.empty() && !free) {
    return Complain("--file: " + free.error().context);
  }
  std::vector<Place> places;
  if (options.path.empty()) {
    for (auto& mount : ListMounts()) places.push_back({std::move(mount), ""});
  } else {
    auto place = FindPlace(options.path);
    if (!place) return Complain(place.error().context);
    places.push_back(*std::move(place));
  }
  std::vector<std::string> texts;
  for (auto const& place : places) {
    auto text = TextOfMount(place);
    if (!text) return Complain(text.error().context);
    texts.push_back(*std::move(text));
  }
  auto const merged = MergeMetrics(texts);
  if (options.file.empty()) {
    std::fputs(merged.c_str(), stdout);
    return kDone;
  }
  auto const replaced = ReplaceFile(options.file, merged, kForAll);
  return replaced ? kDone
                  : Complain("the metrics cannot be written: " + Describe(replaced.error()));
}

}  // namespace tusfs
