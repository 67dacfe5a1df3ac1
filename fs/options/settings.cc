#include "options/settings.h"

#include <tusclient/server_profile.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "options/link_value.h"
#include "options/values.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

using namespace std::chrono_literals;
using value::Choice, value::Command, value::FilePath, value::Flag, value::List, value::Number,
    value::Seconds, value::Size, value::SizeOrAll, value::Text;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr auto kDay = 24h;
constexpr auto kMonth = 30 * kDay;
constexpr auto kTenYears = 3650 * kDay;

std::string Listed(std::vector<std::string> const& texts) {
  std::string list;
  for (auto const& text : texts) list += (list.empty() ? "" : ", ") + text;
  return list;
}

/// A row. `by_default`, for a person, where the member's own first value does not say it.
template <auto kMember, typename Kind>
Setting Row(char const* name, char const* metavar, Kind const& kind, char const* help,
            std::string by_default = {}) {
  if (by_default.empty()) by_default = Listed(kind.Get(Options().*kMember));
  return {name,
          metavar,
          help,
          std::move(by_default),
          kind.words(),
          kind.Takes(),
          Kind::kKind,
          [kind](Options& options, std::string const& text) {
            return kind.Set(options.*kMember, text);
          },
          [kind](Options const& options) { return kind.Get(options.*kMember); }};
}

template <auto kMember>
Setting FlagRow(char const* name, char const* help) {
  return Row<kMember>(name, "", Flag{}, help);
}

template <auto kMember>
Setting FileRow(char const* name, char const* help) {
  return Row<kMember>(name, "FILE", FilePath{}, help);
}

Setting StartsOnly(Setting row) {
  row.starts_only = true;
  return row;
}

Setting Fixed(Setting row) {
  row.is_fixed = true;
  return row;
}

std::vector<Setting> MakeSettings() {
  using O = Options;
  using Ip = tus::CurlTransportOptions::Ip;
  Choice<bool> const hold_or_publish({{"hold", false}, {"publish", true}});
  return {
      Fixed(Row<&O::state_dir>(
          "state-dir", "DIR", Text{}, "where names, upload records and unsent bytes are kept",
          "/var/lib/tusfs/MOUNT for root, $XDG_STATE_HOME/tusfs/MOUNT for others")),
      StartsOnly(FlagRow<&O::volatile_state>(
          "volatile", "allow a state directory in memory, which the machine's next start empties")),
      Row<&O::settle>("settle", "SECONDS", Seconds(kDay),
                      "quiet time between the last close and 'finished'"),
      Row<&O::settle_limit>("settle-limit", "SECONDS", Seconds(kDay),
                            "longest quiet time of a file that changes again and again"),
      Row<&O::adopt_timeout>("adopt-timeout", "SECONDS", Seconds(kMonth),
                             "keep an upload that lost its file so long for a copy of it"),
      Row<&O::chunk_size>("chunk-size", "SIZE", Size("8MiB", 256 * kKiB, 256 * kKiB),
                          "largest PATCH body, a multiple of 256KiB",
                          FormatSize(tus::ChunkRules{}.size)),
      Row<&O::chunk_multiple>("chunk-multiple", "SIZE", Size("256KiB", 1),
                              "every PATCH body but a file's last is a multiple of this"),
      FlagRow<&O::exact_chunks>("exact-chunks",
                                "every PATCH body but a file's last is exactly --chunk-size"),
      Row<&O::transfers>("transfers", "N", Number(1, 64), "files that are sent at the same time"),
      Row<&O::limit_rate>("limit-rate", "RATE", Size("10MiB; 0 means no limit"),
                          "bytes per second for all uploads together; 0: no limit"),
      Row<&O::preset>("preset", "NAME", value::PresetName{},
                      "the rules of a service: cloudflare-stream, supabase, opencloud"),
      Row<&O::metadata>("metadata", "KEY=TEMPLATE", value::Metadata{},
                        "metadata of each upload; an empty template leaves KEY out",
                        Listed(value::Metadata::Get(DefaultMetadata()))),
      Row<&O::checksums>("checksum", "WHEN", Choice<bool>({{"auto", true}, {"off", false}}),
                         "a checksum with each PATCH: auto (where the server has them) or off"),
      Row<&O::verify>("verify", "HOW", Choice<Verification>(WordsOfVerify()),
                      "before a file counts as uploaded, compare what the server has: off, head "
                      "(its length) or download (its bytes)"),
      Row<&O::parts>("parts", "SIZE", value::PartSize{},
                     "send larger files in parts of SIZE and more that the server joins, several "
                     "at a time: a size, auto or off"),
      FlagRow<&O::delete_parts>("delete-parts",
                                "delete the parts from the server when they are joined"),
      StartsOnly(
          FileRow<&O::url_file>("url-file", "take the URL from FILE, where a secret is in it")),
      FileRow<&O::token_file>("token-file", "send the bearer token in FILE"),
      FileRow<&O::basic_file>("basic-file", "send the user:password in FILE"),
      FileRow<&O::header_file>("header-file", "send the headers in FILE"),
      Row<&O::token_command>("token-command", "COMMAND", Command{},
                             "send the bearer token that COMMAND prints"),
      FileRow<&O::netrc_file>("netrc-file", "send what FILE, a netrc(5), has for the host"),
      Row<&O::trust_origin>("trust-origin", "URL", List{"a URL", value::CheckOrigin},
                            "send credentials to uploads at this origin, too"),
      FileRow<&O::ca_file>("ca-file", "trust the authorities in FILE, not the system's"),
      FileRow<&O::client_cert>("client-cert", "TLS client certificate, PEM"),
      FileRow<&O::client_key>("client-key", "its key, PEM, where the certificate lacks it"),
      Row<&O::interface>("interface", "NAME", Text{}, "send from this interface or address"),
      Row<&O::links>("link", "NAME=INTERFACE", value::Links{},
                     "send through this interface, too, with connections of its own; behind it "
                     ",budget=SIZE/day or /month ,cost=N ,limit=RATE"),
      Row<&O::patience>("patience", "SECONDS", Seconds(kMonth),
                        "a link of a higher cost carries what has waited so long, and what is "
                        "urgent"),
      Row<&O::ip_version>("ip-version", "VERSION",
                          Choice<Ip>({{"any", Ip::kAny}, {"4", Ip::k4}, {"6", Ip::k6}}),
                          "any, 4 or 6"),
      FlagRow<&O::http2>("http2", "use HTTP/2 where TLS negotiates it"),
      FlagRow<&O::method_override>("method-override",
                                   "send PATCH and DELETE as POST, for old proxies"),
      FlagRow<&O::lenient>("lenient",
                           "take answers without Tus-Resumable for those of a tus server"),
      FlagRow<&O::retry_refused>("retry-refused",
                                 "send again each hour what the server has refused at its end"),
      Row<&O::give_up>(
          "give-up", "SECONDS", Seconds(kMonth),
          "a file of which the server takes nothing for so long fails; 0: it never does"),
      Row<&O::create_command>("create-command", "COMMAND", Command{},
                              "says where and how each upload is made, in JSON"),
      Row<&O::on_uploaded>("on-uploaded", "COMMAND", Command{},
                           "is told of each file that is uploaded, in JSON"),
      Row<&O::on_stuck>("on-stuck", "COMMAND", Command{},
                        "is told of each file that is interrupted, failed or unconfirmed"),
      Row<&O::on_server>("on-server", "COMMAND", Command{},
                         "is told when the server has been away for --server-away, and is back"),
      Row<&O::server_away>("server-away", "SECONDS", Seconds(kDay),
                           "how long the server is away before --on-server is told"),
      Row<&O::hook_timeout>("hook-timeout", "SECONDS", Seconds(kDay),
                            "a program that is told something is killed after so long"),
      Row<&O::heartbeat>("heartbeat", "SECONDS", Seconds(kDay),
                         "send so often how the mount is, as a small upload; 0: never"),
      Row<&O::heartbeat_url>("heartbeat-url", "URL", value::Endpoint{},
                             "send it there, without the mount's credentials unless it is of its "
                             "origin",
                             "the URL of the mount"),
      Row<&O::control_group>("control-group", "GROUP", Text{},
                             "let members of GROUP ask how the mount is, and change nothing"),
      Row<&O::metrics>("metrics", "ADDRESS", value::Address{},
                       "numbers for Prometheus: HOST:PORT, a PORT of this machine or unix:/PATH"),
      Row<&O::page>("page", "ADDRESS", value::Address{},
                    "a page that says whether it is safe to go, for whoever has its token: an "
                    "address as of --metrics"),
      FileRow<&O::page_token_file>("page-token-file",
                                   "the page's token is in FILE; else one is made"),
      FlagRow<&O::page_actions>("page-actions",
                                "give the page buttons: pause, try again, send as it is"),
      Row<&O::log_level>("log-level", "LEVEL",
                         Choice<LogLevel>({{"debug", LogLevel::kDebug},
                                           {"info", LogLevel::kInfo},
                                           {"warn", LogLevel::kWarn},
                                           {"error", LogLevel::kError}}),
                         "debug, info, warn or error"),
      Fixed(FlagRow<&O::core_dumps>("core-dumps",
                                    "allow core dumps and debuggers, which can see secrets")),
      StartsOnly(FlagRow<&O::foreground>("foreground", "stay in the foreground and log to stderr")),
      StartsOnly(FlagRow<&O::nonempty>("nonempty", "mount over a directory that is not empty")),
      StartsOnly(FlagRow<&O::make_mountpoint>("make-mountpoint",
                                              "make the mount point where it is missing")),
      StartsOnly(FlagRow<&O::import_beneath>(
          "import", "take what lies in the mount point into the mount, which covers it")),
      Fixed(FlagRow<&O::allow_other>("allow-other",
                                     "let other users in (needs user_allow_other unless root)")),
      Row<&O::publish_unknown>("unknown", "WHAT", hold_or_publish,
                               "files whose writer's end nobody can tell: hold or publish"),
      Row<&O::publish_interrupted>("interrupted", "WHAT", hold_or_publish,
                                   "files that their writer did not finish: hold or publish"),
      Row<&O::finish_command>("finish-command", "COMMAND", Command{},
                              "exits with 0 for a file that is complete"),
      Row<&O::ignore>("ignore", "GLOB", List{"a pattern", value::CheckGlob, DefaultIgnored()},
                      "never upload such files, in addition to the usual ones; none: all are"),
      Row<&O::temporary>("temporary", "GLOB", List{"a pattern", value::CheckGlob},
                         "such files wait for a rename, as those of browsers and rsync do"),
      Row<&O::copiers>("copiers", "PROGRAM",
                       List{"the name of a program", value::CheckProgramName, O().copiers},
                       "whose copies are whole only if the source was read to its end, in addition "
                       "to the usual ones; none: forget those",
                       Listed(O().copiers)),
      Row<&O::failures>("failures", "PROGRAM=CODES",
                        List{"PROGRAM=CODES", value::CheckFailures, UsualFailures()},
                        "after which exit statuses a program has not finished what it had just "
                        "closed, in addition to the usual ones; none: forget those"),
      Row<&O::finish>("finish", "GLOB=WHEN", value::FinishRules{},
                      "when a file is finished: close, rename, command, manual or written"),
      Row<&O::check>("check", "GLOB=WHAT", value::CheckRules{},
                     "what is plainly cut off or hollow is interrupted: media (by what its format "
                     "says) or none"),
      Row<&O::spool_size>("spool-size", "SIZE", Size("64GiB", 16 * kMiB),
                          "local disk for what is written", "what the disk has"),
      Row<&O::reserve>("reserve", "SIZE", Size("2GiB"),
                       "free space of that disk that is left alone",
                       "a twentieth of the disk, at most 1GiB"),
      Row<&O::keep>("keep", "SIZE", SizeOrAll{},
                    "of uploaded files, keep so many bytes readable here: a size, all or none"),
      Row<&O::trim>("trim", "WHAT", Choice<bool>({{"never", false}, {"confirmed", true}}),
                    "when the spool is full, of unfinished files let go of: never (nothing) or "
                    "confirmed"),
      Row<&O::drop_interrupted>(
          "full", "WHAT", Choice<bool>({{"wait", false}, {"drop-interrupted", true}}),
          "when nothing in a full spool goes by itself: wait (for somebody) or drop-interrupted "
          "(files, the oldest first)"),
      Row<&O::full_timeout>("full-timeout", "SECONDS", Seconds(kMonth),
                            "a write waits so long for room while nothing goes on"),
      FlagRow<&O::read_back>("read-back",
                             "read uploaded files that are not here any more from the server"),
      Row<&O::retention>(
          "retention", "SECONDS", Seconds(kTenYears),
          "remove the names of uploaded files after so long; 0: they are never removed"),
      Row<&O::sha256>("sha256", "WHEN", Choice<bool>({{"on", true}, {"off", false}}),
                      "for the ledger, the SHA-256 of each file as it goes out: on or off"),
      Row<&O::ledger_keep>(
          "ledger-keep", "SECONDS", Seconds(kTenYears),
          "keep what the ledger has of each file at least so long; 0: it is never removed"),
  };
}

}  // namespace

std::vector<Setting> const& Settings() {
  static std::vector<Setting> const settings = MakeSettings();
  return settings;
}

Setting const* FindSetting(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  auto const found = std::find_if(Settings().begin(), Settings().end(),
                                  [&](Setting const& setting) { return name == setting.name; });
  return found == Settings().end() ? nullptr : &*found;
}

}  // namespace tusfs
