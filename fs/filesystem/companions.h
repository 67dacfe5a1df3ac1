// Files whose being there says that the one beside them is not finished: downloaders and editors
// make them, and remove them when it is.
#pragma once

#include <optional>
#include <string>

#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

/// The name of such a file beside `inode`: NAME.aria2, NAME.st (axel), .~lock.NAME# (LibreOffice);
/// NAME.part where the file is shorter than that; and where it is empty, as browsers reserve a
/// name, a file that will get its name. Nothing where there is none. Looks at a bounded number of
/// names.
[[nodiscard]] std::optional<std::string> CompanionOf(View const& view, Inode const& inode);

}  // namespace tusfs
