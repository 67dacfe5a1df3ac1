// What --link takes: NAME=INTERFACE, and what else is said of it behind commas.
#pragma once

#include <string>
#include <vector>

#include "options/values.h"
#include "uploader/link_options.h"

namespace tusfs {

/// Of "lte=wwan0,budget=10GiB/month,cost=5,limit=1MiB". Errors: EINVAL with a sentence.
[[nodiscard]] Result<LinkOptions> ParseLink(std::string const& text);
/// As ParseLink takes it.
[[nodiscard]] std::string FormatLink(LinkOptions const& link);

namespace value {

/// May be set again and again, each time with another name.
struct Links {
  static constexpr auto kKind = Setting::Kind::kList;
  [[nodiscard]] static Texts words() { return {}; }
  [[nodiscard]] static std::string Takes();
  [[nodiscard]] static Result<void> Set(std::vector<LinkOptions>& member, std::string const& text);
  [[nodiscard]] static Texts Get(std::vector<LinkOptions> const& member);
};

}  // namespace value
}  // namespace tusfs
