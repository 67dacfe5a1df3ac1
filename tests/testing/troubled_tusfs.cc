#include "testing/troubled_tusfs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tusfs_testing {

std::string WhyNoTrouble() {
#ifdef TUSFS_SANITIZED
  return "sanitizers want to be the first library of a program";
#else
  return "";
#endif
}

TroubledTusfs::TroubledTusfs(std::string url, Command options)
    : MountedTusfs(std::move(url), std::move(options)) {
  auto const path = dir_ / "trouble";
  WriteFile(path, std::string(sizeof(LocalTrouble), '\0'));
  int const fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  void* const memory =
      fd < 0 ? MAP_FAILED
             : ::mmap(nullptr, sizeof(LocalTrouble), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "trouble");
  ::close(fd);
  trouble_ = static_cast<LocalTrouble*>(memory);
  SetEnvironment({std::string("LD_PRELOAD=") + TUSFS_TROUBLE_DEFAULT,
                  std::string(kTroubleVariable) + "=" + path.string()});
}

TroubledTusfs::~TroubledTusfs() { ::munmap(trouble_, sizeof(LocalTrouble)); }

}  // namespace tusfs_testing
