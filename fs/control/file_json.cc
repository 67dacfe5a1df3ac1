#include "control/file_json.h"

#include <ctime>

#include "base/iso_time.h"

namespace tusfs {

using nlohmann::json;

json ToJson(FileReport const& report, bool with_url) {
  json file{{"path", report.path}, {"state", report.state},   {"size", report.size},
            {"held", report.held}, {"offset", report.offset}, {"finishes", report.finishes},
            {"error", nullptr}};
  if (!report.error.empty()) file["error"] = report.error;
  if (report.goes_first) file["first"] = true;
  if (report.sending != 0) file["sending"] = report.sending;
  if (report.expires != 0) file["expires"] = IsoUtc(report.expires);
  if (with_url) file["url"] = report.url;
  return file;
}

}  // namespace tusfs
