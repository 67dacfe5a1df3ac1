#include "tus_upload_facts.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace tus_upload {

std::string InnerPath(std::string const& file) {
  std::filesystem::path inner;
  for (auto const& part : std::filesystem::path(file).lexically_normal().relative_path()) {
    if (part != "..") inner /= part;
  }
  return inner.string();
}

std::string TypeOf(std::string const& name) {
  auto extension = std::filesystem::path(name).extension().string();
  if (!extension.empty()) extension.erase(0, 1);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::ifstream table("/etc/mime.types");
  for (std::string line; !extension.empty() && std::getline(table, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string type;
    words >> type;
    for (std::string word; words >> word;) {
      if (word == extension) return type;
    }
  }
  return "application/octet-stream";
}

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, HOST_NAME_MAX) == 0 ? name : "";
}

tus::FileFacts FactsOf(std::string const& file, std::uint64_t size, std::string id) {
  struct stat status {};
  bool const known = ::stat(file.c_str(), &status) == 0;
  return {.path = InnerPath(file),
          .type = TypeOf(file),
          .modified = known ? std::optional<std::int64_t>(status.st_mtim.tv_sec) : std::nullopt,
          .size = size,
          .id = std::move(id),
          .sha1 = {},
          .host = HostName(),
          .machine_id = {}};
}

}  // namespace tus_upload
