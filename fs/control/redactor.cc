#include "control/redactor.h"

#include <pwd.h>
#include <tusclient/redact.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <optional>

#include "base/machine.h"

namespace tusfs {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestExtension = 5;
constexpr uid_t kFirstPerson = 1000;
constexpr uid_t kNobody = 65534;
constexpr std::string_view kEndOfUrl = " \t\r\n\"'<>\\";
// What stands behind these, up to a blank or a quote, lets somebody in.
constexpr std::array<std::string_view, 8> kSecretHeads{
    "bearer ", "basic ",        "token=",     "password=",
    "secret=", "access_token=", "signature=", "api_key="};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

/// ".mov"; empty where what is behind the last dot may be more than a kind of file.
std::string ExtensionOf(std::string_view name) {
  auto const dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  auto const behind = name.substr(dot + 1);
  bool const is_one = !behind.empty() && behind.size() <= kLongestExtension &&
                      std::all_of(behind.begin(), behind.end(),
                                  [](unsigned char c) { return c < 0x80 && std::isalnum(c) != 0; });
  return is_one ? std::string(name.substr(dot)) : "";
}

bool IsName(std::string_view part) { return !part.empty() && part != "." && part != ".."; }

template <typename Visit>
void VisitParts(std::string_view path, Visit const& visit) {
  while (!path.empty()) {
    auto const end = std::min(path.find('/'), path.size());
    visit(path.substr(0, end), end < path.size());
    path.remove_prefix(std::min(end + 1, path.size()));
  }
}

/// How many bytes of a URL stand at `at`; 0: none does.
std::size_t UrlSize(std::string_view text, std::size_t at) {
  for (std::string_view const scheme : {"http://", "https://"}) {
    if (Lower(text.substr(at, scheme.size())) != scheme) continue;
    return std::min(text.find_first_of(kEndOfUrl, at), text.size()) - at;
  }
  return 0;
}

/// How many bytes of a word that heads a secret stand at `at`; 0: none does.
std::size_t SecretHeadSize(std::string_view text, std::size_t at) {
  for (auto const head : kSecretHeads) {
    if (Lower(text.substr(at, head.size())) == head) return head.size();
  }
  return 0;
}

std::string WithoutEnd(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// By which two spellings of one endpoint are the same.
std::string EndpointOf(std::string_view url) {
  std::string bare(url.substr(0, url.find_first_of("?#")));
  auto const authority = bare.find("://");
  auto const begin = authority == std::string::npos ? 0 : authority + 3;
  auto const user = bare.substr(begin, bare.find('/', begin) - begin).rfind('@');
  if (user != std::string::npos) bare.erase(begin, user + 1);
  return WithoutEnd(std::move(bare));
}

/// How often KEY="VALUE" begins in the line.
std::size_t CountQuotedValues(std::string_view line) {
  std::size_t count = 0;
  for (auto at = line.find("=\""); at != std::string_view::npos; at = line.find("=\"", at + 2)) {
    ++count;
  }
  return count;
}

bool HasPairedQuotes(std::string_view line) {
  auto const quotes = static_cast<std::size_t>(std::count(line.begin(), line.end(), '"'));
  return quotes == 2 * CountQuotedValues(line);
}

/// Whether the quote at `at` may begin what is quoted: one in a word is an apostrophe.
bool IsOpen(std::string_view line, std::size_t at) {
  constexpr std::string_view kBefore = " (\":=,";
  bool const begins = at == 0 || kBefore.find(line[at - 1]) != std::string_view::npos;
  return line[at] == '\'' && begins && at + 1 < line.size() && line[at + 1] != ' ';
}

bool IsClose(std::string_view line, std::size_t at) {
  constexpr std::string_view kBehind = " ),;:.]\"";
  return line[at] == '\'' &&
         (at + 1 == line.size() || kBehind.find(line[at + 1]) != std::string_view::npos);
}

std::size_t NextOpen(std::string_view line, std::size_t at) {
  while (at < line.size() && !IsOpen(line, at)) ++at;
  return at;
}

/// "tusfsctl publish", which the log tells a person to say.
bool IsAdvice(std::string_view quoted) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz -";
  auto const words = quoted.ends_with(" PATH") ? quoted.substr(0, quoted.size() - 5) : quoted;
  return words.starts_with("tusfsctl ") &&
         words.find_first_not_of(kLetters) == std::string_view::npos;
}

void AddUser(Identities& identities, passwd const& user) {
  // A user of the service's own is no person.
  if (std::string_view(user.pw_name) != "tusfs") identities.users.emplace_back(user.pw_name);
  std::string_view const home = user.pw_dir;
  if (home.size() > 1 && home != "/root" && home.starts_with('/')) {
    identities.homes.push_back(WithoutEnd(std::string(home)));
  }
}

}  // namespace

Identities IdentitiesHere() {
  Identities identities;
  identities.hosts.push_back(HostName());
  ::setpwent();
  while (auto const* const user = ::getpwent()) {
    if (user->pw_uid >= kFirstPerson && user->pw_uid != kNobody) AddUser(identities, *user);
  }
  ::endpwent();
  // Not all sources of users give a list.
  auto const* const own = ::getpwuid(::geteuid());
  if (own != nullptr && own->pw_uid != 0) AddUser(identities, *own);
  for (char const* const variable : {"USER", "LOGNAME", "SUDO_USER"}) {
    auto const* const user = std::getenv(variable);
    if (user != nullptr && std::string_view(user) != "root") identities.users.emplace_back(user);
  }
  auto const* const home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/' && std::string_view(home) != "/root") {
    identities.homes.push_back(WithoutEnd(home));
  }
  return identities;
}

Redactor::Redactor(Identities const& identities, bool with_names) : with_names_(with_names) {
  std::map<std::string, std::string> users;
  for (auto const& user : identities.users) {
    if (user.empty()) continue;
    auto const [known, _] = users.try_emplace(user, "user-" + std::to_string(users.size() + 1));
    identities_.Add(user, known->second);
    identities_.Add("/home/" + user, "/home/" + known->second);
  }
  for (auto const& home : identities.homes) {
    auto const known = users.find(home.substr(home.rfind('/') + 1));
    if (!home.empty())
      identities_.Add(home, known == users.end() ? "/home/user" : "/home/" + known->second);
  }
  for (auto const& host : identities.hosts) {
    if (host.empty() || host == "localhost") continue;
    for (auto const& name : {host, host.substr(0, host.find('.'))}) {
      for (auto const& spelt : {name, Lower(name), Upper(name)}) identities_.Add(spelt, "host");
    }
  }
  identities_.Sort();
}

std::string const& Redactor::TokenOf(std::string_view name, bool is_directory) {
  auto const known = tokens_.find(name);
  if (known != tokens_.end()) return known->second;
  auto token = (is_directory ? "dir-" : "file-") + std::to_string(tokens_.size() + 1) +
               (is_directory ? "" : ExtensionOf(name));
  names_.Add(std::string(name), token);
  is_sorted_ = false;
  return tokens_.emplace(name, std::move(token)).first->second;
}

void Redactor::LearnPath(std::string_view path) {
  if (with_names_) return;
  VisitParts(path, [this](std::string_view part, bool is_directory) {
    if (IsName(part)) static_cast<void>(TokenOf(part, is_directory));
  });
}

void Redactor::LearnEndpoint(std::string const& url) { endpoints_.insert(EndpointOf(url)); }

void Redactor::LearnQuoted(std::string_view quoted) {
  // Places outside of the mount, and URLs, are not names of its files.
  bool const is_name =
      !quoted.starts_with('/') && quoted.find("://") == std::string_view::npos && !IsAdvice(quoted);
  if (is_name) LearnPath(quoted);
}

void Redactor::LearnLogLine(std::string_view line) {
  constexpr std::array<std::string_view, 3> kValues{" path=\"", " as=\"", " file=\""};
  for (auto const value : kValues) {
    for (auto at = line.find(value); at != std::string_view::npos; at = line.find(value, at + 1)) {
      auto const begin = at + value.size();
      LearnPath(line.substr(begin, std::min(line.find('"', begin), line.size()) - begin));
    }
  }
  for (auto at = NextOpen(line, 0); at < line.size();) {
    auto const next = NextOpen(line, at + 1);
    std::size_t last = 0;
    for (auto end = at + 1; end < next; ++end) {
      if (!IsClose(line, end)) continue;
      // Which of several it is a name with quotes does not tell.
      if (last == 0) LearnQuoted(line.substr(at + 1, end - at - 1));
      last = end;
    }
    if (last > 0) LearnQuoted(line.substr(at + 1, last - at - 1));
    at = next;
  }
}

std::string Redactor::Path(std::string_view path) {
  if (with_names_) return Text(path);
  std::string redacted;
  VisitParts(path, [&](std::string_view part, bool is_directory) {
    redacted += IsName(part) ? TokenOf(part, is_directory) : std::string(part);
    if (is_directory) redacted += '/';
  });
  return redacted;
}

std::string Redactor::Text(std::string_view text) { return Replace(text, true); }
std::string Redactor::OwnText(std::string_view text) { return Replace(text, false); }

std::string Redactor::Labels(std::string_view text) {
  std::string redacted;
  while (!text.empty()) {
    auto const open = std::min(text.find('"'), text.size());
    auto const begin = std::min(open + 1, text.size());
    redacted += text.substr(0, begin);
    auto end = begin;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    end = std::min(end, text.size());
    redacted += Text(text.substr(begin, end - begin));
    auto const next = std::min(end + 1, text.size());
    redacted += text.substr(end, next - end);
    text.remove_prefix(next);
  }
  return redacted;
}

std::string Redactor::LogLine(std::string_view line) {
  if (with_names_ || HasPairedQuotes(line)) return Text(line);
  return Text(line.substr(0, line.find('"'))) + "… (left out: its quotes do not pair)";
}

json Redactor::Json(json const& value) {
  if (value.is_string()) return Text(value.get_ref<std::string const&>());
  auto redacted = value;
  if (value.is_array()) {
    for (auto& one : redacted) one = Json(one);
  }
  if (!value.is_object()) return redacted;
  for (auto& [name, one] : redacted.items()) {
    bool const is_path = one.is_string() && (name == "path" || name == "oldest_interrupted");
    bool const is_word = name == "state" || name == "level" || name == "topic";
    if (is_path) {
      one = Path(one.get_ref<std::string const&>());
    } else if (!is_word) {
      one = Json(one);
    }
  }
  return redacted;
}

std::string Redactor::Url(std::string_view url) {
  auto const shown = tus::RedactUrl(url);
  auto const secret = shown.find_first_of("?#");
  auto const bare = shown.substr(0, secret);
  auto const authority = bare.find("://") + 3;
  auto const path = std::min(bare.find('/', authority), bare.size());
  auto const server = bare.substr(0, authority) + OwnText(bare.substr(authority, path - authority));
  auto const behind = secret == std::string::npos ? "" : "?***";
  bool const is_known = endpoints_.contains(EndpointOf(bare));
  if (is_known || bare.size() - path <= 1) return server + bare.substr(path) + behind;
  // The URL of an upload is a secret, whoever has it may write there.
  auto const [known, _] = urls_.try_emplace(bare, "/url-" + std::to_string(urls_.size() + 1));
  return server + known->second + behind;
}

std::string Redactor::Replace(std::string_view text, bool with_files) {
  if (!is_sorted_) names_.Sort();
  is_sorted_ = true;
  std::string redacted;
  for (std::size_t at = 0; at < text.size();) {
    if (auto const size = UrlSize(text, at); size > 0) {
      redacted += Url(text.substr(at, size));
      at += size;
      continue;
    }
    auto match = identities_.Find(text, at);
    auto const name = with_files ? names_.Find(text, at) : std::nullopt;
    if (name && (!match || name->size > match->size)) match = name;
    if (match) {
      redacted += match->replacement;
      at += match->size;
      continue;
    }
    if (auto const head = SecretHeadSize(text, at); head > 0) {
      auto const end = std::min(text.find_first_of(" \t\r\n\"'&,", at + head), text.size());
      redacted += std::string(text.substr(at, head)) + (end > at + head ? "***" : "");
      at = end;
      continue;
    }
    redacted += text[at++];
  }
  return redacted;
}

}  // namespace tusfs
