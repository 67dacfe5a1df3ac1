// What a program sees: one JSON object a line on standard output, as tus-upload(1) describes them.
// What failed is told on standard error, too.
#pragma once

#include <memory>

#include "tus_upload_report.h"

namespace tus_upload {

/// `with_urls`: whether `done` has the URL, which is a secret.
[[nodiscard]] std::unique_ptr<Report> MakeJsonReport(bool with_urls);

}  // namespace tus_upload
