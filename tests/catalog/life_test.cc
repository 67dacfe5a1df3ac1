// The table at the head of catalog/life.h, walked; and random lives, compared with a file as its
// users see it.
#include "catalog/life.h"

#include <gmock/gmock.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace tusfs {
namespace {

constexpr Content kStates[] = {Content::kWriting,     Content::kSettling, Content::kFinished,
                               Content::kInterrupted, Content::kFailed,   Content::kUploaded};
constexpr std::string_view kLetters = "WSFIXU";
constexpr char const* kBad = "a writer was killed";

Content StateOf(char letter) { return kStates[kLetters.find(letter)]; }

char LetterOf(Content content) {
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    if (kStates[i] == content) return kLetters[i];
  }
  return '?';
}

Inode FileIn(Content content) {
  Inode inode;
  inode.type = FileType::kRegular;
  inode.content = content;
  return inode;
}

struct Row {
  char const* name;
  std::function<void(Inode&)> event;
  std::string_view becomes;              ///< of each of kLetters
  std::string_view after_bad = becomes;  ///< where a writer has ended badly before
};

std::vector<Row> Table() {
  return {
      {"BeginVersion, a writer", [](Inode& inode) { life::BeginVersion(inode, true); }, "WWWWWW"},
      {"BeginVersion", [](Inode& inode) { life::BeginVersion(inode, false); }, "SSSSSS"},
      {"OpenForWriting", life::OpenForWriting, "WWWIXU"},
      {"Change", life::Change, "WWWWXW"},
      {"BeginResize", life::BeginResize, "WWWIXW"},
      {"EndResize, a writer", [](Inode& inode) { life::EndResize(inode, true); }, kLetters},
      {"EndResize", [](Inode& inode) { life::EndResize(inode, false); }, "SSFIXU"},
      {"Close", life::Close, "SSFIXU", "ISFIXU"},
      {"EndConnection", [](Inode& inode) { life::EndConnection(inode, {}); }, "SSFIXU", "ISFIXU"},
      {"EndConnection, bad", [](Inode& inode) { life::EndConnection(inode, kBad); }, "ISFIXU"},
      {"EndConnection, bad without words", [](Inode& inode) { life::EndConnection(inode, ""); },
       "ISFIXU"},
      {"TurnOutPart", [](Inode& inode) { life::TurnOutPart(inode, "stopped"); }, "WIFIXU"},
      {"LosePower", [](Inode& inode) { life::LosePower(inode, "cut", false); }, "IIFIXU"},
      {"LosePower, torn", [](Inode& inode) { life::LosePower(inode, "torn", true); }, "IIFIXU"},
      {"Approve", life::Approve, "WSFSXU"},
      {"Finish", life::Finish, "WFFFXU"},
      {"Publish", life::Publish, "WSUIXU"},
      {"Fail", [](Inode& inode) { life::Fail(inode, "EIO"); }, "XXXXXU"},
      {"EndBadly", [](Inode& inode) { life::EndBadly(inode, kBad); }, kLetters},
      {"CloseCleanly", life::CloseCleanly, kLetters},
      {"FindUnfinished", [](Inode& inode) { life::FindUnfinished(inode, "lost"); }, "IIIIII"},
      {"FindFinished", life::FindFinished, "FFFFFF"},
      {"FindUploaded", life::FindUploaded, "UUUUUU"},
  };
}

TEST(Life, EachEventMakesOfEachStateWhatTheTableSays) {
  for (auto const& row : Table()) {
    for (bool const bad : {false, true}) {
      std::string becomes;
      for (auto const content : kStates) {
        auto inode = FileIn(content);
        if (bad) inode.reason = kBad;
        row.event(inode);
        becomes += LetterOf(inode.content);
      }
      EXPECT_EQ(becomes, bad ? row.after_bad : row.becomes) << row.name << (bad ? ", bad" : "");
    }
  }
}

TEST(Life, WhatTheDiskHasFailedKeepsItsReason) {
  for (auto const& event : std::vector<std::function<void(Inode&)>>{
           [](Inode& inode) { life::EndBadly(inode, kBad); }, life::CloseCleanly, life::Change,
           life::Approve, life::Finish, [](Inode& inode) { life::TurnOutPart(inode, "stopped"); },
           [](Inode& inode) { life::LosePower(inode, "cut", true); },
           [](Inode& inode) { life::EndConnection(inode, kBad); }}) {
    auto inode = FileIn(Content::kFailed);
    inode.reason = "EIO";
    event(inode);
    EXPECT_EQ(inode.reason, "EIO");
    EXPECT_FALSE(inode.approved);
  }
}

TEST(Life, AReasonSaysWhyItIsInterruptedAndGoesWithThat) {
  auto inode = FileIn(Content::kWriting);
  life::EndBadly(inode, kBad);
  EXPECT_TRUE(life::Close(inode));
  EXPECT_EQ(inode.reason, kBad);
  EXPECT_FALSE(life::Close(inode));
  life::LosePower(inode, "cut", false);
  EXPECT_EQ(inode.reason, kBad) << "the first one counts";
  life::LosePower(inode, "torn", true);
  EXPECT_EQ(inode.reason, "torn");
  life::Approve(inode);
  EXPECT_EQ(inode.reason, "");
  EXPECT_TRUE(inode.approved);
}

TEST(Life, WhatIsOpenedForWritingIsNotSyncedAnyMore) {
  auto inode = FileIn(Content::kFinished);
  inode.synced = true;
  EXPECT_TRUE(life::OpenForWriting(inode));
  EXPECT_FALSE(inode.synced);
}

TEST(Life, WhatIsUploadedCannotFail) {
  auto inode = FileIn(Content::kUploaded);
  EXPECT_FALSE(life::Fail(inode, "EIO"));
  EXPECT_EQ(inode.reason, "");
  inode = FileIn(Content::kInterrupted);
  EXPECT_TRUE(life::Fail(inode, "EIO"));
  EXPECT_EQ(inode.reason, "EIO");
}

TEST(Life, EveryStateHasOnePlace) {
  struct Expected {
    char state;
    bool written, closed, grows, goes_on;
  };
  for (auto const& row :
       {Expected{'W', true, false, true, true}, Expected{'S', false, true, true, true},
        Expected{'F', false, false, false, true}, Expected{'I', false, true, false, false},
        Expected{'X', false, false, false, false}, Expected{'U', false, false, false, false}}) {
    auto const inode = FileIn(StateOf(row.state));
    EXPECT_EQ(life::IsBeingWritten(inode), row.written) << row.state;
    EXPECT_EQ(life::IsClosed(inode), row.closed) << row.state;
    EXPECT_EQ(life::MayGrow(inode), row.grows) << row.state;
    EXPECT_EQ(life::GoesOn(inode), row.goes_on) << row.state;
    EXPECT_EQ(life::IsSettling(inode) + life::IsFinished(inode) + life::IsInterrupted(inode) +
                  life::HasFailed(inode) + life::IsUploaded(inode) + life::IsBeingWritten(inode),
              1)
        << row.state;
  }
}

// A file as its users see it: who has it open, what went wrong, who has which bytes.
struct SeenFile {
  bool open = false;
  bool bad = false;
  bool broken = false;
  bool on_disk = false;
  bool on_server = false;

  [[nodiscard]] char State() const {
    if (broken) return 'X';
    if (open) return 'W';
    if (on_server) return 'U';
    if (bad) return 'I';
    return on_disk ? 'F' : 'S';
  }
};

TEST(Life, RandomLivesGoAsTheirUsersSeeThem) {
  std::mt19937 random(17);
  for (int life = 0; life < 2000; ++life) {
    auto inode = FileIn(Content::kWriting);
    life::BeginVersion(inode, true);
    SeenFile seen{.open = true};
    std::string story;
    for (int step = 0; step < 40; ++step) {
      auto const what = random() % 9;
      story += static_cast<char>('0' + what);
      switch (what) {
        case 0:
          life::BeginVersion(inode, true);
          seen = {.open = true};
          break;
        case 1:  // a writer comes, and writes
          life::OpenForWriting(inode);
          life::Change(inode);
          if (!seen.broken) seen.on_disk = seen.on_server = false;
          if (!seen.broken) seen.open = true;
          break;
        case 2:
          if (!seen.open || seen.broken) break;
          life::EndBadly(inode, kBad);
          seen.bad = true;
          break;
        case 3:
          if (!seen.open || seen.broken) break;
          life::CloseCleanly(inode);
          seen.bad = false;
          break;
        case 4:
          life::Close(inode);
          seen.open = seen.open && seen.broken;
          break;
        case 5:  // the settler takes only what settles
          if (!life::IsSettling(inode)) break;
          life::Finish(inode);
          seen.on_disk = true;
          break;
        case 6:
          life::Publish(inode);
          seen.on_server = seen.on_server || seen.State() == 'F';
          break;
        case 7:
          life::Approve(inode);
          if (seen.State() == 'I') seen.bad = false;
          break;
        case 8:
          if (random() % 4 != 0) break;
          life::Fail(inode, "EIO");
          seen.broken = seen.broken || seen.State() != 'U';
          break;
      }
      ASSERT_EQ(LetterOf(inode.content), seen.State()) << "after " << story;
    }
  }
}

TEST(UploadLife, EachEventLeadsToItsPhaseFromEverywhere) {
  struct Event {
    void (*event)(Upload&);
    UploadPhase phase;
    bool may_be_published, has_ended, may_expire;
  };
  for (auto const& row : {Event{life::Intend, UploadPhase::kIntent, false, false, true},
                          Event{life::GoInParts, UploadPhase::kParts, false, false, true},
                          Event{life::Create, UploadPhase::kCreated, false, false, true},
                          Event{life::SendEnd, UploadPhase::kFinalSent, true, true, true},
                          Event{life::MissEnd, UploadPhase::kCreated, false, false, true},
                          Event{life::Verify, UploadPhase::kVerifying, true, true, false},
                          Event{life::Complete, UploadPhase::kComplete, true, true, false},
                          Event{life::Refuse, UploadPhase::kRefused, false, true, false},
                          Event{life::Unconfirm, UploadPhase::kUnconfirmed, true, true, false}}) {
    for (int from = 1; from <= static_cast<int>(UploadPhase::kParts); ++from) {
      Upload upload;
      upload.phase = static_cast<UploadPhase>(from);
      row.event(upload);
      EXPECT_EQ(upload.phase, row.phase);
    }
    auto const phase = static_cast<int>(row.phase);
    EXPECT_EQ(life::MayBePublished(row.phase), row.may_be_published) << phase;
    EXPECT_EQ(life::HasEnded(row.phase), row.has_ended) << phase;
    EXPECT_EQ(life::MayExpire(row.phase), row.may_expire) << phase;
  }
}

}  // namespace
}  // namespace tusfs
