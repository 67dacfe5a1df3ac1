#include "uploader/target.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <sstream>

namespace tusfs {
namespace {

constexpr std::size_t kRsyncSuffix = 6;  // letters and digits of mkstemp(3)

std::string_view BaseName(std::string_view path) {
  auto const slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool IsRandomSuffix(std::string_view text) {
  auto const is = [](int (*kind)(int)) {
    return [kind](char c) { return kind(static_cast<unsigned char>(c)) != 0; };
  };
  // Six small letters are a word (.app.config) more often than chance.
  return text.size() == kRsyncSuffix && std::all_of(text.begin(), text.end(), is(std::isalnum)) &&
         !std::all_of(text.begin(), text.end(), is(std::islower));
}

std::map<std::string, std::string, std::less<>> LoadMimeTypes() {
  std::map<std::string, std::string, std::less<>> types;
  std::ifstream table("/etc/mime.types");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string type;
    words >> type;
    for (std::string extension; words >> extension;) types.emplace(extension, type);
  }
  return types;
}

}  // namespace

std::optional<std::string> FinalNameOf(std::string_view name) {
  for (std::string_view const suffix : {".part", ".crdownload", ".filepart"}) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) {
      return std::string(name.substr(0, name.size() - suffix.size()));
    }
  }
  if (name.starts_with(".goutputstream-")) return std::string();
  auto const dot = name.rfind('.');
  if (name.starts_with('.') && dot != std::string_view::npos && dot > 1 &&
      IsRandomSuffix(name.substr(dot + 1))) {
    return std::string(name.substr(1, dot - 1));
  }
  return std::nullopt;
}

std::string TargetPath(std::string_view path) {
  auto const base = BaseName(path);
  auto const final_name = FinalNameOf(base);
  if (!final_name || final_name->empty()) return std::string(path);
  return std::string(path.substr(0, path.size() - base.size())) + *final_name;
}

std::string MimeTypeOf(std::string_view name) {
  static auto const types = LoadMimeTypes();
  auto const base = BaseName(name);
  auto const dot = base.rfind('.');
  if (dot != std::string_view::npos) {
    std::string extension(base.substr(dot + 1));
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (auto const found = types.find(extension); found != types.end()) return found->second;
  }
  return "application/octet-stream";
}

std::vector<tus::MetadataTemplate> DefaultMetadata() {
  return {{"filename", "{name}"},
          {"filetype", "{type}"},
          {"relativePath", "{path}"},
          {"mtime", "{mtime}"},
          {"tusfsId", "{id}"}};
}

tus::Metadata MetadataFor(std::span<tus::MetadataTemplate const> templates, Upload const& upload,
                          FileTime modified) {
  return tus::Expand(templates, {.path = upload.path,
                                 .type = MimeTypeOf(upload.path),
                                 .modified = modified / 1'000'000'000,
                                 .size = upload.length,
                                 .id = upload.id.ToString()});
}

}  // namespace tusfs
