// The way out of a failure: the second half of the sentence that tells it.
#pragma once

#include <tusclient/error.h>

#include <string>

#include "tus_upload_options.h"

namespace tus_upload {

/// What to do about `error`, which ended an upload.
[[nodiscard]] std::string Advice(tus::Error const& error, Options const& options);

/// How to go on with what was begun and can go on.
[[nodiscard]] std::string HowToGoOn(Options const& options);

}  // namespace tus_upload
