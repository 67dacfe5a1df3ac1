#include "options/places.h"

#include <tusclient/client.h>
#include <tusclient/redact.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace tusfs {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool IsUrl(std::string_view word) { return word.find("://") != std::string_view::npos; }

Result<std::string> ReadUrl(std::string const& file) {
  auto const text = ReadSmallFile(file);
  if (!text) return Fail(text.error().code, "--url-file: " + text.error().context);
  auto const line = text->substr(0, text->find('\n'));
  auto const begin = line.find_first_not_of(kBlanks);
  if (begin == std::string::npos) {
    return Fail(EINVAL, "--url-file: '" + file + "' has no URL in its first line");
  }
  return line.substr(begin, line.find_last_not_of(kBlanks) + 1 - begin);
}

/// Whether both are of one server and path, whatever their queries are.
bool IsSamePlace(std::string const& one, std::string const& other) {
  auto const a = tus::NormalizeEndpoint(one);
  auto const b = tus::NormalizeEndpoint(other);
  return a && b && a->substr(0, a->find('?')) == b->substr(0, b->find('?'));
}

void Take(std::string& member, std::string word, std::string const& name, Given& given) {
  if (word.empty()) return;
  member = std::move(word);
  given.Note(name, kCommandLine);
}

}  // namespace

Result<void> SetPlaces(Options& options, std::string url, std::string mountpoint, Given& given) {
  bool const from_file = !options.url_file.empty();
  // One word alone is the mount point, where the URL comes from elsewhere.
  if (from_file && mountpoint.empty() && !IsUrl(url)) std::swap(url, mountpoint);
  Take(options.url, std::move(url), "url", given);
  Take(options.mountpoint, std::move(mountpoint), "mountpoint", given);
  if (from_file) {
    auto read = ReadUrl(options.url_file);
    if (!read) return Failure(read.error());
    options.source = std::exchange(options.url, *std::move(read));
    given.Note("url", options.url_file);
    if (IsUrl(options.source) && !IsSamePlace(options.source, options.url)) {
      return Fail(EINVAL, "the URL '" + tus::RedactUrl(options.source) +
                              "' is of another place than the one in '" + options.url_file +
                              "': leave it out");
    }
  }
  // Of a place that the file has, and has wrong, something is said already.
  if (options.url.empty() && given.PlaceOf("url").empty()) {
    return Fail(EINVAL, "no URL given: tusfs URL MOUNTPOINT");
  }
  if (options.mountpoint.empty() && given.PlaceOf("mountpoint").empty()) {
    return Fail(EINVAL,
                "no mount point given: tusfs " + tus::RedactUrl(options.url) + " MOUNTPOINT");
  }
  return {};
}

Result<void> CheckUrl(Options const& options) {
  auto const url = tus::NormalizeEndpoint(options.url);
  if (url) return {};
  // What has a user name in it is not repeated: a password may follow.
  bool const secret = options.url.find('@') != std::string::npos || !options.url_file.empty();
  return Fail(EINVAL, "cannot mount " +
                          (secret ? "that URL" : "'" + tus::RedactUrl(options.url) + "'") + ": " +
                          url.error().message + "; write it like https://host/files/");
}

std::string SourceOf(Options const& options) {
  return tus::RedactUrl(options.source.empty() ? options.url : options.source);
}

}  // namespace tusfs
