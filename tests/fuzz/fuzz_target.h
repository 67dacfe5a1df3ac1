// What the fuzz targets share: how a broken promise ends the program, and how an input is read.
//
// A target checks promises of headers on whatever bytes it is given. libFuzzer makes those up;
// replay_main.cc takes them from files. Inputs are text where that is possible, so that a seed can
// be written, and a crash understood, in an editor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// libFuzzer's entry: one input. Deterministic, and nothing is left from one call to the next.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace tus::fuzz {

/// Prints `promise`, and `evidence` with it, and aborts unless it was kept.
void Require(bool kept, std::string_view promise, std::string_view evidence = {});

/// That an error's message is a sentence for a terminal, a log line or JSON: valid UTF-8 without
/// control characters, not empty, and short whatever the server said.
void RequirePresentable(std::string_view message);

/// That a URL is what tusclient keeps and sends: absolute, http or https, without user name,
/// fragment, blanks and control characters, and the same when it is normalized once more.
void RequireUsable(std::string const& url);

/// Cuts the first line off `text` and returns it without its line break.
std::string_view TakeLine(std::string_view& text);

/// The words between the blanks of `line`.
std::vector<std::string_view> Words(std::string_view line);

/// The decimal number that `word` begins with, 0 where there is none, 2^64 - 1 where it is larger.
std::uint64_t NumberOf(std::string_view word);

}  // namespace tus::fuzz
