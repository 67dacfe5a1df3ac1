// tus-far-relay: the far proxy as a program. It prints the port that it listens on.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>

#include "testing/far_proxy.h"

int main(int argc, char** argv) {
  std::uint16_t backend = 0;
  unsigned round_trip = 200;
  tusfs_testing::FarOptions options;
  CLI::App app{"A TCP relay on loopback to a server that seems to be far away."};
  app.add_option("--backend", backend, "Port of the server behind it")->required();
  app.add_option("--round-trip", round_trip, "Milliseconds")->capture_default_str();
  app.add_option("--window", options.window, "Bytes of a connection on their way")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rate", options.bytes_per_second, "Bytes per second of all; 0: any");
  CLI11_PARSE(app, argc, argv);
  options.round_trip = std::chrono::milliseconds(round_trip);

  // Blocked before any thread starts, so that only sigwait() sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  try {
    tusfs_testing::FarProxy const proxy(backend, options);
    std::printf("%d\n", proxy.port());
    std::fflush(stdout);
    int received = 0;
    sigwait(&signals, &received);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "tus-far-relay: %s\n", error.what());
    return 1;
  }
  return 0;
}
