// The little of XML that Media Hash Lists have: elements with attributes and text.
//
// expat reads it; documents that declare entities are refused, for they are made to be larger than
// they look. Names are without their namespaces.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"

namespace tusfs {

struct XmlElement {
  std::string path;  ///< the names of those that it is in and its own: "hashlist/hash/path"
  std::map<std::string, std::string> attributes;
  std::string text;  ///< all that is directly within it, when it ends
};

/// Calls `begins` and `ends` with each element; a sentence that they return ends it. Errors: EINVAL
/// with what is wrong in which line.
[[nodiscard]] Result<void> ReadXml(std::string_view text,
                                   std::function<std::string(XmlElement const&)> const& begins,
                                   std::function<std::string(XmlElement const&)> const& ends);

/// As text or in an attribute. What XML cannot have is U+FFFD.
[[nodiscard]] std::string EscapeXml(std::string_view text);

/// Whether XML can have the text as it is: UTF-8, without control characters.
[[nodiscard]] bool FitsIntoXml(std::string_view text);

}  // namespace tusfs
