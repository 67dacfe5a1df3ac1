// What settings take. Each kind of value has
//
//   Set(member, text)   takes what a person has written. Errors: EINVAL with what would be right.
//   Get(member)         what Set would take, to come to the same; nothing where nothing is to be
//                       said
//   words()             the words that it takes, where it takes such
//   Takes()             what it takes, range and unit included, as "it takes …" goes on
//
// Pure functions of their arguments, but for FilePath, which asks where this process is.
#pragma once

#include <tusclient/preset.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "options/settings.h"
#include "uploader/publish_rules.h"
#include "uploader/verification.h"

namespace tusfs {

/// Bytes of "32MiB", "1GiB", "64KiB", "1000". Errors: EINVAL with a sentence.
[[nodiscard]] Result<std::uint64_t> ParseSize(std::string const& text);

/// As ParseSize takes it, with the largest unit that leaves a whole number.
[[nodiscard]] std::string FormatSize(std::uint64_t bytes);

/// "one, two or three".
[[nodiscard]] std::string OneOf(std::vector<std::string> const& words);

template <typename T>
using Words = std::vector<std::pair<char const*, T>>;

/// Of settings that are keys of rules, too.
[[nodiscard]] Words<FinishBy> const& WordsOfFinish();
[[nodiscard]] Words<Verification> const& WordsOfVerify();

namespace value {

using Texts = std::vector<std::string>;

struct Plain {
  static constexpr auto kKind = Setting::Kind::kValue;
  [[nodiscard]] static Texts words() { return {}; }
};

struct Flag {
  static constexpr auto kKind = Setting::Kind::kFlag;
  [[nodiscard]] static Texts words() { return {}; }
  [[nodiscard]] static std::string Takes() { return "true or false"; }
  [[nodiscard]] static Result<void> Set(bool& member, std::string const& text);
  [[nodiscard]] static Texts Get(bool member);
};

struct Number : Plain {
  int from;
  int to;

  constexpr Number(int least, int most) : from(least), to(most) {}
  [[nodiscard]] std::string Takes() const;
  [[nodiscard]] Result<void> Set(int& member, std::string const& text) const;
  [[nodiscard]] static Texts Get(int member);
};

/// Whole ones, or with a fraction where the member counts milliseconds.
struct Seconds : Plain {
  std::chrono::seconds longest;

  explicit constexpr Seconds(std::chrono::seconds most) : longest(most) {}
  [[nodiscard]] std::string Takes() const;
  [[nodiscard]] Result<void> Set(std::chrono::seconds& member, std::string const& text) const;
  [[nodiscard]] Result<void> Set(std::chrono::milliseconds& member, std::string const& text) const;
  [[nodiscard]] static Texts Get(std::chrono::seconds member);
  [[nodiscard]] static Texts Get(std::chrono::milliseconds member);
};

/// Bytes, of at least `least` and a multiple of `multiple`.
struct Size : Plain {
  char const* example;
  std::uint64_t least = 0;
  std::uint64_t multiple = 1;

  explicit constexpr Size(char const* such_as, std::uint64_t from = 0, std::uint64_t of = 1)
      : example(such_as), least(from), multiple(of) {}
  [[nodiscard]] std::string Takes() const;
  [[nodiscard]] Result<void> Set(std::uint64_t& member, std::string const& text) const;
  [[nodiscard]] Result<void> Set(std::optional<std::uint64_t>& member,
                                 std::string const& text) const;
  [[nodiscard]] static Texts Get(std::uint64_t member);
  [[nodiscard]] static Texts Get(std::optional<std::uint64_t> const& member);
};

/// Bytes, all of them (nothing) or none.
struct SizeOrAll : Plain {
  [[nodiscard]] static Texts words() { return {"all", "none"}; }
  [[nodiscard]] static std::string Takes() { return "a size, all or none"; }
  [[nodiscard]] static Result<void> Set(std::optional<std::uint64_t>& member,
                                        std::string const& text);
  [[nodiscard]] static Texts Get(std::optional<std::uint64_t> const& member);
};

/// One of some words, each of which stands for a value.
template <typename T>
struct Choice : Plain {
  Words<T> choices;

  explicit Choice(Words<T> of) : choices(std::move(of)) {}
  [[nodiscard]] Texts words() const {
    Texts texts;
    for (auto const& [word, meaning] : choices) texts.emplace_back(word);
    return texts;
  }
  [[nodiscard]] std::string Takes() const { return OneOf(words()); }
  [[nodiscard]] Result<void> Set(T& member, std::string const& text) const {
    for (auto const& [word, meaning] : choices) {
      if (text != word) continue;
      member = meaning;
      return {};
    }
    return Fail(EINVAL, "it takes " + Takes());
  }
  [[nodiscard]] Texts Get(T const& member) const {
    for (auto const& [word, meaning] : choices) {
      if (member == meaning) return {word};
    }
    return {};
  }
};

/// Bytes of a part of a file, rounded up to a multiple of 4 MiB, which auto chooses; off: 0.
struct PartSize : Plain {
  [[nodiscard]] static Texts words() { return {"auto", "off"}; }
  [[nodiscard]] static std::string Takes() { return "auto, off or a size from 4MiB to 1TiB"; }
  [[nodiscard]] static Result<void> Set(std::uint64_t& member, std::string const& text);
  [[nodiscard]] static Texts Get(std::uint64_t member);
};

struct Text : Plain {
  [[nodiscard]] static std::string Takes() { return "a text that is not empty"; }
  [[nodiscard]] static Result<void> Set(std::string& member, std::string const& text);
  [[nodiscard]] static Texts Get(std::string const& member);
};

/// An absolute path: a daemon is in another directory. A name without a slash is a credential of
/// systemd where there is one.
struct FilePath : Text {
  [[nodiscard]] static std::string Takes() { return "a file"; }
  [[nodiscard]] static Result<void> Set(std::string& member, std::string const& text);
};

/// Of a server of ours (base/listen_address.h).
struct Address : Text {
  [[nodiscard]] static std::string Takes() {
    return "HOST:PORT, [IPV6]:PORT, a PORT of this machine or unix:/PATH";
  }
  [[nodiscard]] static Result<void> Set(std::string& member, std::string const& text);
};

/// Of a tus server. Without a secret: it is in everybody's list of processes.
struct Endpoint : Text {
  [[nodiscard]] static std::string Takes() { return "a URL without a secret"; }
  [[nodiscard]] static Result<void> Set(std::string& member, std::string const& text);
};

struct PresetName : Text {
  [[nodiscard]] static Texts words();
  [[nodiscard]] static std::string Takes() { return OneOf(words()); }
  [[nodiscard]] static Result<void> Set(std::string& member, std::string const& text);
};

/// A program with arguments between blanks.
struct Command : Plain {
  [[nodiscard]] static std::string Takes() { return "a program, with arguments between blanks"; }
  [[nodiscard]] static Result<void> Set(Texts& member, std::string const& text);
  [[nodiscard]] static Texts Get(Texts const& member);
};

/// May be set again and again. Where there are `usual` elements from the beginning, "none" forgets
/// all before it.
struct List {
  static constexpr auto kKind = Setting::Kind::kList;
  char const* element;  ///< what one is
  Result<void> (*check)(std::string const& element);
  Texts usual{};

  [[nodiscard]] Texts words() const;
  [[nodiscard]] std::string Takes() const;
  [[nodiscard]] Result<void> Set(Texts& member, std::string const& text) const;
  [[nodiscard]] Texts Get(Texts const& member) const;
};

/// Elements of lists. Errors: EINVAL with what is wrong.
[[nodiscard]] Result<void> CheckGlob(std::string const& text);
[[nodiscard]] Result<void> CheckProgramName(std::string const& text);
[[nodiscard]] Result<void> CheckFailures(std::string const& text);
[[nodiscard]] Result<void> CheckOrigin(std::string const& text);

/// GLOB=WHEN, in their order.
struct FinishRules {
  static constexpr auto kKind = Setting::Kind::kList;
  [[nodiscard]] static Texts words();
  [[nodiscard]] static std::string Takes();
  [[nodiscard]] static Result<void> Set(std::vector<FinishRule>& member, std::string const& text);
  [[nodiscard]] static Texts Get(std::vector<FinishRule> const& member);
};

/// GLOB=WHAT, in their order.
struct CheckRules {
  static constexpr auto kKind = Setting::Kind::kList;
  [[nodiscard]] static Texts words();
  [[nodiscard]] static std::string Takes();
  [[nodiscard]] static Result<void> Set(std::vector<CheckRule>& member, std::string const& text);
  [[nodiscard]] static Texts Get(std::vector<CheckRule> const& member);
};

/// KEY=TEMPLATE; a later one for a key replaces an earlier one.
struct Metadata {
  static constexpr auto kKind = Setting::Kind::kTable;
  [[nodiscard]] static Texts words() { return {}; }
  [[nodiscard]] static std::string Takes() { return "KEY=TEMPLATE, such as project={path}"; }
  [[nodiscard]] static Result<void> Set(std::vector<tus::MetadataTemplate>& member,
                                        std::string const& text);
  [[nodiscard]] static Texts Get(std::vector<tus::MetadataTemplate> const& member);
};

}  // namespace value
}  // namespace tusfs
