#include "storm/network_kinds.h"

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

using std::chrono::milliseconds;

// So slow that the trouble finds an upload that is under way.
constexpr std::uint64_t kSlowServer = 2'000'000;
constexpr std::uint64_t kBig = 1024 * kKiB;
constexpr std::uint64_t kRequestHead = 600;  // bytes, roughly

std::uint64_t NumberIn(RequestFacts const& facts, std::string_view header) {
  auto const text = facts.exchange->Header(header).value_or("0");
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The PATCH that makes the upload complete.
auto Final(std::uint64_t size) {
  return [size](RequestFacts const& facts) {
    return NumberIn(facts, "Upload-Offset") + facts.exchange->ContentLength().value_or(0) == size;
  };
}

auto NotFinal(std::uint64_t size) {
  return [final = Final(size)](RequestFacts const& facts) { return !final(facts); };
}

// ---- what a server answers

/// Up to three requests in a row have that trouble.
Kind::Act Burst(std::function<Fault(Trial&)> action, std::string method = "") {
  return [action = std::move(action), method = std::move(method)](Trial& trial) {
    auto const first = static_cast<int>(trial.Between(1, trial.bodies));
    auto const count = static_cast<int>(trial.Between(1, 3));
    for (int nth = first; nth < first + count; ++nth) {
      trial.server.AddFault({.method = method, .nth = nth, .action = action(trial)});
    }
    trial.failures += count;
  };
}

Kind::Act Burst(Fault action, std::string method = "") {
  return Burst([action = std::move(action)](Trial&) { return action; }, std::move(method));
}

Kind::Act Always(std::string method, Fault action) {
  return [method = std::move(method), action = std::move(action)](Trial& trial) {
    trial.server.AddFault({.method = method, .nth = 0, .action = action});
    trial.failures += 2;
  };
}

/// One PATCH has that trouble, the one that `which` chooses.
template <typename Which>
Kind::Act OnePatch(Which which, Fault action) {
  return [which, action = std::move(action)](Trial& trial) {
    trial.server.AddFault({.method = "PATCH", .matches = which(trial.size), .action = action});
    trial.failures += 1;
  };
}

Fault AnyOf(Trial& trial, std::vector<Fault> const& faults) {
  return faults[static_cast<std::size_t>(
      trial.Between(0, static_cast<std::int64_t>(faults.size()) - 1))];
}

/// Bodies of more than `limit` bytes do not get past a proxy.
Kind::Act BodyLimit(std::uint64_t limit) {
  return [limit](Trial& trial) {
    trial.server.AddFault({.method = "PATCH",
                           .nth = 0,
                           .matches =
                               [limit](RequestFacts const& facts) {
                                 return facts.exchange->ContentLength().value_or(0) > limit;
                               },
                           .action = Fault::AnswerWithoutTusResumable(413, "<html>Too large</html>",
                                                                      {{"Server", "nginx"}})});
    trial.failures += 6;  // halvings from 4 MiB to 64 KiB
  };
}

// ---- what a connection does

Kind::Act Faults(std::int64_t most, std::function<ConnectionFault(Trial&)> make) {
  return [most, make = std::move(make)](Trial& trial) {
    auto const count = trial.Between(1, most);
    for (int i = 0; i < count; ++i) trial.proxy.Add(make(trial));
    trial.failures += static_cast<int>(count);
  };
}

using Random = std::mt19937_64;

std::int64_t Draw(Random& random, std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random);
}

using Rewrite = std::function<std::string(Random&, std::string_view)>;
using MakeRewriting = ConnectionFault (*)(std::uint64_t,
                                          std::function<std::string(std::string_view)>);

/// `make`: whether the connection goes on behind it.
Kind::Act Rewritten(MakeRewriting make, Rewrite rewrite) {
  return Faults(2, [make, rewrite = std::move(rewrite)](Trial& trial) {
    auto const answers = static_cast<std::uint64_t>(trial.Between(0, trial.bodies));
    // Its own, since the answer comes on a thread of the proxy.
    return make(answers, [random = Random(trial.random()), rewrite](
                             std::string_view answer) mutable { return rewrite(random, answer); });
  });
}

std::uint64_t SomeAnswerByte(Trial& trial) {
  constexpr std::int64_t kAnswer = 150;  // bytes, roughly
  return static_cast<std::uint64_t>(trial.Between(1, kAnswer * trial.bodies));
}

ConnectionFault AnyConnectionFault(Trial& trial) {
  auto const bytes = trial.SomeByte() / 3;
  switch (trial.Between(0, 6)) {
    case 0:
      return ConnectionFault::Cut(Direction::kRequests, bytes);
    case 1:
      return ConnectionFault::Cut(Direction::kAnswers, SomeAnswerByte(trial));
    case 2:
      return ConnectionFault::Reset(Direction::kRequests, bytes);
    case 3:
      return ConnectionFault::Stall(Direction::kRequests, bytes, trial.Time(10, 400));
    case 4:
      return ConnectionFault::BlackHole(bytes, trial.Time(10, 400));
    case 5:
      return ConnectionFault::End(Direction::kRequests, bytes);
    default:
      return ConnectionFault::End(Direction::kAnswers, SomeAnswerByte(trial));
  }
}

std::string StatusLineBroken(Random& random, std::string_view answer) {
  static std::vector<std::string> const lines{"HTTP/1.1 2x4 No Content",
                                              "HTTP/1.1 999 What",
                                              "HTTP/1.1 100 Continue",
                                              "HTTP/9.9 204",
                                              "SSH-2.0-OpenSSH_9.2",
                                              "HTTP/1.1",
                                              "\x16\x03\x01\x02",
                                              "",
                                              "HTTP/1.1 000 Nothing",
                                              "HTTP/1.1 -20 Minus",
                                              "ICY 200 OK"};
  auto const chosen = Draw(random, 0, static_cast<std::int64_t>(lines.size()) - 1);
  return lines[static_cast<std::size_t>(chosen)] +
         std::string(answer.substr(std::min(answer.find("\r\n"), answer.size())));
}

std::string HeadersBroken(Random& random, std::string_view answer) {
  std::string broken(answer);
  for (auto at = answer.find("\r\n") + 2; at < broken.size(); ++at) {
    if (Draw(random, 0, 3) == 0) broken[at] = static_cast<char>(Draw(random, 1, 255));
  }
  return broken;
}

// ---- what a server does

void Away(Trial& trial) {
  trial.server.Stop();
  trial.Pause(50, 1200);
}

/// The server's process dies while bytes arrive; then `lose` happens to it, and it comes back.
Kind::Act Restart(std::function<void(Trial&)> lose) {
  return [lose = std::move(lose)](Trial& trial) {
    trial.AwaitBytes();
    trial.Pause(0, static_cast<std::int64_t>(trial.size * 1000 / kSlowServer));
    trial.proxy.Close();
    Away(trial);
    lose(trial);
    trial.server.Start();
    trial.proxy.Open();
    trial.failures += 2;
  };
}

void ForgetIt(Trial& trial) {
  auto const upload = trial.Upload();
  if (upload && !upload->complete) (void)trial.server.Forget(upload->id);
}

void LoseItsLastBytes(Trial& trial) {
  auto const upload = trial.Upload();
  if (!upload) return;
  auto const kept = trial.Between(0, static_cast<std::int64_t>(upload->offset));
  (void)trial.server.Rewind(upload->id, static_cast<std::uint64_t>(kept));
}

// ---- the table

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
       .before = OnePatch(NotFinal, Fault::ForgetUpload()),
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
             OnePatch(Final, Fault::LoseAnswer())(trial);
             trial.server.AddFault({.method = "HEAD", .action = Fault::ForgetUpload()});
           },
       .end = End::kUnconfirmed,
       .reason = "may have been published"},
      {.name = "404-to-the-first-question-only",
       .before =
           [](Trial& trial) {
             OnePatch(NotFinal, Fault::Answer(404))(trial);
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
           2, [=](Trial& trial) { return ConnectionFault::Cut(answers, SomeAnswerByte(trial)); })},
      {.name = "reset-request",
       .before = Faults(
           2, [=](Trial& trial) { return ConnectionFault::Reset(requests, trial.SomeByte()); })},
      {.name = "reset-answer",
       .before = Faults(
           2,
           [=](Trial& trial) { return ConnectionFault::Reset(answers, SomeAnswerByte(trial)); })},
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
                          return ConnectionFault::Stall(answers, SomeAnswerByte(trial),
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
           2, [=](Trial& trial) { return ConnectionFault::End(answers, SomeAnswerByte(trial)); })},
      {.name = "corrupt-status-line",
       .before = Rewritten(ConnectionFault::RewriteLast, StatusLineBroken)},
      {.name = "corrupt-headers", .before = Rewritten(ConnectionFault::RewriteLast, HeadersBroken)},
      {.name = "duplicated-answer",
       .before = Rewritten(ConnectionFault::Rewrite,
                           [](Random&, std::string_view answer) {
                             return std::string(answer) + std::string(answer);
                           })},
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
      {.name = "lost-last-answer", .before = OnePatch(Final, Fault::LoseAnswer())},
      {.name = "short-offset",
       .before =
           Burst([](Trial& trial) { return Fault::ShortOffset(trial.SomeByte() / 4); }, "PATCH")},
      {.name = "disk-full-for-a-while",
       .before = Always("PATCH", Fault::Answer(507, "disk full")),
       .during =
           [](Trial& trial) {
             trial.Pause(300, 2500);
             trial.server.ClearFaults();
           }},
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
       .before = burst_of({Fault::Answer(401), Fault::Answer(403), Fault::Answer(407)})},
      {.name = "proxy-errors",
       .before =
           burst_of({Fault::AnswerWithoutTusResumable(502, "<html>Bad gateway</html>"),
                     Fault::AnswerWithoutTusResumable(503), Fault::AnswerWithoutTusResumable(504),
                     Fault::AnswerWithoutTusResumable(404, "no such site"),
                     Fault::AnswerWithoutTusResumable(403)})},
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
             OnePatch(NotFinal, Fault::LoseAnswer())(trial);
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
       .before = OnePatch(Final, Fault::Answer(422, "no clips of this codec")),
       .end = End::kFails,
       .reason = "no clips of this codec"},
      // The server calls it complete, and its hook refused it: to send it again is a person's
      // choice.
      {.name = "refused-by-a-hook-at-the-end",
       .before = OnePatch(Final, Fault::AnswerAfter(422, "no clips of this codec")),
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

std::int64_t Trial::Between(std::int64_t least, std::int64_t most) {
  return Draw(random, least, most);
}

milliseconds Trial::Time(std::int64_t least, std::int64_t most) {
  return milliseconds(Between(least, most));
}

std::uint64_t Trial::SomeByte() {
  return static_cast<std::uint64_t>(Between(0, static_cast<std::int64_t>(size + kRequestHead)));
}

void Trial::Pause(std::int64_t least, std::int64_t most) {
  std::this_thread::sleep_for(Time(least, most));
}

void Trial::AwaitBytes() const {
  (void)WaitFor([&] {
    auto const upload = Upload();
    return upload && (upload->offset > 0 || upload->complete);
  });
}

int Trial::Published() const {
  return static_cast<int>(std::ranges::count_if(server.Uploads(), [&](auto const& upload) {
    return upload.complete && upload.Metadata("relativePath") == name;
  }));
}

std::vector<Kind> NetworkKinds() {
  std::vector<Kind> kinds;
  for (auto const& some : {PatientKinds(), GoneKinds(), ServerKinds(), ConnectionKinds(),
                           AnswerKinds(), RefusalKinds()}) {
    kinds.insert(kinds.end(), some.begin(), some.end());
  }
  return kinds;
}

}  // namespace tusfs_testing
