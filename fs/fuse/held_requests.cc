#include "fuse/held_requests.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <new>
#include <string>
#include <string_view>

#include "base/file.h"

namespace tusfs {
namespace {

enum class State : std::uint32_t { kFree = 0, kFilling = 1, kHeld = 2 };

}  // namespace

struct HeldRequests::Entry {
  std::atomic<State> state;
  Kind kind;
  std::uint64_t unique;
  std::uint64_t inode;
  std::int64_t thread;
  HeldWrite write;
  std::atomic<std::uint32_t> interrupted;
  std::uint32_t size;
  std::byte bytes[kLongest];
};

std::size_t HeldRequests::MemorySize() { return kCount * sizeof(Entry); }

HeldRequests::Entry& HeldRequests::At(std::size_t index) const {
  return *std::launder(reinterpret_cast<Entry*>(memory_.data() + index * sizeof(Entry)));
}

bool HeldRequests::Hold(Held const& held) {
  if (held.bytes.size() > kLongest) return false;
  for (std::size_t i = 0; i < kCount; ++i) {
    auto& entry = At(i);
    auto expected = State::kFree;
    if (!entry.state.compare_exchange_strong(expected, State::kFilling)) continue;
    entry.kind = held.kind;
    entry.unique = held.unique;
    entry.inode = held.inode;
    entry.thread = held.thread;
    entry.write = held.write;
    entry.interrupted = 0;
    entry.size = static_cast<std::uint32_t>(held.bytes.size());
    std::copy(held.bytes.begin(), held.bytes.end(), entry.bytes);
    entry.state = State::kHeld;
    return true;
  }
  return false;
}

void HeldRequests::Recover() {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (At(i).state != State::kHeld) At(i).state = State::kFree;
  }
}

std::vector<HeldRequests::Held> HeldRequests::All() const {
  std::vector<Held> all;
  for (std::size_t i = 0; i < kCount; ++i) {
    auto const& entry = At(i);
    if (entry.state != State::kHeld) continue;
    all.push_back({.index = i,
                   .kind = entry.kind,
                   .unique = entry.unique,
                   .inode = entry.inode,
                   .thread = static_cast<pid_t>(entry.thread),
                   .interrupted = entry.interrupted != 0,
                   .write = entry.write,
                   .bytes = {entry.bytes, std::min<std::size_t>(entry.size, kLongest)}});
  }
  std::ranges::sort(all, {}, &Held::unique);
  return all;
}

std::optional<std::size_t> HeldRequests::Find(std::uint64_t unique) const {
  for (std::size_t i = 0; i < kCount; ++i) {
    auto const& entry = At(i);
    if (entry.state == State::kHeld && entry.unique == unique) return i;
  }
  return std::nullopt;
}

bool HeldRequests::NoteInterrupt(std::uint64_t unique) {
  auto const found = Find(unique);
  if (found) At(*found).interrupted = 1;
  return found.has_value();
}

void HeldRequests::Free(std::size_t index) { At(index).state = State::kFree; }

std::size_t HeldRequests::count() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (At(i).state != State::kFree) ++count;
  }
  return count;
}

// The kernel turns every signal that ends a process into a pending SIGKILL of each of its threads.
bool IsBeingKilled(pid_t thread) {
  auto const status = ReadSmallFile("/proc/" + std::to_string(thread) + "/status");
  if (!status) return true;
  constexpr std::string_view kLabel = "\nSigPnd:\t";
  auto const at = status->find(kLabel);
  if (at == std::string::npos) return true;
  std::uint64_t pending = 0;
  auto const* const begin = status->data() + at + kLabel.size();
  std::from_chars(begin, status->data() + status->size(), pending, 16);
  return (pending & (std::uint64_t{1} << (SIGKILL - 1))) != 0;
}

}  // namespace tusfs
