// tus-fixture-server: the fixture server as a program, for the demo and for trying things by hand.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "testing/fixture_server.h"

int main(int argc, char** argv) {
  tusfs_testing::FixtureOptions options;
  bool no_defer_length = false;
  bool discard = false;
  CLI::App app{"A tus 1.0 server on loopback for tests. GET /stats shows its counters."};
  app.add_option("--port", options.port, "Port to listen on; 0 takes any and prints the URL");
  app.add_option("--dir", options.directory, "Keep uploads here instead of in memory");
  app.add_option("--rate", options.bytes_per_second, "Bytes per second of all uploads; 0: any");
  app.add_flag("--no-defer-length", no_defer_length, "Without creation-defer-length");
  app.add_flag("--discard", discard, "Count the bytes and keep none, for benchmarks");
  CLI11_PARSE(app, argc, argv);
  options.defer_length = !no_defer_length;
  if (!options.directory.empty()) options.storage = tusfs_testing::Storage::kDirectory;
  if (discard) options.storage = tusfs_testing::Storage::kNowhere;

  // Blocked before any thread starts, so that only sigwait() sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  try {
    tusfs_testing::FixtureServer const server(options);
    std::printf("%s\n", server.Url().c_str());
    std::fflush(stdout);
    int received = 0;
    sigwait(&signals, &received);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "tus-fixture-server: cannot listen on port %d: %s\n", options.port,
                 error.what());
    return 1;
  }
  return 0;
}
