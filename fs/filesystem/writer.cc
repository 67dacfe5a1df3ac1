#include "filesystem/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <sstream>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace tusfs {
namespace {

constexpr unsigned long kExiting = 0x4;     // PF_EXITING of the kernel's flags field
constexpr std::size_t kFlagsField = 9 - 3;  // counted behind "pid (name) "
constexpr std::size_t kExitCodeField = 52 - 3;
constexpr std::string_view kDeleted = " (deleted)";  // what /proc adds to a file that is gone
constexpr std::size_t kLongestComm = 15;             // bytes that the kernel keeps of a name
constexpr std::uint64_t kBlock = 512;                // of stx_blocks
constexpr FileTime kSecond = 1'000'000'000;
constexpr FileTime kClockSlack = 2 * kSecond;  // between this clock and that of the source's disk

std::string PathOf(pid_t thread, char const* file) {
  return "/proc/" + std::to_string(thread) + "/" + file;
}

bool MaySeeStatus(pid_t thread) {
  auto const self = ::geteuid();
  struct stat status {};
  return self == 0 || (::stat(PathOf(thread, "").c_str(), &status) == 0 && status.st_uid == self);
}

// How far a descriptor that is open for reading alone has come.
std::optional<std::uint64_t> BytesRead(std::string const& fdinfo) {
  std::istringstream lines(fdinfo);
  std::optional<std::uint64_t> position;
  bool reads_only = false;
  for (std::string label; lines >> label;) {
    if (label == "pos:") {
      lines >> std::dec >> position.emplace();
    } else if (label == "flags:") {
      int flags = O_WRONLY;
      lines >> std::oct >> flags;
      reads_only = (flags & O_ACCMODE) == O_RDONLY;
    }
  }
  return reads_only ? position : std::nullopt;
}

// What whoever copies the file behind `link` has to have read; nothing where that cannot be said. A
// file with holes is not read through, and one that was written since `changed` may have grown when
// it had been read.
std::optional<std::uint64_t> SizeToRead(std::filesystem::path const& link, FileTime changed) {
  struct statx status {};
  // Without asking a server or a daemon for it: that may be this one, and this is a request of it.
  int const found = ::statx(AT_FDCWD, link.c_str(), AT_STATX_DONT_SYNC,
                            STATX_TYPE | STATX_SIZE | STATX_BLOCKS | STATX_MTIME, &status);
  if (found != 0 || !S_ISREG(status.stx_mode)) return std::nullopt;
  if (status.stx_blocks < status.stx_size / kBlock) return std::nullopt;
  auto const modified = status.stx_mtime.tv_sec * kSecond + status.stx_mtime.tv_nsec;
  if (modified > changed - kClockSlack) return std::nullopt;
  return status.stx_size;
}

}  // namespace

Judgement JudgeStat(std::string const& stat, bool may_see_status) {
  Judgement const unreadable{Verdict::kUnknown, "the process that closed it cannot be seen"};
  // The name may hold anything, brackets and spaces too; it ends at the last bracket.
  auto const name_end = stat.rfind(')');
  if (name_end == std::string::npos) return unreadable;
  std::istringstream words(stat.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string word; words >> word;) fields.push_back(std::move(word));
  if (fields.size() <= kExitCodeField) return unreadable;
  auto const number = [](std::string const& text) -> std::optional<unsigned long> {
    unsigned long value = 0;
    auto const parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return value;
  };
  auto const flags = number(fields[kFlagsField]);
  auto const exit_code = number(fields[kExitCodeField]);
  if (!flags || !exit_code) return unreadable;
  if ((*flags & kExiting) == 0) return {Verdict::kClean, {}};
  if (!may_see_status) {
    return {Verdict::kUnknown, "its writer was ending, and how is hidden from this user"};
  }
  auto const status = static_cast<int>(*exit_code);
  if (status == 0) return {Verdict::kClean, {}};
  if (WIFSIGNALED(status)) {
    auto const* const name = ::sigabbrev_np(WTERMSIG(status));
    return {Verdict::kDied,
            "its writer was killed by SIG" +
                (name != nullptr ? std::string(name) : std::to_string(WTERMSIG(status))),
            true};
  }
  return {Verdict::kDied, "its writer ended with status " + std::to_string(WEXITSTATUS(status)) +
                              " without closing it"};
}

Judgement ProcProcessTable::JudgeClose(pid_t thread) const {
  if (thread <= 0) return {Verdict::kUnknown, "its writer is in another process namespace"};
  auto const stat = ReadSmallFile(PathOf(thread, "stat"));
  return JudgeStat(stat.value_or(""), MaySeeStatus(thread));
}

Judgement ProcProcessTable::JudgeCopy(pid_t thread, std::string const& name,
                                      FileTime changed) const {
  Judgement clean{Verdict::kClean, {}};
  auto program = ReadSmallFile(PathOf(thread, "comm")).value_or("");
  while (program.ends_with('\n')) program.pop_back();
  bool const copies = std::any_of(copiers_.begin(), copiers_.end(), [&](auto const& copier) {
    return copier.substr(0, kLongestComm) == program;
  });
  if (!copies) return clean;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(PathOf(thread, "fd"), failed), end;
       !failed && at != end; at.increment(failed)) {
    std::error_code closed;
    auto target = std::filesystem::read_symlink(at->path(), closed).string();
    if (target.ends_with(kDeleted)) target.resize(target.size() - kDeleted.size());
    if (closed || target.substr(target.rfind('/') + 1) != name) continue;
    auto const number = at->path().filename().string();
    auto const info = ReadSmallFile(PathOf(thread, ("fdinfo/" + number).c_str()));
    auto const read = info ? BytesRead(*info) : std::nullopt;
    if (!read) continue;
    if (auto const size = SizeToRead(at->path(), changed); size && *read < *size) {
      return {Verdict::kDied, "source was not read to its end: " + Printable(name) + ", " +
                                  std::to_string(*read) + " of " + std::to_string(*size) +
                                  " bytes"};
    }
  }
  return clean;
}

pid_t ProcProcessTable::ProcessOf(pid_t thread) const {
  auto const status = ReadSmallFile(PathOf(thread, "status"));
  constexpr std::string_view kLabel = "\nTgid:\t";
  if (!status) return thread;
  auto const at = status->find(kLabel);
  if (at == std::string::npos) return thread;
  pid_t process = thread;
  auto const* const begin = status->data() + at + kLabel.size();
  std::from_chars(begin, status->data() + status->size(), process);
  return process;
}

}  // namespace tusfs
