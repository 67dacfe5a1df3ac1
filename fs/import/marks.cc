#include "import/marks.h"

#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <climits>

namespace tusfs {
namespace {

// FinalNameOf (uploader/target.h) knows both.
constexpr std::string_view kEnding = ".tusfs-import";
constexpr std::string_view kBeginningOfLong = ".tusfs-import.";

std::string Nanoseconds(timespec const& time) {
  return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
}

// Of a directory by descriptor and a name in it: there is no getxattrat(2) yet.
std::string PathOf(int directory, std::string const& name) {
  return "/proc/self/fd/" + std::to_string(directory) + "/" + name;
}

}  // namespace

std::string MarkOf(struct stat const& status) {
  auto const inode = std::to_string(status.st_ino);
  if (S_ISDIR(status.st_mode)) return "directory " + inode;
  return "file " + inode + " " + std::to_string(status.st_size) + " " +
         Nanoseconds(status.st_mtim) + " " + Nanoseconds(status.st_ctim);
}

bool HasMark(int directory, std::string const& name, std::string_view mark) {
  std::array<char, 256> value{};
  auto const size =
      ::lgetxattr(PathOf(directory, name).c_str(), kImportMark, value.data(), value.size());
  return size > 0 && std::string_view(value.data(), static_cast<std::size_t>(size)) == mark;
}

bool IsMarked(int directory, std::string const& name) {
  return ::lgetxattr(PathOf(directory, name).c_str(), kImportMark, nullptr, 0) > 0;
}

Result<void> SetMark(int fd, std::string const& mark) {
  if (::fsetxattr(fd, kImportMark, mark.data(), mark.size(), 0) == 0) return {};
  return FailErrno("its copy cannot be marked");
}

void TakeMarkAway(int directory, std::string const& name) {
  [[maybe_unused]] auto const taken = ::lremovexattr(PathOf(directory, name).c_str(), kImportMark);
}

std::string NumberedName(std::string const& name, int number) {
  if (number == 0) return name;
  auto const dot = name.find_last_of('.');
  bool const has_ending = dot != std::string::npos && dot > 0;
  auto const ending =
      ".imported-" + std::to_string(number) + (has_ending ? name.substr(dot) : std::string());
  auto const stem = has_ending ? name.substr(0, dot) : name;
  auto const room = NAME_MAX - std::min<std::size_t>(NAME_MAX - 1, ending.size());
  return (stem.substr(0, room) + ending).substr(0, NAME_MAX);
}

std::string NameWhileCopied(std::string const& name) {
  if (1 + name.size() + kEnding.size() <= NAME_MAX) return "." + name + std::string(kEnding);
  return std::string(kBeginningOfLong) + name.substr(0, NAME_MAX - kBeginningOfLong.size());
}

}  // namespace tusfs
