// URLs: what a user types as endpoint, and what a server gives as Location to it.
//
// An input is a line with the endpoint; the rest is the Location.
#include <string>

#include "fuzz_target.h"
#include "tusclient/client.h"
#include "url.h"

namespace tus {
namespace {

using fuzz::Require;

void RequireHidden(Error const& error, std::string const& url) {
  fuzz::RequirePresentable(error.message);
  // Any other may be words of the sentence itself.
  bool const telling =
      url.find("://") != std::string::npos && url.find_first_of("0123456789") != std::string::npos;
  Require(!telling || error.message.find(url) == std::string::npos,
          "a message does not repeat the URL", error.message);
}

void Normalize(std::string const& text) {
  auto const url = NormalizeEndpoint(text);
  if (url) return fuzz::RequireUsable(*url);
  Require(url.error().code == ErrorCode::kInvalidArgument, "a bad endpoint is kInvalidArgument");
  RequireHidden(url.error(), text);
}

void RequireSecure(Origin const& from, std::string const& reference, std::string const& url) {
  if (from.scheme != "https") return;
  auto const to = OriginOf(url);
  Require(to && to->scheme == "https", "https is never left", url);
  auto const named = OriginOf(reference);
  Require(!named || named->scheme == "https" || to->host == from.host,
          "http becomes https on the same host only", url);
}

void Resolve(std::string const& base, std::string const& reference) {
  auto const from = OriginOf(base);
  auto const url = ResolveUrl(base, reference);
  if (!url) {
    auto const expected = from ? ErrorCode::kProtocol : ErrorCode::kInvalidArgument;
    Require(url.error().code == expected, "who gave the bad URL is who is blamed");
    return RequireHidden(url.error(), reference);
  }
  Require(from.has_value(), "a bad base resolves nothing", base);
  fuzz::RequireUsable(*url);
  RequireSecure(*from, reference, *url);
  Require(ResolveUrl(base, *url) == *url, "what was resolved stays as it is", *url);
  fuzz::RequirePresentable(OriginOf(*url)->Text());
}

}  // namespace
}  // namespace tus

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text(reinterpret_cast<char const*>(data), size);
  std::string const base(tus::fuzz::TakeLine(text));
  std::string const reference(text);
  tus::Normalize(base);
  tus::Normalize(reference);
  tus::Resolve(base, reference);
  return 0;
}
