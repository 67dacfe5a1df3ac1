// World: what people say, of a file or to whatever asks for them.
#include <algorithm>

#include "uploader/publish_rules.h"
#include "uploader/target.h"
#include "world.h"

namespace tusfs_life {

void World::DoPerson(Step const& step) {
  auto const& path = NameAt(step.a);
  auto const file = model_.Find(path);
  if (step.kind == Kind::kReclaim) machine_.reclaimer().Reclaim();
  if (!file || file->is_directory) return LookForDeathOfAsked();
  switch (step.kind) {
    case Kind::kPublish:
      Publish(path);
      break;
    case Kind::kRetry: {
      auto const hash = HashOf(file->bytes);
      auto const listed = List();
      auto const found = listed.find(path);
      bool const repeats = found != listed.end() && (found->second.state == "unconfirmed" ||
                                                     found->second.state == "failed");
      if (repeats) {
        for (auto& [key, times] : allowed_) times += key.second == hash ? 1 : 0;
      }
      static_cast<void>(machine_.decisions().Retry(path));
      break;
    }
    case Kind::kAccept:
      break;  // of what nobody has seen on the server: that is the end's
    case Kind::kDiscard:
      Discard(path);
      break;
    case Kind::kTrim:
      if (machine_.settings.trims) static_cast<void>(machine_.fs().shrinker().Trim(file->inode));
      break;
    case Kind::kEvict:
      static_cast<void>(machine_.fs().shrinker().Evict(file->inode));
      break;
    default:
      break;
  }
  LookForDeathOfAsked();
}

// He does not ask a successor.
void World::LookForDeathOfAsked() {
  if (!disk_.dead()) return;
  if (death_ == Death::kDaemon) death_ = Death::kAll;
  throw MountGone{};
}

void World::Publish(std::string const& path) {
  using Rest = tusfs::Decisions::Rest;
  auto const file = model_.Find(path);
  auto const is_done = [](auto const& outcomes) {
    return outcomes && outcomes->size() == 1 && outcomes->front().refusal.empty();
  };
  auto outcomes = machine_.decisions().Publish(path);
  bool const asks = outcomes && outcomes->size() == 1 && outcomes->front().is_cut;
  if (asks && !disk_.dead()) {
    outcomes = machine_.decisions().Publish(path, random_() % 2 == 0 ? Rest::kTake : Rest::kDrop);
    auto const seen = machine_.fs().GetAttributes(file->inode);
    if (is_done(outcomes) && seen) {
      auto const bytes = ReadAll({file->inode, false, seen->size});
      if (bytes) file->bytes = *bytes;
      if (!bytes && file->uncut.size() >= seen->size)
        file->bytes = file->uncut.substr(0, seen->size);
    }
  }
  if (!is_done(outcomes) && !disk_.dead()) return;
  // A file that waits for its name is approved under this one.
  if (tusfs::PublishRules().IsTemporary(path)) shared_targets_.insert(tusfs::TargetPath(path));
  Complete(file);
  for (auto const& name : model_.NamesOf(file)) {
    Allow(tusfs::TargetPath(name), HashOf(file->bytes));
  }
  file->bad = false;
  file->fate = disk_.dead() ? Fate::kMay : Fate::kPublish;
  LookForDeathOfAsked();
}

void World::Discard(std::string const& path) {
  auto const file = model_.Find(path);
  auto after = model_.names();
  for (auto const& name : model_.NamesOf(file)) after.erase(name);
  unanswered_names_ = after;
  auto const outcomes = machine_.decisions().Discard(path);
  LookForDeathOfAsked();
  unanswered_names_.reset();
  bool const done = outcomes && outcomes->size() == 1 && outcomes->front().refusal.empty();
  if (done) Become(after);
}

// Whoever is named does what he is asked to.
void World::People() {
  bool acted = false;
  for (auto const& [path, listed] : List()) {
    auto const file = model_.Find(path);
    if (!file || file->is_directory) continue;
    bool const is_temporary = tusfs::PublishRules().IsTemporary(path);
    // While a file waits for a person, the server may delete what it alone has of it.
    bool const may_expire = machine_.settings.trims && history_.server.expires_after != 0;
    if (listed.state == "interrupted" && is_temporary) {
      Rename(path, "named-" + std::to_string(++names_made_), 0);
    } else if (listed.state == "interrupted") {
      Publish(path);
    } else if (listed.state == "settling" && !listed.finishes && !is_temporary) {
      Publish(path);
    } else if (listed.state == "settling" && !listed.finishes) {
      Rename(path, "named-" + std::to_string(++names_made_), 0);
    } else if (listed.state == "failed" && may_expire) {
      Unlink(path);
    } else if (listed.state == "failed" && IsRefused(path)) {
      if (!machine_.decisions().Retry(path)) Break(path + " cannot be tried again");
    } else if (listed.state == "failed" && (disk_failed_ || file->fate != Fate::kPublish)) {
      Unlink(path);
    } else if (listed.state == "unconfirmed") {
      // He looks on the server.
      auto const hash = HashOf(file->bytes);
      bool const is_there = std::any_of(
          server_.publications().begin(), server_.publications().end(), [&](auto const& other) {
            return !other.upload->was_asked_away && HashOf(other.upload->bytes) == hash;
          });
      if (!is_there) {
        for (auto& [key, times] : allowed_) times += key.second == hash ? 1 : 0;
      }
      auto const decided =
          is_there ? machine_.decisions().Accept(path) : machine_.decisions().Retry(path);
      if (!decided) Break(path + " can neither be accepted nor retried");
    } else {
      continue;
    }
    acted = true;
  }
  if (acted) Pass(std::chrono::hours(2));
  CheckServer();
}

}  // namespace tusfs_life
