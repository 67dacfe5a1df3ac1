// What anybody copies into a mount under a name that says its format.
//
// An input is a line with the extension; the rest is the file.
#include <cstring>
#include <span>
#include <string>

#include "content/why_not_whole.h"
#include "fuzz_target.h"

namespace tusfs {
namespace {

using tus::fuzz::Require;

class InputBytes : public ByteSource {
 public:
  explicit InputBytes(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
    bool const is_there = offset <= bytes_.size() && out.size() <= bytes_.size() - offset;
    Require(is_there, "only what is there is read");
    read_ += out.size();
    Require(read_ <= kMostBytes && ++reads_ <= kMostReads, "the budget is kept to");
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return out.size();
  }

 private:
  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20;
  static constexpr int kMostReads = 4096;

  std::string_view const bytes_;
  mutable std::uint64_t read_ = 0;
  mutable int reads_ = 0;
};

}  // namespace
}  // namespace tusfs

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<char const*>(data), size);
  auto const name = "file." + std::string(tus::fuzz::TakeLine(rest));
  auto const why = tusfs::WhyNotWhole(tusfs::InputBytes(rest), name);
  tus::fuzz::Require(why.has_value(), "what can be read is judged", name);
  if (*why) tus::fuzz::RequirePresentable(**why);
  return 0;
}
