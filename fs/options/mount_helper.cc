#include "options/mount_helper.h"

#include <cerrno>
#include <filesystem>
#include <string_view>

namespace tusfs {
namespace {

// mount(8), "EXIT STATUS".
constexpr int kIncorrectInvocation = 1;
constexpr int kMountFailure = 32;
constexpr int kWrongConfiguration = 2;

/// One word of short options, which may have its value in the next one.
class ShortOptions {
 public:
  ShortOptions(std::vector<std::string> const& words, MountHelperWords& read)
      : words_(words), read_(read) {}

  /// Reads words_[at], and returns which word comes next.
  Result<std::size_t> Read(std::size_t at) {
    auto const& word = words_[at];
    for (std::size_t i = 1; i < word.size(); ++i) {
      char const option = word[i];
      if (option == 'f') read_.fake = true;
      if (std::string_view("fnsv").find(option) != std::string_view::npos) continue;
      if (std::string_view("oNt").find(option) == std::string_view::npos) return Refuse(option);
      bool const is_here = i + 1 < word.size();
      if (!is_here && at + 1 == words_.size()) {
        return Fail(EINVAL, std::string("-") + option + " needs a value");
      }
      auto const value = is_here ? word.substr(i + 1) : words_[at + 1];
      if (option == 'N') return Refuse(option);
      if (option == 'o') read_.arguments.insert(read_.arguments.end(), {"-o", value});
      return at + (is_here ? 1 : 2);
    }
    return at + 1;
  }

 private:
  static Failure Refuse(char option) {
    return Fail(EINVAL, option == 'N'
                            ? "mount.tusfs mounts in no other namespace (-N): use nsenter(1)"
                            : std::string("mount.tusfs has no option -") + option +
                                  ": it takes URL MOUNTPOINT [-sfnv] [-o OPTIONS]");
  }

  std::vector<std::string> const& words_;
  MountHelperWords& read_;
};

bool IsService(std::string_view word) {
  return word.starts_with("tusfs@") && word.ends_with(".service");
}

}  // namespace

bool IsMountHelper(std::string const& program) {
  return std::filesystem::path(program).filename() == "mount.tusfs";
}

Result<MountHelperWords> ReadMountHelper(std::vector<std::string> const& words) {
  MountHelperWords read;
  read.arguments.push_back(words.front());
  std::vector<std::string> places;
  for (std::size_t at = 1; at < words.size();) {
    if (words[at].size() < 2 || words[at].front() != '-') {
      places.push_back(words[at++]);
      continue;
    }
    auto const next = ShortOptions(words, read).Read(at);
    if (!next) return Failure(next.error());
    at = *next;
  }
  if (places.size() == 2 && IsService(places[0])) {
    read.service = places[0];
    read.mountpoint = places[1];
  }
  read.arguments.emplace_back("--");
  read.arguments.insert(read.arguments.end(), places.begin(), places.end());
  return read;
}

int MountHelperStatus(int status) {
  if (status == 0) return 0;
  return status == kWrongConfiguration ? kIncorrectInvocation : kMountFailure;
}

}  // namespace tusfs
