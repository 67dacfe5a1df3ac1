// What the page says, as HTML: a person at the rig reads there whether it is safe to go, and what
// needs him.
//
// Pure functions of their arguments. The words are those of tusfsctl (control/progress.h,
// control/check.h); whatever comes from a file's name or from a server is text.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/page_feed.h"

namespace tusfs {

/// What does not change while a daemon lives.
struct PageFacts {
  std::string mount{};
  std::string url{};         ///< without secrets
  std::string interface {};  ///< that it sends from; empty: the system chooses
  std::string version{};     ///< of this program
  bool has_actions = false;
};

/// The parts of the page that change, by the id of their element.
using PageParts = std::vector<std::pair<std::string, std::string>>;
/// `minutes`: as RateHistory has them.
[[nodiscard]] PageParts PartsOfPage(PageFacts const& facts, PageNews const& news,
                                    std::vector<std::uint64_t> const& minutes);

/// The whole page.
[[nodiscard]] std::string WholePage(PageFacts const& facts, PageParts const& parts);

/// A page with one message; `has_form`: where the token can be given.
[[nodiscard]] std::string MessagePage(std::string const& message, bool has_form);

/// The bytes that Hex (base/file_digest.h) has written: a form's field would change line ends. What
/// is no such text is taken as it is.
[[nodiscard]] std::string FromHex(std::string_view text);

}  // namespace tusfs
