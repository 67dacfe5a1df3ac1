// --link: what it takes, how it says it again, and what it says of mistakes.
#include "options/link_value.h"

#include <gmock/gmock.h>

#include "base/fakes.h"
#include "options/check_together.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Per = LinkOptions::Budget::Per;

std::string Complaint(std::string const& text) {
  auto const link = ParseLink(text);
  return link ? "" : link.error().context;
}

TEST(LinkValue, ANameAndAnInterfaceAreEnough) {
  auto const link = ParseLink("wifi=wlan0");
  ASSERT_TRUE(Ok(link));
  EXPECT_EQ(*link, (LinkOptions{.name = "wifi", .interface = "wlan0"}));
  EXPECT_EQ(link->cost, 1);
  EXPECT_EQ(link->limit, 0U);
  EXPECT_FALSE(link->budget);
}

TEST(LinkValue, HasABudgetACostAndALimitInAnyOrder) {
  LinkOptions const wanted{
      .name = "lte",
      .interface = "wwan0",
      .budget = LinkOptions::Budget{.bytes = std::uint64_t{10} << 30, .per = Per::kMonth},
      .cost = 5,
      .limit = 1 << 20};
  EXPECT_EQ(ParseLink("lte=wwan0,budget=10GiB/month,cost=5,limit=1MiB").value(), wanted);
  EXPECT_EQ(ParseLink("lte=wwan0,limit=1MiB,cost=5,budget=10GiB/month").value(), wanted);
  EXPECT_EQ(ParseLink("lte=wwan0:budget=10GiB/month:cost=5:limit=1MiB").value(), wanted)
      << "as behind -o";
  EXPECT_EQ(ParseLink("lte=wwan0,budget=500MiB/day")->budget->per, Per::kDay);
}

TEST(LinkValue, SaysWhatItTook) {
  for (std::string const text : {"wifi=wlan0", "lte=wwan0,budget=10GiB/month,cost=5,limit=1MiB",
                                 "a=eth0.100,budget=1000B/day"}) {
    auto const link = ParseLink(text);
    ASSERT_TRUE(Ok(link));
    EXPECT_EQ(ParseLink(FormatLink(*link)).value(), *link) << text;
  }
  EXPECT_EQ(FormatLink(ParseLink("lte=wwan0,cost=1,limit=1MiB,budget=10GiB/month").value()),
            "lte=wwan0,budget=10GiB/month,limit=1MiB");
}

TEST(LinkValue, AMistakeIsNamedWithTheWayOut) {
  EXPECT_THAT(Complaint("wlan0"), HasSubstr("it takes NAME=INTERFACE"));
  EXPECT_THAT(Complaint("=wlan0"), HasSubstr("'' is no name of a link"));
  EXPECT_THAT(Complaint("a b=wlan0"), HasSubstr("'a b' is no name of a link: it takes up to 32"));
  EXPECT_THAT(Complaint("a=" + std::string(16, 'x')), HasSubstr("is no name of an interface"));
  EXPECT_THAT(Complaint("a="), HasSubstr("'' is no name of an interface: it takes one that"));
  EXPECT_THAT(Complaint("a=eth/0"), HasSubstr("is no name of an interface"));
  EXPECT_THAT(Complaint("a=192.0.2.7"), HasSubstr("'192.0.2.7' is an address: name the interface"));
  EXPECT_THAT(Complaint("a=wlan0,speed=3"),
              HasSubstr("there is no 'speed': it takes budget, cost and limit"));
  EXPECT_THAT(Complaint("a=wlan0,"), HasSubstr("there is no ''"));
  EXPECT_THAT(Complaint("a=wlan0,cost=0"), HasSubstr("cost: it takes a number from 1 to 1000"));
  EXPECT_THAT(Complaint("a=wlan0,cost"), HasSubstr("cost: it takes a number"));
  EXPECT_THAT(Complaint("a=wlan0,limit=fast"), HasSubstr("limit: it takes a size"));
  EXPECT_THAT(Complaint("a=wlan0,cost=2,cost=3"), HasSubstr("it says cost twice"));
  for (auto const* const budget : {"10GiB", "10GiB/week", "/month", "0/day", "much/day", ""}) {
    EXPECT_THAT(Complaint("a=wlan0,budget=" + std::string(budget)),
                HasSubstr("is no budget: it takes a size for a day or a month, such as"))
        << budget;
  }
  EXPECT_THAT(Complaint("a\n=wlan0"), testing::Not(HasSubstr("\n")));
}

TEST(LinkValue, EachLinkHasANameOfItsOwn) {
  std::vector<LinkOptions> links;
  ASSERT_TRUE(Ok(value::Links::Set(links, "a=wlan0")));
  ASSERT_TRUE(Ok(value::Links::Set(links, "b=wwan0,cost=2")));
  auto const again = value::Links::Set(links, "a=eth0");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().context, HasSubstr("two links have the name 'a'"));
  EXPECT_THAT(value::Links::Get(links), ElementsAre("a=wlan0", "b=wwan0,cost=2"));
  for (int i = 2; i < 16; ++i) {
    ASSERT_TRUE(
        Ok(value::Links::Set(links, "n" + std::to_string(i) + "=eth" + std::to_string(i + 1))));
  }
  EXPECT_FALSE(value::Links::Set(links, "more=eth0"));
}

TEST(LinkValue, DoesNotGoTogetherWithInterface) {
  Options options;
  options.url = "http://tus/files/";
  options.interface = "eth0";
  EXPECT_TRUE(Ok(CheckTogether(options)));
  options.links = {{.name = "a", .interface = "wlan0"}};
  auto const checked = CheckTogether(options);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().context, HasSubstr("--interface and --link"));
}

}  // namespace
}  // namespace tusfs
