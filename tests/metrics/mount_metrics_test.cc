// MountMetrics: the text that Prometheus reads.
#include "metrics/mount_metrics.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(MountMetrics, HasEachNumberOfTheStatus) {
  RequestMetrics requests;
  requests.Count("POST", 201, 0.01);
  StatusReport status;
  status.files = {{"uploaded", 7}, {"failed", 2}};
  status.accepted = 1000;
  status.confirmed = 900;
  status.sent = 950;
  status.resent = 50;
  status.spool_used = 4096;
  status.spool_limit = std::uint64_t{1} << 40;
  status.waiting = 3;
  status.oldest_unsent = "cards/A001.mov";
  status.oldest_unsent_at = 1'700'000'000'000'000'000;
  status.server.reachable = true;
  status.server.since = 1'700'000'000'500'000'000;
  auto const text =
      MountMetrics({"/mnt/ingest", "1.2.3", 1.5e9}, status, requests, 1'700'007'200'900'000'000);
  for (std::string const line :
       {"tusfs_build_info{version=\"1.2.3\",mount=\"/mnt/ingest\"} 1",
        "tusfs_up{mount=\"/mnt/ingest\"} 1",
        "tusfs_start_time_seconds{mount=\"/mnt/ingest\"} 1500000000",
        "tusfs_files{state=\"uploaded\",mount=\"/mnt/ingest\"} 7",
        "tusfs_files{state=\"failed\",mount=\"/mnt/ingest\"} 2",
        "tusfs_files{state=\"interrupted\",mount=\"/mnt/ingest\"} 0",
        "tusfs_accepted_bytes{mount=\"/mnt/ingest\"} 1000",
        "tusfs_confirmed_bytes{mount=\"/mnt/ingest\"} 900",
        "tusfs_oldest_unsent_age_seconds{mount=\"/mnt/ingest\"} 7200",
        "tusfs_sent_bytes_total{mount=\"/mnt/ingest\"} 950",
        "tusfs_resent_bytes_total{mount=\"/mnt/ingest\"} 50",
        "tusfs_spool_used_bytes{mount=\"/mnt/ingest\"} 4096",
        "tusfs_spool_limit_bytes{mount=\"/mnt/ingest\"} 1099511627776",
        "tusfs_waiting_files{mount=\"/mnt/ingest\"} 3",
        "tusfs_server_reachable{mount=\"/mnt/ingest\"} 1",
        "tusfs_server_changed_time_seconds{mount=\"/mnt/ingest\"} 1700000000.5",
        "tusfs_requests_total{answer=\"2xx\",method=\"POST\",mount=\"/mnt/ingest\"} 1"}) {
    EXPECT_THAT(text, HasSubstr("\n" + line)) << line;
  }
}

TEST(MountMetrics, HasTheNumbersOfEachLinkWhereThereAreSome) {
  RequestMetrics const requests;
  StatusReport status;
  EXPECT_THAT(MountMetrics({"/m", "1", 0}, status, requests, 0),
              testing::Not(HasSubstr("tusfs_link")));
  status.links = {{.options = {.name = "wifi", .interface = "wlan0"},
                   .state = "sending",
                   .is_up = true,
                   .sending = 2,
                   .usage = {.total = 1050}},
                  {.options = {.name = "lte", .interface = "wwan0"}, .state = "spent"}};
  auto const text = MountMetrics({"/m", "1", 0}, status, requests, 0);
  for (std::string const line :
       {"tusfs_link_bytes_total{link=\"wifi\",mount=\"/m\"} 1050",
        "tusfs_link_up{link=\"wifi\",mount=\"/m\"} 1", "tusfs_link_up{link=\"lte\",mount=\"/m\"} 0",
        "tusfs_link_transfers{link=\"wifi\",mount=\"/m\"} 2",
        "tusfs_link_budget_spent{link=\"wifi\",mount=\"/m\"} 0",
        "tusfs_link_budget_spent{link=\"lte\",mount=\"/m\"} 1"}) {
    EXPECT_THAT(text, HasSubstr("\n" + line)) << line;
  }
}

TEST(MountMetrics, NothingIsOldWhereNothingWaitsOrTheClockWasSetBack) {
  RequestMetrics const requests;
  StatusReport status;
  FileTime constexpr kNow = 1'700'000'000'000'000'000;
  auto const is_none = HasSubstr("tusfs_oldest_unsent_age_seconds{mount=\"/m\"} 0\n");
  EXPECT_THAT(MountMetrics({"/m", "1", 0}, status, requests, kNow), is_none);
  status.oldest_unsent = "a";
  status.oldest_unsent_at = kNow + 1'000'000'000;
  EXPECT_THAT(MountMetrics({"/m", "1", 0}, status, requests, kNow), is_none);
}

TEST(MountMetrics, AHostileMountPointStaysInItsQuotes) {
  RequestMetrics const requests;
  auto const text = MountMetrics({"/a\"} 1\nevil 1\xff", "1", 0}, StatusReport(), requests, 0);
  EXPECT_THAT(text, testing::Not(HasSubstr("\nevil")));
  EXPECT_THAT(text, testing::Not(HasSubstr("\xff")));
  EXPECT_THAT(text, AllOf(HasSubstr("mount=\"/a\\\"} 1"), HasSubstr("tusfs_files")));
}

}  // namespace
}  // namespace tusfs
