// What an upload uses where its caller injects nothing: the real clock, real waiting, real chance.
#pragma once

#include "tusclient/upload.h"

namespace tus {

[[nodiscard]] UploadOptions WithDefaults(UploadOptions options);

}  // namespace tus
