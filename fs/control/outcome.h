// How tusfsctl ends and what it prints.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tusfs {

// Exit statuses; scripts depend on them.
constexpr int kDone = 0;
constexpr int kStuck = 1;
constexpr int kNoAnswer = 2;
constexpr int kTimeout = 3;

/// Says the sentence on standard error. Returns kNoAnswer.
int Complain(std::string const& sentence);

/// Of all answers with --json, in their member "schema". It grows when a member goes or becomes
/// another thing; one that is new says nothing to who does not know it.
constexpr int kJsonSchema = 1;

/// The object with its schema.
[[nodiscard]] nlohmann::json WithSchema(nlohmann::json object);

using Show = std::string (*)(nlohmann::json const&, bool with_bars);
/// Prints an answer on standard output: as it is, or as `show` has it.
void Print(nlohmann::json const& answer, bool as_json, Show show);

/// Prints files one by one: a line each, or one object with all of them.
class FilePrinter {
 public:
  explicit FilePrinter(bool as_json);
  void Print(nlohmann::json const& file);
  /// After the last one. An object without its end says that something went wrong.
  void End() const;

 private:
  bool const as_json_;
  bool const with_bars_;
  bool is_begun_ = false;
};

}  // namespace tusfs
