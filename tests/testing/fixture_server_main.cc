// tus-fixture-server: the fixture server as a program, for the demo and for trying things by hand.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

#include "testing/fixture_server.h"

namespace {

using tusfs_testing::Fault;

// What --join-answer says of all requests that join parts.
Fault FaultOfJoins(std::string const& answer) {
  if (answer == "lost") return Fault::LoseAnswer();
  if (answer == "504") return Fault::AnswerAfter(504);
  return Fault::Answer(answer == "404" ? 404 : 400);
}

}  // namespace

int main(int argc, char** argv) {
  tusfs_testing::FixtureOptions options;
  bool no_defer_length = false;
  bool discard = false;
  bool no_concatenation = false;
  unsigned join_seconds = 0;
  std::string join_answer;
  CLI::App app{"A tus 1.0 server on loopback for tests. GET /stats shows its counters."};
  app.add_option("--port", options.port, "Port to listen on; 0 takes any and prints the URL");
  app.add_option("--dir", options.directory, "Keep uploads here instead of in memory");
  app.add_option("--rate", options.bytes_per_second, "Bytes per second of all uploads; 0: any");
  app.add_flag("--no-defer-length", no_defer_length, "Without creation-defer-length");
  app.add_flag("--discard", discard, "Count the bytes and keep none, for benchmarks");
  app.add_flag("--no-concatenation", no_concatenation, "Without concatenation");
  app.add_option("--join-time", join_seconds, "Seconds that it takes to join parts");
  app.add_option("--join-answer", join_answer,
                 "To those requests: 'lost' or 504 when they are joined, or 400 or 404 instead")
      ->check(CLI::IsMember({"lost", "504", "400", "404"}));
  CLI11_PARSE(app, argc, argv);
  options.defer_length = !no_defer_length;
  options.concatenation = !no_concatenation;
  options.join_time = std::chrono::seconds(join_seconds);
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
    tusfs_testing::FixtureServer server(options);
    if (!join_answer.empty()) {
      server.AddFault({.method = "POST",
                       .nth = 0,
                       .matches = tusfs_testing::IsJoin,
                       .action = FaultOfJoins(join_answer)});
    }
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
