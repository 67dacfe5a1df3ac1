#include "base/machine.h"

#include <limits.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

namespace tusfs {
namespace {

// Never changed: with another one each machine would be another one.
constexpr sd_id128_t kOfTusfs{{0xf7, 0x17, 0x4f, 0xef, 0xde, 0xf2, 0x4d, 0x35, 0xa8, 0xa0, 0x9f,
                               0x85, 0x90, 0x6f, 0xdc, 0x21}};

}  // namespace

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  bool const is_there = ::gethostname(name, HOST_NAME_MAX) == 0 && name[0] != '\0';
  return is_there ? name : "localhost";
}

std::string MachineId() {
  sd_id128_t id{};
  if (::sd_id128_get_machine_app_specific(kOfTusfs, &id) < 0) return {};
  char text[SD_ID128_STRING_MAX];
  return ::sd_id128_to_string(id, text);
}

}  // namespace tusfs
