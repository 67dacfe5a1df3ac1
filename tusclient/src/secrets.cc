#include "secrets.h"

#include <algorithm>
#include <utility>

#include "text.h"
#include "url.h"

namespace tus {
namespace {

/// Shorter ones would tear holes into ordinary words and protect nothing.
constexpr std::size_t kMinSecret = 6;

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    auto const end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// Path and query, which is empty where there is none.
std::pair<std::string_view, std::string_view> SplitQuery(std::string_view path) {
  auto const mark = path.find('?');
  if (mark == std::string_view::npos) return {path, {}};
  return {path.substr(0, mark), path.substr(mark + 1)};
}

}  // namespace

Secrets::Secrets(std::initializer_list<std::string_view> secrets) {
  for (auto const secret : secrets) Add(secret);
}

void Secrets::AddUrl(std::string const& url, std::string const& endpoint) {
  Add(url);
  auto const whole = PathOf(url);
  Add(whole);
  auto const [path, query] = SplitQuery(whole);
  Add(path);
  Add(query);

  auto const endpoints = PathOf(endpoint);
  auto const known = Split(SplitQuery(endpoints).first, '/');
  for (auto const segment : Split(path, '/')) {
    if (std::find(known.begin(), known.end(), segment) == known.end()) Add(segment);
  }
  for (auto const pair : Split(query, '&')) Add(pair.substr(pair.find('=') + 1));  // npos + 1 is 0
}

void Secrets::AddHeaders(std::vector<Header> const& headers) {
  for (auto const& [name, value] : headers) {
    Add(value);
    Add(std::string_view(value).substr(value.rfind(' ') + 1));
  }
}

void Secrets::Add(std::string_view secret) {
  // As it would be among a server's words.
  auto words = FirstWords(secret, secret.size());
  if (words.size() < kMinSecret) return;
  auto const place = std::find_if(secrets_.begin(), secrets_.end(), [&](std::string const& other) {
    return other.size() <= words.size();
  });
  secrets_.insert(place, std::move(words));
}

std::string Secrets::CutFrom(std::string words) const {
  for (auto const& secret : secrets_) {
    for (auto at = words.find(secret); at != std::string::npos; at = words.find(secret, at)) {
      words.replace(at, secret.size(), "…");
    }
  }
  return words;
}

}  // namespace tus
