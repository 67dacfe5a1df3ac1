// Moments: what people write for --since, in their own time zone.
#include "control/moment.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <ctime>

#include "base/fakes.h"
#include "base/iso_time.h"

namespace tusfs {
namespace {

using testing::HasSubstr;

constexpr FileTime kSecond = 1'000'000'000;
constexpr FileTime kNow = 1'700'000'000 * kSecond;  // 2023-11-14 22:13:20 UTC

class MomentTest : public testing::Test {
 protected:
  MomentTest() {
    ::setenv("TZ", "UTC-2", 1);  // two hours ahead of UTC: it is 00:13 of the 15th
    ::tzset();
  }

  static std::string Utc(std::string const& text) {
    auto const moment = ParseMoment(text, kNow);
    return moment ? IsoUtc(*moment) : moment.error().context;
  }
};

TEST_F(MomentTest, DatesAndTimesAreLocal) {
  EXPECT_EQ(Utc("2023-11-14"), "2023-11-13T22:00:00Z");
  EXPECT_EQ(Utc("2023-11-14 08:30"), "2023-11-14T06:30:00Z");
  EXPECT_EQ(Utc("2023-11-14T08:30:15"), "2023-11-14T06:30:15Z");
  EXPECT_EQ(Utc("2023-11-14T08:30:15Z"), "2023-11-14T08:30:15Z");
  EXPECT_EQ(Utc("14:00"), "2023-11-15T12:00:00Z");
  EXPECT_EQ(Utc("today"), "2023-11-14T22:00:00Z");
  EXPECT_EQ(Utc("yesterday"), "2023-11-13T22:00:00Z");
}

TEST_F(MomentTest, OrHowLongAgo) {
  EXPECT_EQ(Utc("now"), IsoUtc(kNow));
  EXPECT_EQ(Utc("12h"), IsoUtc(kNow - 12 * 3600 * kSecond));
  EXPECT_EQ(Utc("3d"), IsoUtc(kNow - 3 * 86'400 * kSecond));
  EXPECT_EQ(Utc("@1000"), "1970-01-01T00:16:40Z");
}

TEST_F(MomentTest, AnythingElseIsNamedWithTheWayOut) {
  for (auto const* text : {"", "soon", "2023-02-31", "2023-11-14 25:00", "@", "@-1", "@x", "7",
                           "2023-11-14Z", "14:00x", "-3d"}) {
    EXPECT_THAT(Utc(text), HasSubstr("'" + std::string(text) + "' is no time")) << text;
  }
}

TEST_F(MomentTest, IsShownInLocalTime) { EXPECT_EQ(ShowMoment(kNow), "2023-11-15 00:13:20"); }

}  // namespace
}  // namespace tusfs
