#include "base/beneath.h"

#include <cinttypes>
#include <cstdio>

#include "base/text.h"

namespace tusfs {

std::string ToText(FilesBeneath const& beneath) {
  return std::to_string(beneath.waiting) + " " + std::to_string(beneath.failed) + " " +
         std::to_string(beneath.left);
}

FilesBeneath BeneathOf(std::string const& text) {
  FilesBeneath beneath;
  auto const read = std::sscanf(text.c_str(), "%" SCNu64 " %" SCNu64 " %" SCNu64, &beneath.waiting,
                                &beneath.failed, &beneath.left);
  return read == 3 ? beneath : FilesBeneath{};
}

std::string Describe(FilesBeneath const& beneath) {
  std::string text;
  if (beneath.Going() > 0) {
    text = Counted(beneath.Going(), "file beneath the mount is not taken in yet",
                   "files beneath the mount are not taken in yet");
  }
  if (beneath.left > 0) {
    text += (text.empty() ? "" : ", ") + Counted(beneath.left, "file is left beneath the mount",
                                                 "files are left beneath the mount");
  }
  return text;
}

}  // namespace tusfs
