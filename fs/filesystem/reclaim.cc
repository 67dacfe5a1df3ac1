#include "filesystem/reclaim.h"

#include <algorithm>
#include <future>
#include <memory>
#include <vector>

#include "base/text.h"
#include "base/thread_name.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr char const* kIndexedNote = "kept";
constexpr std::chrono::milliseconds kPauseBetweenPages{1};
/// While room is short: how often what is unfinished is looked at again.
constexpr std::chrono::milliseconds kPauseBetweenRounds{20};
constexpr std::chrono::milliseconds kShortOfRoom{500};
constexpr std::chrono::seconds kNothingToDo{60};
constexpr std::chrono::seconds kLongestRemoval{10};
/// Looking at all that is unfinished may take a twentieth of the time.
constexpr int kPausePerLook = 20;
constexpr std::chrono::minutes kBetweenWarnings{10};
/// Files that were uploaded and went otherwise are noticed so late.
constexpr std::chrono::seconds kRecount{600};
constexpr std::chrono::seconds kLongestBetweenExpiries{3600};

Result<std::string> PathOfFile(Store const& store, InodeId id) {
  return store.Read([&](View const& view) -> Result<std::string> {
    auto const inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    return PathOf(view, *inode);
  });
}

}  // namespace

void Reclaimer::Start() {
  thread_ = std::jthread([this](std::stop_token stop) {
    NameThread("reclaim");
    Run(stop);
  });
}

void Reclaimer::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  spool_.budget().Poke();
  thread_.join();
}

void Reclaimer::Run(std::stop_token stop) {
  IndexOldFiles(stop);
  auto& budget = spool_.budget();
  while (!stop.stop_requested()) {
    auto const seen = budget.changes();
    Reclaim(stop);
    auto const now = clock_.Steady();
    auto const between = std::clamp<std::chrono::seconds>(
        options_.retention / 4, std::chrono::seconds(1), kLongestBetweenExpiries);
    if (options_.retention.count() > 0 && now >= expired_ + between) ExpireNames(stop);
    if (stop.stop_requested()) return;
    bool const short_of_room = budget.room() != Room::kPlenty;
    auto wait = short_of_room ? kShortOfRoom : std::chrono::milliseconds(kNothingToDo);
    if (options_.retention.count() > 0) wait = std::min<std::chrono::milliseconds>(wait, between);
    budget.WaitForChange(seen, now + wait);
    // A thousand small files in a second are counted in fewer rounds.
    if (budget.room() == Room::kPlenty) std::this_thread::sleep_for(kPauseBetweenRounds);
  }
}

void Reclaimer::Reclaim(std::stop_token stop) {
  auto& budget = spool_.budget();
  auto const now = clock_.Steady();
  CountNew(stop);
  if (options_.keep && kept_ > *options_.keep) {
    Recount(stop);
    if (kept_ > *options_.keep) Evict(kept_ - *options_.keep, stop);
  } else if (now >= recounted_ + kRecount) {
    Recount(stop);
  }
  if (budget.excess() > 0) {
    auto const wanted = budget.excess();
    auto const gone = Evict(wanted, stop);
    if (gone > 0) {
      logger_->Info("let go of uploaded bytes to make room bytes={} used={} limit={}", gone,
                    budget.used(), budget.limit());
      AwaitRemoval();
      budget.NoteProgress(clock_.Steady());
    }
    if (gone < wanted && options_.trim) TrimUnfinished(stop);
  }
  LookAhead(stop);
  shrinker_.SetEvictable(kept_);
}

// Those behind what was counted were uploaded, or used, since then.
void Reclaimer::CountNew(std::stop_token const& stop) {
  while (!stop.stop_requested()) {
    auto const page =
        store_.Read([&](View const& view) { return ListKept(view, counted_to_, kPage); });
    if (!page) return Complain("what is kept is not counted", page.error());
    for (auto const& file : *page) kept_ += BytesOf(file);
    if (!page->empty()) counted_to_ = page->back();
    if (page->size() < kPage) return;
    std::this_thread::sleep_for(kPauseBetweenPages);  // others wait for the store
  }
}

void Reclaimer::Recount(std::stop_token const& stop) {
  kept_ = 0;
  counted_to_ = {};
  recounted_ = clock_.Steady();
  CountNew(stop);
  store_.LetGoOfPages();
}

std::uint64_t Reclaimer::BytesOf(KeptFile const& file) const {
  auto const inode = store_.Read([&](View const& view) { return GetInode(view, file.inode); });
  if (!inode || inode->kept_at != file.used || inode->version == 0) return 0;
  return life::IsUploaded(*inode) ? inode->size : 0;
}

std::uint64_t Reclaimer::Evict(std::uint64_t wanted, std::stop_token const& stop) {
  std::uint64_t gone = 0;
  for (KeptFile after; gone < wanted && !stop.stop_requested();) {
    auto const page = store_.Read([&](View const& view) { return ListKept(view, after, kPage); });
    if (!page) {
      Complain("bytes are not let go of", page.error());
      return gone;
    }
    if (page->empty()) return gone;
    for (auto const& file : *page) {
      if (gone >= wanted || stop.stop_requested()) return gone;
      after = file;
      auto const bytes = BytesOf(file);
      auto const evicted = shrinker_.Evict(file.inode);
      if (!evicted) {
        Complain("bytes are not let go of", evicted.error());
        return gone;
      }
      if (!*evicted) continue;
      gone += bytes;
      kept_ -= std::min(kept_, bytes);
    }
  }
  return gone;
}

// What was evicted is free once that is durable and its files are removed. Whoever looked at the
// budget before would evict as much again.
void Reclaimer::AwaitRemoval() {
  auto const removed = std::make_shared<std::promise<void>>();
  auto const asked = store_.Update([&](Transaction& transaction) -> Result<void> {
    transaction.WhenDurable([removed] { removed->set_value(); });
    return {};
  });
  auto const synced = asked ? store_.Sync() : asked;
  if (!synced) return Complain("room is not made", synced.error());
  removed->get_future().wait_for(kLongestRemoval);
}

void Reclaimer::IndexOldFiles(std::stop_token const& stop) {
  auto const note = store_.Read([](View const& view) { return GetNote(view, kIndexedNote); });
  if (!note || !note->empty()) return;
  auto const is_unknown = [](Inode const& inode) {
    return inode.type == FileType::kRegular && inode.version != 0 && life::IsUploaded(inode) &&
           inode.kept_at == 0;
  };
  std::vector<InodeId> unknown;
  auto const visited =
      VisitInodes(store_, stop, [&](View const&, Inode const& inode) -> Result<void> {
        if (is_unknown(inode)) unknown.push_back(inode.id);
        return {};
      });
  if (!visited) return Complain("what an older release kept is not known", visited.error());
  unknown.push_back(0);  // the end: that all are known
  for (auto const id : unknown) {
    if (stop.stop_requested()) return;
    auto const indexed = store_.Update([&](Transaction& transaction) -> Result<void> {
      if (id == 0) {
        PutNote(transaction, kIndexedNote, "yes");
        return {};
      }
      auto inode = GetInode(transaction, id);
      if (!inode || !is_unknown(*inode)) return {};
      UseKept(transaction, *inode, std::max<FileTime>(inode->changed, 1));
      PutInode(transaction, *inode);
      return {};
    });
    if (!indexed) return Complain("what an older release kept is not known", indexed.error());
  }
}

void Reclaimer::TrimUnfinished(std::stop_token const& stop) {
  std::uint64_t gone = 0;
  InodeId after = 0;
  while (!stop.stop_requested()) {
    auto const page = store_.Read([&](View const& view) { return ListWork(view, after, kPage); });
    if (!page) return Complain("bytes are not let go of", page.error());
    if (page->empty()) break;
    after = page->back();
    for (auto const inode : *page) {
      auto const trimmed = shrinker_.Trim(inode);
      if (!trimmed) {
        Complain("bytes are not let go of", trimmed.error());
      } else {
        gone += *trimmed;
      }
    }
  }
  if (gone > 0) spool_.budget().NoteProgress(clock_.Steady());
}

void Reclaimer::LookAhead(std::stop_token const& stop) {
  auto& budget = spool_.budget();
  auto const begun = clock_.Steady();
  bool const is_short = budget.room() != Room::kPlenty || budget.waiting() > 0;
  auto const pause = is_short ? kPausePerLook * look_took_ : kNothingToDo;
  if (looked_ahead_ && begun < *looked_ahead_ + pause) return;
  auto const seen = budget.changes();
  auto const outlook = shrinker_.LookAhead(options_.trim, stop);
  if (!outlook) return Complain("what is unfinished is not known", outlook.error());
  if (stop.stop_requested()) return;
  looked_ahead_ = begun;
  look_took_ = clock_.Steady() - begun;
  budget.SetStuck(outlook->stuck);
  if (budget.room() != Room::kNone || outlook->goes_on) return;
  if (kept_ > 0) Recount(stop);
  if (kept_ > 0) return;  // they are open, and go when they are closed
  // Others may make room on a disk that is shared with them.
  bool const is_ours = budget.size() > 0 && budget.used() >= budget.size();
  if (!is_ours && outlook->stuck < budget.used() / 2) return;
  if (options_.drop_interrupted && !outlook->interrupted.empty()) {
    if (budget.waiting() == 0) return;  // nobody needs it yet
    for (auto const& [since, inode] : outlook->interrupted) {
      auto const dropped = shrinker_.DropInterrupted(inode);
      if (!dropped) return Complain("room is not made", dropped.error());
      if (!*dropped) continue;
      AwaitRemoval();
      budget.NoteProgress(clock_.Steady());
      return;
    }
  }
  SayHopeless(*outlook);
  budget.NoteHopeless(seen);
}

void Reclaimer::SayHopeless(Shrinker::Outlook const& outlook) {
  auto const now = clock_.Steady();
  bool const is_news = !said_hopeless_ || now >= *said_hopeless_ + kBetweenWarnings;
  if (!is_news || outlook.stuck == 0) return;
  said_hopeless_ = now;
  auto const oldest = outlook.interrupted.empty()
                          ? Result<std::string>(std::string())
                          : PathOfFile(store_, outlook.interrupted.front().inode);
  logger_->Warn(
      "the spool is full, and nothing in it goes by itself: 'tusfsctl discard PATH' gives up a "
      "file "
      "and gives back its room, 'tusfsctl publish PATH' sends one as it is stuck={} interrupted={} "
      "oldest=\"{}\"",
      outlook.stuck, outlook.interrupted.size(), Printable(oldest.value_or("")));
}

void Reclaimer::ExpireNames(std::stop_token stop) {
  expired_ = clock_.Steady();
  auto const time =
      clock_.Wall() -
      std::chrono::duration_cast<std::chrono::nanoseconds>(options_.retention).count();
  std::uint64_t gone = 0;
  std::vector<InodeId> old;
  auto const visited =
      VisitInodes(store_, stop, [&](View const&, Inode const& inode) -> Result<void> {
        if (WasUploadedBefore(inode, time)) old.push_back(inode.id);
        return {};
      });
  if (!visited) return Complain("names are not removed", visited.error());
  for (auto const inode : old) {
    if (stop.stop_requested()) break;
    auto const expired = shrinker_.Expire(inode, time);
    if (!expired) return Complain("names are not removed", expired.error());
    if (*expired) ++gone;
  }
  if (gone > 0) logger_->Info("removed names of files that were uploaded long ago count={}", gone);
}

void Reclaimer::Complain(char const* what, Error const& error) const {
  logger_->Error("{} error=\"{}\"", what, Describe(error));
}

}  // namespace tusfs
