#include "control/file_json.h"

#include <ctime>

namespace tusfs {

using nlohmann::json;

std::string Timestamp(FileTime time) {
  auto const seconds = static_cast<std::time_t>(time / 1'000'000'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

json ToJson(FileReport const& report, bool with_url) {
  json file{{"path", report.path}, {"state", report.state},   {"size", report.size},
            {"held", report.held}, {"offset", report.offset}, {"finishes", report.finishes},
            {"error", nullptr}};
  if (!report.error.empty()) file["error"] = report.error;
  if (report.goes_first) file["first"] = true;
  if (report.sending != 0) file["sending"] = report.sending;
  if (report.expires != 0) file["expires"] = Timestamp(report.expires);
  if (with_url) file["url"] = report.url;
  return file;
}

}  // namespace tusfs
