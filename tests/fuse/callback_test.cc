// How values of Filesystem become replies, and those of requests become values.
#define FUSE_USE_VERSION 314
#include "fuse/callback.h"

#include <fuse3/fuse_lowlevel.h>
#include <gtest/gtest.h>

#include <limits>

#include "fuse/operations.h"

namespace tusfs {
namespace {

TEST(FileTimes, ComeBackAsTheyWere) {
  for (timespec const time : {timespec{1'700'000'000, 999'999'999}, timespec{0, 0}, timespec{-1, 1},
                              timespec{-2'000'000'000, 5}}) {
    Attributes attributes;
    attributes.modified = ToFileTime(time);
    auto const shown = ToStat(attributes).st_mtim;
    EXPECT_EQ(shown.tv_sec, time.tv_sec);
    EXPECT_EQ(shown.tv_nsec, time.tv_nsec);
  }
}

// Else du and rsync, which read all names first, ask for the attributes of each by itself.
TEST(Session, ListingsAlwaysBringAttributesAlong) {
  fuse_conn_info connection{};
  connection.want = FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO;
  FuseOperations().init(nullptr, &connection);
  EXPECT_NE(connection.want & static_cast<unsigned>(FUSE_CAP_READDIRPLUS), 0U);
  EXPECT_EQ(connection.want & static_cast<unsigned>(FUSE_CAP_READDIRPLUS_AUTO), 0U);
}

// touch -d @99999999999
TEST(FileTimes, OneThatCannotBeKeptIsTheNearestThatCan) {
  using Limits = std::numeric_limits<FileTime>;
  EXPECT_EQ(ToFileTime({99'999'999'999, 0}), Limits::max());
  EXPECT_EQ(ToFileTime({std::numeric_limits<time_t>::max(), 999'999'999}), Limits::max());
  EXPECT_EQ(ToFileTime({-99'999'999'999, 0}), Limits::min());
  EXPECT_EQ(ToFileTime({std::numeric_limits<time_t>::min(), 0}), Limits::min());
  EXPECT_EQ(ToFileTime({9'223'372'036, 854'775'807}), Limits::max());
  EXPECT_EQ(ToFileTime({9'223'372'036, 854'775'808}), Limits::max());
}

}  // namespace
}  // namespace tusfs
