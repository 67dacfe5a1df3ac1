#include "control/bug_report_facts.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "base/file.h"
#include "base/mount_table.h"
#include "base/run_program.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/progress.h"
#include "version.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

constexpr char const* kConfigurations = "/etc/tusfs";
constexpr std::size_t kMostConfigurations = 16;
constexpr std::chrono::seconds kFactPatience{20};
constexpr std::size_t kMostFacts = std::size_t{1} << 20;

/// Its PRETTY_NAME.
std::string Distribution() {
  constexpr std::string_view kKey = "PRETTY_NAME=";
  std::ifstream release("/etc/os-release");
  for (std::string line; std::getline(release, line);) {
    if (!line.starts_with(kKey)) continue;
    auto name = line.substr(kKey.size());
    std::erase(name, '"');
    return name;
  }
  return "unknown: there is no /etc/os-release";
}

/// The mount that the path is in, of those that are mounted last there.
std::string TypeOfFilesystem(std::string const& path) {
  std::string type = "unknown";
  std::size_t closest = 0;
  for (auto const& line : ReadMountTable()) {
    auto const& at = line.mountpoint;
    bool const is_in = at == "/" || path == at || path.starts_with(at + "/");
    if (!is_in || at.size() < closest) continue;
    closest = at.size();
    type = line.type + " (" + line.options + ")";
  }
  return type;
}

/// The program beside this one, or that of the PATH.
std::string Tusfs() {
  std::error_code failed;
  auto const own = fs::read_symlink("/proc/self/exe", failed);
  auto const beside = own.parent_path() / "tusfs";
  return !failed && ::access(beside.c_str(), X_OK) == 0 ? beside.string() : "tusfs";
}

std::vector<fs::path> ConfigurationFiles() {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::directory_iterator at(kConfigurations, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (at->path().extension() == ".toml") files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  if (files.size() > kMostConfigurations) files.resize(kMostConfigurations);
  return files;
}

std::vector<std::string> WordsOf(std::string const& line) {
  std::istringstream text(line);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

std::string WithoutArgumentsOfLine(std::string const& line) {
  auto const words = WordsOf(line);
  if (words.size() < 3 || words.back() == "default") return line;
  auto const& name = words.front();
  if (name == "metadata") return name + " *** " + words.back();
  bool const is_program = name.ends_with("-command") || name.starts_with("on-");
  if (!is_program || words.size() == 3) return line;
  return name + " " + words[1] + " *** " + words.back();
}

}  // namespace

std::string VersionFacts() {
  return std::string("tusfsctl ") + kVersion + "\ncompiler " + __VERSION__ + "\nzlib " +
         ::zlibVersion() + "\n";
}

std::string MachineFacts() {
  utsname names{};
  ::uname(&names);
  struct sysinfo system {};
  ::sysinfo(&system);
  auto const memory = std::uint64_t{system.totalram} * system.mem_unit;
  return std::string("kernel ") + names.sysname + " " + names.release + " " + names.version + " " +
         names.machine + "\ndistribution " + Distribution() + "\nprocessors " +
         std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) + "\nmemory " + ShowBytes(memory) +
         "\nruns since " + ShowDuration(std::chrono::seconds(system.uptime)) + "\nuser " +
         (::geteuid() == 0 ? "root" : "not root") + "\n";
}

std::string FilesystemFacts(std::string const& state_dir) {
  auto const head = "state directory and spool: " + state_dir +
                    "\nfilesystem: " + TypeOfFilesystem(state_dir) + "\n";
  struct statvfs room {};
  if (::statvfs(state_dir.c_str(), &room) != 0) {
    return head + "it cannot be looked at: " + std::generic_category().message(errno) + "\n";
  }
  return head + "size: " + ShowBytes(std::uint64_t{room.f_blocks} * room.f_frsize) +
         "\nfree: " + ShowBytes(std::uint64_t{room.f_bavail} * room.f_frsize) +
         "\ninodes: " + std::to_string(room.f_files) + ", free: " + std::to_string(room.f_favail) +
         "\n";
}

Result<std::string> CrashFacts() {
  auto listed = RunProgram({.argv = {"coredumpctl", "--no-pager", "--quiet", "list", "tusfs"},
                            .timeout = kFactPatience,
                            .most_output = kMostFacts},
                           {});
  if (!listed) return Fail(listed.error().code, "coredumpctl " + Describe(listed.error()));
  return listed;
}

std::string ThreadFacts(pid_t process) {
  std::string text;
  std::error_code failed;
  auto const directory = "/proc/" + std::to_string(process);
  // A number may be another program's by now.
  auto const name = ReadSmallFile(directory + "/comm");
  if (process <= 0 || !name || !name->starts_with("tusfs")) return text;
  auto const threads = directory + "/task";
  for (fs::directory_iterator at(threads, failed), end; !failed && at != end;
       at.increment(failed)) {
    text += "thread " + at->path().filename().string() + "\n";
    for (char const* const file : {"comm", "wchan", "stack"}) {
      auto const read = ReadSmallFile(at->path() / file);
      text += std::string(file) + ": " + (read ? *read : Describe(read.error())) + "\n";
    }
  }
  return text;
}

std::vector<ConfigurationFacts> Configurations() {
  std::vector<ConfigurationFacts> all;
  for (auto const& file : ConfigurationFiles()) {
    std::string said;
    auto const shown = RunProgram({.argv = {Tusfs(), "--check-config", file.string()},
                                   .timeout = kFactPatience,
                                   .most_output = kMostFacts,
                                   .said = [&](std::string_view words) { said = words; }},
                                  {});
    all.push_back({file.filename().string(), shown ? WithoutArguments(*shown)
                                                   : Describe(shown.error()) + "\n" + said + "\n"});
  }
  return all;
}

std::string WithoutArguments(std::string const& settings) {
  std::istringstream lines(settings);
  std::string shown;
  for (std::string line; std::getline(lines, line);) shown += WithoutArgumentsOfLine(line) + "\n";
  return shown;
}

}  // namespace tusfs
