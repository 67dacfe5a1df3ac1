// Transfer: files that go in parts, and what joins them.
#include <gmock/gmock.h>

#include <set>

#include "catalog/adoptable.h"
#include "catalog/life.h"
#include "catalog/parts.h"
#include "uploader/file_rig.h"
#include "uploader/parts_server.h"
#include "uploader/transfer.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kPart = kDigestBlock;
constexpr auto kPartsEndpoint = "http://tus:1080/files/";

class TransferPartsTest : public FileRig {
 protected:
  TransferPartsTest() {
    endpoint_.Probed(tus::ServerInfo{.creation = true,
                                     .creation_defer_length = true,
                                     .termination = true,
                                     .concatenation = true});
  }

  void FinishFile() {
    ChangeInode([this](Inode& inode) {
      inode.content = Content::kFinished;
      inode.size = inode.synced_size = body_.size();
    });
    nudged_ = true;
  }

  /// Runs what is due, until nothing is, or a thousand steps were made.
  void Run() {
    for (int step = 0; step < 1000 && (nudged_ || !due_.empty()); ++step) RunOne();
    EXPECT_FALSE(nudged_ || !due_.empty()) << "it has no end";
  }
  void RunOne() {
    if (std::exchange(nudged_, false)) {
      auto const outcome = transfer_.Step({.inode = kFile, .upload = {}}, memory_, {});
      nudged_ = nudged_ || (outcome.next && *outcome.next <= clock_.Steady());
      later_ = outcome.next.has_value() && *outcome.next > clock_.Steady();
      if (outcome.over) memory_ = {};
      return;
    }
    if (due_.empty()) return;
    auto const id = *due_.begin();
    due_.erase(due_.begin());
    auto const outcome = transfer_.Step({.inode = 0, .upload = id}, memories_[id], {});
    if (outcome.next && *outcome.next <= clock_.Steady()) due_.insert(id);
    if (outcome.next && *outcome.next > clock_.Steady()) waiting_.insert(id);
    if (outcome.over) memories_.erase(id);
  }
  /// What waits for a time is due.
  void Wait(std::chrono::milliseconds time) {
    clock_.Advance(time);
    due_.merge(waiting_);
    nudged_ = true;
  }
  void Restart() {
    memory_ = {};
    memories_.clear();
    due_.clear();
    waiting_.clear();
    version_.reset();
    version_ = spool_->Find(TheInode().version, TheInode().size).value();
    nudged_ = true;
    auto const ownerless = store_->Read([](View const& view) { return ListOwnerless(view); });
    for (auto const& id : ownerless.value()) due_.insert(id);
  }

  [[nodiscard]] std::optional<Upload> TheUpload() const {
    auto const id = TheInode().upload;
    return store_->Read([&](View const& view) { return FindUpload(view, id); }).value();
  }
  [[nodiscard]] std::vector<Upload> TheParts() const {
    auto const id = TheInode().upload;
    return store_->Read([&](View const& view) { return ListParts(view, id); }).value();
  }
  [[nodiscard]] std::vector<Upload> AllUploads() const {
    return store_->Read([](View const& view) { return ListUploads(view); }).value();
  }
  [[nodiscard]] static Upload TheUploadIn(View const& view) {
    return *FindUpload(view, GetInode(view, kFile)->upload).value();
  }
  /// As removal, or O_TRUNC, does.
  void DetachTheUpload() {
    std::optional<Uuid> ownerless;
    ASSERT_TRUE(Ok(store_->Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, kFile);
      ownerless = DetachUpload(transaction, *inode).value();
      PutInode(transaction, *inode);
      return {};
    })));
    version_->ReleaseAll();
    if (ownerless) due_.insert(*ownerless);
  }
  /// As `tusfsctl retry` does.
  void Want() {
    ASSERT_TRUE(Ok(store_->Update([&](Transaction& transaction) -> Result<void> {
      auto whole = TheUploadIn(transaction);
      whole.error.clear();
      life::Refuse(whole);
      PutUpload(transaction, whole);
      return {};
    })));
    memory_ = {};
    nudged_ = true;
  }
  void ExpectPublishedOnce() {
    auto const published = server_->Published();
    ASSERT_THAT(published, SizeIs(1));
    EXPECT_TRUE(published[0].bytes == body_) << "other bytes";
    EXPECT_EQ(TheInode().content, Content::kUploaded);
  }

  Endpoint endpoint_{
      {.url = kPartsEndpoint, .chunks = {.size = kPart, .longer = kPart}, .retry = {}},
      [] { return 0.5; },
      clock_,
      logger_};
  bool nudged_ = true;
  bool later_ = false;
  std::set<Uuid> due_;
  std::set<Uuid> waiting_;
  InFlight in_flight_;
  Transfer::Shared shared_{.store = *store_,
                           .spool = *spool_,
                           .endpoint = endpoint_,
                           .url = kPartsEndpoint,
                           .clock = clock_,
                           .logger = logger_,
                           .options = {.adopt_timeout = std::chrono::hours(24), .part_size = kPart},
                           .rules = rules_,
                           .random = [] { return 0.5; },
                           .terminate = [this](Uuid id) { due_.insert(id); },
                           .nudge = [this](InodeId) { nudged_ = true; },
                           .send_part = [this](InodeId, Uuid id) { due_.insert(id); },
                           .in_flight = in_flight_};
  PartsServer* server_ = new PartsServer;  // owned by transfer_
  Transfer transfer_{shared_, tus::ClientOptions{.endpoint = kPartsEndpoint},
                     std::unique_ptr<tus::HttpTransport>(server_)};
  JobMemory memory_;
  std::map<Uuid, JobMemory> memories_;
};

// ---- which files, and when

TEST_F(TransferPartsTest, AFinishedFileIsPublishedOnceWithWhatIsKnownAtItsEnd) {
  Append(3 * kPart + 5);
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->joins, 1);
  EXPECT_EQ(server_->received, body_.size());
  EXPECT_THAT(server_->Parts(), SizeIs(4));
  for (auto const& url : server_->Parts()) EXPECT_EQ(server_->uploads[url].metadata, "(none)");
  EXPECT_THAT(server_->Published()[0].metadata, HasSubstr("filename"));
  auto const upload = TheUpload();
  EXPECT_EQ(upload->phase, UploadPhase::kComplete);
  EXPECT_EQ(upload->part_size, 0U);
  EXPECT_THAT(AllUploads(), SizeIs(1)) << "nobody needs the records of its parts";
}

TEST_F(TransferPartsTest, WhatIsJoinedHasItsDigestsAndWhatItTook) {
  Append(2 * kPart + 5);
  FinishFile();
  Run();
  auto const upload = TheUpload();
  auto const digests =
      store_->Read([&](View const& view) { return ListDigests(view, upload->id); }).value();
  ASSERT_THAT(digests, SizeIs(3));
  for (std::uint64_t block = 0; block < 3; ++block) {
    EXPECT_EQ(digests[block], version_->DigestOf(block, digests[block].length).value());
  }
  EXPECT_EQ(upload->sent, body_.size());
  EXPECT_EQ(store_->Read([](View const& view) { return GetTotals(view); })->sent, body_.size());
}

TEST_F(TransferPartsTest, AGrowingFileGoesAsItsPartsAreWritten) {
  Append(kPart);
  Run();
  EXPECT_THAT(server_->uploads, IsEmpty()) << "it may be as large as a part";
  Append(1);
  nudged_ = true;
  Run();
  EXPECT_EQ(server_->received, kPart);
  Append(2 * kPart);
  nudged_ = true;
  Run();
  EXPECT_EQ(server_->received, 3 * kPart);
  EXPECT_EQ(TheUpload()->offset, 3 * kPart);
  EXPECT_THAT(server_->Published(), IsEmpty());
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, body_.size());
}

TEST_F(TransferPartsTest, WhatIsNotLargerThanAPartGoesInOne) {
  Append(kPart);
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->joins, 0);
}

TEST_F(TransferPartsTest, AServerWithoutConcatenationGetsItInOne) {
  endpoint_.Probed(tus::ServerInfo{.creation = true, .creation_defer_length = true});
  Append(2 * kPart);
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->joins, 0);
}

TEST_F(TransferPartsTest, AServerThatRefusesPartsAfterAllGetsItInOne) {
  server_->instead = [](tus::HttpRequest const& request) -> std::optional<PartsServer::Answer> {
    if (tus::HeaderOf(request, "Upload-Concat") != "partial") return std::nullopt;
    return tus::TusAnswer(501);
  };
  Append(2 * kPart);
  FinishFile();
  Run();
  Wait(std::chrono::hours(1));
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->joins, 0);
}

TEST_F(TransferPartsTest, UrlsThatAreTooLongToBeJoinedSendItInOne) {
  server_->path = "/files/" + std::string(2100, 'x');
  Append(3 * kPart);
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->joins, 0);
  EXPECT_THAT(server_->Parts(), IsEmpty()) << "they are terminated";
}

TEST_F(TransferPartsTest, TheLastPartThatMayBeHasAllThatIsLeft) {
  server_->path = "/files/" + std::string(1300, 'x');
  Append(5 * kPart);
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_THAT(server_->Parts(), SizeIs(3));
}

TEST_F(TransferPartsTest, PartsAreDeletedWhereThatIsWanted) {
  shared_.options.delete_parts = true;
  Append(2 * kPart);
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_THAT(server_->Parts(), IsEmpty());
  EXPECT_THAT(AllUploads(), SizeIs(1));
}

// ---- names and lengths

TEST_F(TransferPartsTest, ARenameBeforeTheEndCostsNothing) {
  Append(2 * kPart + 1);
  Run();
  RenameTo("other.bin");
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, body_.size());
  EXPECT_EQ(TheUpload()->path, "other.bin");
}

TEST_F(TransferPartsTest, WhatGrowsBehindItsEndSendsTheLastPartAgain) {
  Append(2 * kPart + 5);
  FinishFile();
  while (TheParts().size() < 3 || TheUpload()->offset < body_.size()) RunOne();
  ChangeInode([](Inode& inode) { inode.content = Content::kWriting; });
  auto const before = server_->received;
  Append(10);
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received - before, 15U);
}

TEST_F(TransferPartsTest, WhatIsCutBeforeAPartWasSentGoesAsItIsThen) {
  Append(kPart + 9);
  Run();
  FinishFile();
  while (TheParts().size() < 2) RunOne();
  due_.clear();  // it waits for its turn
  nudged_ = false;
  ChangeInode([](Inode& inode) { inode.content = Content::kSettling; });
  ASSERT_TRUE(Ok(version_->Truncate(kPart + 4)));
  body_.resize(kPart + 4);
  due_.insert(TheParts()[1].id);
  Run();
  EXPECT_EQ(server_->received, kPart) << "it is not finished";
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, body_.size());
}

// ---- trouble

TEST_F(TransferPartsTest, AProcessThatDiesBetweenThePartsGoesOnWithThem) {
  Append(4 * kPart);
  FinishFile();
  while (server_->received < 2 * kPart) RunOne();
  Restart();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, body_.size());
}

TEST_F(TransferPartsTest, AnAnswerToTheLastBytesOfAPartThatWasLostIsAskedFor) {
  Append(2 * kPart);
  FinishFile();
  int patches = 0;
  server_->instead = [&](tus::HttpRequest const& request) -> std::optional<PartsServer::Answer> {
    if (request.method != "PATCH" || ++patches != 1) return std::nullopt;
    server_->uploads[request.url].bytes += tus::BodyOf(request);
    server_->received += request.body_length;
    return tl::unexpected(tus::Error{.code = tus::ErrorCode::kInterrupted,
                                     .http_status = 0,
                                     .retry_after = {},
                                     .message = "it broke"});
  };
  Run();
  Wait(std::chrono::minutes(1));
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, body_.size());
}

TEST_F(TransferPartsTest, ALostAnswerToTheJoinIsNobodysToGuess) {
  server_->loses_answers_to_joins = true;
  Append(2 * kPart);
  FinishFile();
  Run();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_EQ(server_->joins, 1);
  EXPECT_FALSE(endpoint_.MayJoin()) << "further files go in one";
  EXPECT_THAT(endpoint_.state().no_parts, HasSubstr("it broke"));
  Wait(std::chrono::hours(2));
  Run();
  EXPECT_EQ(server_->joins, 1);
  EXPECT_THAT(server_->deleted, IsEmpty());
}

TEST_F(TransferPartsTest, AProcessThatDiesOverTheJoinLeavesItUnconfirmed) {
  Append(2 * kPart);
  FinishFile();
  while (TheUpload() == std::nullopt || TheUpload()->offset < body_.size()) RunOne();
  ASSERT_TRUE(Ok(store_->Update([&](Transaction& transaction) -> Result<void> {
    auto whole = TheUploadIn(transaction);
    whole.phase = UploadPhase::kFinalSent;
    whole.end = UploadEnd::kSent;
    PutUpload(transaction, whole);
    return {};
  })));
  Restart();
  Run();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  EXPECT_EQ(server_->joins, 0);
}

TEST_F(TransferPartsTest, AJoinThatWasNotBegunIsTriedAgain) {
  int tries = 0;
  server_->instead = [&](tus::HttpRequest const& request) -> std::optional<PartsServer::Answer> {
    bool const is_join = tus::HeaderOf(request, "Upload-Concat").starts_with("final;");
    if (!is_join || ++tries > 2) return std::nullopt;
    return tus::TusAnswer(503);
  };
  Append(2 * kPart);
  FinishFile();
  for (int i = 0; i < 3; ++i) {
    Run();
    endpoint_.Probed(*endpoint_.profile().Info());
    Wait(std::chrono::minutes(2));
  }
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->joins, 1);
  EXPECT_EQ(server_->received, body_.size());
}

TEST_F(TransferPartsTest, APartThatIsGoneWhenTheyAreJoinedIsSentAgainAndNoOther) {
  Append(3 * kPart);
  FinishFile();
  while (TheUpload() == std::nullopt || TheUpload()->offset < body_.size()) RunOne();
  server_->uploads.erase(TheParts()[1].url);
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->joins, 2);
  EXPECT_EQ(server_->received, body_.size() + kPart);
}

TEST_F(TransferPartsTest, ARefusedPartRefusesTheFileUntilItIsTriedAgain) {
  bool refuses = true;
  server_->instead = [&](tus::HttpRequest const& request) -> std::optional<PartsServer::Answer> {
    if (request.method != "PATCH" || !refuses) return std::nullopt;
    return tus::TusAnswer(400, {}, "quota");
  };
  Append(3 * kPart);
  FinishFile();
  Run();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("quota"));
  EXPECT_EQ(life::StandingOf(TheInode(), TheUpload()), life::Standing::kFailed);
  refuses = false;
  Wait(std::chrono::hours(2));
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, body_.size());
}

TEST_F(TransferPartsTest, WhatIsNotJoinedGoesInOneWhenSomebodyWantsItTried) {
  server_->instead = [&](tus::HttpRequest const& request) -> std::optional<PartsServer::Answer> {
    if (!tus::HeaderOf(request, "Upload-Concat").starts_with("final;")) return std::nullopt;
    return tus::TusAnswer(400, {}, "no joins here");
  };
  Append(2 * kPart);
  FinishFile();
  Run();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kRefused);
  EXPECT_THAT(TheUpload()->error, HasSubstr("its parts were not joined: "));
  EXPECT_TRUE(endpoint_.MayJoin()) << "it may be this file";
  Want();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, 2 * body_.size());
  EXPECT_THAT(server_->Parts(), IsEmpty()) << "nobody needs them";
}

TEST_F(TransferPartsTest, OfTwoInARowThatAreNotJoinedItIsTheServersFault) {
  endpoint_.JoinRefused("no");
  endpoint_.JoinWorked();
  endpoint_.JoinRefused("no");
  EXPECT_TRUE(endpoint_.MayJoin());
  endpoint_.JoinRefused("no");
  EXPECT_FALSE(endpoint_.MayJoin());
}

TEST_F(TransferPartsTest, WhoHasSwitchedPartsOffGetsItInOneAndPartsThatMayBeJoinedStay) {
  server_->loses_answers_to_joins = true;
  Append(2 * kPart);
  FinishFile();
  Run();
  ASSERT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  shared_.options.part_size = 0;
  Want();
  Run();
  EXPECT_EQ(TheUpload()->phase, UploadPhase::kComplete);
  EXPECT_EQ(server_->joins, 1);
  EXPECT_THAT(server_->Parts(), SizeIs(2));
}

TEST_F(TransferPartsTest, PartsThatMayHaveBeenJoinedBeforeAreNotDeletedAfterTheNextJoin) {
  shared_.options.delete_parts = true;
  server_->loses_answers_to_joins = true;
  Append(2 * kPart);
  FinishFile();
  Run();
  ASSERT_EQ(TheUpload()->phase, UploadPhase::kUnconfirmed);
  server_->loses_answers_to_joins = false;
  Want();
  Restart();
  Run();
  EXPECT_EQ(TheInode().content, Content::kUploaded);
  EXPECT_EQ(server_->joins, 2);
  EXPECT_EQ(server_->received, body_.size());
  EXPECT_THAT(server_->deleted, IsEmpty()) << "the first one may refer to them";
}

// ---- what lost its file

TEST_F(TransferPartsTest, TheSameBytesAgainTakeThePartsOver) {
  Append(3 * kPart);
  Run();
  DetachTheUpload();
  Run();
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, body_.size());
}

TEST_F(TransferPartsTest, AChangedBlockSendsItsPartAgainAndNoOther) {
  Append(3 * kPart);
  Run();
  DetachTheUpload();
  Run();
  auto const changed = std::string("changed");
  ASSERT_TRUE(Ok(version_->Write(kPart + 7, std::as_bytes(std::span(changed)))));
  body_.replace(kPart + 7, changed.size(), changed);
  FinishFile();
  Run();
  ExpectPublishedOnce();
  EXPECT_EQ(server_->received, body_.size() + kPart);
}

TEST_F(TransferPartsTest, WhatNobodyTakesOverIsTerminatedWhenItsTimeIsUp) {
  Append(3 * kPart + 1);
  Run();
  ASSERT_THAT(server_->Parts(), SizeIs(3));
  DetachTheUpload();
  ChangeInode([](Inode& inode) { inode.links = 0; });
  Run();
  EXPECT_THAT(server_->Parts(), SizeIs(3)) << "they are kept for a copy";
  Wait(std::chrono::hours(25));
  Run();
  EXPECT_THAT(server_->Parts(), IsEmpty());
  EXPECT_THAT(AllUploads(), IsEmpty());
}

TEST_F(TransferPartsTest, WhatMayHaveBeenJoinedIsNeverDeleted) {
  server_->loses_answers_to_joins = true;
  Append(2 * kPart);
  FinishFile();
  Run();
  DetachTheUpload();
  ChangeInode([](Inode& inode) { inode.links = 0; });
  Wait(std::chrono::hours(25));
  Run();
  EXPECT_THAT(server_->deleted, IsEmpty());
  EXPECT_THAT(AllUploads(), IsEmpty());
}

TEST_F(TransferPartsTest, APartThatIsMadeForNobodyIsTerminated) {
  Append(2 * kPart + 1);
  server_->instead = [&](tus::HttpRequest const& request) -> std::optional<PartsServer::Answer> {
    if (request.method != "POST") return std::nullopt;
    server_->instead = {};
    auto answer = server_->Perform(request);
    DetachTheUpload();
    return answer;
  };
  ChangeInode([](Inode& inode) { inode.content = Content::kInterrupted; });
  ChangeInode([](Inode& inode) { inode.content = Content::kWriting; });
  nudged_ = true;
  while (!TheParts().empty() || server_->instead) RunOne();
  ChangeInode([](Inode& inode) { inode.links = 0; });
  Run();
  EXPECT_THAT(server_->Parts(), IsEmpty());
  EXPECT_THAT(AllUploads(), IsEmpty());
}

}  // namespace
}  // namespace tusfs
