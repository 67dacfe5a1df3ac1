#include "program/reload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <tusclient/client.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <system_error>
#include <utility>

#include "options/settings.h"

namespace tusfs {
namespace {

// Written in another way, or with another file that it is in, it may be the same.
bool IsSameUrl(std::string const& one, std::string const& other) {
  auto const normal = tus::NormalizeEndpoint(one);
  auto const other_normal = tus::NormalizeEndpoint(other);
  return normal && other_normal && *normal == *other_normal;
}

std::filesystem::path Here() {
  std::error_code failed;
  return std::filesystem::current_path(failed);
}

}  // namespace

CommandLine::CommandLine(std::vector<std::string> words)
    : words_(std::move(words)),
      directory_(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)),
      directory_path_(Here()) {}

Invocation CommandLine::Parse() const {
  std::vector<char const*> argv;
  argv.reserve(words_.size());
  for (auto const& word : words_) argv.push_back(word.c_str());
  UniqueFd const here(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  bool const is_there = ::fstat(directory_.get(), &status) == 0 && status.st_nlink > 0;
  // Where both have gone, relative paths lead nowhere, and the parser says so.
  [[maybe_unused]] auto const moved =
      is_there ? ::fchdir(directory_.get()) : ::chdir(directory_path_.c_str());
  auto invocation = ParseCommandLine(static_cast<int>(argv.size()), argv.data());
  [[maybe_unused]] auto const back = ::fchdir(here.get());
  return invocation;
}

std::string SentencesIn(std::string const& output) {
  constexpr std::string_view kProgram = "tusfs: ";
  std::istringstream lines(output);
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kProgram)) line.erase(0, kProgram.size());
    all += (all.empty() ? "" : "; ") + line;
  }
  return all;
}

std::string PackOptions(Options options) {
  options.url_file.clear();  // what was in it stands in its place
  std::string packed;
  for (auto const& word : CommandLineOf(options)) packed += word + '\0';
  return packed;
}

std::optional<Options> UnpackOptions(std::string const& packed) {
  std::vector<std::string> words{"tusfs"};
  std::istringstream in(packed);
  for (std::string word; std::getline(in, word, '\0');) words.push_back(word);
  return CommandLine(std::move(words)).Parse().options;
}

Result<Options> Reconfigure(Options const& started, Options const& wanted) {
  std::vector<std::string> fixed;
  if (!IsSameUrl(started.url, wanted.url)) fixed.emplace_back("the URL");
  if (started.mountpoint != wanted.mountpoint) fixed.emplace_back("the mount point");
  if (started.kernel != wanted.kernel) fixed.emplace_back("-o for the kernel");
  for (auto const& setting : Settings()) {
    if (setting.is_fixed && setting.get(started) != setting.get(wanted)) {
      fixed.push_back(std::string("--") + setting.name);
    }
  }
  if (fixed.empty()) return wanted;
  std::string names;
  for (auto const& name : fixed) names += (names.empty() ? "" : ", ") + name;
  return Fail(EINVAL, "this cannot be changed while it is mounted: " + names +
                          "; unmount it, which loses nothing, and mount it again");
}

}  // namespace tusfs
