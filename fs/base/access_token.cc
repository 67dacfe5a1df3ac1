#include "base/access_token.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>

#include "base/file.h"

namespace tusfs {
namespace {

constexpr std::size_t kShortest = 16;
constexpr std::size_t kLongest = 256;
constexpr std::size_t kRandomBytes = 16;

// Such as an address and a cookie take as they are.
bool IsOfToken(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '~' ||
         c == '-';
}

Result<std::string> Random() {
  std::array<unsigned char, kRandomBytes> bytes{};
  // So few come at once, or not at all.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return FailErrno("getrandom");
  }
  std::string token;
  for (auto const byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(byte));
    token += digits;
  }
  return token;
}

}  // namespace

Result<std::string> ReadAccessToken(std::filesystem::path const& path) {
  auto text = ReadSmallFile(path);
  if (!text) return text;
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  bool const is_one = text->size() >= kShortest && text->size() <= kLongest &&
                      std::all_of(text->begin(), text->end(), IsOfToken);
  if (is_one) return text;
  return Fail(EINVAL, "'" + path.string() +
                          "' holds no token: one has 16 to 256 letters, digits, '.', '_', '~' and "
                          "'-' in one line");
}

Result<std::string> ReadOrMakeAccessToken(std::filesystem::path const& path) {
  auto const text = ReadSmallFile(path);
  // A power cut may have left nothing in it.
  bool const is_there = text ? !text->empty() : text.error().code != ENOENT;
  if (is_there) return ReadAccessToken(path);
  auto token = Random();
  if (!token) return token;
  if (auto written = ReplaceFile(path, *token + "\n"); !written) return Failure(written.error());
  return token;
}

bool IsSameToken(std::string_view given, std::string_view token) {
  // Over all of what is given, whatever differs.
  unsigned difference = given.size() == token.size() && !token.empty() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto const other = token.empty() ? '\0' : token[i % token.size()];
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(other);
  }
  return static_cast<unsigned volatile&>(difference) == 0;
}

}  // namespace tusfs
