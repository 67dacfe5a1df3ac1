#include "filesystem/writer.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <sstream>
#include <vector>

#include "base/file.h"

namespace tusfs {
namespace {

constexpr unsigned long kExiting = 0x4;     // PF_EXITING of the kernel's flags field
constexpr std::size_t kFlagsField = 9 - 3;  // counted behind "pid (name) "
constexpr std::size_t kExitCodeField = 52 - 3;

std::string PathOf(pid_t thread, char const* file) {
  return "/proc/" + std::to_string(thread) + "/" + file;
}

bool MaySeeStatus(pid_t thread) {
  auto const self = ::geteuid();
  struct stat status {};
  return self == 0 || (::stat(PathOf(thread, "").c_str(), &status) == 0 && status.st_uid == self);
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
                (name != nullptr ? std::string(name) : std::to_string(WTERMSIG(status)))};
  }
  return {Verdict::kDied, "its writer ended with status " + std::to_string(WEXITSTATUS(status)) +
                              " without closing it"};
}

Judgement ProcProcessTable::JudgeClose(pid_t thread) const {
  if (thread <= 0) return {Verdict::kUnknown, "its writer is in another process namespace"};
  auto const stat = ReadSmallFile(PathOf(thread, "stat"));
  return JudgeStat(stat.value_or(""), MaySeeStatus(thread));
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
