#include "keeper/failed_starts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/private_directory.h"
#include "control/registry.h"
#include "keeper/restart_policy.h"

namespace tusfs {
namespace {

constexpr std::size_t kLongestNumber = 10;

int NumberIn(UniqueFd const& file) {
  std::string text(kLongestNumber, '\0');
  auto const got = ReadFully(file.get(), std::as_writable_bytes(std::span(text)), 0);
  int number = 0;
  std::from_chars(text.data(), text.data() + got.value_or(0), number);
  return std::clamp(number, 0, kMostPauses);
}

bool SetNumber(UniqueFd const& file, int number) {
  auto const text = std::to_string(number);
  return ::ftruncate(file.get(), 0) == 0 &&
         WriteFully(file.get(), std::as_bytes(std::span(text)), 0).has_value();
}

}  // namespace

FailedStarts::FailedStarts(std::filesystem::path runtime_directory, std::string const& mountpoint)
    : directory_(std::move(runtime_directory)),
      name_(SocketPath(directory_, mountpoint).stem().string() + ".starts") {}

std::chrono::milliseconds FailedStarts::Add() const {
  auto const directory = PrivateDirectory::Open(directory_);
  if (!directory) return PauseAfter(kMostPauses);
  auto const file = directory->OpenFile(name_, O_RDWR | O_CREAT);
  if (!file) return PauseAfter(kMostPauses);
  auto const failed = std::min(NumberIn(*file) + 1, kMostPauses);
  return PauseAfter(SetNumber(*file, failed) ? failed : kMostPauses);
}

void FailedStarts::Forget() const {
  if (auto const directory = PrivateDirectory::Open(directory_)) directory->Remove(name_);
}

}  // namespace tusfs
