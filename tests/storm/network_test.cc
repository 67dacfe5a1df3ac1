// A network and a server that fail in every way there is, at random moments: programs do not
// notice, each file arrives once or says why not, and nobody asks a server without pause.
//
// Several kinds of trouble run at once, each with a mount and a server of its own. What a run draws
// depends on the seed, the kind and the run: $TUSFS_STORM_KIND=NAME repeats one kind alone.
#include <sys/xattr.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "mount/mount_test.h"
#include "storm/network_kinds.h"
#include "storm/parts.h"
#include "storm/storm.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kKindsAtOnce = 10;
/// No call waits for the network: what a copy takes on a machine that is busy otherwise.
constexpr milliseconds kLongestCopy{5000};
/// Back-offs double from half a second on, and the troubles are over within a few of them; a client
/// waits two minutes for an answer.
constexpr seconds kLongestTrial{200};
constexpr int kPatientRuns = 2;
constexpr std::size_t kShownLog = 3000;

/// As many tries as there are at the most in so long a time, when none succeeds: the shortest
/// pause after the nth is 50 ms · 2ⁿ⁻¹ (tus::RetryPolicy).
int TriesIn(milliseconds time) {
  return static_cast<int>(std::ceil(std::log2(static_cast<double>(time.count()) / 50 + 1))) + 1;
}

/// What one run of one kind has shown.
struct Shown {
  std::string kind;
  int run = 0;
  std::string complaints{};  ///< empty: everything is as it should be
  bool disturbed = false;    ///< some request failed, or a fault has hit
  int requests = 0;
  milliseconds copy{0};
  milliseconds took{0};
};

/// One kind's mount, its server and the network between them. Lives on one thread.
class Site {
 public:
  Site(Kind const& kind, std::uint64_t seed, fs::path directory)
      : kind_(kind),
        seed_(seed),
        directory_(std::move(directory)),
        server_(kind.server),
        proxy_(server_.port()),
        mount_(proxy_.Url(), Options()) {
    fs::create_directories(directory_);
  }

  std::string Mount() { return mount_.Mount(); }
  Shown Run(int run);
  /// After all runs: what has been published since is one too many.
  std::string Finish();

 private:
  [[nodiscard]] std::mt19937_64 Generator(int run) const {
    std::vector<std::uint32_t> words{static_cast<std::uint32_t>(seed_),
                                     static_cast<std::uint32_t>(seed_ >> 32),
                                     static_cast<std::uint32_t>(run)};
    words.insert(words.end(), kind_.name.begin(), kind_.name.end());
    std::seed_seq sequence(words.begin(), words.end());
    return std::mt19937_64(sequence);
  }
  [[nodiscard]] std::uint64_t ChunkSize() const {
    return kind_.chunk > 0 ? kind_.chunk : (256 * kKiB) << (Generator(-1)() % 3);
  }
  [[nodiscard]] Command Options() const {
    Command options{"--chunk-size", std::to_string(ChunkSize())};
    return kind_.part > 0 ? WithParts(std::move(options)) : options;
  }
  static std::uint64_t SizeOf(Kind const& kind, std::mt19937_64& random);

  void Expect(bool right, std::string const& expected) {
    if (!right) complaints_ += "expected " + expected + "\n";
  }
  milliseconds Copy(fs::path const& source, std::string const& name);
  /// As the mount says it, without another program.
  [[nodiscard]] std::string StateOf(std::string const& name) const;
  [[nodiscard]] std::string LogTail() const {
    auto const log = mount_.Log();
    return "\nlog: …" + log.substr(log.size() - std::min(log.size(), kShownLog));
  }
  /// Waits until nothing more happens to the file by itself.
  std::string AwaitEnd(std::string const& name) const;
  void ExpectRightEnd(Trial& trial, fs::path const& source);
  void ExpectStuck(Trial const& trial, std::string const& state);
  void ExpectRetried(Trial const& trial, fs::path const& source, std::string const& state);
  void ExpectAccepted(Trial const& trial, fs::path const& source);
  void ExpectArrived(Trial const& trial, fs::path const& source);
  void ExpectNoneLoose();
  void ExpectPatience(Trial const& trial, std::size_t before, int connections, Shown& shown);

  Kind const& kind_;
  std::uint64_t const seed_;
  fs::path const directory_;
  FixtureServer server_;
  FaultProxy proxy_;
  MountedTusfs mount_;
  std::string complaints_;
  std::set<std::string> arrived_;
  int retried_ = 0;  ///< by hand
};

std::uint64_t Site::SizeOf(Kind const& kind, std::mt19937_64& random) {
  std::uniform_int_distribution<std::uint64_t> tiny(1, 2000);
  std::uniform_int_distribution<std::uint64_t> usual(std::max(kind.least, 200 * kKiB), kind.most);
  return kind.least == 0 && random() % 8 == 0 ? tiny(random) : usual(random);
}

milliseconds Site::Copy(fs::path const& source, std::string const& name) {
  auto const start = steady_clock::now();
  auto const copied = RunProgram({"cp", source, mount_ / name}, seconds(60));
  auto const took = std::chrono::ceil<milliseconds>(steady_clock::now() - start);
  Expect(copied.code == 0, "cp to succeed: " + copied.err);
  Expect(took < kLongestCopy,
         "cp to wait for nobody, and it took " + std::to_string(took.count()) + " ms");
  return took;
}

std::string Site::StateOf(std::string const& name) const {
  char state[64];
  auto const size = ::getxattr((mount_ / name).c_str(), "user.tusfs.state", state, sizeof state);
  return size < 0 ? "" : std::string(state, static_cast<std::size_t>(size));
}

std::string Site::AwaitEnd(std::string const& name) const {
  // None at all: there is no such file, or no mount any more.
  std::set<std::string> ends{"uploaded", "failed", "unconfirmed", "interrupted", ""};
  if (kind_.end == End::kArrivesAfterADenial) ends.erase("failed");
  (void)WaitFor([&] { return ends.contains(StateOf(name)); }, kLongestTrial);
  return StateOf(name);
}

void Site::ExpectArrived(Trial const& trial, fs::path const& source) {
  auto const state = AwaitEnd(trial.name);
  Expect(state == "uploaded", "uploaded, not " + state + ": " + mount_.Listed(trial.name).dump());
  int const published = Published(server_, trial.name);
  Expect(published == 1, "one copy on the server, not " + std::to_string(published));
  for (auto const& upload : server_.Uploads()) {
    if (!upload.complete || upload.Metadata("relativePath") != trial.name) continue;
    Expect(Sha256(server_.Content(upload.id)) == Sha256OfFile(source),
           "the bytes that were copied in " + upload.id);
  }
  if (complaints_.empty()) arrived_.insert(trial.name);
}

void Site::ExpectStuck(Trial const& trial, std::string const& state) {
  auto const listed = mount_.Listed(trial.name);
  auto const is = listed.is_object() ? listed.value("state", "") : "";
  auto const error =
      listed.is_object() && listed["error"].is_string() ? std::string(listed["error"]) : "";
  Expect(is == state, state + ": " + listed.dump());
  Expect(error.find(kind_.reason) != std::string::npos,
         "the reason \"" + kind_.reason + "\", not \"" + error + "\"");
}

void Site::ExpectRightEnd(Trial& trial, fs::path const& source) {
  auto const state = AwaitEnd(trial.name);
  bool const stuck = kind_.end == End::kFails || kind_.end == End::kUnconfirmed ||
                     (kind_.end == End::kArrivesOrUnconfirmed && state == "unconfirmed");
  if (!stuck) return ExpectArrived(trial, source);
  ExpectStuck(trial, kind_.end == End::kFails ? "failed" : "unconfirmed");
  if (!kind_.retry) {
    Expect(Published(server_, trial.name) <= 1, "one copy on the server at most");
    return;
  }
  bool const is_published = Published(server_, trial.name) == 1;
  if (kind_.part > 0 && kind_.end != End::kFails && is_published) {
    return ExpectAccepted(trial, source);
  }
  ExpectRetried(trial, source, state);
}

// Of a join that was not answered nobody but a person can find out what became of it.
void Site::ExpectAccepted(Trial const& trial, fs::path const& source) {
  auto const accepted = TusfsCtl({"accept", mount_ / trial.name});
  Expect(accepted.code == 0, "tusfsctl accept to succeed: " + accepted.err);
  ExpectArrived(trial, source);
}

void Site::ExpectRetried(Trial const& trial, fs::path const& source, std::string const& state) {
  Expect(Published(server_, trial.name) == 0, "nothing on the server before it is tried again");
  server_.ClearFaults();
  ++retried_;
  auto const retried = TusfsCtl({"retry", mount_ / trial.name});
  Expect(retried.code == 0, "tusfsctl retry to succeed: " + retried.err);
  // It says so until it is sent again.
  (void)WaitFor([&] { return StateOf(trial.name) != state; });
  ExpectArrived(trial, source);
}

void Site::ExpectPatience(Trial const& trial, std::size_t before, int connections, Shown& shown) {
  auto const requests = server_.Requests();
  for (auto at = before; at < requests.size(); ++at) {
    shown.disturbed |= requests[at].status == 0 || requests[at].status >= 300;
  }
  shown.requests = static_cast<int>(requests.size() - before);
  // What a whole upload needs, once more for one that starts over; for each scripted failure the
  // request itself, a HEAD and an OPTIONS; and the tries that fit into the time.
  auto const bodies = static_cast<int>(trial.size / kind_.smallest_body + 1);
  // What goes in parts is so many uploads, of which each has its own patience, and a join.
  auto const uploads = kind_.part > 0 ? static_cast<int>(trial.size / kind_.part) + 2 : 1;
  int const bound =
      2 * (2 * uploads + bodies) + 3 * (trial.failures + uploads * TriesIn(shown.took));
  Expect(shown.requests <= bound,
         "at most " + std::to_string(bound) + " requests, not " + std::to_string(shown.requests));
  int const opened = proxy_.connections() - connections;
  Expect(opened <= bound,
         "at most " + std::to_string(bound) + " connections, not " + std::to_string(opened));
  auto const stats = server_.Stats();
  Expect(stats.overlapping_patches == 0, "one PATCH of an upload at a time");
  Expect(stats.heads_during_patch == 0, "no HEAD of an upload while its PATCH is open");
}

Shown Site::Run(int run) {
  complaints_.clear();
  Shown shown{.kind = kind_.name, .run = run};
  auto random = Generator(run);
  auto const size = SizeOf(kind_, random);
  auto const source = directory_ / "source";
  WriteRandomFile(source, size, random());
  fs::last_write_time(source, fs::file_time_type::clock::now() - std::chrono::hours(1));
  Trial trial{.server = server_,
              .proxy = proxy_,
              .name = kind_.name + "-" + std::to_string(run),
              .size = size,
              .bodies = static_cast<int>((size - 1) / ChunkSize() + 1),
              .random = random};
  auto const start = steady_clock::now();
  auto const requests = server_.Requests().size();
  auto const connections = proxy_.connections();
  auto const hits = proxy_.hits();

  if (kind_.before) kind_.before(trial);
  shown.copy = Copy(source, trial.name);
  if (kind_.during) kind_.during(trial);
  ExpectRightEnd(trial, source);

  shown.disturbed = proxy_.hits() > hits;
  shown.took = std::chrono::ceil<milliseconds>(steady_clock::now() - start);
  server_.ClearFaults();
  proxy_.Clear();
  ExpectPatience(trial, requests, connections, shown);
  if (!complaints_.empty()) {
    shown.complaints = complaints_ + "file of " + std::to_string(size) + " bytes in chunks of " +
                       std::to_string(ChunkSize()) + "\nrequests:";
    auto const all = server_.Requests();
    for (auto at = requests; at < all.size(); ++at) {
      shown.complaints += " " + all[at].method + "=" + std::to_string(all[at].status);
    }
    shown.complaints += LogTail();
  }
  return shown;
}

std::string Site::Finish() {
  complaints_.clear();
  for (auto const& name : arrived_) {
    int const published = Published(server_, name);
    Expect(published == 1, name + " once on the server, not " + std::to_string(published));
  }
  ExpectNoneLoose();
  int const code = mount_.Unmount();
  Expect(code == 0, "umount to succeed, not " + std::to_string(code) + LogTail());
  return complaints_;
}

// Parts of a join of which nobody knew what became of it stay for ever.
void Site::ExpectNoneLoose() {
  if (retried_ > 0) return;
  auto const loose = [this] {
    auto const parts = server_.LooseParts();
    return std::ranges::count_if(parts, [](auto const& part) { return part.offset > 0; });
  };
  (void)WaitFor([&] { return loose() == 0; }, seconds(60));
  Expect(loose() == 0, "no part with bytes on the server that was not joined");
}

/// What the threads of the kinds have to tell the test's own thread.
class Reports {
 public:
  void Add(Shown shown) {
    {
      std::lock_guard const lock(mutex_);
      waiting_.push_back(std::move(shown));
    }
    changed_.notify_one();
  }
  Shown Next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !waiting_.empty(); });
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    return next;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Shown> waiting_;
};

class NetworkStorm : public MountTest {
 protected:
  static std::vector<Kind> ChosenKinds(bool patient) {
    auto kinds = NetworkKinds();
    char const* const chosen = ::getenv("TUSFS_STORM_KIND");
    std::erase_if(kinds, [&](Kind const& kind) {
      return chosen != nullptr ? kind.name != chosen : kind.patient && !patient;
    });
    return kinds;
  }

  // All runs of one kind; tells as much as there are runs, whatever happens.
  void RunKind(Kind const& kind, std::uint64_t seed, int runs) {
    Site site(kind, seed, dir_ / kind.name);
    auto const trouble = site.Mount();
    for (int run = 0; run < runs; ++run) {
      auto shown = trouble.empty() ? site.Run(run) : Shown{.kind = kind.name, .run = run};
      shown.complaints += trouble;
      if (run + 1 == runs) shown.complaints += site.Finish();
      reports_.Add(std::move(shown));
    }
  }

  Reports reports_;
};

TEST_F(NetworkStorm, EveryFileArrivesOnceOrSaysWhyNot) {
  Storm storm("network", "runs", 1);
  auto const kinds = ChosenKinds(storm.count() > 1);
  auto const runs_of = [&](Kind const& kind) {
    return kind.patient ? std::min(kPatientRuns, storm.count()) : storm.count();
  };
  int runs = 0;
  for (auto const& kind : kinds) runs += runs_of(kind);
  ASSERT_FALSE(kinds.empty()) << "there is no kind of the name in $TUSFS_STORM_KIND";
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kKindsAtOnce; ++i) {
    threads.emplace_back([&] {
      for (auto at = next++; at < kinds.size(); at = next++) {
        RunKind(kinds[at], storm.seed(), runs_of(kinds[at]));
      }
    });
  }

  int disturbed = 0;
  int requests = 0;
  milliseconds copy{0};
  Shown slowest;
  for (int i = 0; i < runs; ++i) {
    auto shown = reports_.Next();
    EXPECT_TRUE(shown.complaints.empty()) << shown.complaints << "kind " << shown.kind << ", run "
                                          << shown.run << ", seed " << storm.seed();
    disturbed += shown.disturbed ? 1 : 0;
    requests += shown.requests;
    copy = std::max(copy, shown.copy);
    storm.Done();
    if (shown.took > slowest.took) slowest = std::move(shown);
  }
  storm.SetDetails("kinds " + std::to_string(kinds.size()) + ", runs in which requests failed " +
                   std::to_string(disturbed) + ", requests " + std::to_string(requests) +
                   ", slowest cp " + std::to_string(copy.count()) + " ms, slowest run " +
                   std::to_string(slowest.took.count()) + " ms (" + slowest.kind + ")");
}

}  // namespace
}  // namespace tusfs_testing
