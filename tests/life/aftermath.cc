// World: what may be left after a mount has gone under everybody, and what becomes of it.
//
// The tree is one of those that it was since it was safe last, or the one that an unanswered call
// was about to make. Bytes are what they were; after a power cut a file that nobody had synced may
// have less, and then says so.
#include <algorithm>
#include <utility>

#include "catalog/tables.h"
#include "uploader/target.h"
#include "world.h"

namespace tusfs_life {
namespace {

/// What was answered is durable after so long, without anybody's fsync: nanoseconds.
constexpr std::int64_t kLastsAfter = 100'000'000;

}  // namespace

bool World::Fits(Names const& names, std::map<std::string, Seen> const& seen) const {
  return std::equal(names.begin(), names.end(), seen.begin(), seen.end(),
                    [this](auto const& ours, auto const& theirs) {
                      auto const inode = ours.second->inode;
                      bool const is_same = inode != 0
                                               ? inode == theirs.second.inode
                                               : !inodes_given_.contains(theirs.second.inode);
                      return is_same && ours.first == theirs.first &&
                             ours.second->is_directory == theirs.second.is_directory;
                    });
}

void World::Reconcile(bool power_failed) {
  CheckCatalog();
  auto const seen = Look();
  ReconcileNames(power_failed, seen);
  readers_.clear();
  EndPrograms();
  for (auto const& file : model_.files()) {
    // Who has only opened it has no say, but what is open is not known to be on disk.
    if (power_failed && !file->writers.empty()) file->fate = Fate::kHold;
    file->writers.clear();
  }
  ReconcileBytes(power_failed, seen);
  unanswered_names_.reset();
  CheckTree();
}

void World::EndPrograms() {
  // The last close of whoever had opened it: that it was not the last one of all nobody can know.
  for (auto const& [number, program] : programs_) {
    bool const is_closed = program.wrote && program.has_handed_on && !program.failed;
    if (!program.file || !is_closed || program.file->bad) continue;
    auto& file = *program.file;
    // What nobody was answered came after that close.
    if (!std::exchange(file.unanswered, true)) file.before = file.bytes;
    auto const now = std::exchange(file.bytes, file.before);
    Complete(program.file);
    file.bytes = now;
    file.fate = Fate::kMay;
    file.writers.erase(program.handle);
  }
  for (auto& [number, program] : programs_) {
    bool const is_closed = program.has_handed_on && !program.failed;
    bool const has_changed = program.wrote || program.failed;
    if (program.file && has_changed && !is_closed) {
      program.file->bad = true;
      program.file->fate = Fate::kHold;
    }
    program = {};
  }
}

void World::ReconcileNames(bool power_failed, std::map<std::string, Seen> const& seen) {
  auto const take_numbers = [&] {
    for (auto const& [path, file] : model_.names()) {
      if (file->inode != 0) continue;
      file->inode = seen.at(path).inode;
      NoteInode(file);
    }
  };
  if (unanswered_names_ && Fits(*unanswered_names_, seen)) {
    Become(*unanswered_names_);
    model_.Synced();
    return take_numbers();
  }
  auto const& trees = model_.trees();
  auto const oldest = power_failed ? std::size_t{0} : trees.size() - 1;
  for (auto at = trees.size(); at-- > oldest;) {
    if (!Fits(trees[at].names, seen)) continue;
    model_.Restore(at);
    return;
  }
  std::string text = "the names are none that ever were, or older ones than is promised:";
  for (auto const& [path, what] : seen) text += " " + path;
  text += "; the last were";
  for (auto const& [path, file] : model_.names()) text += " " + path;
  Break(text);
}

void World::ReconcileBytes(bool power_failed, std::map<std::string, Seen> const& seen) {
  auto const listed = List();
  for (auto const& [path, file] : model_.names()) {
    if (file->is_directory) continue;
    auto const& what = seen.at(path);
    auto const row = listed.find(path);
    if (row == listed.end()) Break(Sentence(file) + " is not listed");
    if (power_failed) {
      AfterPowerCut(path, file, what, row->second);
    } else if (file->unanswered) {
      AfterUnanswered(file, what);
    }
  }
  for (auto const& file : model_.files()) file->unanswered = false;
}

// It was done, or not begun. Of bytes that cannot be read the number says which.
void World::AfterUnanswered(FilePtr const& file, Seen const& seen) {
  auto const bytes = ReadAll(seen);
  bool const is_done = bytes ? *bytes == file->bytes : seen.size == file->bytes.size();
  bool const is_undone = bytes ? *bytes == file->before : seen.size == file->before.size();
  if (!is_done && !is_undone) {
    Break(Sentence(file) + " has neither the bytes from before a call nor those after it");
  }
  if (!is_done) file->bytes = file->before;
  // A change that was begun by somebody who has the file open cuts it short, and another does not.
  bool const is_cut = IsCutShort(seen.inode);
  file->bad = file->bad || is_cut;
  if (is_cut) {
    file->fate = Fate::kHold;
  } else if (!file->bad) {
    file->fate = Fate::kMay;
  }
}

// What the server had last under this name, or of this file under another one, and of this length;
// nothing where the disk has failed them.
std::optional<std::string> World::BytesOnServer(std::string const& path, File const& file,
                                                std::uint64_t size) const {
  std::optional<std::string> here;
  std::optional<std::string> elsewhere;
  for (auto const& publication : server_.publications()) {
    auto const& bytes = publication.upload->bytes;
    if (bytes.size() != size) continue;
    if (publication.path == tusfs::TargetPath(path)) here = bytes;
    if (file.closed.contains(HashOf(bytes))) elsewhere = bytes;
  }
  return here ? here : elsewhere;
}

// Called failed is what the server has refused, too, and that is complete.
bool World::IsCutShort(tusfs::InodeId inode) {
  auto const row =
      machine_.store().Read([&](tusfs::View const& view) { return GetInode(view, inode); });
  if (!row) Break("an inode cannot be read: " + tusfs::Describe(row.error()));
  return row->content == tusfs::Content::kInterrupted || row->content == tusfs::Content::kFailed;
}

// Not even an orderly end has brought to the disk what that has failed.
void World::ShortenFailed() {
  if (!disk_failed_) return;
  for (auto const& [path, seen] : Look()) {
    auto const file = model_.Find(path);
    auto const row = machine_.store().Read(
        [inode = seen.inode](tusfs::View const& view) { return GetInode(view, inode); });
    bool const has_failed = file && row && row->content == tusfs::Content::kFailed;
    if (has_failed && seen.size < file->bytes.size()) file->bytes.resize(seen.size);
  }
}

void World::AfterPowerCut(std::string const& path, FilePtr const& file, Seen const& seen,
                          Listed const& listed) {
  auto const bytes = ReadAll(seen);
  file->is_guess = !bytes;
  if (!bytes) {
    file->uncut = file->bytes;
    file->bytes.resize(seen.size);
    if (auto const theirs = BytesOnServer(path, *file, seen.size)) file->bytes = *theirs;
    file->closed_as.clear();  // whichever close it was
    file->bad = IsCutShort(seen.inode);
    if (file->bad) file->fate = Fate::kHold;
    return;
  }
  bool const is_whole = *bytes == file->bytes;
  if (!is_whole) file->closed_as.clear();
  bool const waits = IsCutShort(seen.inode);
  if (file->synced && bytes->substr(0, file->bytes.size()) != file->bytes) {
    Break(Sentence(file) + " was fsynced, and the power cut has left " +
          std::to_string(bytes->size()) + " bytes of it");
  }
  if (!waits && !file->closed.contains(HashOf(*bytes)) && listed.state != "local-only") {
    Break(Sentence(file) + " is " + listed.state + " after a power cut, with " +
          std::to_string(bytes->size()) + " bytes that nobody has closed as complete");
  }
  bool const close_is_durable = cut_at_ - file->closed_at > kLastsAfter;
  if (file->synced && file->fate == Fate::kPublish && waits && close_is_durable) {
    Break(Sentence(file) + " was closed and fsynced, and is " + listed.state +
          " after a power cut: " + listed.error);
  }
  file->bytes = *bytes;
  file->bad = waits;
  if (waits) {
    file->fate = Fate::kHold;
  } else if (!is_whole || file->fate != Fate::kPublish) {
    file->fate = Fate::kMay;
  }
}

}  // namespace tusfs_life
