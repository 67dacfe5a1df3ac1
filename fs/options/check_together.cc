#include "options/check_together.h"

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "options/publish_settings.h"
#include "options/space_settings.h"
#include "options/upload_settings.h"

namespace tusfs {

namespace {

// A part is an upload of its own: others than the mount neither make it nor know it.
Result<void> CheckParts(Options const& options) {
  if (options.parts == 0) {
    return options.delete_parts ? Fail(EINVAL, "--delete-parts needs --parts") : Result<void>();
  }
  for (auto const& [name, is_given] : {std::pair("--trim confirmed", options.trim),
                                       {"--create-command", !options.create_command.empty()},
                                       {"--preset", !options.preset.empty()}}) {
    if (!is_given) continue;
    return Fail(EINVAL, std::string("--parts and ") + name +
                            " do not fit together: give one of them, or --parts off");
  }
  return {};
}

}  // namespace

Result<void> CheckTogether(Options const& options) {
  std::vector<std::string> sources;
  for (auto const& [name, is_given] : {std::pair("--token-file", !options.token_file.empty()),
                                       {"--basic-file", !options.basic_file.empty()},
                                       {"--header-file", !options.header_file.empty()},
                                       {"--token-command", !options.token_command.empty()},
                                       {"--netrc-file", !options.netrc_file.empty()}}) {
    if (is_given) sources.emplace_back(name);
  }
  if (sources.size() > 1) {
    return Fail(EINVAL, sources[0] + " and " + sources[1] +
                            " are two sources of credentials: give one of them");
  }
  if (!options.client_key.empty() && options.client_cert.empty()) {
    return Fail(EINVAL, "--client-key needs --client-cert");
  }
  if (!options.interface.empty() && !options.links.empty()) {
    return Fail(EINVAL, "--interface and --link both say which way to go: give one of them");
  }
  if (options.page.empty() && (options.page_actions || !options.page_token_file.empty())) {
    return Fail(EINVAL, std::string(options.page_actions ? "--page-actions" : "--page-token-file") +
                            " needs --page");
  }
  if (!options.page.empty() && options.page == options.metrics) {
    return Fail(EINVAL, "--page and --metrics are to be at the same address: give them two");
  }
  if (!options.heartbeat_url.empty() && options.heartbeat.count() == 0) {
    return Fail(EINVAL, "--heartbeat-url needs --heartbeat: say how often");
  }
  if (auto const parts = CheckParts(options); !parts) return parts;
  if (auto const rules = PublishRulesOf(options); !rules) return Failure(rules.error());
  auto const rules = UploadRulesOf(options);
  return rules ? CheckSpace(options, rules->chunks.size) : Failure(rules.error());
}

}  // namespace tusfs
