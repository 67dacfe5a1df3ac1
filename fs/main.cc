// tusfs: what a person starts becomes the keeper of a mount, and starts itself again as its daemon.
#include <tusclient/client.h>

#include <cerrno>
#include <cstdio>
#include <optional>

#include "daemon.h"
#include "options.h"
#include "wiring.h"

namespace tusfs {

void Complain(std::string const& sentence) {
  std::fprintf(stderr, "tusfs: %s\n", sentence.c_str());
}

namespace {

int Serve(Options const& options, std::string const& url, KeeperLine line) {
  auto const logger = MakeLogger(options.log_level, options.foreground);
  auto const served = ServeMount(options, url, std::move(line), logger);
  if (served) return 0;
  // The keeper has said why there is no mount.
  if (served.error().code == ECANCELED) return 1;
  Complain(Describe(served.error()));
  // A successor has no terminal.
  if (!options.foreground) logger->Error("cannot serve: {}", Describe(served.error()));
  return served.error().code == EUCLEAN ? kMountIsLost : 1;
}

int Keep(Options const& options, std::string const& url) {
  std::optional<Background> background;
  if (!options.foreground) {
    auto entered = Background::Enter();
    if (!entered) {
      Complain(entered.error().context);
      return 1;
    }
    background = std::move(*entered);
  }
  auto const logger = MakeLogger(options.log_level, options.foreground);
  auto const status = KeepMount(
      options, url,
      [&] {
        if (background) background->Ready();
      },
      logger);
  if (status) return *status;
  Complain(Describe(status.error()));
  return 1;
}

int Main(int argc, char const* const* argv) {
  auto const invocation = ParseCommandLine(argc, argv);
  if (!invocation.options) {
    std::fputs(invocation.output.c_str(), invocation.status == 0 ? stdout : stderr);
    return invocation.status;
  }
  auto const& options = *invocation.options;
  auto const url = tus::NormalizeEndpoint(options.url);
  if (!url) {
    // What has a user name in it is not repeated: a password may follow.
    bool const secret = options.url.find('@') != std::string::npos;
    Complain("cannot mount " + (secret ? "that URL" : "'" + options.url + "'") + ": " +
             url.error().message + "; write it like https://host/files/");
    return 2;
  }
  if (auto line = KeeperLine::FromEnvironment()) return Serve(options, *url, std::move(*line));
  return Keep(options, *url);
}

}  // namespace
}  // namespace tusfs

int main(int argc, char** argv) { return tusfs::Main(argc, argv); }
