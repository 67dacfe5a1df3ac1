// The records of a FileUrlStore: files that may have been cut, damaged or written by another
// version.
//
// An input is a line with the fingerprint that is looked for; the rest is the record.
#include <chrono>
#include <string>

#include "fuzz_target.h"
#include "stored_upload.h"

namespace tus {
namespace {

using fuzz::Require;

constexpr std::uint64_t kMax = std::uint64_t{1} << 63;

void RequireThatItComesBack(std::string const& fingerprint, StoredUpload const& upload) {
  auto const text = EncodeRecord(fingerprint, upload);
  auto const again = DecodeRecord(text, fingerprint);
  Require(again.has_value(), "what was written can be read", text);
  Require(again->url == upload.url, "the URL comes back", text);
  Require(again->length == upload.length, "the length comes back", text);
  Require(again->end == upload.end && again->end_words == upload.end_words,
          "whether the end was sent comes back", text);
  Require(again->expires == upload.expires, "the expiry comes back", text);
  Require(again->checked_sha256 == upload.checked_sha256, "the digest comes back", text);
  Require(again->checked_length == upload.checked_length, "what it is of comes back", text);
}

void Read(std::string_view text, std::string const& fingerprint) {
  auto const upload = DecodeRecord(text, fingerprint);
  if (!upload) return;
  Require(!upload->url.empty(), "a record has a URL");
  Require(upload->length.value_or(0) < kMax && upload->checked_length < kMax,
          "lengths are what a file can have");
  auto const digest = upload->checked_sha256.size();
  Require(digest == 0 || digest == 32, "a SHA-256 has 32 bytes");
  Require(digest != 0 || upload->checked_length == 0, "bytes without a digest are not checked");
  RequireThatItComesBack(fingerprint, *upload);
}

/// Texts with line breaks, backslashes and anything else go through a record unharmed.
void Write(std::string const& text) {
  if (text.empty()) return;
  StoredUpload upload{
      .url = text,
      .length = text.size(),
      .end = text.size() % 2 == 0 ? UploadFacts::End::kSent : UploadFacts::End::kRefused,
      .end_words = text.size() % 2 == 0 ? std::string() : text};
  RequireThatItComesBack(text, upload);
}

}  // namespace
}  // namespace tus

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text(reinterpret_cast<char const*>(data), size);
  tus::Write(std::string(text));
  std::string const fingerprint(tus::fuzz::TakeLine(text));
  tus::Read(text, fingerprint);
  return 0;
}
