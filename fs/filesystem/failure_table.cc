#include "filesystem/failure_table.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace tusfs {
namespace {

constexpr std::size_t kLongestProcessName = 15;  // bytes that the kernel keeps of it
constexpr int kLargestStatus = 255;

std::optional<int> ParseStatus(std::string_view text) {
  int status = 0;
  auto const parsed = std::from_chars(text.data(), text.data() + text.size(), status);
  bool const is_whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (!is_whole || status < 1 || status > kLargestStatus) return std::nullopt;
  return status;
}

std::optional<std::pair<int, int>> ParseRange(std::string_view text) {
  auto const dash = text.find('-');
  auto const from = ParseStatus(text.substr(0, dash));
  auto const to = dash == std::string_view::npos ? from : ParseStatus(text.substr(dash + 1));
  if (!from || !to || *from > *to) return std::nullopt;
  return std::pair(*from, *to);
}

bool TakeBehind(std::string_view& text, std::string_view word) {
  bool const is_there = text.ends_with(word);
  if (is_there) text.remove_suffix(word.size());
  return is_there;
}

// python3.11 is python.
std::string_view WithoutVersion(std::string_view name) {
  auto const end = name.find_last_not_of("0123456789.-");
  return end == std::string_view::npos ? name : name.substr(0, end + 1);
}

}  // namespace

bool IsManyPrograms(std::string_view executable) {
  return executable == "busybox" || executable == "toybox" || executable == "coreutils";
}

Result<FailureRule> ParseFailureRule(std::string const& text) {
  auto const refused =
      Fail(EINVAL,
           "it takes PROGRAM=CODES, exit statuses of 1 to 255 such as wget=1,4-7, and :last behind "
           "them where only the last file is meant");
  auto const equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || text.find('/') < equals) return refused;
  FailureRule rule{.program = text.substr(0, equals), .codes = {}};
  auto codes = std::string_view(text).substr(equals + 1);
  rule.many_processes = TakeBehind(codes, ":processes");
  rule.renames = TakeBehind(codes, ":renames");
  rule.last_only = TakeBehind(codes, ":last");
  while (true) {
    auto const comma = codes.find(',');
    auto const range = ParseRange(codes.substr(0, comma));
    if (!range) return refused;
    rule.codes.push_back(*range);
    if (comma == std::string_view::npos) return rule;
    codes.remove_prefix(comma + 1);
  }
}

std::vector<std::string> const& UsualFailures() {
  static std::vector<std::string> const texts{
      // copying
      "cat=1-255", "dd=1-255", "gio=1-255:renames", "rsync=1-23,25-255:renames:processes",
      "sftp=1-255", "tee=1-255",
      // changing on the way
      "awk=2", "base64=1-255", "gawk=2", "head=1-255", "mawk=2", "openssl=1-255", "split=1-255",
      "tail=1-255", "tr=1-255",
      // downloading; of wget, 8 is a page that is not there: of many files one, which stays empty
      "aria2c=1-255", "curl=1-255", "wget=1-7", "yt-dlp=1-255",
      // taking out of archives; of tar and 7z, 1 is a warning
      "7z=2-255", "7za=2-255", "7zr=2-255", "7zz=2-255", "bsdcpio=1-255", "bsdtar=1-255",
      "cpio=1-255", "gunzip=1", "gzip=1", "tar=2-255", "unrar=2-255", "unzip=2-255", "xz=1",
      "zstd=1-255",
      // making films; what it was stopped at is whole, and then it ends with 255
      "ffmpeg=1-254",
      // whatever a script does, it has failed at what it did last
      "node=1-255:last", "perl=1-255:last", "python=1-255:last", "ruby=1-255:last"};
  return texts;
}

FailureTable::FailureTable(std::vector<std::string> const& texts) {
  for (auto const& text : texts) {
    auto rule = ParseFailureRule(text).value();
    std::erase_if(rules_, [&](FailureRule const& other) { return other.program == rule.program; });
    rules_.push_back(std::move(rule));
  }
}

FailureRule const* FailureTable::Find(ProgramNames const& program) const {
  auto const find = [this](std::string_view name, std::size_t length) -> FailureRule const* {
    auto const found = std::find_if(rules_.begin(), rules_.end(), [&](FailureRule const& rule) {
      return !name.empty() && std::string_view(rule.program).substr(0, length) == name;
    });
    return found == rules_.end() ? nullptr : &*found;
  };
  constexpr auto kWhole = std::string_view::npos;
  if (auto const* const rule = find(program.process, kLongestProcessName)) return rule;
  if (IsManyPrograms(program.executable)) return nullptr;
  if (auto const* const rule = find(program.executable, kWhole)) return rule;
  return find(WithoutVersion(program.executable), kWhole);
}

FailureTable::Suspect FailureTable::Judge(ProgramNames const& program, int status) const {
  if (WIFSIGNALED(status)) return Suspect::kLast;
  auto const code = WEXITSTATUS(status);
  if (code == 0) return Suspect::kNothing;
  auto const* const rule = Find(program);
  if (rule == nullptr) return Suspect::kDoubtful;
  bool const says_so = std::any_of(
      rule->codes.begin(), rule->codes.end(),
      [code](auto const& range) { return range.first <= code && code <= range.second; });
  if (!says_so) return Suspect::kDoubtful;
  return rule->last_only ? Suspect::kLast : Suspect::kAll;
}

std::string SignalName(int signal) {
  auto const* const name = ::sigabbrev_np(signal);
  return "SIG" + (name != nullptr ? std::string(name) : std::to_string(signal));
}

std::string DescribeEnd(std::string const& program, int status) {
  auto const name = Printable(program);
  if (!WIFSIGNALED(status)) {
    return name + " ended with status " + std::to_string(WEXITSTATUS(status));
  }
  return name + " was killed by " + SignalName(WTERMSIG(status));
}

}  // namespace tusfs
