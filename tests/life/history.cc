#include "history.h"

#include <array>
#include <random>
#include <sstream>

#include "scenes.h"

namespace tusfs_life {
namespace {

struct Weight {
  Kind kind;
  int weight;
};

constexpr std::array kWeights{Weight{Kind::kCopy, 24},
                              Weight{Kind::kBegin, 10},
                              Weight{Kind::kMore, 10},
                              Weight{Kind::kWriteAt, 5},
                              Weight{Kind::kChildCloses, 4},
                              Weight{Kind::kClose, 10},
                              Weight{Kind::kKilled, 3},
                              Weight{Kind::kFsync, 4},
                              Weight{Kind::kRewrite, 6},
                              Weight{Kind::kAppend, 5},
                              Weight{Kind::kTruncate, 4},
                              Weight{Kind::kRename, 10},
                              Weight{Kind::kExchange, 2},
                              Weight{Kind::kLink, 4},
                              Weight{Kind::kUnlink, 6},
                              Weight{Kind::kMakeDirectory, 3},
                              Weight{Kind::kRemoveDirectory, 1},
                              Weight{Kind::kMoveDirectory, 2},
                              Weight{Kind::kSyncDirectory, 2},
                              Weight{Kind::kCopyLarge, 1},
                              Weight{Kind::kCopiesAtOnce, 1},
                              Weight{Kind::kOpenToRead, 3},
                              Weight{Kind::kRead, 4},
                              Weight{Kind::kCloseReader, 2},
                              Weight{Kind::kTrim, 2},
                              Weight{Kind::kMeanwhile, 4},
                              Weight{Kind::kDiskFails, 1},
                              Weight{Kind::kPublish, 3},
                              Weight{Kind::kRetry, 2},
                              Weight{Kind::kAccept, 1},
                              Weight{Kind::kDiscard, 2},
                              Weight{Kind::kEvict, 3},
                              Weight{Kind::kReclaim, 1},
                              Weight{Kind::kWait, 30},
                              Weight{Kind::kServer, 12},
                              Weight{Kind::kServerDown, 2},
                              Weight{Kind::kServerUp, 4},
                              Weight{Kind::kWipe, 1},
                              Weight{Kind::kUmount, 4},
                              Weight{Kind::kReboot, 3},
                              Weight{Kind::kStop, 2},
                              Weight{Kind::kUpgrade, 3},
                              Weight{Kind::kKillAll, 2},
                              Weight{Kind::kPowerCut, 3},
                              Weight{Kind::kDieSoon, 6},
                              Weight{Kind::kClockJump, 1},
                              Weight{Kind::kRemount, 1}};

constexpr std::array kSizes{0U, 1U, 700U, 5'000U, 30'000U, 70'000U, 300'000U, 600'000U};
constexpr std::uint32_t kLargerInParts = 16;
constexpr std::array kWaits{1U,     20U,    60U,     150U,    700U,      2'500U,
                            2'500U, 6'000U, 15'000U, 60'000U, 3'700'000U};

}  // namespace

char const* WordOf(Kind kind) {
  constexpr std::array kWords{"copy",
                              "begin",
                              "more",
                              "write-at",
                              "child-closes",
                              "close",
                              "killed",
                              "fsync",
                              "rewrite",
                              "append",
                              "truncate",
                              "rename",
                              "exchange",
                              "link",
                              "unlink",
                              "mkdir",
                              "rmdir",
                              "mvdir",
                              "fsync-directory",
                              "copy-large",
                              "copies-at-once",
                              "open-to-read",
                              "read",
                              "close-reader",
                              "publish",
                              "retry",
                              "accept",
                              "discard",
                              "evict",
                              "trim",
                              "reclaim",
                              "wait",
                              "server",
                              "server-down",
                              "server-up",
                              "wipe",
                              "umount",
                              "reboot",
                              "stop",
                              "upgrade",
                              "kill-all",
                              "power-cut",
                              "die-soon",
                              "clock",
                              "remount",
                              "meanwhile",
                              "disk-fails"};
  static_assert(kWords.size() == static_cast<std::size_t>(Kind::kCount));
  return kWords.at(static_cast<std::size_t>(kind));
}

std::string const& NameAt(std::uint32_t index) {
  static std::array<std::string, 10> const names{"a",         "b",   "c",   "x",        "x.part",
                                                 ".a.Qx12Yz", "d/a", "d/b", "d/x.part", "e/a"};
  return names[index % names.size()];
}

std::string const& DirectoryAt(std::uint32_t index) {
  static std::array<std::string, 3> const names{"d", "e", "d/s"};
  return names[index % names.size()];
}

History MakeHistory(std::uint64_t seed, bool in_parts) {
  std::mt19937_64 random(seed);
  auto const below = [&](std::uint64_t most) {
    return static_cast<std::uint32_t>(random() % most);
  };
  History history;
  history.seed = seed;
  history.server.defers_length = below(4) != 0;
  history.server.terminates = below(6) != 0;
  history.server.moves_finished = below(5) == 0;
  history.server.expires_after = below(5) == 0 ? std::int64_t{600} * 1'000'000'000 : 0;
  history.settings.adopts = below(4) != 0;
  history.settings.verifies = below(8) == 0;
  history.settings.trims = below(4) == 0;
  history.settings.holds = below(4) == 0;
  if (below(6) == 0) history.settings.keep = 0;
  history.settings.map_pages = 24 + below(60);
  if (below(5) == 0) history.settings.spool_size = std::uint64_t{2} << 20;
  // A part is a block of digests at least.
  auto const larger = in_parts ? kLargerInParts : 1;
  if (in_parts) {
    history.server.joins = history.settings.parts = true;
    history.settings.deletes_parts = below(3) == 0;
    history.settings.trims = false;
    history.settings.spool_size *= 64;
  }
  int total = 0;
  for (auto const& weight : kWeights) total += weight.weight;
  std::vector<std::uint32_t> used;
  auto const count = 5 + below(60);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (below(25) == 0) {
      auto const scene = MakeScene(random);
      history.steps.insert(history.steps.end(), scene.begin(), scene.end());
    }
    int at = static_cast<int>(below(static_cast<std::uint64_t>(total)));
    auto const* weight = kWeights.data();
    while (at >= weight->weight) at -= (weight++)->weight;
    Step step{.kind = weight->kind, .a = below(1000), .b = below(1000), .c = below(1000)};
    auto const size = [&] { return larger * kSizes[below(kSizes.size())]; };
    // Names that are likely to be there, or any; the first ones more often.
    auto const name = [&] { return std::min(below(10), below(10)); };
    auto const old_name = [&] {
      return used.empty() || below(8) == 0 ? name() : used[below(used.size())];
    };
    switch (step.kind) {
      case Kind::kCopy:
        step.a = name();
        step.b = size();
        if (below(2) == 0) {  // one of two bodies, again and again
          step.b = in_parts ? 200 * 30'000 : 30'000;
          step.c = 1 + below(2);
        }
        used.push_back(step.a);
        break;
      case Kind::kCopyLarge:
        step.a = name();
        used.push_back(step.a);
        break;
      case Kind::kAppend:
      case Kind::kTruncate:
        step.a = old_name();
        step.b = size();
        break;
      case Kind::kMore:
        step.b = size();
        break;
      case Kind::kBegin:
        step.b = name();
        step.c = size();
        used.push_back(step.b);
        break;
      case Kind::kRewrite:
        step.a = old_name();
        [[fallthrough]];
      case Kind::kWriteAt:
        step.b = size() / 2;
        step.c = size() / 2 + 1;
        break;
      case Kind::kRename:
      case Kind::kExchange:
      case Kind::kLink:
        step.a = old_name();
        step.b = step.kind == Kind::kExchange ? old_name() : name();
        used.push_back(step.b);
        break;
      case Kind::kUnlink:
      case Kind::kPublish:
      case Kind::kRetry:
      case Kind::kAccept:
      case Kind::kDiscard:
      case Kind::kEvict:
      case Kind::kTrim:
        step.a = old_name();
        break;
      case Kind::kWait:
        step.a = kWaits[below(kWaits.size())];
        break;
      case Kind::kServer:
        step.a = below(static_cast<std::uint64_t>(Mishap::kCount));
        step.b = 1 + below(3);
        break;
      case Kind::kWipe:
        step.a = below(4) == 0 ? 1 : 0;
        break;
      case Kind::kReboot:
        step.a = below(2);
        break;
      case Kind::kDiskFails:
        step.a = below(5);
        break;
      case Kind::kOpenToRead:
        step.b = old_name();
        break;
      case Kind::kCopiesAtOnce:
        step.b = 300'000 + 100'000 * below(10);
        break;
      case Kind::kDieSoon:
        step.a = below(3);
        step.b = 1 + below(30);
        break;
      case Kind::kClockJump:
        step.b = below(2);
        break;
      default:
        break;
    }
    history.steps.push_back(step);
  }
  return history;
}

std::string Describe(Step const& step) {
  std::ostringstream text;
  text << WordOf(step.kind);
  switch (step.kind) {
    case Kind::kCopy:
      text << ' ' << NameAt(step.a) << ' ' << step.b << " content " << step.c % 8;
      break;
    case Kind::kKillAll:
    case Kind::kPowerCut:
      if (step.c % 4 == 0) text << ", again after " << step.c % 40 << " changes of the disk";
      break;
    case Kind::kCopiesAtOnce:
    case Kind::kAppend:
    case Kind::kTruncate:
      text << ' ' << NameAt(step.a) << ' ' << step.b;
      break;
    case Kind::kOpenToRead:
      text << " #" << step.a % 3 << ' ' << NameAt(step.b);
      break;
    case Kind::kRead:
    case Kind::kCloseReader:
      text << " #" << step.a % 3;
      break;
    case Kind::kBegin:
      text << " #" << step.a % 3 << ' ' << NameAt(step.b) << ' ' << step.c;
      break;
    case Kind::kMore:
      text << " #" << step.a % 3 << ' ' << step.b;
      break;
    case Kind::kWriteAt:
      text << " #" << step.a % 3 << " at " << step.b << " size " << step.c;
      break;
    case Kind::kChildCloses:
    case Kind::kClose:
    case Kind::kKilled:
    case Kind::kFsync:
      text << " #" << step.a % 3;
      break;
    case Kind::kRewrite:
      text << ' ' << NameAt(step.a) << " at " << step.b << " size " << step.c;
      break;
    case Kind::kRename:
    case Kind::kExchange:
    case Kind::kLink:
      text << ' ' << NameAt(step.a) << ' ' << NameAt(step.b);
      break;
    case Kind::kUnlink:
    case Kind::kPublish:
    case Kind::kRetry:
    case Kind::kAccept:
    case Kind::kDiscard:
    case Kind::kEvict:
    case Kind::kTrim:
    case Kind::kCopyLarge:
      text << ' ' << NameAt(step.a);
      break;
    case Kind::kMakeDirectory:
    case Kind::kRemoveDirectory:
      text << ' ' << DirectoryAt(step.a);
      break;
    case Kind::kMoveDirectory:
      text << ' ' << DirectoryAt(step.a) << ' ' << DirectoryAt(step.b);
      break;
    case Kind::kWait:
      text << ' ' << step.a << " ms";
      break;
    case Kind::kServer:
      text << ' ' << NameOf(static_cast<Mishap>(step.a)) << " x" << step.b;
      break;
    case Kind::kWipe:
      text << (step.a != 0 ? " all" : " unfinished");
      break;
    case Kind::kReboot:
      text << (step.a == 0 ? " after sync" : " by the power switch");
      break;
    case Kind::kDieSoon:
      text << (step.a == 0   ? " daemon"
               : step.a == 1 ? " all"
                             : " power")
           << " after " << step.b << " changes of the disk";
      break;
    case Kind::kClockJump:
      text << (step.b != 0 ? " back " : " forward ") << step.a << " s";
      break;
    case Kind::kDiskFails:
      text << std::array{" write", " sync", " full", " catalog-write", " catalog-sync"}[step.a % 5];
      break;
    case Kind::kRemount:
      text << ' ' << step.a % 16;
      break;
    default:
      break;
  }
  return text.str();
}

std::string Describe(History const& history) {
  std::ostringstream text;
  text << "  server:" << (history.server.defers_length ? " defers" : "")
       << (history.server.terminates ? " terminates" : "")
       << (history.server.moves_finished ? " moves-finished" : "")
       << (history.server.expires_after != 0 ? " expires" : "")
       << "; mount:" << (history.settings.adopts ? " adopts" : "")
       << (history.settings.verifies ? " verifies" : "") << (history.settings.trims ? " trims" : "")
       << (history.settings.holds ? " holds" : "") << (history.settings.parts ? " parts" : "")
       << (history.settings.deletes_parts ? " deletes-parts" : "")
       << (history.settings.keep ? " keeps-nothing" : "") << " map " << history.settings.map_pages;
  if (history.settings.spool_size != 0) text << " spool " << history.settings.spool_size;
  text << "\n";
  for (auto const& step : history.steps) text << "  " << Describe(step) << "\n";
  return text.str();
}

std::string Encode(History const& history) {
  std::ostringstream text;
  auto const& [seed, server, settings, steps] = history;
  text << seed << ',' << server.defers_length << ',' << server.terminates << ','
       << server.moves_finished << ',' << server.expires_after << ',' << settings.adopts << ','
       << settings.trims << ',' << settings.verifies << ',' << settings.spool_size << ','
       << settings.holds << ',' << settings.keep.has_value() << ',' << settings.map_pages << ','
       << settings.parts << ',' << settings.deletes_parts;
  for (auto const& step : steps) {
    text << ',' << static_cast<int>(step.kind) << ',' << step.a << ',' << step.b << ',' << step.c;
  }
  return text.str();
}

History Decode(std::string const& word) {
  std::istringstream text(word);
  History history;
  char comma = 0;
  bool keeps_nothing = false;
  auto& server = history.server;
  auto& settings = history.settings;
  text >> history.seed >> comma >> server.defers_length >> comma >> server.terminates >> comma >>
      server.moves_finished >> comma >> server.expires_after >> comma >> settings.adopts >> comma >>
      settings.trims >> comma >> settings.verifies >> comma >> settings.spool_size >> comma >>
      settings.holds >> comma >> keeps_nothing >> comma >> settings.map_pages >> comma >>
      settings.parts >> comma >> settings.deletes_parts;
  server.joins = settings.parts;
  if (keeps_nothing) settings.keep = 0;
  Step step;
  int kind = 0;
  while (text >> comma >> kind >> comma >> step.a >> comma >> step.b >> comma >> step.c) {
    step.kind = static_cast<Kind>(kind);
    history.steps.push_back(step);
  }
  return history;
}

// Pieces of half of it, of a quarter, … of one step are dropped for as long as it still fails.
History Shrink(History history, std::function<bool(History const&)> const& fails) {
  bool shorter = true;
  while (shorter) {
    shorter = false;
    for (auto piece = std::max<std::size_t>(history.steps.size() / 2, 1); piece > 0; piece /= 2) {
      for (std::size_t at = 0; at < history.steps.size();) {
        auto candidate = history;
        auto const begin = candidate.steps.begin() + static_cast<std::ptrdiff_t>(at);
        auto const left = candidate.steps.size() - at;
        candidate.steps.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(piece, left)));
        if (fails(candidate)) {
          history = std::move(candidate);
          shorter = true;
        } else {
          at += piece;
        }
      }
    }
  }
  return history;
}

}  // namespace tusfs_life
