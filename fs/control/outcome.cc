#include "control/outcome.h"

#include <unistd.h>

#include <cstdio>

#include "base/text.h"
#include "control/answers.h"

namespace tusfs {
namespace {

std::string AsLine(nlohmann::json const& object) {
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

nlohmann::json WithSchema(nlohmann::json object) {
  object["schema"] = kJsonSchema;
  return object;
}

int Complain(std::string const& sentence) {
  std::fprintf(stderr, "tusfsctl: %s\n", Printable(sentence).c_str());
  return kNoAnswer;
}

void Print(nlohmann::json const& answer, bool as_json, Show show) {
  auto const text =
      as_json ? AsLine(WithSchema(answer)) + "\n" : show(answer, ::isatty(STDOUT_FILENO) != 0);
  std::fputs(text.c_str(), stdout);
}

FilePrinter::FilePrinter(bool as_json)
    : as_json_(as_json), with_bars_(::isatty(STDOUT_FILENO) != 0) {}

void FilePrinter::Print(nlohmann::json const& file) {
  auto const text =
      as_json_ ? (is_begun_ ? "," : "{\"files\":[") + AsLine(file) : ShowFile(file, with_bars_);
  is_begun_ = true;
  std::fputs(text.c_str(), stdout);
}

void FilePrinter::End() const {
  if (!as_json_) return;
  auto const end = AsLine(WithSchema(nlohmann::json::object())).substr(1);
  std::printf("%s],%s\n", is_begun_ ? "" : "{\"files\":[", end.c_str());
}

}  // namespace tusfs
