#include "storm/network_trouble.h"

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

using std::chrono::milliseconds;

// Bytes, roughly.
constexpr std::int64_t kRequestHead = 600;
constexpr std::int64_t kAnswer = 150;

std::int64_t Draw(Random& random, std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random);
}

std::uint64_t NumberIn(RequestFacts const& facts, std::string_view header) {
  auto const text = facts.exchange->Header(header).value_or("0");
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

auto Final(std::uint64_t size) {
  return [size](RequestFacts const& facts) {
    return NumberIn(facts, "Upload-Offset") + facts.exchange->ContentLength().value_or(0) == size;
  };
}

auto NotFinal(std::uint64_t size) {
  return [final = Final(size)](RequestFacts const& facts) { return !final(facts); };
}

Trouble OnePatch(std::function<std::function<bool(RequestFacts const&)>(std::uint64_t)> which,
                 Fault action) {
  return [which = std::move(which), action = std::move(action)](Trial& trial) {
    trial.server.AddFault({.method = "PATCH", .matches = which(trial.size), .action = action});
    trial.failures += 1;
  };
}

}  // namespace

// ---- what a server answers

Trouble Burst(std::function<Fault(Trial&)> action, std::string method) {
  return [action = std::move(action), method = std::move(method)](Trial& trial) {
    auto const first = static_cast<int>(trial.Between(1, trial.bodies));
    auto const count = static_cast<int>(trial.Between(1, 3));
    for (int nth = first; nth < first + count; ++nth) {
      trial.server.AddFault({.method = method, .nth = nth, .action = action(trial)});
    }
    trial.failures += count;
  };
}

Trouble Burst(Fault action, std::string method) {
  return Burst([action = std::move(action)](Trial&) { return action; }, std::move(method));
}

Trouble Always(std::string method, Fault action) {
  return [method = std::move(method), action = std::move(action)](Trial& trial) {
    trial.server.AddFault({.method = method, .nth = 0, .action = action});
    trial.failures += 2;
  };
}

Trouble FinalPatch(Fault action) { return OnePatch(Final, std::move(action)); }

Trouble EarlierPatch(Fault action) { return OnePatch(NotFinal, std::move(action)); }

Fault AnyOf(Trial& trial, std::vector<Fault> const& faults) {
  return faults[static_cast<std::size_t>(
      trial.Between(0, static_cast<std::int64_t>(faults.size()) - 1))];
}

Trouble BodyLimit(std::uint64_t limit) {
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

Trouble Faults(std::int64_t most, std::function<ConnectionFault(Trial&)> make) {
  return [most, make = std::move(make)](Trial& trial) {
    auto const count = trial.Between(1, most);
    for (int i = 0; i < count; ++i) trial.proxy.Add(make(trial));
    trial.failures += static_cast<int>(count);
  };
}

Trouble Rewritten(MakeRewriting make, Rewrite rewrite) {
  return Faults(2, [make, rewrite = std::move(rewrite)](Trial& trial) {
    auto const answers = static_cast<std::uint64_t>(trial.Between(0, trial.bodies));
    // Its own, since the answer comes on a thread of the proxy.
    return make(answers, [random = Random(trial.random()), rewrite](
                             std::string_view answer) mutable { return rewrite(random, answer); });
  });
}

ConnectionFault AnyConnectionFault(Trial& trial) {
  auto const bytes = trial.SomeByte() / 3;
  switch (trial.Between(0, 6)) {
    case 0:
      return ConnectionFault::Cut(Direction::kRequests, bytes);
    case 1:
      return ConnectionFault::Cut(Direction::kAnswers, trial.SomeAnswerByte());
    case 2:
      return ConnectionFault::Reset(Direction::kRequests, bytes);
    case 3:
      return ConnectionFault::Stall(Direction::kRequests, bytes, trial.Time(10, 400));
    case 4:
      return ConnectionFault::BlackHole(bytes, trial.Time(10, 400));
    case 5:
      return ConnectionFault::End(Direction::kRequests, bytes);
    default:
      return ConnectionFault::End(Direction::kAnswers, trial.SomeAnswerByte());
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

Trouble Restart(std::function<void(Trial&)> lose) {
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

// ---- a trial

std::int64_t Trial::Between(std::int64_t least, std::int64_t most) {
  return Draw(random, least, most);
}

milliseconds Trial::Time(std::int64_t least, std::int64_t most) {
  return milliseconds(Between(least, most));
}

std::uint64_t Trial::SomeByte() {
  return static_cast<std::uint64_t>(Between(0, static_cast<std::int64_t>(size) + kRequestHead));
}

std::uint64_t Trial::SomeAnswerByte() {
  return static_cast<std::uint64_t>(Between(1, kAnswer * bodies));
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

int Published(FixtureServer const& server, std::string const& name) {
  return static_cast<int>(std::ranges::count_if(server.Uploads(), [&](auto const& upload) {
    return upload.complete && upload.Metadata("relativePath") == name;
  }));
}

}  // namespace tusfs_testing
