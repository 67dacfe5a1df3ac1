#include "control/watchers.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/iso_time.h"
#include "base/thread_name.h"
#include "catalog/codec.h"
#include "catalog/tables.h"
#include "control/answers.h"
#include "control/file_json.h"

namespace tusfs {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::size_t kMostWatchers = 64;
constexpr milliseconds kBetweenLines{250};
constexpr milliseconds kBetweenLooks{1000};        // at files of which the catalog says nothing
constexpr milliseconds kBetweenIdleLooks{10'000};  // likewise, where none is going on
constexpr std::size_t kLookedAt = 64;
constexpr std::size_t kMostFiles = 20;  // of a line
// All that is beneath a path is counted again at most so often, whatever is moved about there.
constexpr milliseconds kBetweenCounts{5000};

std::string Line(json const& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

News NewsOf(Backlog const& backlog, Reporter::Moment const& moment) {
  News news{.files = backlog.numbers(), .mount = moment};
  auto& beneath = news.mount.beneath;
  if (!backlog.path().empty()) beneath = {};
  news.files.going += beneath.Going();
  news.files.stuck += beneath.left;
  return news;
}

json ToJson(News const& news) {
  json object{{"going", news.files.going},  {"left", news.files.left},
              {"size", news.files.size},    {"stuck", news.files.stuck},
              {"sent", news.mount.sent},    {"reachable", news.mount.reachable},
              {"paused", news.mount.paused}};
  if (news.mount.beneath.All() > 0) object["beneath"] = JsonOf(news.mount.beneath);
  return object;
}

Result<std::unique_ptr<Watchers>> Watchers::Start(Store& store, Reporter const& reporter,
                                                  Uploader const& uploader, UniqueFd server_news) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd end(::eventfd(0, EFD_CLOEXEC));
  if (!wake || !end) return FailErrno("eventfd");
  return std::unique_ptr<Watchers>(new Watchers(store, reporter, uploader, std::move(wake),
                                                std::move(end), std::move(server_news)));
}

Watchers::Watchers(Store& store, Reporter const& reporter, Uploader const& uploader, UniqueFd wake,
                   UniqueFd end, UniqueFd server_news)
    : store_(store),
      reporter_(reporter),
      uploader_(uploader),
      wake_(std::move(wake)),
      end_(std::move(end)),
      server_news_(std::move(server_news)) {
  thread_ = std::jthread([this](std::stop_token stop) {
    NameThread("watchers");
    Run(stop);
  });
}

Watchers::~Watchers() {
  thread_.request_stop();
  ::eventfd_write(end_.get(), 1);
  thread_.join();
  if (observing_) store_.EndObserving(*observing_);
}

bool Watchers::Add(std::string path, UniqueFd& connection, bool live) {
  MutexLock lock(mutex_);
  if (count_ >= kMostWatchers) return false;
  ++count_;
  new_.push_back({.path = std::move(path), .connection = std::move(connection), .live = live});
  ::eventfd_write(wake_.get(), 1);
  return true;
}

// The store's lock is held.
void Watchers::Note(Table table, std::string_view key, std::optional<std::string_view> value) {
  MutexLock lock(mutex_);
  if (table == Table::kInodes) {
    changed_.inodes.insert(KeyNumber(key));
  } else if (table == Table::kUploads && value) {
    // An upload that goes had an owner whose row says so.
    changed_.uploads.insert(Decoder(key).Id());
  } else if (table == Table::kNames && value) {
    auto const entry = DecodeEntry(*value);
    changed_.moved = changed_.moved || (entry && entry->type == FileType::kDirectory);
  } else if (table != Table::kNames && table != Table::kMeta) {
    return;
  }
  // Whoever is being told is awake in a moment anyway.
  if (!std::exchange(changed_.any, true)) ::eventfd_write(wake_.get(), 1);
}

void Watchers::TakeNew() {
  std::vector<Watcher> fresh;
  {
    MutexLock lock(mutex_);
    fresh.swap(new_);
  }
  if (!fresh.empty() && !observing_) {
    observing_ =
        store_.Observe([this](Table table, std::string_view key,
                              std::optional<std::string_view> value) { Note(table, key, value); });
  }
  for (auto& watcher : fresh) {
    auto& backlog = backlogs_[watcher.path];
    if (!backlog) {
      backlog = std::make_unique<Backlog>(reporter_, watcher.path);
      if (auto counted = backlog->CountAnew(); !counted) {
        Say(watcher, Line({{"error", "'" + watcher.path + "': " + Describe(counted.error())}}));
        watcher.is_last = true;
      }
    }
    watchers_.push_back(std::move(watcher));
  }
}

Watchers::Changed Watchers::TakeChanged() {
  MutexLock lock(mutex_);
  return std::exchange(changed_, {});
}

std::set<InodeId> Watchers::OwnersOf(Changed const& changed) const {
  auto inodes = changed.inodes;
  for (auto const& id : changed.uploads) {
    auto const upload = store_.Read([&](View const& view) { return FindUpload(view, id); });
    // Where the catalog fails, the look at the file itself says so.
    if (upload && *upload && (*upload)->owner != 0) inodes.insert((*upload)->owner);
  }
  return inodes;
}

Result<void> Watchers::Look(Backlog& backlog, Changed const& changed,
                            std::set<InodeId> const& inodes, bool look_at_some) {
  auto const now = std::chrono::steady_clock::now();
  // The path may have gone, or be another file's by now.
  if (changed.any && !backlog.path().empty()) {
    auto const top = reporter_.KindOf(backlog.path());
    if (!top) return Failure(top.error());
    if (*top != FileType::kDirectory) return backlog.CountAnew();
    if (changed.moved && now - counted_moved_ >= kBetweenCounts) {
      counted_moved_ = now;
      return backlog.CountAnew();
    }
  }
  for (auto const inode : inodes) {
    if (auto looked = backlog.Look(inode); !looked) return looked;
  }
  if (look_at_some) {
    if (auto looked = backlog.LookAtSome(kLookedAt); !looked) return looked;
  }
  // What says that it is over is a count.
  return backlog.numbers().going == 0 ? backlog.CountAnew() : Result<void>{};
}

void Watchers::Look() {
  auto const now = std::chrono::steady_clock::now();
  bool const look_at_some = now - looked_about_ >= kBetweenLooks;
  if (look_at_some) looked_about_ = now;
  looked_at_ = now;
  auto const changed = TakeChanged();
  auto inodes = OwnersOf(changed);
  // How far they are is in no row.
  for (auto const inode : uploader_.in_flight().Inodes()) inodes.insert(inode);
  auto const moment = reporter_.Now();
  for (auto& [path, backlog] : backlogs_) {
    auto const looked = Look(*backlog, changed, inodes, look_at_some);
    for (auto& watcher : watchers_) {
      if (watcher.path != path || watcher.is_last) continue;
      if (!looked) {
        Say(watcher, Line({{"error", "'" + path + "': " + Describe(looked.error())}}));
        watcher.is_last = true;
      } else if (watcher.live) {
        TellLive(watcher, *backlog, NewsOf(*backlog, moment));
      } else {
        Tell(watcher, NewsOf(*backlog, moment));
      }
    }
  }
}

void Watchers::Tell(Watcher& watcher, News const& news) {
  if (news.files.going == 0) {
    json over{{"over", true}};
    if (news.mount.beneath.All() > 0) over["beneath"] = JsonOf(news.mount.beneath);
    Say(watcher, Line(over));
    watcher.is_last = true;
    return;
  }
  if (watcher.told == news || !watcher.unsent.empty()) return;
  watcher.told = news;
  Say(watcher, Line(ToJson(news)));
}

json Watchers::LiveJson(Backlog const& backlog, News const& news) const {
  auto line = ToJson(news);
  auto const server = reporter_.Server();
  line["server"] = {{"since", IsoUtc(server.since)}, {"error", nullptr}};
  if (!server.error.empty()) line["server"]["error"] = server.error;
  auto const add = [&](char const* list, InodeId inode) {
    if (line[list].size() >= kMostFiles) return;
    // Where the catalog fails, the next look at what is counted says so.
    auto const report = reporter_.FindUnfinished(inode, backlog.path());
    if (report && *report) line[list].push_back(ToJson(**report));
  };
  line["sending"] = json::array();
  for (auto const inode : uploader_.in_flight().Inodes()) add("sending", inode);
  line["stuck_files"] = json::array();
  for (auto const inode : backlog.stuck()) {
    if (line["stuck_files"].size() >= kMostFiles) break;
    add("stuck_files", inode);
  }
  return line;
}

void Watchers::TellLive(Watcher& watcher, Backlog const& backlog, News const& news) {
  if (!watcher.unsent.empty()) return;
  auto line = Line(LiveJson(backlog, news));
  if (line == watcher.told_live) return;
  watcher.told_live = line;
  Say(watcher, line);
}

void Watchers::Say(Watcher& watcher, std::string const& line) {
  watcher.unsent += line;
  Send(watcher);
}

void Watchers::Send(Watcher& watcher) {
  auto const sent = ::send(watcher.connection.get(), watcher.unsent.data(), watcher.unsent.size(),
                           MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) watcher.unsent.erase(0, static_cast<std::size_t>(sent));
  bool const is_gone = sent < 0 && errno != EAGAIN && errno != EINTR;
  if (is_gone || (watcher.is_last && watcher.unsent.empty())) watcher.connection = {};
}

void Watchers::DropLeft() {
  auto const left = std::erase_if(watchers_, [](Watcher const& watcher) {
    return !watcher.connection || (watcher.is_last && watcher.unsent.empty());
  });
  std::erase_if(backlogs_, [&](auto const& entry) {
    return std::none_of(watchers_.begin(), watchers_.end(),
                        [&](Watcher const& watcher) { return watcher.path == entry.first; });
  });
  bool is_idle = false;
  {
    MutexLock lock(mutex_);
    count_ -= left;
    is_idle = count_ == 0;
  }
  if (!is_idle || !observing_) return;
  store_.EndObserving(*std::exchange(observing_, std::nullopt));
  static_cast<void>(TakeChanged());  // nobody wants to know
}

int Watchers::Patience() const {
  auto const all = [&](auto const& holds) {
    return std::all_of(backlogs_.begin(), backlogs_.end(),
                       [&](auto const& entry) { return holds(*entry.second); });
  };
  if (all([](Backlog const& backlog) { return backlog.IsEmpty(); })) return -1;
  bool const is_idle = all([](Backlog const& backlog) { return backlog.numbers().going == 0; });
  return static_cast<int>((is_idle ? kBetweenIdleLooks : kBetweenLooks).count());
}

void Watchers::Await() {
  std::vector<pollfd> waiting{{wake_.get(), POLLIN, 0},
                              {end_.get(), POLLIN, 0},
                              {watchers_.empty() ? -1 : server_news_.get(), POLLIN, 0}};
  auto const first = waiting.size();
  for (auto const& watcher : watchers_) {
    short const events = watcher.unsent.empty() ? POLLRDHUP : POLLRDHUP | POLLOUT;
    waiting.push_back({watcher.connection.get(), events, 0});
  }
  if (::poll(waiting.data(), waiting.size(), Patience()) < 0) return;
  for (std::size_t i = first; i < waiting.size(); ++i) {
    auto& watcher = watchers_[i - first];
    if ((waiting[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
      watcher.connection = {};
    } else if ((waiting[i].revents & POLLOUT) != 0) {
      Send(watcher);
    }
  }
}

void Watchers::Run(std::stop_token const& stop) {
  while (true) {
    Await();
    if (stop.stop_requested()) return;
    // What comes in a moment is told together.
    auto const next = looked_at_ + kBetweenLines;
    auto const now = std::chrono::steady_clock::now();
    if (now < next && !watchers_.empty()) {
      auto const left = std::chrono::ceil<milliseconds>(next - now);
      pollfd ending{end_.get(), POLLIN, 0};
      ::poll(&ending, 1, static_cast<int>(left.count()));
      if (stop.stop_requested()) return;
    }
    eventfd_t woken = 0;
    ::eventfd_read(wake_.get(), &woken);
    // Whoever is new is told what the server is anyway.
    if (server_news_) ::eventfd_read(server_news_.get(), &woken);
    TakeNew();
    if (!watchers_.empty()) Look();
    DropLeft();
  }
}

}  // namespace tusfs
