#include "options/command_line.h"

#include <tusclient/client.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <map>
#include <sstream>

#include "options/check_together.h"
#include "options/config_file.h"
#include "options/mount_options.h"
#include "options/places.h"
#include "options/rule_keys.h"
#include "options/settings.h"
#include "version.h"

namespace tusfs {
namespace {

constexpr int kUsageError = 2;

Invocation Rejected(std::vector<std::string> const& sentences) {
  Invocation invocation;
  for (auto const& sentence : sentences) invocation.output += "tusfs: " + sentence + "\n";
  invocation.status = kUsageError;
  return invocation;
}

std::string HelpOf(Setting const& setting) {
  if (setting.by_default.empty()) return setting.help;
  return setting.help + std::string(" (default: ") + setting.by_default + ")";
}

/// The words of a command line, sorted; of the settings there is not yet known whether they can be.
struct GivenWords {
  std::string url;
  std::string mountpoint;
  std::string config;
  std::string check;  ///< "true", or the file to check
  std::string move_to;
  bool dry_run = false;
  std::vector<std::string> mount_options;
  std::map<std::string, std::vector<std::string>> values;  ///< by name of a setting
  std::map<std::string, std::string> flags;                ///< likewise
  std::vector<std::string> rules;                          ///< as PackRule has them
};

void Declare(CLI::App& app, GivenWords& words) {
  app.set_version_flag("--version,-V", std::string("tusfs ") + kVersion);
  app.add_option("URL", words.url, "http or https URL of the tus endpoint")->option_text(" ");
  app.add_option("MOUNTPOINT", words.mountpoint, "the directory to mount at")->option_text(" ");
  app.add_option("--config", words.config, "take the settings from a TOML file")
      ->option_text("FILE");
  app.add_flag("--check-config", words.check,
               "print every setting with its origin, or what is wrong; mount nothing")
      ->option_text("[FILE]");
  app.add_option("--move-to", words.move_to,
                 "take the state of an ended mount to the server NEW-URL; mount nothing")
      ->option_text("NEW-URL");
  app.add_flag("--dry-run", words.dry_run, "say what --move-to would send, and change nothing");
  app.add_option("-o", words.mount_options, "options in the style of mount(8): a,b=c")
      ->option_text("OPTIONS")
      ->allow_extra_args(false);
  // From keeper to daemon; a person writes them into the file.
  app.add_option("--rule", words.rules)
      ->group("")
      ->allow_extra_args(false)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  for (auto const& setting : Settings()) {
    auto const name = std::string("--") + setting.name;
    if (setting.kind == Setting::Kind::kFlag) {
      app.add_flag(name + (name == "--foreground" ? ",-f" : ""), words.flags[setting.name],
                   HelpOf(setting));
    } else {
      app.add_option(name, words.values[setting.name], HelpOf(setting))
          ->option_text(setting.metavar)
          ->allow_extra_args(false)
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
  }
}

void ApplySettings(Options& options, CLI::App const& app, GivenWords const& words, Given& given) {
  for (auto const& setting : Settings()) {
    auto const name = std::string("--") + setting.name;
    if (app.count(name) == 0) continue;
    auto const values = setting.kind == Setting::Kind::kFlag
                            ? std::vector<std::string>{words.flags.at(setting.name)}
                            : words.values.at(setting.name);
    for (auto const& value : values) given.Set(options, setting, value, kCommandLine, name);
  }
  for (auto const& word : words.rules) {
    auto rule = UnpackRule(word);
    if (!rule) given.AddMistake("--rule: " + rule.error().context);
    if (rule) options.rules.push_back(*std::move(rule));
  }
}

/// What is to be checked may stand alone, where a mount has its URL.
void FindFileToCheck(CLI::App const& app, GivenWords& words) {
  if (words.check != "true") {
    words.config = words.check;
  } else if (words.config.empty() && words.mountpoint.empty() && app.count("--url-file") == 0 &&
             words.url.find("://") == std::string::npos) {
    std::swap(words.config, words.url);
  }
}

void Check(Result<void> const& checked, Given& given) {
  if (!checked) given.AddMistake(checked.error().context);
}

Result<void> CheckMove(GivenWords const& words) {
  if (words.move_to.empty()) {
    return words.dry_run ? Fail(EINVAL, "--dry-run is for --move-to") : Result<void>();
  }
  if (auto const url = tus::NormalizeEndpoint(words.move_to); !url) {
    return Fail(EINVAL, "--move-to " + words.move_to + ": " + url.error().message);
  }
  return {};
}

/// What wins comes last.
Invocation Apply(CLI::App const& app, GivenWords words) {
  Invocation invocation;
  Options options;
  auto& given = invocation.given;
  invocation.check = app.count("--check-config") > 0;
  if (invocation.check) FindFileToCheck(app, words);
  bool const is_known = words.config.empty() || ApplyConfigFile(options, words.config, given);
  auto mount_words = ApplyMountOptions(options, words.mount_options, given);
  invocation.remount = mount_words.remount;
  invocation.given_after_o = std::move(mount_words.settings);
  ApplySettings(options, app, words, given);
  if (!is_known) return Rejected(given.mistakes());
  if (auto const fits = CheckTogether(options); !fits) {
    given.AddCommonMistake(fits.error().context);
  }
  Check(SetPlaces(options, words.url, words.mountpoint, given), given);
  if (!options.url.empty() && !invocation.remount) Check(CheckUrl(options), given);
  Check(CheckMove(words), given);
  invocation.move_to = std::move(words.move_to);
  invocation.dry_run = words.dry_run;
  if (!given.mistakes().empty()) return Rejected(given.mistakes());
  invocation.options = std::move(options);
  return invocation;
}

}  // namespace

std::vector<std::string> CommandLineOf(Options const& options) {
  std::vector<std::string> arguments;
  for (auto const& setting : Settings()) {
    for (auto const& value : setting.get(options)) {
      auto const name = std::string("--") + setting.name;
      arguments.push_back(setting.kind == Setting::Kind::kFlag ? name : name + "=" + value);
    }
  }
  for (auto const& rule : options.rules) arguments.push_back("--rule=" + PackRule(rule));
  for (auto const& option : options.kernel) arguments.insert(arguments.end(), {"-o", option});
  arguments.insert(arguments.end(), {"--", options.url, options.mountpoint});
  return arguments;
}

Invocation ParseCommandLine(int argc, char const* const* argv) {
  CLI::App app{
      "Mounts a tus server: what is written into MOUNTPOINT is uploaded to URL while it is being "
      "written, and interrupted uploads go on after a crash.",
      "tusfs"};
  GivenWords words;
  Declare(app, words);
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& stop) {
    std::ostringstream out;
    std::ostringstream err;
    if (app.exit(stop, out, err) != 0) {
      return Rejected({WithoutSecrets(stop.what()) + " ('tusfs --help' shows the usage)"});
    }
    Invocation shown;
    shown.output = out.str();
    return shown;
  }
  return Apply(app, std::move(words));
}

}  // namespace tusfs
