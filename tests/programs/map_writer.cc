// map-writer FILE SIZE [late]: fills FILE with 'm' through a shared memory map. `late`: closes the
// descriptor first, and unmaps afterwards.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  auto const size = static_cast<std::size_t>(std::strtoull(argv[2], nullptr, 10));
  bool const late = argc > 3 && std::strcmp(argv[3], "late") == 0;
  int const fd = ::open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(size)) != 0) {
    std::perror(argv[1]);
    return 1;
  }
  void* const map = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  if (late) ::close(fd);
  std::memset(map, 'm', size);
  ::munmap(map, size);
  return late || ::close(fd) == 0 ? 0 : 1;
}
