#include "options/given.h"

#include <tusclient/redact.h>

#include <algorithm>
#include <sstream>
#include <string_view>

namespace tusfs {
namespace {

constexpr std::string_view kOfNames = "abcdefghijklmnopqrstuvwxyz0123456789-";

}  // namespace

std::string WithoutSecrets(std::string const& sentence) {
  std::istringstream words(sentence);
  std::string shown;
  bool is_first = true;
  for (std::string word; std::getline(words, word, ' '); is_first = false) {
    bool const is_url = word.find("://") != std::string::npos;
    shown += (is_first ? "" : " ") + (is_url ? tus::RedactUrl(word) : word);
  }
  return shown;
}

void Given::Set(Options& options, Setting const& setting, std::string const& value,
                std::string const& place, std::string const& spelt) {
  if (auto const set = setting.set(options, value); !set) {
    return AddMistake(spelt + " is '" + value + "': " + set.error().context);
  }
  auto& places = places_[setting.name];
  bool const adds = setting.kind == Setting::Kind::kList || setting.kind == Setting::Kind::kTable;
  if (!adds || places.empty()) {
    places = place;
  } else if (!(", " + places).ends_with(", " + place)) {
    places += ", " + place;
  }
}

void Given::AddCommonMistake(std::string const& sentence) {
  std::vector<std::string> places;
  std::istringstream words(sentence);
  for (std::string word; words >> word;) {
    if (!word.starts_with("--")) continue;
    auto const name = word.substr(2, word.find_first_not_of(kOfNames, 2) - 2);
    auto const place = PlaceOf(name);
    bool const is_file = !place.empty() && place != kCommandLine && place != kDashO;
    if (is_file && std::ranges::find(places, place) == places.end()) places.push_back(place);
  }
  std::string head;
  for (auto const& place : places) head += (head.empty() ? "" : ", ") + place;
  AddMistake(head.empty() ? sentence : head + ": " + sentence);
}

std::string Given::PlaceOf(std::string const& name) const {
  auto const found = places_.find(name);
  return found == places_.end() ? "" : found->second;
}

std::string Given::SpeltAs(std::string const& name) const {
  auto const place = PlaceOf(name);
  bool const is_file = !place.empty() && place != kCommandLine && place != kDashO;
  return is_file ? place + ": " + name : "--" + name;
}

}  // namespace tusfs
