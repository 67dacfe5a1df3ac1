#include "tus_upload_plan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

#include "tus_upload_text.h"

namespace tus_upload {
namespace {

/// Sorted; or the errno that says why the folder cannot be read.
tl::expected<std::vector<std::string>, int> NamesIn(std::string const& folder, bool follow) {
  int const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
  int const fd = ::open(folder.c_str(), flags);
  if (fd < 0) return tl::unexpected(errno);
  std::unique_ptr<DIR, int (*)(DIR*)> const directory(::fdopendir(fd), ::closedir);
  if (!directory) {
    int const why = errno;
    ::close(fd);
    return tl::unexpected(why);
  }
  std::vector<std::string> names;
  errno = 0;
  while (auto const* const entry = ::readdir(directory.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
    errno = 0;
  }
  if (int const why = errno; why != 0) return tl::unexpected(why);
  std::sort(names.begin(), names.end());
  return names;
}

char const* KindOf(mode_t mode) {
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a named pipe";
  return "a device";
}

class Walk {
 public:
  Walk(std::filesystem::path const& state_dir, Report& report, std::stop_token const& stop,
       Plan& plan)
      : report_(report),
        stop_(stop),
        plan_(plan),
        has_state_(::stat(state_dir.c_str(), &state_) == 0) {}

  void Named(std::string const& folder, struct stat const& status) {
    auto const files = plan_.files.size();
    auto const failed = plan_.failed;
    if (IsState(status)) return Skip(folder);
    Folder(folder, true);
    bool const nothing = plan_.files.size() == files && plan_.failed == failed;
    if (nothing && !plan_.cut_short) report_.Skipped(folder, "there is nothing to upload in it");
  }

 private:
  Report& report_;
  std::stop_token const& stop_;
  Plan& plan_;
  struct stat state_ {};
  bool const has_state_;

  void Folder(std::string const& folder, bool named) {
    auto const names = NamesIn(folder, named);
    if (!names) return Fail(folder, names.error());
    for (auto const& name : *names) {
      if (stop_.stop_requested()) plan_.cut_short = true;
      if (plan_.cut_short) return;
      Entry(folder + (folder.ends_with('/') ? "" : "/") + name);
    }
  }

  void Entry(std::string const& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return Fail(path, errno);
    if (S_ISREG(status.st_mode)) {
      auto const size = static_cast<std::uint64_t>(status.st_size);
      plan_.files.push_back({.path = path, .size = size, .found = true});
    } else if (S_ISDIR(status.st_mode)) {
      IsState(status) ? Skip(path) : Folder(path, false);
    } else {
      report_.Skipped(path, "is skipped: it is " + std::string(KindOf(status.st_mode)) +
                                (S_ISLNK(status.st_mode) ? ", and not named itself" : ""));
    }
  }

  // Its records are secrets, and change with each upload.
  [[nodiscard]] bool IsState(struct stat const& status) const {
    return has_state_ && status.st_dev == state_.st_dev && status.st_ino == state_.st_ino;
  }

  void Skip(std::string const& state) {
    report_.Skipped(state, "is skipped: unfinished uploads are remembered in it");
  }

  void Fail(std::string const& path, int why) {
    ++plan_.failed;
    report_.Failed(path, Quoted(path) + " cannot be read: " + std::system_category().message(why) +
                             ": run the same command again when it can");
  }
};

}  // namespace

std::uint64_t Plan::Bytes() const {
  std::uint64_t bytes = 0;
  for (auto const& file : files) bytes += file.size;
  return bytes;
}

Plan MakePlan(Options const& options, Report& report, std::stop_token const& stop) {
  Plan plan;
  Walk walk(options.state_dir, report, stop, plan);
  for (auto const& name : options.files) {
    struct stat status {};
    bool const known = !options.FromStandardInput() && ::stat(name.c_str(), &status) == 0;
    if (known && options.recursive && S_ISDIR(status.st_mode)) {
      walk.Named(name, status);
      continue;
    }
    bool const sized = known && S_ISREG(status.st_mode);
    plan.files.push_back(
        {.path = name, .size = sized ? static_cast<std::uint64_t>(status.st_size) : 0});
  }
  return plan;
}

}  // namespace tus_upload
