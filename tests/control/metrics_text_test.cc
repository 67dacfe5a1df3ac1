// Metrics as text: several mounts are one, and no mount's name breaks a line.
#include "control/metrics_text.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

TEST(MetricsTextTest, EachMetricOfSeveralMountsIsTogether) {
  std::string const one =
      "# HELP tusfs_a What it is\n# TYPE tusfs_a gauge\ntusfs_a{mount=\"/1\"} 1\n"
      "# HELP tusfs_b Other\n# TYPE tusfs_b histogram\ntusfs_b_bucket{le=\"1\",mount=\"/1\"} 2\n"
      "tusfs_b_sum{mount=\"/1\"} 3\n";
  std::string const two =
      "# HELP tusfs_b Other\n# TYPE tusfs_b histogram\ntusfs_b_sum{mount=\"/2\"} 4\n"
      "# HELP tusfs_a What it is\n# TYPE tusfs_a gauge\ntusfs_a{mount=\"/2\"} 5\n";
  EXPECT_EQ(MergeMetrics({one, two}),
            "# HELP tusfs_a What it is\n# TYPE tusfs_a gauge\ntusfs_a{mount=\"/1\"} 1\n"
            "tusfs_a{mount=\"/2\"} 5\n"
            "# HELP tusfs_b Other\n# TYPE tusfs_b histogram\n"
            "tusfs_b_bucket{le=\"1\",mount=\"/1\"} 2\ntusfs_b_sum{mount=\"/1\"} 3\n"
            "tusfs_b_sum{mount=\"/2\"} 4\n");
  EXPECT_EQ(MergeMetrics({one}), one);
  EXPECT_EQ(MergeMetrics({}), "");
}

TEST(MetricsTextTest, AMetricWithoutSamplesHasItsHeadOnce) {
  std::string const head = "# HELP tusfs_a What\n# TYPE tusfs_a counter\n";
  EXPECT_EQ(MergeMetrics({head, head}), head);
}

TEST(MetricsTextTest, OfASilentMountItIsSaidThatItIs) {
  EXPECT_EQ(SilentMetrics("/a\\b\"c\nd"),
            "# HELP tusfs_up Whether the daemon answers\n# TYPE tusfs_up gauge\n"
            "tusfs_up{mount=\"/a\\\\b\\\"c\\\\x0ad\"} 0\n");
}

}  // namespace
}  // namespace tusfs
