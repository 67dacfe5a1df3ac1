#include "base/mount_table.h"

#include <fstream>
#include <sstream>
#include <string_view>

namespace tusfs {
namespace {

constexpr std::size_t kEscape = 4;  // bytes of "\040"

bool IsOctal(std::string_view digits) {
  return digits.find_first_not_of("01234567") == std::string_view::npos;
}

// Blank, tab, newline and backslash are written as octal.
std::string Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size();) {
    auto const digits = text.substr(at).substr(1, kEscape - 1);
    if (text[at] == '\\' && digits.size() == kEscape - 1 && IsOctal(digits)) {
      plain += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + digits[2] - '0');
      at += kEscape;
    } else {
      plain += text[at++];
    }
  }
  return plain;
}

}  // namespace

MountLine ParseMountLine(std::string const& line) {
  std::istringstream words(line);
  std::string word;
  words >> word >> word;
  MountLine mount;
  words >> mount.device >> mount.root >> mount.mountpoint >> mount.options;
  while (words >> word && word != "-") {
  }
  words >> mount.type >> mount.source >> mount.filesystem_options;
  for (auto* const text : {&mount.root, &mount.mountpoint, &mount.source}) *text = Unescape(*text);
  return mount;
}

std::vector<MountLine> ReadMountTable() {
  std::ifstream table("/proc/self/mountinfo");
  std::vector<MountLine> mounts;
  for (std::string line; std::getline(table, line);) mounts.push_back(ParseMountLine(line));
  return mounts;
}

}  // namespace tusfs
