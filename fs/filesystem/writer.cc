#include "filesystem/writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
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

// A number out of a text of /proc/<pid>, such as that of status.
template <typename Number>
std::optional<Number> NumberAt(std::string_view text, std::string_view label, int base = 10) {
  auto const at = text.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + label.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  Number number = 0;
  auto const parsed = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

std::optional<pid_t> StatusField(pid_t thread, std::string_view label) {
  auto const status = ReadSmallFile(PathOf(thread, "status"));
  return status ? NumberAt<pid_t>(*status, label) : std::nullopt;
}

// As the kernel has it, but for what it writes in another way.
std::optional<std::string> NameIn(std::string_view status) {
  constexpr std::string_view kLabel = "Name:\t";
  if (!status.starts_with(kLabel)) return std::nullopt;
  auto const name = status.substr(kLabel.size(), status.find('\n') - kLabel.size());
  return name.find('\\') == std::string_view::npos ? std::optional(std::string(name))
                                                   : std::nullopt;
}

bool Is(Life life, pid_t thread) {
  auto const status = ReadSmallFile(PathOf(thread, "status"));
  return status && LifeIn(*status) == life;
}

std::string_view LastPart(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Of a program with arguments the first: what "busybox cp" does.
std::string FirstArgumentOf(pid_t process) {
  auto const words = ReadSmallFile(PathOf(process, "cmdline")).value_or("");
  auto const name_end = words.find('\0');
  if (name_end == std::string::npos) return {};
  return words.substr(name_end + 1, words.find('\0', name_end + 1) - name_end - 1);
}

// Of words with blanks between them, the one with this number, from 0 on.
std::optional<unsigned long> NumberInField(std::string_view words, std::size_t number) {
  constexpr std::string_view kBlanks = " \n";
  for (std::size_t field = 0;; ++field) {
    words.remove_prefix(std::min(words.find_first_not_of(kBlanks), words.size()));
    auto const word = words.substr(0, words.find_first_of(kBlanks));
    if (word.empty()) return std::nullopt;
    if (field < number) {
      words.remove_prefix(word.size());
      continue;
    }
    unsigned long value = 0;
    auto const parsed = std::from_chars(word.data(), word.data() + word.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size()) return std::nullopt;
    return value;
  }
}

// What a program reads from its standard input is not what it copies.
bool IsStandardOrDirectory(std::string_view entry) {
  return entry.size() == 1 ? entry <= "2" : entry == "..";
}

std::optional<std::string> LinkAt(int directory, char const* path) {
  char target[PATH_MAX];
  auto const size = ::readlinkat(directory, path, target, sizeof target);
  if (size < 0) return std::nullopt;
  return std::string(target, static_cast<std::size_t>(size));
}

/// What a process has open besides the standard three, as /proc shows it: for each descriptor its
/// number and where it leads.
class Descriptors {
 public:
  explicit Descriptors(pid_t thread) : directory_(::opendir(PathOf(thread, "fd").c_str())) {}

  struct Row {
    std::string number;
    std::string target;  ///< as readlink(2) gives it
  };
  /// That of the first file which a program opens, if it is open.
  static std::optional<Row> First(pid_t thread) {
    auto target = LinkAt(AT_FDCWD, PathOf(thread, "fd/3").c_str());
    return target ? std::optional(Row{"3", *std::move(target)}) : std::nullopt;
  }

  /// Nothing at the end, and where it may not be seen.
  std::optional<Row> Next() {
    while (directory_ != nullptr) {
      auto const* const entry = ::readdir(directory_.get());
      if (entry == nullptr) break;
      if (IsStandardOrDirectory(entry->d_name)) continue;
      auto target = LinkAt(::dirfd(directory_.get()), entry->d_name);
      if (!target) continue;  // closed meanwhile
      return Row{entry->d_name, *std::move(target)};
    }
    return std::nullopt;
  }

 private:
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  std::unique_ptr<DIR, Close> const directory_;
};

// How far a descriptor that is open for reading alone has come.
std::optional<std::uint64_t> BytesRead(std::string_view fdinfo) {
  auto const flags = NumberAt<int>(fdinfo, "flags:", 8);
  bool const reads_only = flags && (*flags & O_ACCMODE) == O_RDONLY;
  return reads_only ? NumberAt<std::uint64_t>(fdinfo, "pos:") : std::nullopt;
}

using FileStatus = struct statx;

// Nothing where it is no regular file.
std::optional<FileStatus> StatusOfFile(std::string const& link) {
  FileStatus status{};
  // Without asking a server or a daemon for it: that may be this one, and this is a request of it.
  int const found = ::statx(AT_FDCWD, link.c_str(), AT_STATX_DONT_SYNC,
                            STATX_TYPE | STATX_SIZE | STATX_BLOCKS | STATX_MTIME, &status);
  return found == 0 && S_ISREG(status.stx_mode) ? std::optional(status) : std::nullopt;
}

struct ToRead {
  std::uint64_t size = 0;
  bool may_have_grown = false;  // since `changed`
};

// What whoever copies a file has to have read; nothing where that cannot be said: a file with holes
// is not read through.
std::optional<ToRead> SizeToRead(FileStatus const& status, FileTime changed) {
  if (status.stx_blocks < status.stx_size / kBlock) return std::nullopt;
  auto const modified = status.stx_mtime.tv_sec * kSecond + status.stx_mtime.tv_nsec;
  return ToRead{status.stx_size, modified > changed - kClockSlack};
}

struct ProcessLife {
  std::string name;
  bool is_ending = false;
  int status = 0;  // as wait(2) gives it
};

// Of the text of /proc/<pid>/stat.
std::optional<ProcessLife> ParseStat(std::string const& stat) {
  // The name may hold anything, brackets and spaces too; it ends at the last bracket.
  auto const name_end = stat.rfind(')');
  auto const name_begin = stat.find('(');
  if (name_end == std::string::npos || name_begin > name_end) return std::nullopt;
  auto const fields = std::string_view(stat).substr(name_end + 1);
  auto const flags = NumberInField(fields, kFlagsField);
  auto const exit_code = NumberInField(fields, kExitCodeField);
  if (!flags || !exit_code) return std::nullopt;
  return ProcessLife{stat.substr(name_begin + 1, name_end - name_begin - 1),
                     (*flags & kExiting) != 0, static_cast<int>(*exit_code)};
}

Judgement JudgeLife(ProcessLife const& life, bool may_see_status) {
  if (!life.is_ending) return {Verdict::kClean, {}};
  if (!may_see_status) {
    return {Verdict::kUnknown, "its writer was ending, and how is hidden from this user"};
  }
  if (life.status == 0) return {Verdict::kClean, {}};
  if (WIFSIGNALED(life.status)) {
    return {Verdict::kDied, "its writer was killed by " + SignalName(WTERMSIG(life.status)), true};
  }
  return {Verdict::kDied, "its writer ended with status " +
                              std::to_string(WEXITSTATUS(life.status)) + " without closing it"};
}

struct Source {
  std::string name;        // without its directory
  std::uint64_t read = 0;  // bytes from its beginning on
  FileStatus status{};     // from after that
};

// What a descriptor reads; nothing where that is no regular file, or is written, too.
std::optional<Source> SourceAt(pid_t thread, Descriptors::Row const& open) {
  std::string_view target = open.target;
  if (!target.starts_with('/')) return std::nullopt;
  auto const info = ReadSmallFile(PathOf(thread, ("fdinfo/" + open.number).c_str()));
  auto const read = info ? BytesRead(*info) : std::nullopt;
  if (!read) return std::nullopt;
  auto const status = StatusOfFile(PathOf(thread, ("fd/" + open.number).c_str()));
  if (!status) return std::nullopt;
  if (target.ends_with(kDeleted)) target.remove_suffix(kDeleted.size());
  return Source{std::string(LastPart(target)), *read, *status};
}

// Of a program that copies one file after another; nothing where it cannot be told.
std::optional<Source> SourceOf(pid_t thread, std::string const& name_of_copy) {
  // Asked for each file that is copied: the first descriptor is the one mostly.
  if (auto const first = Descriptors::First(thread)) {
    auto source = SourceAt(thread, *first);
    if (source && source->name == name_of_copy) return source;
  }
  Descriptors descriptors(thread);
  std::vector<Source> sources;
  while (auto const open = descriptors.Next()) {
    auto source = SourceAt(thread, *open);
    if (!source) continue;
    if (source->name == name_of_copy) return source;
    sources.push_back(*std::move(source));
  }
  return sources.size() == 1 ? std::optional(sources.front()) : std::nullopt;
}

}  // namespace

UniqueFd OpenPidfd(pid_t process) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

bool SetsSizeFirst(std::string const& name) {
  static constexpr std::array kPrograms{
      "smbd",    "aria2c", "qbittorrent",     "qbittorrent-nox", "rtorrent", "transmission-da",
      "deluged", "amuled", "transmission-gtk"};
  return std::any_of(kPrograms.begin(), kPrograms.end(), [&](std::string_view program) {
    return program.substr(0, kLongestComm) == name;
  });
}

Life LifeIn(std::string_view status) {
  auto const code = NumberAt<std::uint64_t>(status, "\nVmExe:");  // KiB; of memory that is new: 0
  if (!code) return Life::kEnding;
  return *code == 0 ? Life::kExecuting : Life::kAlive;
}

Judgement JudgeStat(std::string const& stat, bool may_see_status) {
  auto const life = ParseStat(stat);
  if (!life) return {Verdict::kUnknown, "the process that closed it cannot be seen"};
  auto judgement = JudgeLife(*life, may_see_status);
  judgement.name = life->name;
  return judgement;
}

std::optional<int> EndingStatusOf(pid_t process) {
  if (!Is(Life::kEnding, process)) return std::nullopt;
  auto const stat = ReadSmallFile(PathOf(process, "stat"));
  auto const life = stat ? ParseStat(*stat) : std::nullopt;
  if (!life || !life->is_ending || !MaySeeStatus(process)) return std::nullopt;
  return life->status;
}

Judgement ProcProcessTable::JudgeClose(pid_t thread) const {
  if (thread <= 0) return {Verdict::kUnknown, "its writer is in another process namespace"};
  auto const status = ReadSmallFile(PathOf(thread, "status"));
  auto const life = status ? LifeIn(*status) : Life::kEnding;
  if (life != Life::kEnding) {
    auto name = NameIn(*status);
    return {.verdict = Verdict::kClean,
            .executes = life == Life::kExecuting,
            .name = name ? *std::move(name) : NameOf(thread)};
  }
  auto const stat = ReadSmallFile(PathOf(thread, "stat"));
  return JudgeStat(stat.value_or(""), MaySeeStatus(thread));
}

bool ProcProcessTable::Copies(pid_t process, std::string const& name) const {
  auto const program = IsManyPrograms(name) ? FirstArgumentOf(process) : name;
  return std::any_of(copiers_.begin(), copiers_.end(),
                     [&](auto const& copier) { return copier.substr(0, kLongestComm) == program; });
}

Judgement ProcProcessTable::JudgeCopy(pid_t process, std::string const& name,
                                      Copy const& copy) const {
  Judgement const clean{Verdict::kClean, {}};
  if (!Copies(process, name)) return clean;
  auto const source = SourceOf(process, copy.name);
  if (!source) return clean;
  auto const whole = SizeToRead(source->status, copy.changed);
  if (!whole || source->read >= whole->size || copy.size == whole->size) return clean;
  if (whole->may_have_grown) return {.verdict = Verdict::kClean, .is_doubtful = true};
  auto const came = source->read == 0 ? copy.size : source->read;
  return {Verdict::kDied, "source was not read to its end: " + Printable(source->name) + ", " +
                              std::to_string(came) + " of " + std::to_string(whole->size) +
                              " bytes"};
}

// Asked for each file that is created: it is quicker to see that the kernel has a process of that
// number than to read /proc.
pid_t ProcProcessTable::ProcessOf(pid_t thread) const {
  if (OpenPidfd(thread)) return thread;
  return StatusField(thread, "\nTgid:").value_or(thread);
}

pid_t ProcProcessTable::ParentOf(pid_t process) const {
  return StatusField(process, "\nPPid:").value_or(0);
}

std::string ProcProcessTable::NameOf(pid_t thread) const {
  auto name = ReadSmallFile(PathOf(thread, "comm")).value_or("");
  while (name.ends_with('\n')) name.pop_back();
  return name;
}

ProgramNames ProcProcessTable::NamesOf(pid_t process) const {
  auto const target =
      Is(Life::kAlive, process) ? LinkAt(AT_FDCWD, PathOf(process, "exe").c_str()) : std::nullopt;
  std::string_view path = target ? *target : std::string_view();
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  ProgramNames names{NameOf(process), std::string(LastPart(path))};
  if (names.process == names.executable && IsManyPrograms(names.executable)) {
    if (auto applet = FirstArgumentOf(process); !applet.empty()) names.process = std::move(applet);
  }
  return names;
}

}  // namespace tusfs
