// How bodies are cut, whatever the rules, the network and the proxies.
//
// An input's first line is "SIZE MULTIPLE LEAST LONGEST [exact]" or "preset NAME"; then come
//     took BYTES NANOSECONDS     a body was taken
//     at OFFSET                  where the next body begins
//     refused [BYTES]            the next body, or one of that size, was too large
#include <limits>
#include <optional>
#include <string>

#include "fuzz_target.h"
#include "tusclient/preset.h"
#include "tusclient/server_profile.h"

namespace tus {
namespace {

using fuzz::NumberOf;
using fuzz::Require;

constexpr std::uint64_t kMaxSigned = std::numeric_limits<std::int64_t>::max();

std::int64_t SignedNumberOf(std::string_view word) {
  return static_cast<std::int64_t>(std::min(NumberOf(word), kMaxSigned));
}

/// Nothing where Check() finds fault with the rules.
std::optional<ChunkRules> RulesOf(std::vector<std::string_view> words) {
  words.resize(std::max<std::size_t>(words.size(), 5));
  if (words[0] == "preset") {
    auto const preset = FindPreset(words[1]);
    if (preset) return preset->chunks;
    fuzz::RequirePresentable(preset.error().message);
  }
  ChunkRules const rules{.size = NumberOf(words[0]),
                         .multiple = NumberOf(words[1]),
                         .least = NumberOf(words[2]),
                         .exact = words[4] == "exact",
                         .longest = std::chrono::seconds(SignedNumberOf(words[3]))};
  auto const checked = rules.Check();
  if (checked) return rules;
  Require(checked.error().code == ErrorCode::kInvalidArgument, "bad rules are kInvalidArgument");
  fuzz::RequirePresentable(checked.error().message);
  return std::nullopt;
}

/// The size of the next body, which obeys the rules.
std::uint64_t NextOf(ServerProfile const& profile, std::uint64_t offset) {
  auto const& rules = profile.rules();
  auto const next = profile.NextChunk(offset);
  auto const text = std::to_string(next);
  Require(next >= 1, "a body has a byte");
  Require(next <= rules.size, "a body is not larger than the rules allow", text);
  if (rules.exact) {
    Require((offset + next) % rules.size == 0, "an exact body ends at a multiple", text);
  } else {
    Require(next % rules.multiple == 0, "a body is a multiple", text);
    Require(next >= rules.least, "a body is not smaller than the rules allow", text);
  }
  return next;
}

class Sender {
 public:
  explicit Sender(ServerProfile& profile) : profile_(profile) {}

  void Obey(std::vector<std::string_view> words) {
    words.resize(std::max<std::size_t>(words.size(), 3));
    if (words[0] == "at") offset_ = std::min(NumberOf(words[1]), kMaxSigned);
    if (words[0] == "took") {
      profile_.Measured(NumberOf(words[1]), std::chrono::nanoseconds(SignedNumberOf(words[2])));
    }
    if (words[0] == "refused") Refuse(words[1]);
    NextOf(profile_, offset_);
    Require(profile_.MaxBody() >= 1, "there is always a body that may be sent");
  }

 private:
  ServerProfile& profile_;
  std::uint64_t offset_ = 0;

  void Refuse(std::string_view size) {
    auto const before = NextOf(profile_, offset_);
    bool const again = profile_.TooLarge(size.empty() ? before : NumberOf(size));
    auto const after = NextOf(profile_, offset_);
    Require(after <= before, "a refusal makes no body larger");
    Require(!again || !size.empty() || after < before,
            "after a refusal a smaller body is tried or none", std::to_string(after));
  }
};

}  // namespace
}  // namespace tus

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text(reinterpret_cast<char const*>(data), size);
  auto const rules = tus::RulesOf(tus::fuzz::Words(tus::fuzz::TakeLine(text)));
  if (!rules) return 0;
  tus::ServerProfile profile(*rules);
  tus::Sender sender(profile);
  sender.Obey({});
  while (!text.empty()) sender.Obey(tus::fuzz::Words(tus::fuzz::TakeLine(text)));
  return 0;
}
