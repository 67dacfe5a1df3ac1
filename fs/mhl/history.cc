#include "mhl/history.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <system_error>

#include "base/file.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

constexpr char const* kFolder = "ascmhl";
constexpr char const* kChain = "ascmhl_chain.xml";
constexpr off_t kLongest = off_t{1} << 30;

Result<std::string> ReadText(fs::path const& path) {
  auto const fd = OpenFile(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return FailErrno(path.string());
  bool const is_one = S_ISREG(status.st_mode) && status.st_size <= kLongest;
  if (!is_one) return Fail(EINVAL, path.string() + ": it is no media hash list");
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  auto const got = ReadFully(fd->get(), std::as_writable_bytes(std::span(text)), 0);
  if (!got) return Failure(got.error());
  text.resize(*got);
  return text;
}

std::string C4OfText(std::string const& text) {
  MediaHasher hasher(HashFormat::kC4);
  hasher.Update(std::as_bytes(std::span(text)));
  return hasher.Take().value_or("");
}

Failure At(fs::path const& path, Error const& error) {
  return Fail(error.code, path.string() + ": " + Describe(error));
}

std::string FileName(std::uint64_t sequence, std::string const& name, FileTime created) {
  auto const seconds = static_cast<std::time_t>(created / 1'000'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char date[40];
  std::strftime(date, sizeof date, "%Y-%m-%d_%H%M%SZ", &parts);
  char number[32];
  std::snprintf(number, sizeof number, "%04llu", static_cast<unsigned long long>(sequence));
  return std::string(number) + "_" + name + "_" + date + ".mhl";
}

MediaHash const* FindFormat(std::vector<MediaHash> const& hashes, HashFormat format) {
  auto const found = std::ranges::find(hashes, format, &MediaHash::format);
  return found == hashes.end() ? nullptr : &*found;
}

}  // namespace

Result<History> ReadHistory(fs::path const& directory) {
  History history;
  auto const folder = directory / kFolder;
  auto const chain = ReadText(folder / kChain);
  if (!chain && (chain.error().code == ENOENT || chain.error().code == ENOTDIR)) return history;
  if (!chain) return Failure(chain.error());
  auto links = ParseChain(*chain);
  if (!links) return At(folder / kChain, links.error());
  history.links = *std::move(links);
  for (auto const& link : history.links) {
    auto const text = ReadText(folder / link.path);
    if (!text) return At(folder / link.path, text.error());
    if (!link.c4.empty() && C4OfText(*text) != link.c4) {
      return Fail(EINVAL, (folder / link.path).string() +
                              ": it is not what the chain of the history says that it was");
    }
    auto const manifest = ParseManifest(*text);
    if (!manifest) return At(folder / link.path, manifest.error());
    for (auto const& file : manifest->files) {
      auto& known = history.known[file.path];
      for (auto const& hash : file.hashes) {
        bool const is_good = hash.action != HashAction::kFailed;
        if (is_good && FindFormat(known, hash.format) == nullptr) known.push_back(hash);
      }
    }
  }
  return history;
}

std::vector<std::string> MarkActions(History const& history, Manifest& manifest) {
  std::vector<std::string> failed;
  for (auto& file : manifest.files) {
    auto const before = history.known.find(file.path);
    for (auto& hash : file.hashes) {
      auto const* const first =
          before == history.known.end() ? nullptr : FindFormat(before->second, hash.format);
      hash.action = HashAction::kOriginal;
      if (first == nullptr) continue;
      hash.action = first->value == hash.value ? HashAction::kVerified : HashAction::kFailed;
      if (hash.action == HashAction::kFailed) failed.push_back(file.path);
    }
  }
  return failed;
}

Result<fs::path> AddGeneration(fs::path const& directory, std::string const& name,
                               History const& history, Manifest const& manifest) {
  auto const folder = directory / kFolder;
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Fail(failed.value(), folder.string() + ": " + failed.message());
  auto links = history.links;
  auto const sequence = links.empty() ? 1 : links.back().sequence + 1;
  auto const path = folder / FileName(sequence, name, manifest.created);
  auto const text = WriteManifest(manifest);
  if (auto written = ReplaceFile(path, text); !written) return Failure(written.error());
  links.push_back({.sequence = sequence, .path = path.filename().string(), .c4 = C4OfText(text)});
  if (auto written = ReplaceFile(folder / kChain, WriteChain(links)); !written) {
    return Failure(written.error());
  }
  return path;
}

}  // namespace tusfs
