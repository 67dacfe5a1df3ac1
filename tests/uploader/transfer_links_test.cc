// Transfer through one of several links: how long its bodies are, and what its budget makes of
// them.
#include "catalog/link_usage.h"
#include "uploader/links.h"
#include "uploader/rig.h"

namespace tusfs {
namespace {

class TransferLinksTest : public TransferRig {
 protected:
  /// A file of so many granules, finished, whose upload the server has made.
  void Begin(std::uint64_t granules, std::uint64_t budget = 0,
             std::vector<LinkOptions> others = {}) {
    LinkOptions options{.name = "lte", .interface = "wwan0"};
    if (budget > 0) options.budget = {.bytes = budget, .per = LinkOptions::Budget::Per::kDay};
    others.insert(others.begin(), options);
    links_ = std::make_unique<Links>(
        Links::Options{.links = others, .patience = {}, .transfers = 4, .url = kEndpoint}, clock_,
        logger_);
    for (std::size_t i = 0; i < others.size(); ++i) links_->SetInterface(i, "");
    shared_.link = &links_->at(0);
    Append(granules * kGranule);
    FinishFile();
    Next("POST", kEndpoint, CreatedAt(kUrl));
    Steps(1);
  }
  /// The next PATCH has to be of these granules; they leave through the link.
  void SendsGranules(std::uint64_t begin, std::uint64_t end) {
    Next("PATCH", kUrl, [=, this](tus::HttpRequest const& request) {
      ExpectBytes(request, begin * kGranule, end * kGranule, "(none)");
      request.on_sent(request.body_length);
      return OffsetIs(end * kGranule);
    });
    Steps(1);
  }
  void ReachThrough(std::size_t link) {
    EndpointState state;
    state.answered = state.reachable = true;
    links_->SetServer(link, state);
  }
  [[nodiscard]] LinkUsage Usage() const { return links_->Report().front().usage; }

  std::unique_ptr<Links> links_;
};

TEST_F(TransferLinksTest, WhatLeavesIsCountedForTheLinkInTheCatalog) {
  Begin(2);
  SendsGranules(0, 2);
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(Usage().today, 2 * kGranule + 2 * kGranule / 20);
  auto const kept = store_->Read([](View const& view) { return GetLinkUsage(view, "lte"); });
  EXPECT_EQ(kept.value(), Usage());
  EXPECT_GT(links_->Report().front().rate, 0U);
}

TEST_F(TransferLinksTest, ABodyIsNoLongerThanAChunkThoughAllOfTheFileIsThere) {
  Begin(9);
  SendsGranules(0, 2);
  SendsGranules(2, 4);
  EXPECT_EQ(TheUpload()->offset, 4 * kGranule);
}

TEST_F(TransferLinksTest, ABodyEndsWithTheBudgetAndNoMoreThanOneGranuleBehindIt) {
  Begin(9, 3 * kGranule + kGranule / 2);
  SendsGranules(0, 2);
  EXPECT_TRUE(links_->IsUsable(0));
  SendsGranules(2, 3);
  EXPECT_TRUE(links_->IsUsable(0)) << "a part of a granule is left";
  SendsGranules(3, 4);
  EXPECT_FALSE(links_->IsUsable(0));
  EXPECT_LE(Usage().today, 3 * kGranule + kGranule / 2 + kGranule + kGranule / 20);
}

TEST_F(TransferLinksTest, WhatIsNoTusServersIsTheLinksFaultWhereAnotherOneReachesTheServer) {
  Begin(2, 0, {{.name = "cable", .interface = "eth0"}});
  ReachThrough(1);
  Next("PATCH", kUrl, tus::HttpResponse{.status = 413, .headers = {}, .body = "<html>no"});
  Steps(1);
  EXPECT_NE(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_FALSE(endpoint_.state().reachable);
  EXPECT_TRUE(memory_.recheck) << "the server is asked before more is sent";
}

TEST_F(TransferLinksTest, ButNotForEver) {
  Begin(2, 0, {{.name = "cable", .interface = "eth0"}});
  ReachThrough(1);
  memory_.trouble.links_left = 3;
  Next("PATCH", kUrl, tus::HttpResponse{.status = 403, .headers = {}, .body = "<html>no"});
  Steps(1);
  EXPECT_NE(TheUpload()->error, "") << "as if there was one way only";
}

TEST_F(TransferLinksTest, WhatABodyHeldOfTheBudgetIsThereAgainWhenItBreaks) {
  Begin(9, 4 * kGranule);
  Next("PATCH", kUrl, Broken(tus::ErrorCode::kUnreachable));
  Steps(1);
  EXPECT_EQ(links_->at(0).Hold(2 * kGranule), 2 * kGranule);
}

}  // namespace
}  // namespace tusfs
