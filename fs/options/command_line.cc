#include "options/command_line.h"

#include <tusclient/redact.h>

#include <CLI/CLI.hpp>
#include <map>
#include <sstream>

#include "options/check_together.h"
#include "options/config_file.h"
#include "options/mount_options.h"
#include "options/places.h"
#include "options/settings.h"
#include "version.h"

namespace tusfs {
namespace {

constexpr int kUsageError = 2;

Invocation Rejected(std::string const& sentence) {
  Invocation invocation;
  invocation.output = "tusfs: " + sentence + "\n";
  invocation.status = kUsageError;
  return invocation;
}

// The parser repeats words that it has no place for.
std::string WithoutSecrets(std::string const& sentence) {
  std::istringstream words(sentence);
  std::string shown;
  for (std::string word; std::getline(words, word, ' ');) {
    bool const is_url = word.find("://") != std::string::npos;
    shown += (shown.empty() ? "" : " ") + (is_url ? tus::RedactUrl(word) : word);
  }
  return shown;
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
  std::vector<std::string> mount_options;
  std::map<std::string, std::vector<std::string>> values;  ///< by name of a setting
  std::map<std::string, std::string> flags;                ///< likewise
};

void Declare(CLI::App& app, GivenWords& words) {
  app.set_version_flag("--version,-V", std::string("tusfs ") + kVersion);
  app.add_option("URL", words.url, "http or https URL of the tus endpoint")->option_text(" ");
  app.add_option("MOUNTPOINT", words.mountpoint, "the directory to mount at")->option_text(" ");
  app.add_option("--config", words.config, "take the settings from a TOML file")
      ->option_text("FILE");
  app.add_option("-o", words.mount_options, "options in the style of mount(8): a,b=c")
      ->option_text("OPTIONS")
      ->allow_extra_args(false);
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

Result<void> ApplySettings(Options& options, CLI::App const& app, GivenWords const& words) {
  for (auto const& setting : Settings()) {
    if (app.count(std::string("--") + setting.name) == 0) continue;
    auto const given = setting.kind == Setting::Kind::kFlag
                           ? std::vector<std::string>{words.flags.at(setting.name)}
                           : words.values.at(setting.name);
    for (auto const& value : given) {
      if (auto applied = setting.set(options, value); !applied) return applied;
    }
  }
  return {};
}

/// What wins comes last.
Result<Invocation> Apply(CLI::App const& app, GivenWords const& words) {
  Invocation invocation;
  Options options;
  if (!words.config.empty()) {
    if (auto applied = ApplyConfigFile(options, words.config); !applied) {
      return Failure(applied.error());
    }
  }
  auto mount_words = ApplyMountOptions(options, words.mount_options);
  if (!mount_words) return Failure(mount_words.error());
  invocation.remount = mount_words->remount;
  invocation.given_after_o = std::move(mount_words->settings);
  if (auto applied = ApplySettings(options, app, words); !applied) {
    return Failure(applied.error());
  }
  if (auto checked = CheckTogether(options); !checked) return Failure(checked.error());
  if (auto placed = SetPlaces(options, words.url, words.mountpoint); !placed) {
    return Failure(placed.error());
  }
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
      return Rejected(WithoutSecrets(stop.what()) + " ('tusfs --help' shows the usage)");
    }
    Invocation shown;
    shown.output = out.str();
    return shown;
  }
  auto invocation = Apply(app, words);
  return invocation ? *std::move(invocation) : Rejected(invocation.error().context);
}

}  // namespace tusfs
