#include "options/values.h"

#include <tusclient/client.h>
#include <tusclient/credentials.h>
#include <tusclient/redact.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <span>
#include <sstream>

#include "base/block_digest.h"
#include "base/listen_address.h"
#include "filesystem/failure_table.h"

namespace tusfs {
namespace {

constexpr char const* kNone = "none";
constexpr std::uint64_t kPartUnit = kDigestBlock;
constexpr std::uint64_t kUsualPart = std::uint64_t{16} << 20;
constexpr std::uint64_t kLargestPart = std::uint64_t{1} << 40;

struct Unit {
  char const* name;
  int shift;
};

constexpr std::array kUnits{Unit{"TiB", 40}, Unit{"GiB", 30}, Unit{"MiB", 20},
                            Unit{"KiB", 10}, Unit{"B", 0},    Unit{"", 0}};

/// All of `text`; nothing where it is something else.
template <typename T>
std::optional<T> ParseNumber(std::string const& text) {
  T number{};
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

std::string Joined(std::vector<std::string> const& words) {
  std::string text;
  for (auto const& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

Words<ContentCheck> const& WordsOfCheck() {
  static Words<ContentCheck> const words{{"media", ContentCheck::kMedia},
                                         {"none", ContentCheck::kNone}};
  return words;
}

}  // namespace

Result<std::uint64_t> ParseSize(std::string const& text) {
  std::uint64_t number = 0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, number);
  std::string_view const rest(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  auto const* const unit = std::find_if(kUnits.begin(), kUnits.end(),
                                        [&](Unit const& known) { return rest == known.name; });
  if (parsed.ec != std::errc() || unit == kUnits.end() ||
      number > (std::uint64_t{1} << (62 - unit->shift))) {
    return Fail(EINVAL, "'" + text + "' is not a size: write bytes, or a number and KiB, MiB, GiB");
  }
  return number << unit->shift;
}

std::string FormatSize(std::uint64_t bytes) {
  auto const* const unit = std::find_if(kUnits.begin(), kUnits.end(), [&](Unit const& known) {
    return known.shift == 0 || (bytes != 0 && bytes % (std::uint64_t{1} << known.shift) == 0);
  });
  return std::to_string(bytes >> unit->shift) + (unit->shift == 0 ? "" : unit->name);
}

std::string OneOf(std::vector<std::string> const& words) {
  std::string list;
  for (auto const& word : words) {
    list += (list.empty() ? "" : word == words.back() ? " or " : ", ") + word;
  }
  return list;
}

Words<FinishBy> const& WordsOfFinish() {
  static Words<FinishBy> const words{{"close", FinishBy::kClose},
                                     {"rename", FinishBy::kRename},
                                     {"command", FinishBy::kCommand},
                                     {"manual", FinishBy::kManual},
                                     {"written", FinishBy::kWritten}};
  return words;
}

Words<Verification> const& WordsOfVerify() {
  static Words<Verification> const words{{"off", Verification::kOff},
                                         {"head", Verification::kHead},
                                         {"download", Verification::kDownload}};
  return words;
}

namespace value {

Result<void> Flag::Set(bool& member, std::string const& text) {
  if (text != "true" && text != "false") return Fail(EINVAL, "it takes true or false");
  member = text == "true";
  return {};
}

Texts Flag::Get(bool member) { return member ? Texts{"true"} : Texts{}; }

std::string Number::Takes() const {
  return "a number from " + std::to_string(from) + " to " + std::to_string(to);
}

Result<void> Number::Set(int& member, std::string const& text) const {
  auto const number = ParseNumber<int>(text);
  if (!number || *number < from || *number > to) {
    return Fail(EINVAL, "it takes " + Takes());
  }
  member = *number;
  return {};
}

Texts Number::Get(int member) { return {std::to_string(member)}; }

std::string Seconds::Takes() const {
  return "seconds from 0 to " + std::to_string(longest.count());
}

Result<void> Seconds::Set(std::chrono::seconds& member, std::string const& text) const {
  auto const seconds = ParseNumber<std::int64_t>(text);
  if (!seconds || *seconds < 0 || *seconds > longest.count()) {
    return Fail(EINVAL, "it takes " + Takes());
  }
  member = std::chrono::seconds(*seconds);
  return {};
}

Result<void> Seconds::Set(std::chrono::milliseconds& member, std::string const& text) const {
  auto const seconds = ParseNumber<double>(text);
  // What is not a number is in no range.
  bool const is_in_range =
      seconds && *seconds >= 0 && *seconds <= static_cast<double>(longest.count());
  if (!is_in_range) return Fail(EINVAL, "it takes " + Takes());
  member = std::chrono::milliseconds(std::llround(*seconds * 1000));
  return {};
}

Texts Seconds::Get(std::chrono::seconds member) { return {std::to_string(member.count())}; }

Texts Seconds::Get(std::chrono::milliseconds member) {
  auto text = std::to_string(member.count() / 1000);
  auto const rest = member.count() % 1000;
  if (rest != 0) text += "." + std::to_string(1000 + rest).substr(1);
  return {text};
}

std::string Size::Takes() const {
  auto const range = multiple > 1 ? "a multiple of " + FormatSize(multiple)
                     : least > 0  ? "a size of " + FormatSize(least) + " or more"
                                  : std::string("a size");
  return range + ", such as " + example;
}

Result<void> Size::Set(std::uint64_t& member, std::string const& text) const {
  auto const size = ParseSize(text);
  if (!size || *size < least || *size % multiple != 0) {
    return Fail(EINVAL, "it takes " + Takes());
  }
  member = *size;
  return {};
}

Result<void> Size::Set(std::optional<std::uint64_t>& member, std::string const& text) const {
  std::uint64_t size = 0;
  if (auto set = Set(size, text); !set) return set;
  member = size;
  return {};
}

Texts Size::Get(std::uint64_t member) { return {FormatSize(member)}; }

Texts Size::Get(std::optional<std::uint64_t> const& member) {
  return member ? Get(*member) : Texts{};
}

Result<void> SizeOrAll::Set(std::optional<std::uint64_t>& member, std::string const& text) {
  auto const size = text == kNone ? 0 : ParseSize(text);
  if (text != "all" && !size) return Fail(EINVAL, "it takes " + Takes());
  member = text == "all" ? std::nullopt : std::optional(*size);
  return {};
}

Texts SizeOrAll::Get(std::optional<std::uint64_t> const& member) {
  return {member ? FormatSize(*member) : "all"};
}

Result<void> PartSize::Set(std::uint64_t& member, std::string const& text) {
  if (text == "auto" || text == "off") {
    member = text == "auto" ? kUsualPart : 0;
    return {};
  }
  auto const size = ParseSize(text);
  if (!size || *size < kPartUnit || *size > kLargestPart)
    return Fail(EINVAL, "it takes " + Takes());
  member = (*size + kPartUnit - 1) / kPartUnit * kPartUnit;
  return {};
}

Texts PartSize::Get(std::uint64_t member) {
  return {member == 0 ? std::string("off") : FormatSize(member)};
}

Result<void> Text::Set(std::string& member, std::string const& text) {
  if (text.empty()) return Fail(EINVAL, "it is empty");
  member = text;
  return {};
}

Texts Text::Get(std::string const& member) { return member.empty() ? Texts{} : Texts{member}; }

Result<void> FilePath::Set(std::string& member, std::string const& text) {
  if (text.empty()) return Fail(EINVAL, "it takes " + Takes());
  member = std::filesystem::absolute(tus::CredentialFile(text)).string();
  return {};
}

Texts PresetName::words() {
  Texts names;
  for (auto const& preset : tus::Presets()) names.push_back(preset.name);
  return names;
}

Result<void> Address::Set(std::string& member, std::string const& text) {
  if (auto address = ParseListenAddress(text); !address) return Failure(address.error());
  member = text;
  return {};
}

Result<void> Endpoint::Set(std::string& member, std::string const& text) {
  auto url = tus::NormalizeEndpoint(text);
  if (!url) return Fail(EINVAL, url.error().message);
  if (tus::HasSecret(*url)) {
    return Fail(
        EINVAL,
        "it has a user, a password or a query in it, which may be secret: name a URL without");
  }
  member = *std::move(url);
  return {};
}

Result<void> PresetName::Set(std::string& member, std::string const& text) {
  auto const preset = tus::FindPreset(text);
  if (!preset) return Fail(EINVAL, preset.error().message);
  member = text;
  return {};
}

Result<void> Command::Set(Texts& member, std::string const& text) {
  std::istringstream in(text);
  Texts words{std::istream_iterator<std::string>(in), {}};
  if (words.empty()) return Fail(EINVAL, "it is empty");
  member = std::move(words);
  return {};
}

Texts Command::Get(Texts const& member) { return member.empty() ? Texts{} : Texts{Joined(member)}; }

Texts List::words() const { return usual.empty() ? Texts{} : Texts{kNone}; }

std::string List::Takes() const {
  return usual.empty() ? element : std::string(element) + ", or none";
}

Result<void> List::Set(Texts& member, std::string const& text) const {
  if (text == kNone && !usual.empty()) {
    member.clear();
    return {};
  }
  if (auto checked = check(text); !checked) return checked;
  member.push_back(text);
  return {};
}

Texts List::Get(Texts const& member) const {
  auto const kept = std::mismatch(usual.begin(), usual.end(), member.begin(), member.end());
  if (kept.first == usual.end()) return {kept.second, member.end()};
  Texts all{kNone};
  all.insert(all.end(), member.begin(), member.end());
  return all;
}

Result<void> CheckGlob(std::string const& text) {
  auto const glob = Glob::Parse(text);
  return glob ? Result<void>() : Failure(glob.error());
}

Result<void> CheckProgramName(std::string const& text) {
  if (!text.empty() && text.find('/') == std::string::npos) return {};
  return Fail(EINVAL, "it takes the name of a program, such as cp");
}

Result<void> CheckFailures(std::string const& text) {
  auto const rule = ParseFailureRule(text);
  return rule ? Result<void>() : Failure(rule.error());
}

Result<void> CheckOrigin(std::string const& text) {
  auto const url = tus::NormalizeEndpoint(text);
  return url ? Result<void>() : Fail(EINVAL, url.error().message);
}

namespace {

template <typename T>
std::string TakesRule(Choice<T> const& choice, std::string const& metavar) {
  return "GLOB=" + metavar + ", where " + metavar + " is " + choice.Takes();
}

/// GLOB=WORD, where the pattern may have a = of its own. `metavar`: how the help calls WORD.
template <typename Rule, typename T>
Result<void> AddRule(std::vector<Rule>& rules, std::string const& text, Choice<T> const& choice,
                     std::string const& metavar) {
  auto const equals = text.rfind('=');
  T by{};
  bool const is_pair = equals != std::string::npos;
  if (!is_pair || !choice.Set(by, text.substr(equals + 1))) {
    return Fail(EINVAL, "it takes " + TakesRule(choice, metavar));
  }
  auto glob = Glob::Parse(text.substr(0, equals));
  if (!glob) return Failure(glob.error());
  rules.push_back({*std::move(glob), by});
  return {};
}

template <typename Rule, typename T>
Texts TextsOf(std::vector<Rule> const& rules, Choice<T> const& choice) {
  Texts texts;
  for (auto const& rule : rules) {
    texts.push_back(rule.files.text() + "=" + choice.Get(rule.by).front());
  }
  return texts;
}

}  // namespace

Texts FinishRules::words() { return Choice<FinishBy>(WordsOfFinish()).words(); }

std::string FinishRules::Takes() { return TakesRule(Choice<FinishBy>(WordsOfFinish()), "WHEN"); }

Result<void> FinishRules::Set(std::vector<FinishRule>& member, std::string const& text) {
  return AddRule(member, text, Choice<FinishBy>(WordsOfFinish()), "WHEN");
}

Texts FinishRules::Get(std::vector<FinishRule> const& member) {
  return TextsOf(member, Choice<FinishBy>(WordsOfFinish()));
}

Texts CheckRules::words() { return Choice<ContentCheck>(WordsOfCheck()).words(); }

std::string CheckRules::Takes() { return TakesRule(Choice<ContentCheck>(WordsOfCheck()), "WHAT"); }

Result<void> CheckRules::Set(std::vector<CheckRule>& member, std::string const& text) {
  return AddRule(member, text, Choice<ContentCheck>(WordsOfCheck()), "WHAT");
}

Texts CheckRules::Get(std::vector<CheckRule> const& member) {
  return TextsOf(member, Choice<ContentCheck>(WordsOfCheck()));
}

Result<void> Metadata::Set(std::vector<tus::MetadataTemplate>& member, std::string const& text) {
  auto const equals = text.find('=');
  if (equals == std::string::npos) {
    return Fail(EINVAL, "it takes " + Takes());
  }
  tus::MetadataTemplate const added{text.substr(0, equals), text.substr(equals + 1)};
  if (auto const checked = tus::CheckTemplates(std::span(&added, 1)); !checked) {
    return Fail(EINVAL, checked.error().message);
  }
  std::erase_if(member, [&](auto const& other) { return other.key == added.key; });
  member.push_back(added);
  return {};
}

Texts Metadata::Get(std::vector<tus::MetadataTemplate> const& member) {
  Texts texts;
  for (auto const& [key, value] : member) texts.push_back(key + "=" + value);
  return texts;
}

}  // namespace value
}  // namespace tusfs
