// tus-counting-relay: the counting proxy as a program, for tests in shell. It prints the port that
// it listens on, and keeps in a file how many bytes clients have sent.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "testing/counting_proxy.h"

int main(int argc, char** argv) {
  std::uint16_t backend = 0;
  std::uint64_t bytes_per_second = 0;
  std::string count_file;
  CLI::App app{"A TCP relay on loopback that counts what clients send."};
  app.add_option("--backend", backend, "Port of the server behind it")->required();
  app.add_option("--rate", bytes_per_second, "Bytes per second; 0: any");
  app.add_option("--count", count_file, "The bytes sent so far, 50 times a second")->required();
  CLI11_PARSE(app, argc, argv);

  // Blocked before any thread starts, so that only sigtimedwait() sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  int const fd = ::open(count_file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    std::perror(count_file.c_str());
    return 1;
  }
  try {
    tusfs_testing::CountingProxy proxy(bytes_per_second);
    proxy.Start(backend);
    std::printf("%d\n", proxy.port());
    std::fflush(stdout);
    timespec const step{.tv_sec = 0, .tv_nsec = 20'000'000};
    do {
      // Always as wide, so that a reader never sees half of it.
      char text[32];
      int const size = std::snprintf(text, sizeof text, "%20llu\n",
                                     static_cast<unsigned long long>(proxy.sent_bytes()));
      if (::pwrite(fd, text, static_cast<std::size_t>(size), 0) != size) return 1;
    } while (::sigtimedwait(&signals, nullptr, &step) < 0);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "tus-counting-relay: %s\n", error.what());
    return 1;
  }
  return 0;
}
