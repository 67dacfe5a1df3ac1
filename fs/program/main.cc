// tusfs: what a person starts becomes the keeper of a mount, and starts itself again as its daemon.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <tusclient/client.h>
#include <tusclient/redact.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "options/check_files.h"
#include "options/command_line.h"
#include "options/mount_helper.h"
#include "program/check_config.h"
#include "program/exit_status.h"
#include "program/mount_units.h"
#include "program/move_state.h"
#include "program/process.h"
#include "program/put_off.h"
#include "program/remount.h"
#include "program/wiring.h"

namespace tusfs {
namespace {

int Serve(Options const& options, std::string const& url, KeeperLine line) {
  auto const logger = MakeLogger(options.log_level, options.foreground, options.mountpoint);
  auto const served = ServeMount(options, url, std::move(line), logger);
  if (served) return 0;
  // The keeper has said why there is no mount.
  if (served.error().code == ECANCELED) return kMayMendItself;
  Complain(Describe(served.error()));
  // A successor has no terminal.
  if (!options.foreground) logger->Error("cannot serve: {}", Describe(served.error()));
  return served.error().code == EUCLEAN ? kMountIsLost : ExitStatusFor(served.error());
}

int Keep(CommandLine const& command_line, Options const& options, std::string const& url) {
  std::optional<Background> background;
  if (!options.foreground) {
    auto entered = Background::Enter();
    if (!entered) {
      Complain(entered.error().context);
      return kMayMendItself;
    }
    background = std::move(*entered);
  }
  auto const logger = MakeLogger(options.log_level, options.foreground, options.mountpoint);
  ServiceManager const manager(logger);
  bool was_live = false;
  auto const kept = KeepMount(
      command_line, options, url,
      [&] {
        was_live = true;
        if (background) background->Ready();
        if (manager.IsThere()) ForgetFailedStarts(options);
      },
      manager, logger);
  auto const why = kept ? std::string() : Describe(kept.error());
  auto const status = kept ? *kept : ExitStatusFor(kept.error());
  if (!kept) Complain(why);
  if (status == kWrongConfiguration)
    manager.Status("not mounted: " + (kept ? std::string("see the log") : why));
  bool const ends = status == 0 || status == kWrongConfiguration || was_live;
  // A stop that came while it was put off is an orderly one.
  return !ends && PutOffRestart(options, why, manager, logger) ? 0 : status;
}

int ChangeMount(Options const& options, std::vector<std::string> const& given) {
  auto const changed = Remount(options, given);
  if (changed) return 0;
  Complain(changed.error().context);
  return 1;
}

int ShowConfiguration(Options const& options, Given const& given) {
  auto const missing = WhatIsMissing(options);
  for (auto const& [setting, what] : missing) {
    Complain(given.SpeltAs(setting) + " " + what);
  }
  if (!missing.empty()) return kWrongConfiguration;
  std::fputs(ShowOptions(options, given).c_str(), stdout);
  return 0;
}

// Every user can read the command line of every process.
void HideSecrets(int argc, char** argv) {
  for (int at = 1; at < argc; ++at) {
    std::string_view const word = argv[at];
    auto const scheme = word.find("://");
    if (scheme == std::string_view::npos || !tus::HasSecret(word)) continue;
    auto const authority = scheme + 3;
    auto const behind = std::min(word.find_first_of("?#"), word.size());
    auto const path = std::min(word.find('/', authority), behind);
    auto const user = word.substr(authority, path - authority).rfind('@');
    if (user != std::string_view::npos) std::fill_n(argv[at] + authority, user, '*');
    if (behind < word.size()) std::fill(argv[at] + behind + 1, argv[at] + word.size(), '*');
  }
}

// Tokens are in the memory of both processes. Programs that they start are as they always are.
void KeepMemoryPrivate() {
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &limit);
}

int Start(CommandLine const& command_line, Options const& options) {
  auto const url = tus::NormalizeEndpoint(options.url);
  if (!url) {
    Complain(url.error().message);
    return kWrongConfiguration;
  }
  // Before the memory is made private: it has no secret, and its end is seen as any writer's.
  if (auto const line = ImportLine::FromEnvironment()) return ImportBeneath(options, *line);
  if (!options.core_dumps) KeepMemoryPrivate();
  if (auto line = KeeperLine::FromEnvironment()) {
    auto const served = line->url().empty() ? *url : line->url();
    return Serve(options, served, std::move(*line));
  }
  return Keep(command_line, options, *url);
}

// A mount that is alive, and whose keeper the service manager has to start again, does not end
// because somebody has broken its configuration meanwhile.
std::optional<Options> OptionsOfLiveMount() {
  ServiceManager const manager(MakeLogger(LogLevel::kError, true, {}));
  auto const packed = manager.KeptSettings();
  return packed ? UnpackOptions(*packed) : std::nullopt;
}

// What is refused may have anything in it.
void Print(Invocation const& invocation) {
  if (invocation.status == 0) {
    std::fputs(invocation.output.c_str(), stdout);
    return;
  }
  std::istringstream lines(invocation.output);
  for (std::string line; std::getline(lines, line);) {
    std::fprintf(stderr, "%s\n", Printable(line).c_str());
  }
}

int Run(CommandLine const& command_line, Invocation const& invocation) {
  if (invocation.options) {
    auto const& options = *invocation.options;
    if (invocation.check) return ShowConfiguration(options, invocation.given);
    if (!invocation.move_to.empty()) {
      return MoveState(options, invocation.move_to, invocation.dry_run);
    }
    if (invocation.remount) return ChangeMount(options, invocation.given_after_o);
    return Start(command_line, options);
  }
  Print(invocation);
  auto const live = invocation.status == kWrongConfiguration ? OptionsOfLiveMount() : std::nullopt;
  if (!live) return invocation.status;
  Complain("the mount is alive: it goes on with the settings that it had");
  return Start(command_line, *live);
}

int AwaitService(MountHelperWords const& words) {
  if (words.fake) return 0;
  auto const mounted = AwaitServiceMount(words.service, words.mountpoint);
  if (mounted) return 0;
  Complain(mounted.error().context);
  return kMayMendItself;
}

// As systemd.generator(7) has it: of the three directories, the last one is for what is to give way
// to a unit that somebody has written.
int RunUnitGenerator(std::vector<std::string> const& words) {
  if (words.size() != 4) {
    Complain("tusfs-generator is started by systemd, with three directories");
    return kWrongConfiguration;
  }
  auto const wrong = WriteMountUnits("/etc/tusfs", words[3]);
  for (auto const& sentence : wrong) Complain(sentence);
  return wrong.empty() ? 0 : kMayMendItself;
}

int RunMountHelper(std::vector<std::string> const& words) {
  auto const read = ReadMountHelper(words);
  if (!read) {
    Complain(read.error().context);
    return kWrongConfiguration;
  }
  if (!read->service.empty()) return AwaitService(*read);
  CommandLine const command_line(read->arguments);
  auto const invocation = command_line.Parse();
  if (read->fake && invocation.options) return 0;
  if (invocation.options && invocation.options->foreground) {
    Complain(invocation.given.SpeltAs("foreground") +
             " would hold up mount(8), which waits for the end of what it starts: leave it out, or "
             "start tusfs itself");
    return kWrongConfiguration;
  }
  return Run(command_line, invocation);
}

int Main(int argc, char** argv) {
  std::vector<std::string> const words(argv, argv + argc);
  HideSecrets(argc, argv);
  if (!words.empty() && IsUnitGenerator(words.front())) return RunUnitGenerator(words);
  bool const is_helper = !words.empty() && IsMountHelper(words.front());
  if (is_helper) return MountHelperStatus(RunMountHelper(words));
  CommandLine const command_line(words);
  return Run(command_line, command_line.Parse());
}

}  // namespace
}  // namespace tusfs

int main(int argc, char** argv) { return tusfs::Main(argc, argv); }
