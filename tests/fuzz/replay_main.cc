// Feeds files to a fuzz target, in builds without libFuzzer: replay FILE-OR-FOLDER…
//
// Each name is printed before its turn, so that the last one is the one that broke a promise.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz_target.h"

namespace {

std::vector<std::filesystem::path> FilesOf(std::filesystem::path const& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (auto const& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool Replay(std::filesystem::path const& file) {
  std::cout << file.string() << std::endl;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    std::cerr << file.string() << " cannot be read\n";
    return false;
  }
  std::string const bytes(std::istreambuf_iterator<char>(in), {});
  LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t replayed = 0;
  for (int i = 1; i < argc; ++i) {
    for (auto const& file : FilesOf(argv[i])) {
      if (!Replay(file)) return 1;
      ++replayed;
    }
  }
  if (replayed == 0) {
    std::cerr << "there is nothing to replay\n";
    return 1;
  }
  std::cout << replayed << " inputs replayed\n";
}
