#include "options/hook_settings.h"

namespace tusfs {

HookOptions HookOptionsOf(Options const& options) {
  HookOptions wanted;
  wanted.mount = options.mountpoint;
  wanted.timeout = options.hook_timeout;
  auto const set = [&](Lane lane, std::vector<std::string> const& words) {
    if (!words.empty()) wanted.programs[lane] = words;
  };
  set(Lane::kUploaded, options.on_uploaded);
  set(Lane::kStuck, options.on_stuck);
  set(Lane::kServer, options.on_server);
  return wanted;
}

}  // namespace tusfs
