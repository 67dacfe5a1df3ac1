// World: what has to hold, asked of everything.
#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "catalog/check.h"
#include "catalog/tables.h"
#include "uploader/publish_rules.h"
#include "uploader/target.h"
#include "world.h"

namespace tusfs_life {
namespace {

using tusfs::Attributes;
using tusfs::InodeId;

std::string Amount(std::string const& bytes) { return std::to_string(bytes.size()) + " bytes"; }

}  // namespace

std::string World::Sentence(FilePtr const& file) const {
  std::string text = "file " + std::to_string(file->number);
  for (auto const& name : model_.NamesOf(file)) text += " " + name;
  return text + " (" + Amount(file->bytes) + ")";
}

void World::NoteInode(FilePtr const& file) {
  if (!inodes_given_.insert(file->inode).second) {
    Break("the inode number " + std::to_string(file->inode) + " was given twice");
  }
}

// ---- what may be published

void World::Allow(std::string const& path, std::uint64_t hash, int times) {
  allowed_[{path, hash}] += times;
}

void World::Complete(FilePtr const& file, bool is_new) {
  auto const hash = HashOf(file->bytes);
  file->closed.insert(hash);
  if (is_new) {
    file->closed_at = now();
    file->closed_as = model_.NamesOf(file);
  }
  for (auto const& name : model_.NamesOf(file)) {
    if (!Waits(name)) Allow(tusfs::TargetPath(name), hash);
  }
}

void World::Become(Names const& names) {
  auto const before = model_.names();
  model_.Become(names, now());
  std::set<FilePtr> lose;
  for (auto const& [path, file] : before) {
    auto const found = names.find(path);
    if (found == names.end() || found->second != file) lose.insert(file);
  }

  for (auto const& [path, file] : names) {
    auto const found = before.find(path);
    bool const is_new = found == before.end() || found->second != file;
    bool const is_complete = file->fate != Fate::kHold && file->writers.empty();
    // A file that loses one of its names is renamed to those that it has.
    bool const is_left = Waits(path) && lose.contains(file);
    if (is_new) std::erase(file->closed_as, path);
    if (!(is_new || is_left) || !is_complete || file->is_directory) continue;
    auto const hash = HashOf(file->bytes);
    if (file->closed.contains(hash)) Allow(tusfs::TargetPath(path), hash);
  }
}

bool World::Waits(std::string const& path) const {
  if (tusfs::PublishRules().IsTemporary(path)) return true;
  return machine_.settings.holds && path == kHeldName;
}

// The rule has gone.
void World::AllowHeld() {
  auto const file = model_.Find(kHeldName);
  if (!file || file->is_directory || file->fate == Fate::kHold) return;
  auto const hash = HashOf(file->bytes);
  if (file->closed.contains(hash)) Allow(kHeldName, hash);
}

// What cannot be sent again keeps the name that it was declared under.
bool World::IsTrimmed(std::uint64_t hash) {
  auto const& files = model_.files();
  return machine_.settings.trims && std::any_of(files.begin(), files.end(), [&](auto const& file) {
           auto const row = machine_.store().Read(
               [&](tusfs::View const& view) { return GetInode(view, file->inode); });
           return file->closed.contains(hash) && row && (row->trimmed > 0 || row->version == 0);
         });
}

void World::CheckServer() {
  if (!server_.complaints().empty()) Break(server_.complaints().front());
  for (; publications_seen_ < server_.publications().size(); ++publications_seen_) {
    auto const& [path, upload] = server_.publications()[publications_seen_];
    published_at_[path] = now();
    auto const hash = HashOf(upload->bytes);
    auto const allowed = allowed_.find({path, hash});
    if (allowed == allowed_.end() && !IsTrimmed(hash)) {
      Break("published as " + path + ": " + Amount(upload->bytes) +
            " that nobody has closed as complete under this name");
    }
    // The creation of an empty upload is its completion, and its answer can be lost.
    if (upload->refused) continue;  // it may be sent again
    auto const times = ++published_[{path, hash}];
    auto const most = allowed == allowed_.end() ? 1 : allowed->second;
    if (times > most && !upload->bytes.empty()) {
      Break("published as " + path + " " + std::to_string(times) + " times, and was closed " +
            std::to_string(most) + " times: " + Amount(upload->bytes));
    }
  }
}

// ---- what the mount shows

std::map<std::string, World::Seen> World::Look() {
  std::map<std::string, Seen> all;
  std::vector<std::pair<InodeId, std::string>> directories{{tusfs::kRootInode, ""}};
  while (!directories.empty()) {
    auto const [directory, prefix] = directories.back();
    directories.pop_back();
    auto const listed = machine_.fs().ReadDirectory(
        directory, 2, [&](std::string const& name, Attributes const& attributes, auto) {
          bool const is_directory = attributes.type == tusfs::FileType::kDirectory;
          all[prefix + name] = {attributes.inode, is_directory, attributes.size};
          if (is_directory) directories.emplace_back(attributes.inode, prefix + name + "/");
          return true;
        });
    if (!listed) Break("a directory cannot be listed: " + tusfs::Describe(listed.error()));
  }
  return all;
}

std::map<std::string, World::Listed> World::List() {
  std::map<std::string, Listed> all;
  auto const reports = machine_.reporter().List("");
  if (!reports) Break("nothing can be listed: " + tusfs::Describe(reports.error()));
  for (auto const& report : *reports) {
    all[report.path] = {std::string(report.state), report.error, report.finishes, report.size};
  }
  return all;
}

std::optional<std::string> World::ReadAll(Seen const& seen) {
  auto const row =
      machine_.store().Read([&](tusfs::View const& view) { return GetInode(view, seen.inode); });
  if (!row) Break("an inode cannot be read: " + tusfs::Describe(row.error()));
  if (row->version == 0 || row->trimmed > 0) return std::nullopt;
  if (disk_failed_ && row->content == tusfs::Content::kFailed) return std::nullopt;
  auto const handle =
      machine_.fs().Open({.uid = 1000, .gid = 1000, .pid = 1, .request = {}}, seen.inode, O_RDONLY);
  if (!handle) Break("a file cannot be opened: " + tusfs::Describe(handle.error()));
  std::string bytes(seen.size, '?');
  auto const got = machine_.fs().Read(*handle, 0, std::as_writable_bytes(std::span(bytes)));
  if (!got || *got != bytes.size()) Break("a file cannot be read to its end");
  static_cast<void>(machine_.fs().Release(*handle));
  return bytes;
}

void World::CheckCatalog() {
  if (auto const checked = tusfs::CheckCatalog(machine_.store()); !checked) {
    Break("the catalog contradicts itself: " + tusfs::Describe(checked.error()));
  }
  std::set<tusfs::VersionId> versions;
  auto const inodes =
      machine_.store().Read([](tusfs::View const& view) { return ListInodes(view, 0, 10'000); });
  if (!inodes) Break("inodes cannot be listed: " + tusfs::Describe(inodes.error()));
  for (auto const& inode : *inodes) {
    if (inode.type != tusfs::FileType::kRegular || inode.version == 0) continue;
    if (!versions.insert(inode.version).second) {
      Break("two files share the version " + std::to_string(inode.version));
    }
    bool const is_missing = !std::filesystem::exists(machine_.spool().PathOf(inode.version));
    if (is_missing && inode.content != tusfs::Content::kFailed) {
      Break("the spool does not have the version " + std::to_string(inode.version) + " of " +
            inode.name);
    }
  }
}

void World::CheckTree() {
  CheckCatalog();
  auto const seen = Look();
  if (!Fits(model_.names(), seen)) {
    std::string text = "the names are not what was answered:";
    for (auto const& [path, file] : model_.names()) text += " " + path;
    text += "; the mount has";
    for (auto const& [path, what] : seen) text += " " + path;
    Break(text);
  }
  auto const listed = List();
  CheckSafety(listed);
  for (auto const& [path, file] : model_.names()) {
    if (file->is_directory) continue;
    auto const& what = seen.at(path);
    if (what.size != file->bytes.size()) {
      Break(Sentence(file) + " has " + std::to_string(what.size) + " bytes");
    }
    if (auto const bytes = ReadAll(what); bytes && *bytes != file->bytes && !disk_failed_) {
      Break(Sentence(file) + " has other bytes");
    }
    auto const found = listed.find(path);
    if (found == listed.end()) Break(Sentence(file) + " is not listed");
    if (file->fate == Fate::kPublish && found->second.state == "interrupted") {
      Break(Sentence(file) + " was closed cleanly, and is interrupted: " + found->second.error);
    }
  }
}

// The server has confirmed all of it, and that is being verified.
bool World::IsLookedAt(InodeId inode) {
  auto const upload = machine_.store().Read([&](tusfs::View const& view) {
    return FindUpload(view, GetInode(view, inode).value().upload);
  });
  if (!upload) Break("an upload cannot be read: " + tusfs::Describe(upload.error()));
  return *upload && (*upload)->phase == tusfs::UploadPhase::kVerifying;
}

// All is safe when the server has all bytes of all files that are to be uploaded.
void World::CheckSafety(std::map<std::string, Listed> const& listed) {
  auto const status = machine_.reporter().Status();
  if (!status) Break("there is no status: " + tusfs::Describe(status.error()));
  if (status->confirmed < status->accepted) return;
  for (auto const* state : {"interrupted", "failed"}) {
    if (status->files.contains(state)) return;  // of these the person is told instead
  }
  for (auto const& [path, file] : model_.names()) {
    auto const row = listed.find(path);
    if (file->is_directory || file->bytes.empty() || row == listed.end()) continue;
    if (row->second.state == "uploaded" || row->second.state == "local-only") continue;
    if (row->second.state == "unconfirmed") continue;
    if (row->second.state == "uploading" && IsLookedAt(file->inode)) continue;
    Break("all is said to be safe, and " + Sentence(file) + " is " + row->second.state);
  }
}

// ---- the end

void World::CheckReports() {
  for (auto const& [path, listed] : List()) {
    auto const file = model_.Find(path);
    if (!file || file->is_directory) continue;
    if (listed.state == "local-only" || listed.state == "uploaded") continue;
    auto const how = Sentence(file) + " is " + listed.state + " for ever";
    if (listed.finishes) Break(how + ", and says that it finishes by itself: " + listed.error);
    if (listed.error.empty()) Break(how + " without a word");
    bool const waits = listed.state == "settling";
    // What the server has refused when it had all of it is the same the next time.
    bool const may_fail = listed.state == "failed" && (disk_failed_ || IsRefused(path));
    if (file->fate == Fate::kPublish && !waits && !may_fail && listed.state != "unconfirmed") {
      Break(how + ": " + listed.error);
    }
  }
}

void World::CheckEnd() {
  CheckTree();
  auto const listed = List();
  for (auto const& [path, row] : listed) {
    auto const file = model_.Find(path);
    if (!file || file->is_directory || row.state == "local-only") continue;
    if (row.state != "uploaded") {
      Break(Sentence(file) + " is " + row.state + ", whatever anybody does: " + row.error);
    }
    CheckPublished(path, file, row);
  }
}

void World::CheckPublished(std::string const& path, FilePtr const& file, Listed const& listed) {
  if (server_forgot_) return;
  auto const hash = HashOf(file->bytes);
  bool const has_moved = !listed.error.empty();
  Server::Publication const* last = nullptr;
  bool is_there = false;
  for (auto const& publication : server_.publications()) {
    bool const may_be = file->is_guess && publication.path == tusfs::TargetPath(path) &&
                        publication.upload->bytes.size() == file->bytes.size();
    is_there = is_there || may_be || HashOf(publication.upload->bytes) == hash;
    if (publication.path == tusfs::TargetPath(path)) last = &publication;
  }
  if (!is_there) Break(Sentence(file) + " is uploaded, and the server never had it");
  if (shared_targets_.contains(tusfs::TargetPath(path))) return;
  if (tusfs::PublishRules().IsTemporary(path)) return;
  // It came under this name when it was uploaded already, which it says.
  bool const is_of_this_name = std::count(file->closed_as.begin(), file->closed_as.end(), path) > 0;
  bool const is_newest = last != nullptr && file->closed_at > published_at_.at(last->path);
  if (has_moved && !(is_of_this_name && is_newest)) return;
  if (last == nullptr) Break(Sentence(file) + " is uploaded, and under another name");
  if (HashOf(last->upload->bytes) != hash) {
    Break(Sentence(file) + " is uploaded, and the server's last one of this name is another: " +
          Amount(last->upload->bytes));
  }
}

}  // namespace tusfs_life
