// What the catalog and the spool say of files: records that a damaged disk, or another version, has
// left.
//
// An input is a letter, which says what the rest is: (i)node, (e)ntry, (h)andle, (u)pload, (r)eply,
// (d)escription of a spool file, (p)ath in one; after any other letter the bytes are just decoded.
#include <algorithm>
#include <cerrno>
#include <string>

#include "catalog/codec.h"
#include "catalog/records.h"
#include "fuzz_target.h"
#include "spool/description.h"

namespace tusfs {
namespace {

using tus::fuzz::Require;

constexpr std::size_t kLongestName = 255;

/// What was read comes back from what is written of it, byte by byte; errors are said as such.
template <typename Decode>
void ReadRecord(std::string_view bytes, Decode const& decode) {
  auto const record = decode(bytes);
  if (!record) {
    Require(record.error().code == EUCLEAN, "bytes that are no record are damage");
    tus::fuzz::RequirePresentable(record.error().context);
    return;
  }
  auto const written = Encode(*record);
  auto const again = decode(written);
  Require(again.has_value(), "what was written can be read", written);
  Require(Encode(*again) == written, "every field comes back", written);
  Require(!decode(written + '\0'), "a byte too many is damage", written);
  Require(!decode(std::string_view(written).substr(0, written.size() - 1)),
          "a byte too few is damage", written);
}

void ReadDescription(std::string_view text) {
  auto const description = DecodeDescription(text);
  if (!description) return;
  Require(IsPlainPath(description->path), "a path leads to a place beneath", description->path);
  auto const written = Encode(*description);
  Require(DecodeDescription(written) == description, "a description comes back", written);
}

/// By other means than IsPlainPath.
void ReadPath(std::string_view path) {
  if (!IsPlainPath(path)) return;
  Require(path.find('\0') == std::string_view::npos, "a path has no zero byte");
  std::string const rooted = "/" + std::string(path) + "/";
  for (std::string_view const wrong : {"//", "/./", "/../"}) {
    Require(rooted.find(wrong) == std::string::npos, "a path is plain", path);
  }
  for (auto rest = path; !rest.empty();) {
    auto const end = std::min(rest.find('/'), rest.size());
    Require(end <= kLongestName, "a name is one that a disk can have", path);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

/// A decoder gives what is there and no more, in whatever order it is asked.
void ReadAnything(std::string_view bytes) {
  Decoder decoder(bytes);
  std::size_t texts = 0;
  while (decoder.ok() && !decoder.empty()) {
    auto const text = decoder.Text();
    texts += text.size();
    Require(texts <= bytes.size(), "a decoder never reads past its input");
    decoder.Number<std::uint8_t>();
  }
  if (decoder.ok()) return;
  Require(decoder.Text().empty() && decoder.Number<std::uint64_t>() == 0 && decoder.Id().IsNil(),
          "a decoder that ran out has nothing more");
  Require(!decoder.Finished(), "a decoder that ran out stays bad");
}

void Read(char kind, std::string_view bytes) {
  switch (kind) {
    case 'i':
      return ReadRecord(bytes, [](std::string_view from) { return DecodeInode(7, from); });
    case 'e':
      return ReadRecord(bytes, [](std::string_view from) { return DecodeEntry(from); });
    case 'h':
      return ReadRecord(bytes, [](std::string_view from) { return DecodeHandle(7, from); });
    case 'u':
      return ReadRecord(bytes, [](std::string_view from) { return DecodeUpload({}, from); });
    case 'r':
      return ReadRecord(bytes, [](std::string_view from) { return DecodeReply(7, from); });
    case 'd':
      return ReadDescription(bytes);
    case 'p':
      return ReadPath(bytes);
    default:
      return ReadAnything(bytes);
  }
}

}  // namespace
}  // namespace tusfs

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const bytes(reinterpret_cast<char const*>(data), size);
  if (!bytes.empty()) tusfs::Read(bytes.front(), bytes.substr(1));
  return 0;
}
