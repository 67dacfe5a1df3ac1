#include "storm/network_kinds.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kBig = 1024 * kKiB;

FixtureOptions With(std::uint64_t bytes_per_second) {
  return {.bytes_per_second = bytes_per_second};
}

/// What only the client's own patience ends.
std::vector<Kind> PatientKinds() {
  return {
      {.name = "black-hole-for-ever",
       .before = Faults(1,
                        [](Trial& trial) {
                          return ConnectionFault::BlackHole(trial.SomeByte(),
                                                            std::chrono::minutes(10));
                        }),
       .patient = true},
      {.name = "answer-that-never-ends",
       .before = Rewritten(
           ConnectionFault::Rewrite,
           [](Random&, std::string_view) { return std::string("HTTP/1.1 100 Continue\r\n\r\n"); }),
       .patient = true},
  };
}

/// After ten seconds only it is believed that an upload is gone.
std::vector<Kind> GoneKinds() {
  return {
      {.name = "forgotten-upload",
       .before = EarlierPatch(Fault::ForgetUpload()),
       .chunk = 256 * kKiB,
       .least = kBig},
      {.name = "reinstalled-server",
       .during = Restart(ForgetIt),
       .end = End::kArrivesOrUnconfirmed,
       .reason = "may have been published",
       .server = With(kSlowServer),
       .least = kBig},
      {.name = "moved-away-when-the-last-answer-was-lost",
       .before =
           [](Trial& trial) {
             FinalPatch(Fault::LoseAnswer())(trial);
             trial.server.AddFault({.method = "HEAD", .action = Fault::ForgetUpload()});
           },
       .end = End::kUnconfirmed,
       .reason = "may have been published"},
      {.name = "404-to-the-first-question-only",
       .before =
           [](Trial& trial) {
             EarlierPatch(Fault::Answer(404))(trial);
             trial.server.AddFault({.method = "HEAD", .action = Fault::Answer(404)});
             trial.failures += 1;
           },
       .chunk = 256 * kKiB,
       .least = kBig},
      {.name = "expired-upload",
       .before = [](Trial& trial) { trial.server.SetRate(150'000); },
       .during =
           [](Trial& trial) {
             (void)WaitFor([&] {
               return std::ranges::any_of(trial.server.Requests(), [&](auto const& request) {
                 auto const upload = trial.Upload();
                 return request.status == 410 && upload && request.target.ends_with(upload->id);
               });
             });
             trial.server.SetRate(20'000'000);
             trial.failures += 2;
           },
       .server = {.expire_after = milliseconds(3000), .bytes_per_second = 150'000},
       .chunk = 256 * kKiB,
       .least = kBig,
       .most = 2 * kBig},
  };
}

std::vector<Kind> ConnectionKinds() {
  auto const requests = Direction::kRequests;
  auto const answers = Direction::kAnswers;
  return {
      {.name = "cut-request",
       .before = Faults(
           1, [=](Trial& trial) { return ConnectionFault::Cut(requests, trial.SomeByte()); })},
      {.name = "cut-requests-again-and-again",
       .before = Faults(
           4, [=](Trial& trial) { return ConnectionFault::Cut(requests, trial.SomeByte() / 4); })},
      {.name = "cut-answer",
       .before = Faults(
           2, [=](Trial& trial) { return ConnectionFault::Cut(answers, trial.SomeAnswerByte()); })},
      {.name = "reset-request",
       .before = Faults(
           2, [=](Trial& trial) { return ConnectionFault::Reset(requests, trial.SomeByte()); })},
      {.name = "reset-answer",
       .before = Faults(
           2,
           [=](Trial& trial) { return ConnectionFault::Reset(answers, trial.SomeAnswerByte()); })},
      {.name = "reset-at-once",
       .before = Faults(4, [=](Trial&) { return ConnectionFault::Reset(requests, 0); })},
      {.name = "stalled-request",
       .before = Faults(2,
                        [=](Trial& trial) {
                          return ConnectionFault::Stall(requests, trial.SomeByte(),
                                                        trial.Time(100, 1500));
                        })},
      {.name = "stalled-answer",
       .before = Faults(2,
                        [=](Trial& trial) {
                          return ConnectionFault::Stall(answers, trial.SomeAnswerByte(),
                                                        trial.Time(100, 1500));
                        })},
      {.name = "slow",
       .before =
           [](Trial& trial) {
             trial.proxy.SetRate(static_cast<std::uint64_t>(trial.Between(150'000, 500'000)));
           },
       .most = kBig},
      {.name = "delayed-answers",
       .before = [](Trial& trial) { trial.proxy.SetAnswerDelay(trial.Time(20, 250)); }},
      {.name = "black-hole",
       .before = Faults(2,
                        [=](Trial& trial) {
                          return ConnectionFault::BlackHole(trial.SomeByte(),
                                                            trial.Time(200, 1500));
                        })},
      {.name = "half-closed-requests",
       .before = Faults(
           2, [=](Trial& trial) { return ConnectionFault::End(requests, trial.SomeByte()); })},
      {.name = "half-closed-answers",
       .before = Faults(
           2, [=](Trial& trial) { return ConnectionFault::End(answers, trial.SomeAnswerByte()); })},
      {.name = "corrupt-status-line",
       .before = Rewritten(ConnectionFault::RewriteLast, StatusLineBroken)},
      {.name = "corrupt-headers", .before = Rewritten(ConnectionFault::RewriteLast, HeadersBroken)},
      {.name = "duplicated-answer",
       .before = Rewritten(ConnectionFault::Rewrite,
                           [](Random&, std::string_view answer) {
                             return std::string(answer) + std::string(answer);
                           })},
      {.name = "answer-once-more-before-the-next",
       .before =
           [](Trial& trial) {
             auto const last = std::make_shared<std::string>();
             auto const before = static_cast<std::uint64_t>(trial.Between(0, trial.bodies - 1));
             trial.proxy.Add(ConnectionFault::Rewrite(
                 before, [last](std::string_view answer) { return *last = answer; }));
             trial.proxy.Add(ConnectionFault::Rewrite(
                 0, [last](std::string_view answer) { return *last + std::string(answer); }));
             trial.failures += 2;
           }},
      {.name = "refused-connections",
       .during =
           [](Trial& trial) {
             trial.Pause(0, 600);
             trial.proxy.Close();
             trial.Pause(100, 1500);
             trial.proxy.Open();
             trial.failures += 2;
           },
       .server = With(kSlowServer)},
      {.name = "several-at-once", .before = Faults(5, AnyConnectionFault)},
  };
}

std::vector<Kind> ServerKinds() {
  return {
      {.name = "restarted-server",
       .during = Restart([](Trial&) {}),
       .server = With(kSlowServer),
       .least = kBig},
      {.name = "restarted-server-that-lost-bytes",
       .during = Restart(LoseItsLastBytes),
       .server = With(kSlowServer),
       .least = kBig},
      {.name = "server-away-behind-its-proxy",
       .during =
           [](Trial& trial) {
             trial.AwaitBytes();
             Away(trial);
             trial.server.Start();
             trial.failures += 2;
           },
       .server = With(kSlowServer),
       .least = kBig},
      {.name = "stalled-server", .before = Burst([](Trial& trial) {
                                   return Fault::Stall(trial.Time(100, 800), trial.SomeByte());
                                 })},
      {.name = "idle-connections-closed-early", .server = {.keep_alive = milliseconds(5)}},
      {.name = "broken-off-by-the-server",
       .before =
           Burst([](Trial& trial) { return Fault::CutAfter(trial.SomeByte() / 4); }, "PATCH")},
      {.name = "lost-answers", .before = Burst(Fault::LoseAnswer())},
      {.name = "lost-last-answer", .before = FinalPatch(Fault::LoseAnswer())},
      {.name = "short-offset",
       .before =
           Burst([](Trial& trial) { return Fault::ShortOffset(trial.SomeByte() / 4); }, "PATCH")},
      {.name = "other-credentials-for-a-while",
       .before =
           [](Trial& trial) {
             trial.server.Require({{"X-Key", "other"}});
           },
       .during =
           [](Trial& trial) {
             trial.Pause(300, 2500);
             trial.server.Require({});
             trial.failures += 2;
           }},
      {.name = "body-limit-of-1-mib",
       .before = BodyLimit(kBig),
       .chunk = 4 * kBig,
       .smallest_body = 64 * kKiB,
       .least = kBig,
       .most = 6 * kBig},
      {.name = "body-limit-below-the-chunk",
       .before = BodyLimit(150 * kKiB),
       .chunk = 4 * kBig,
       .smallest_body = 64 * kKiB,
       .least = kBig},
      {.name = "body-limit-below-any-chunk",
       .before = BodyLimit(1000),
       .end = End::kFails,
       .reason = "413",
       .chunk = kBig,
       .smallest_body = 64 * kKiB,
       .least = 200 * kKiB},
  };
}

/// As often as somebody asks: here a client without pauses is found.
std::vector<Kind> OutageKinds() {
  auto const until_cleared = [](Trial& trial) {
    trial.Pause(300, 2500);
    trial.server.ClearFaults();
    trial.proxy.Clear();
  };
  std::vector<Kind> kinds{
      {.name = "disk-full-for-a-while", .before = Always("PATCH", Fault::Answer(507, "disk full"))},
      {.name = "locked-for-a-while", .before = Always("", Fault::Answer(423, "locked"))},
      {.name = "conflicts-for-a-while", .before = Always("PATCH", Fault::Answer(409))},
      {.name = "no-space-for-a-byte-for-a-while", .before = Always("PATCH", Fault::ShortOffset(0))},
      {.name = "lost-answers-for-a-while", .before = Always("", Fault::LoseAnswer())},
      {.name = "login-page-for-a-while", .before = Always("", Fault::AnswerWithoutTusResumable())},
      {.name = "proxy-without-patch-for-a-while",
       .before = Always("PATCH", Fault::AnswerWithoutTusResumable(405, "no such method"))},
      {.name = "checksum-mismatches-for-a-while",
       .before = Always("PATCH", Fault::Answer(460, "wrong"))},
      {.name = "resets-for-a-while", .before = [](Trial& trial) {
         for (int i = 0; i < 500; ++i) {
           trial.proxy.Add(ConnectionFault::Reset(Direction::kRequests, 0));
         }
         trial.failures += 2;
       }}};
  for (auto& kind : kinds) kind.during = until_cleared;
  return kinds;
}

std::vector<Kind> AnswerKinds() {
  auto const burst_of = [](std::vector<Fault> faults) {
    return Burst([faults = std::move(faults)](Trial& trial) { return AnyOf(trial, faults); });
  };
  return {
      {.name = "409-burst", .before = Burst(Fault::Answer(409, "offsets differ"))},
      {.name = "423-burst", .before = Burst(Fault::Answer(423, "locked"))},
      {.name = "429-burst", .before = Burst(Fault::Answer(429, "slowly", {{"Retry-After", "1"}}))},
      {.name = "5xx-burst",
       .before = burst_of({Fault::Answer(500), Fault::Answer(502), Fault::Answer(503),
                           Fault::Answer(503, "", {{"Retry-After", "1"}}), Fault::Answer(504),
                           Fault::Answer(507)})},
      {.name = "5xx-after-the-work-was-done",
       .before = burst_of({Fault::AnswerAfter(500), Fault::AnswerAfter(504)})},
      {.name = "lock-time-outs",
       .before = Burst(Fault::Answer(500, "ERR_LOCK_TIMEOUT: failed to acquire lock"))},
      {.name = "408-and-425", .before = burst_of({Fault::Answer(408), Fault::Answer(425)})},
      // The answer to a HEAD has no words by which this could be told from a refusal.
      {.name = "interrupted-400",
       .before = Burst(
           [](Trial& trial) {
             return AnyOf(trial, {Fault::Answer(400, "ERR_UPLOAD_INTERRUPTED: another request"),
                                  Fault::Answer(400, "ERR_UNEXPECTED_EOF: it ended early")});
           },
           "PATCH")},
      {.name = "checksum-mismatch",
       .before = Burst(
           [](Trial& trial) {
             return AnyOf(trial, {Fault::Answer(460, "wrong"), Fault::Answer(417, "wrong")});
           },
           "PATCH")},
      {.name = "401-403-407",
       .before = burst_of({Fault::Answer(401), Fault::Answer(403), Fault::Answer(407)}),
       .end = End::kArrivesAfterADenial},
      {.name = "proxy-errors",
       .before =
           burst_of({Fault::AnswerWithoutTusResumable(502, "<html>Bad gateway</html>"),
                     Fault::AnswerWithoutTusResumable(503), Fault::AnswerWithoutTusResumable(504),
                     Fault::AnswerWithoutTusResumable(404, "no such site"),
                     Fault::AnswerWithoutTusResumable(403)}),
       .end = End::kArrivesAfterADenial},
      {.name = "login-page",
       .before = burst_of({Fault::AnswerWithoutTusResumable(),
                           Fault::AnswerWithoutTusResumable(302, "", {{"Location", "/login"}}),
                           Fault::AnswerWithoutTusResumable(204),
                           Fault::AnswerWithoutTusResumable(201, "", {{"Location", "/login"}})})},
      {.name = "offset-beyond-the-end",
       .before = Burst(
           [](Trial& trial) {
             return Fault::AnswerAfter(204, "",
                                       {{"Upload-Offset", std::to_string(trial.size + kBig)}});
           },
           "PATCH")},
      {.name = "offset-of-nothing",
       .before = Burst(Fault::AnswerAfter(204, "", {{"Upload-Offset", "0"}}), "PATCH")},
      {.name = "no-offset",
       .before = burst_of({Fault::AnswerAfter(204), Fault::AnswerAfter(200, "thank you"),
                           Fault::AnswerAfter(204, "", {{"Upload-Offset", "-1"}})})},
      {.name = "odd-creation",
       .before = Burst(
           [](Trial& trial) {
             return AnyOf(trial, {Fault::AnswerAfter(201), Fault::AnswerAfter(200, "Welcome"),
                                  Fault::AnswerAfter(201, "", {{"Location", "gopher://a b"}})});
           },
           "POST")},
      {.name = "offset-in-head-beyond-what-was-sent",
       .before =
           [](Trial& trial) {
             EarlierPatch(Fault::LoseAnswer())(trial);
             trial.server.AddFault({.method = "HEAD",
                                    .action = Fault::AnswerAfter(
                                        200, "",
                                        {{"Upload-Offset", std::to_string(trial.size * 2)},
                                         {"Upload-Length", std::to_string(trial.size * 3)}})});
             trial.failures += 1;
           },
       .chunk = 256 * kKiB,
       .least = kBig},
      {.name = "redirected-once",
       .before =
           [](Trial& trial) {
             auto const status = trial.Between(0, 1) == 0 ? 307 : 308;
             Burst(Fault::Answer(status, "", {{"Location", "?again"}}))(trial);
           }},
  };
}

std::vector<Kind> RefusalKinds() {
  return {
      {.name = "refused-patch",
       .before =
           [](Trial& trial) {
             auto const status = AnyOf(
                 trial, {Fault::Answer(412, "not this one"), Fault::Answer(415, "not this one"),
                         Fault::Answer(422, "not this one"), Fault::Answer(451, "not this one")});
             trial.server.AddFault({.method = "PATCH", .action = status});
             trial.failures += 1;
           },
       .end = End::kFails,
       .reason = "not this one"},
      {.name = "refused-last-patch",
       .before = FinalPatch(Fault::Answer(422, "no clips of this codec")),
       .end = End::kFails,
       .reason = "no clips of this codec"},
      // The server calls it complete, and its hook refused it: to send it again is a person's
      // choice.
      {.name = "refused-by-a-hook-at-the-end",
       .before = FinalPatch(Fault::AnswerAfter(422, "no clips of this codec")),
       .end = End::kFails,
       .reason = "no clips of this codec",
       .retry = false},
      {.name = "refused-creation",
       .before = Always("POST", Fault::Answer(400, "bad name")),
       .end = End::kFails,
       .reason = "bad name"},
      {.name = "no-such-endpoint",
       .before = Always("POST", Fault::Answer(404, "nothing here")),
       .end = End::kFails,
       .reason = "404"},
      {.name = "moved-for-good",
       .before = Always("PATCH", Fault::Answer(301, "", {{"Location", "http://192.0.2.1/"}})),
       .end = End::kFails,
       .reason = "redirect"},
      {.name = "redirects-without-end",
       .before =
           [](Trial& trial) {
             Always("PATCH", Fault::Answer(307, "", {{"Location", "?again"}}))(trial);
             trial.failures += 5;
           },
       .end = End::kFails,
       .reason = "307"},
      {.name = "larger-than-the-server-takes",
       .before = [](Trial& trial) { trial.failures += 1; },
       .end = End::kFails,
       .reason = "at most 1000000 bytes",
       .retry = false,
       .server = {.max_size = 1'000'000},
       .least = kBig},
  };
}

}  // namespace

std::vector<Kind> NetworkKinds() {
  std::vector<Kind> kinds;
  for (auto const& some : {PatientKinds(), GoneKinds(), OutageKinds(), KindsInParts(),
                           ServerKinds(), ConnectionKinds(), AnswerKinds(), RefusalKinds()}) {
    kinds.insert(kinds.end(), some.begin(), some.end());
  }
  return kinds;
}

}  // namespace tusfs_testing
