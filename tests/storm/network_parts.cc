// The troubles of files that are sent in parts: those of parts are troubles of uploads like others,
// those of the join are its own, for it is what publishes.
#include <algorithm>

#include "storm/network_kinds.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kPart = 4 * kMiB;

/// One of the requests that join parts; `nth`: 0 for each of them.
Trouble AtJoin(Fault action, int nth = 1) {
  return [action = std::move(action), nth](Trial& trial) {
    trial.server.AddFault({.method = "POST", .nth = nth, .matches = IsJoin, .action = action});
    trial.failures += 1;
  };
}

Trouble AtCreationOfParts(Fault action) {
  return [action = std::move(action)](Trial& trial) {
    auto const count = static_cast<int>(trial.Between(1, 3));
    for (int nth = 1; nth <= count; ++nth) {
      trial.server.AddFault(
          {.method = "POST", .nth = nth, .matches = IsCreationOfPart, .action = action});
    }
    trial.failures += count;
  };
}

std::optional<UploadView> SomePart(Trial& trial, bool with_bytes) {
  auto loose = trial.server.LooseParts();
  if (with_bytes) std::erase_if(loose, [](auto const& part) { return part.offset == 0; });
  if (loose.empty()) return std::nullopt;
  auto const which = trial.Between(0, static_cast<std::int64_t>(loose.size()) - 1);
  return loose[static_cast<std::size_t>(which)];
}

/// The server loses a part while it is asked to join.
Kind PartLostAtTheJoin() {
  return {.name = "parts-lost-one-at-the-join",
          .before = AtJoin(Fault::StallUntilReleased()),
          .during = [](Trial& trial) {
            (void)WaitFor([&] { return trial.server.Stalled() > 0; });
            if (auto const part = SomePart(trial, true)) (void)trial.server.Forget(part->id);
            trial.server.ReleaseStalled();
            trial.failures += 2;
          }};
}

Trouble RestartWith(std::function<void(Trial&)> lose) {
  return [lose = std::move(lose)](Trial& trial) {
    (void)WaitFor([&] { return SomePart(trial, true).has_value(); });
    trial.Pause(0, 1500);
    trial.proxy.Close();
    Away(trial);
    lose(trial);
    trial.server.Start();
    trial.proxy.Open();
    trial.failures += 6;  // each part is asked for
  };
}

std::vector<Kind> JoinKinds() {
  auto const may_be_there = "may have been joined";
  std::vector<Kind> kinds{
      {.name = "parts-joined-and-the-answer-lost",
       .before = AtJoin(Fault::LoseAnswer()),
       .end = End::kUnconfirmed,
       .reason = may_be_there},
      {.name = "parts-joined-and-a-proxy-had-waited-enough",
       .before = AtJoin(Fault::AnswerAfter(504, "waited enough")),
       .end = End::kUnconfirmed,
       .reason = may_be_there},
      {.name = "parts-not-joined-and-a-proxy-had-waited-enough",
       .before = AtJoin(Fault::AnswerWithoutTusResumable(504, "waited enough")),
       .end = End::kUnconfirmed,
       .reason = may_be_there},
      {.name = "parts-refused-at-the-join",
       .before = AtJoin(Fault::Answer(400, "no clips of this codec")),
       .end = End::kFails,
       .reason = "no clips of this codec"},
      {.name = "parts-joined-later",
       .before =
           [](Trial& trial) {
             auto const refusal =
                 AnyOf(trial, {Fault::Answer(423, "locked"), Fault::Answer(503, "not now"),
                               Fault::Answer(429, "slowly", {{"Retry-After", "1"}})});
             for (int nth = 1; nth <= 2; ++nth) AtJoin(refusal, nth)(trial);
           }},
      {.name = "parts-missing-says-the-join",
       .before = AtJoin(Fault::Answer(404, "no such upload"))},
      {.name = "parts-joined-slowly", .server = {.join_time = std::chrono::seconds(3)}},
      {.name = "parts-and-a-server-that-dies-while-it-joins",
       .during =
           [](Trial& trial) {
             (void)WaitFor([&] { return trial.server.Joining() > 0; });
             trial.proxy.Close();
             Away(trial);
             trial.server.Start();
             trial.proxy.Open();
             trial.failures += 2;
           },
       .end = End::kArrivesOrUnconfirmed,
       .reason = may_be_there,
       .server = {.join_time = std::chrono::seconds(2)}},
  };
  kinds.push_back(PartLostAtTheJoin());
  return kinds;
}

std::vector<Kind> PartKinds() {
  auto const may_be_there = "may have been joined";
  FixtureOptions const slow{.bytes_per_second = kSlowServer};
  return {
      {.name = "parts"},
      {.name = "parts-of-which-one-is-forgotten",
       .before =
           [](Trial& trial) {
             trial.server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::ForgetUpload()});
             trial.failures += 2;
           }},
      {.name = "parts-whose-creations-are-not-answered",
       .before = AtCreationOfParts(Fault::LoseAnswer())},
      {.name = "parts-that-cannot-be-created-for-a-while",
       .before = AtCreationOfParts(Fault::Answer(503))},
      {.name = "parts-whose-answers-are-lost", .before = Burst(Fault::LoseAnswer(), "PATCH")},
      {.name = "parts-broken-off-by-the-server",
       .before =
           Burst([](Trial& trial) { return Fault::CutAfter(trial.SomeByte() / 4); }, "PATCH")},
      {.name = "parts-and-5xx",
       .before = Burst(
           [](Trial& trial) {
             return AnyOf(trial, {Fault::Answer(500), Fault::Answer(503), Fault::AnswerAfter(500),
                                  Fault::AnswerAfter(504)});
           },
           "PATCH")},
      {.name = "parts-of-which-bytes-are-kept-in-part",
       .before =
           Burst([](Trial& trial) { return Fault::ShortOffset(trial.SomeByte() / 4); }, "PATCH")},
      {.name = "parts-on-connections-that-break",
       .before = Faults(6, AnyConnectionFault),
       .end = End::kArrivesOrUnconfirmed,
       .reason = may_be_there},
      {.name = "parts-and-a-restarted-server",
       .during = RestartWith([](Trial&) {}),
       .end = End::kArrivesOrUnconfirmed,
       .reason = may_be_there,
       .server = slow},
      {.name = "parts-and-a-restarted-server-that-lost-bytes",
       .during = RestartWith([](Trial& trial) {
         auto const part = SomePart(trial, true);
         if (!part || part->complete) return;
         auto const kept = trial.Between(0, static_cast<std::int64_t>(part->offset));
         (void)trial.server.Rewind(part->id, static_cast<std::uint64_t>(kept));
       }),
       .end = End::kArrivesOrUnconfirmed,
       .reason = may_be_there,
       .server = slow},
      {.name = "parts-and-a-restarted-server-that-lost-one",
       .during = RestartWith([](Trial& trial) {
         if (auto const part = SomePart(trial, true)) (void)trial.server.Forget(part->id);
       }),
       .end = End::kArrivesOrUnconfirmed,
       .reason = may_be_there,
       .server = slow},
  };
}

}  // namespace

std::vector<Kind> KindsInParts() {
  auto kinds = JoinKinds();
  auto const others = PartKinds();
  kinds.insert(kinds.end(), others.begin(), others.end());
  for (auto& kind : kinds) {
    kind.part = kPart;
    kind.chunk = kMiB;
    kind.least = kPart + 1;
    kind.most = 3 * kPart;
  }
  return kinds;
}

}  // namespace tusfs_testing
