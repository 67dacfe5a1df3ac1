// How sure the mount is to be that the server has a file: an option's value.
#pragma once

namespace tusfs {

/// What is asked of the server before a file counts as uploaded, and its bytes may go here.
enum class Verification {
  kOff,       ///< nothing: its answers have confirmed each byte
  kHead,      ///< how long the upload is (HEAD)
  kDownload,  ///< its bytes (GET), which have to be those that were sent
};

}  // namespace tusfs
