// Who says that a file is finished: an option's value.
#pragma once

namespace tusfs {

/// Who says that a file which its writers have closed is finished.
enum class FinishBy {
  kClose,    ///< they did, by closing it
  kRename,   ///< whoever renames it afterwards
  kCommand,  ///< a program
  kManual,   ///< a person
  kWritten,  ///< their bytes: each was written by somebody
};

}  // namespace tusfs
