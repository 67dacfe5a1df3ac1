// The files of fs/metrics/page, as they are in the tree: built into the program, which looks for
// none when it runs.
#pragma once

#include <string_view>

namespace tusfs {

extern std::string_view const kPageHtml;
extern std::string_view const kMessageHtml;
extern std::string_view const kTokenForm;
extern std::string_view const kPageStyle;
extern std::string_view const kPageScript;

}  // namespace tusfs
