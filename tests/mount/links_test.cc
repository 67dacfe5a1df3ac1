// Several links at once: what each carries, over networks that are shaped, unplugged and paid for.
#include "mount/mount_test.h"
#include "mount/two_networks.h"

namespace tusfs_testing {
namespace {

using nlohmann::json;
using std::chrono::duration;
using std::chrono::seconds;
using ::testing::HasSubstr;
using Steady = std::chrono::steady_clock;

constexpr auto kFirst = TwoNetworks::kFirst;
constexpr auto kSecond = TwoNetworks::kSecond;
constexpr std::uint64_t kRate = 5'000'000;  // bytes per second on the wire

class LinksTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (auto const why = TwoNetworks::WhyNot(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    MakeNetworks({});
  }

  void MakeNetworks(std::chrono::milliseconds join_time) {
    networks_ = nullptr;  // the one before
    FixtureOptions server{.storage = Storage::kDirectory, .directory = dir_ / "server"};
    server.checksum = false;  // what was sent with one is kept as a whole or not at all
    server.join_time = join_time;
    networks_ = std::make_unique<TwoNetworks>(std::move(server));
    for (auto const* const interface : {kFirst, kSecond}) networks_->Shape(interface, kRate);
  }

  FixtureServer& Server() { return networks_->server(); }

  std::unique_ptr<MountedTusfs> MakeMount(Command options) {
    options.insert(options.end(), {"--settle", "0.1"});
    auto mount = std::make_unique<MountedTusfs>(Server().Url(), options);
    EXPECT_EQ(mount->Mount(), "");
    return mount;
  }
  std::unique_ptr<MountedTusfs> MakeMount(std::string const& first, std::string const& second,
                                          Command options = {}) {
    options.insert(options.end(), {"--link", "wifi=" + std::string(kFirst) + first, "--link",
                                   "lte=" + std::string(kSecond) + second});
    return MakeMount(std::move(options));
  }

  static json LinkOf(MountedTusfs const& mount, std::size_t index) {
    auto const status = mount.Status();
    return status.is_object() ? status.at("links").at(index) : json();
  }
  static std::string StateOf(MountedTusfs const& mount, std::size_t index) {
    return LinkOf(mount, index).value("state", "");
  }

  void ExpectWholeOnce(std::string const& name, std::filesystem::path const& source) {
    auto const upload = Server().FindUpload(name);
    ASSERT_TRUE(upload && upload->complete) << name;
    EXPECT_EQ(Sha256(Server().Content(upload->id)), Sha256OfFile(source)) << name;
  }
  [[nodiscard]] bool WaitUntilReceived(std::uint64_t bytes) {
    return WaitFor([&] { return Server().Stats().received_bytes >= bytes; }, seconds(60));
  }

  /// While the server receives so many bytes, both links carry what they can.
  void ExpectShareOfTheSum(std::uint64_t from, std::uint64_t to) {
    ASSERT_TRUE(WaitUntilReceived(from));
    auto const begun = Steady::now();
    auto const before = Server().Stats().received_bytes;
    ASSERT_TRUE(WaitUntilReceived(to));
    auto const bytes = static_cast<double>(Server().Stats().received_bytes - before);
    auto const share = bytes / duration<double>(Steady::now() - begun).count() / (2.0 * kRate);
    std::printf("%.1f %% of what both links carry on the wire\n", share * 100);
    EXPECT_GE(share, 0.9);
  }

  std::unique_ptr<TwoNetworks> networks_;
};

TEST_F(LinksTest, TwoFilesGetTheSumOfTwoLinks) {
  auto const mount = MakeMount("", "");
  auto const one = Source("one", 48 * kMiB);
  auto const two = Source("two", 48 * kMiB);
  Copy(one, *mount / "one");
  Copy(two, *mount / "two");
  ExpectShareOfTheSum(16 * kMiB, 80 * kMiB);
  for (std::size_t link : {0, 1}) {
    EXPECT_EQ(StateOf(*mount, link), "sending");
    EXPECT_GT(LinkOf(*mount, link).value("rate", 0), kRate * 8 / 10) << link;
  }
  ASSERT_EQ(mount->WaitUploaded(), 0);
  ExpectWholeOnce("one", one);
  ExpectWholeOnce("two", two);
  EXPECT_EQ(Server().Stats().published, 2);
  auto const status = mount->Status();
  EXPECT_EQ(status["bytes"]["sent"], 96 * kMiB);
  EXPECT_EQ(status["bytes"]["resent"], 0);
}

TEST_F(LinksTest, OneFileInPartsGetsTheSumOfTwoLinks) {
  auto const mount = MakeMount("", "", {"--parts", "4MiB"});
  auto const source = Source("source", 96 * kMiB);
  Copy(source, *mount / "file");
  ExpectShareOfTheSum(16 * kMiB, 80 * kMiB);
  ASSERT_EQ(mount->WaitUploaded(), 0);
  ExpectWholeOnce("file", source);
  EXPECT_EQ(Server().Stats().published, 1);
}

TEST_F(LinksTest, ALinkThatIsAwayForAMomentCancelsNoRequestThatJoinsParts) {
  MakeNetworks(std::chrono::milliseconds(1500));
  auto const mount = MakeMount({"--link", "wifi=" + std::string(kFirst), "--parts", "4MiB"});
  auto const source = Source("source", 10 * kMiB);
  Copy(source, *mount / "file");
  ASSERT_TRUE(WaitFor([&] { return Server().Joining() == 1; }));
  networks_->Unplug(kFirst);
  ASSERT_TRUE(WaitFor([&] { return StateOf(*mount, 0) == "down"; }));
  networks_->Plug(kFirst);
  ASSERT_EQ(mount->WaitUploaded(), 0) << mount->Listed("file");
  ExpectWholeOnce("file", source);
}

TEST_F(LinksTest, ALinkThatIsUnpluggedGivesItsFilesToTheOther) {
  auto const mount = MakeMount("", "");
  auto const one = Source("one", 24 * kMiB);
  auto const two = Source("two", 24 * kMiB);
  Copy(one, *mount / "one");
  Copy(two, *mount / "two");
  ASSERT_TRUE(WaitUntilReceived(16 * kMiB));
  ASSERT_TRUE(WaitFor([&] { return LinkOf(*mount, 0).value("sending", 0) == 1; }));
  networks_->Unplug(kFirst);
  EXPECT_TRUE(WaitFor([&] { return StateOf(*mount, 0) == "down"; }, seconds(3)));
  EXPECT_TRUE(WaitFor([&] { return LinkOf(*mount, 1).value("sending", 0) == 2; }, seconds(5)))
      << "what the first was carrying goes on at once: " << mount->Status()["links"];
  EXPECT_THAT(LinkOf(*mount, 0).value("why", ""), HasSubstr("has no carrier"));
  EXPECT_TRUE(mount->Status()["server"].value("reachable", false));
  ASSERT_EQ(mount->WaitUploaded(), 0);
  ExpectWholeOnce("one", one);
  ExpectWholeOnce("two", two);
  EXPECT_EQ(Server().Stats().published, 2);
  auto const status = mount->Status();
  auto const resent = status["bytes"].value("resent", std::uint64_t{0});
  std::printf("sent again after the cut: %.1f MiB\n", static_cast<double>(resent) / kMiB);
  EXPECT_LE(resent, 6 * kMiB) << "what was in the sockets of one file";
  EXPECT_EQ(status["files"], (json{{"uploaded", 2}}));

  networks_->Plug(kFirst);
  ASSERT_TRUE(WaitFor([&] { return StateOf(*mount, 0) == "idle"; }));
  auto const before = TwoNetworks::Left(kFirst);
  Copy(one, *mount / "three");
  Copy(two, *mount / "four");
  ASSERT_EQ(mount->WaitUploaded(), 0);
  EXPECT_GT(TwoNetworks::Left(kFirst), before + 4 * kMiB) << "it is used again";
}

TEST_F(LinksTest, ADearerLinkCarriesWhatIsUrgentAndNothingElseBeforeItHasWaited) {
  auto const mount = MakeMount("", ",cost=5", {"--patience", "3600"});
  auto const usual = Source("usual", 2 * kMiB);
  Copy(usual, *mount / "usual");
  ASSERT_EQ(mount->WaitUploaded(), 0);
  EXPECT_EQ(LinkOf(*mount, 1).value("total", 1), 0);
  EXPECT_EQ(StateOf(*mount, 1), "waiting");

  networks_->Unplug(kFirst);
  ASSERT_TRUE(WaitFor([&] { return StateOf(*mount, 0) == "down"; }));
  Copy(usual, *mount / "later");
  auto const urgent = Source("urgent", kMiB);
  Copy(urgent, *mount / "urgent");
  ASSERT_EQ(TusfsCtl({"prioritize", *mount / "urgent"}).code, 0);
  ASSERT_TRUE(WaitFor([&] { return mount->State("urgent") == "uploaded"; }));
  EXPECT_EQ(mount->State("later"), "queued");
  EXPECT_GE(LinkOf(*mount, 1).value("total", std::uint64_t{0}), kMiB);

  networks_->Plug(kFirst);
  ASSERT_EQ(mount->WaitUploaded(), 0);
  ExpectWholeOnce("later", usual);
  EXPECT_LT(LinkOf(*mount, 1).value("total", std::uint64_t{0}), 2 * kMiB);
}

TEST_F(LinksTest, ADearerLinkCarriesAnythingOnceTheOtherWasDownForThePatience) {
  auto const mount = MakeMount("", ",cost=5", {"--patience", "2"});
  ASSERT_TRUE(WaitFor([&] { return StateOf(*mount, 0) == "idle"; }));
  networks_->Unplug(kFirst);
  auto const cut = Steady::now();
  auto const source = Source("source", 3 * kMiB);
  Copy(source, *mount / "file");
  ASSERT_EQ(mount->WaitUploaded(), 0);
  EXPECT_GE(Steady::now() - cut, seconds(2));
  ExpectWholeOnce("file", source);
  EXPECT_GE(LinkOf(*mount, 1).value("total", std::uint64_t{0}), 3 * kMiB);
}

TEST_F(LinksTest, ASpentBudgetIsKeptOverARestart) {
  constexpr std::uint64_t kSmallestBody = 256 * 1024;
  Command const link{"--link", "lte=" + std::string(kSecond) + ",budget=4MiB/month"};
  auto const mount = MakeMount(link);
  auto const source = Source("source", 12 * kMiB);
  Copy(source, *mount / "file");
  ASSERT_TRUE(WaitFor([&] { return StateOf(*mount, 0) == "spent"; })) << mount->Status();
  auto const spent = LinkOf(*mount, 0);
  EXPECT_GE(spent.value("month", std::uint64_t{0}), 4 * kMiB);
  EXPECT_LE(spent.value("month", std::uint64_t{0}), 4 * kMiB + kSmallestBody * 21 / 20);
  EXPECT_EQ(spent["budget"], (json{{"bytes", 4 * kMiB}, {"per", "month"}}));
  EXPECT_THAT(TusfsCtl({"status", mount->mountpoint()}).out,
              HasSubstr("its budget for this month is spent"));
  auto const left = TwoNetworks::Left(kSecond);

  ASSERT_EQ(mount->Unmount(), 0);
  ASSERT_EQ(mount->Mount(), "");
  ASSERT_TRUE(WaitFor([&] { return StateOf(*mount, 0) == "spent"; })) << mount->Status();
  EXPECT_EQ(LinkOf(*mount, 0)["month"], spent["month"]);
  EXPECT_THAT(mount->Log(), HasSubstr("the budget of a link is spent"));
  EXPECT_NE(mount->State("file"), "uploaded");
  EXPECT_LE(TwoNetworks::Left(kSecond), left + 64 * 1024) << "it carries nothing";

  ASSERT_EQ(mount->Unmount(), 0);
  mount->SetOptions({"--link", "lte=" + std::string(kSecond), "--settle", "0.1"});
  ASSERT_EQ(mount->Mount(), "");
  ASSERT_EQ(mount->WaitUploaded(), 0);
  ExpectWholeOnce("file", source);
  EXPECT_GT(LinkOf(*mount, 0)["month"], spent["month"]);
}

TEST_F(LinksTest, AnInterfaceThatIsNotThereYetIsUsedWhenItComes) {
  auto const mount = MakeMount({"--link", "usb=usb7"});
  EXPECT_EQ(StateOf(*mount, 0), "down");
  EXPECT_FALSE(mount->Status()["server"].value("reachable", true));
  EXPECT_THAT(mount->Log(), HasSubstr("there is no interface 'usb7' now"));
  auto const source = Source("source", kMiB);
  Copy(source, *mount / "file");
  // The modem comes: an interface is renamed while it is down.
  ASSERT_EQ(RunProgram({"ip", "link", "set", kFirst, "down"}).code, 0);
  ASSERT_EQ(RunProgram({"ip", "link", "set", kFirst, "name", "usb7"}).code, 0);
  ASSERT_EQ(RunProgram({"ip", "link", "set", "usb7", "up"}).code, 0);
  ASSERT_EQ(RunProgram({"ip", "route", "replace", "10.77.9.1", "via", "10.77.1.1"}).code, 0);
  ASSERT_EQ(mount->WaitUploaded(), 0);
  ExpectWholeOnce("file", source);
}

}  // namespace
}  // namespace tusfs_testing
