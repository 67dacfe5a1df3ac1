// The judge against servers that are as bad as they can be: whatever comes back, in whatever order,
// nothing is published twice, nothing that is published is deleted, and no refusal becomes a
// success.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "tusclient/judge.h"

namespace tus {
namespace {

using Next = Judgement::Next;

constexpr std::uint64_t kModelSize = 8;

/// One upload on a server, and what a client has seen of it.
struct Life {
  std::uint64_t offset = 0;   // what the server has
  bool published = false;     // its end arrived, and nobody refused it
  bool refused = false;       // its end arrived, and a hook refused it
  bool gone = false;          // moved away, or forgotten
  bool end_was_lost = false;  // its client had to think that the end may have arrived
  int publications = 0;       // of all the uploads of this file
  std::ostringstream told{};
};

class Server {
 public:
  explicit Server(std::uint64_t seed) : random_(seed) {}

  Result<UploadStatus> Head(Life& life) {
    switch (Draw(9)) {
      case 0:
        return Lost(life, "HEAD lost");
      case 1:
        return Say(life, 500, ErrorCode::kTransient);
      case 2:
        return Say(life, 423, ErrorCode::kLocked);
      case 3:
        return Say(life, 502, ErrorCode::kNotTus);
      default:
        break;
    }
    if (life.gone) return Say(life, 404, ErrorCode::kGone);
    life.told << " HEAD:" << life.offset;
    return UploadStatus{.offset = life.offset, .length = kModelSize};
  }

  Result<Patched> Patch(Life& life, SentRange& sent) {
    if (Draw(8) == 0) life.gone = life.gone || Draw(3) == 0;
    if (life.gone) {
      sent.left = sent.end - sent.begin;
      return Say(life, 404, ErrorCode::kGone);
    }
    if (sent.begin != life.offset) {
      sent.left = sent.end - sent.begin;
      return Say(life, 409, ErrorCode::kTransient);
    }
    auto const whole = sent.end - sent.begin;
    auto const arrives = Draw(3) == 0 ? Draw(static_cast<int>(whole) + 1) : whole;
    sent.left = std::max<std::uint64_t>(arrives, 1);
    life.offset += arrives;
    if (arrives < whole) {
      life.end_was_lost = life.end_was_lost || (sent.last && sent.left == whole);
      return Lost(life, "cut");
    }
    if (life.offset < kModelSize) return Answer(life);
    // Its end is there.
    if (Draw(4) == 0) {
      life.refused = true;
      // After an end whose answer was lost, the last two are how one learns that it has arrived.
      int const statuses[] = {403, 413, 422, 409, 423};
      auto const status = statuses[Draw(life.end_was_lost ? 3 : 5)];
      auto const code = status == 403   ? ErrorCode::kUnauthorized
                        : status == 409 ? ErrorCode::kTransient
                        : status == 413 ? ErrorCode::kTooLarge
                        : status == 423 ? ErrorCode::kLocked
                                        : ErrorCode::kRefused;
      return Say(life, status, code);
    }
    life.published = true;
    ++life.publications;
    life.gone = Draw(4) == 0;  // an ingest moves what is finished away
    return Answer(life);
  }

 private:
  std::uint64_t Draw(int below) { return random_() % static_cast<std::uint64_t>(below); }

  Result<Patched> Answer(Life& life) {
    if (Draw(4) == 0) return Lost(life, "answer lost");
    if (Draw(8) == 0) return Say(life, 502, ErrorCode::kNotTus);
    life.told << " 204:" << life.offset;
    return Patched{.offset = life.offset};
  }
  static tl::unexpected<Error> Say(Life& life, int status, ErrorCode code) {
    life.told << ' ' << status;
    return tl::unexpected(Error{.code = code, .http_status = status, .message = "no"});
  }
  static tl::unexpected<Error> Lost(Life& life, char const* what) {
    life.told << " (" << what << ')';
    return tl::unexpected(Error{.code = ErrorCode::kInterrupted, .message = what});
  }

  std::mt19937_64 random_;
};

class JudgeModel : public testing::TestWithParam<int> {};

TEST_P(JudgeModel, HoldsItsPromisesWhateverTheServerDoes) {
  for (int i = 0; i < 2000; ++i) {
    auto const seed = static_cast<std::uint64_t>(GetParam()) * 2000 + static_cast<std::uint64_t>(i);
    std::mt19937_64 random(seed);
    Server server(seed);
    Life life;
    UploadFacts facts{.size = kModelSize};
    auto next = Next::kSend;
    for (int step = 0; step < 300 && next != Next::kComplete; ++step) {
      Judgement judgement;
      if (next == Next::kSend) {
        SentRange sent{.begin = facts.confirmed, .end = std::min(facts.confirmed + 4, kModelSize)};
        sent.last = sent.end == kModelSize;
        Announce(facts, sent);
        auto const came = server.Patch(life, sent);
        judgement = JudgePatch(facts, sent, came, {});
      } else {
        facts.is_missed = random() % 2 == 0;
        judgement = JudgeStatus(facts, server.Head(life), {});
      }
      // A process that is killed here goes on with what is on record.
      if (random() % 8 == 0 && judgement.next != Next::kComplete) {
        facts = {.confirmed = facts.confirmed,
                 .announced = facts.announced,
                 .size = facts.size,
                 .end = facts.end,
                 .end_words = facts.end_words};
        if (judgement.next == Next::kSend) judgement.next = Next::kAsk;
      }
      next = judgement.next;
      if (next == Next::kRefused) {
        ASSERT_TRUE(life.refused || life.gone) << seed << life.told.str();
        ASSERT_FALSE(life.published && !life.gone) << seed << life.told.str();
        break;
      }
      if (next == Next::kUnconfirmed) {
        ASSERT_FALSE(MayBeGivenUp(facts)) << seed << life.told.str();
        break;
      }
      ASSERT_NE(next, Next::kLost);
      ASSERT_NE(next, Next::kFail);
      if (next != Next::kStartOver) continue;
      ASSERT_FALSE(life.published) << "seed " << seed << " publishes twice:" << life.told.str();
      ASSERT_FALSE(judgement.deletes && (life.published || life.refused)) << seed;
      auto const told = life.told.str();
      auto const publications = life.publications;
      life = {};
      life.publications = publications;
      life.told << told << " | anew";
      facts = {.size = kModelSize};
      next = Next::kSend;
    }
    ASSERT_LE(life.publications, 1) << seed << life.told.str();
    if (next == Next::kComplete) {
      ASSERT_TRUE(life.published) << "seed " << seed << ":" << life.told.str();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JudgeModel, testing::Range(0, 10));

}  // namespace
}  // namespace tus
