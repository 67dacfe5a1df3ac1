#include "mhl/xml.h"

#include <expat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

namespace tusfs {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kDeepest = 32;
constexpr std::size_t kLongestText = 1 << 16;

std::string WithoutNamespace(std::string name) {
  auto const at = name.rfind('\x1f');
  return at == std::string::npos ? name : name.substr(at + 1);
}

// What expat's callbacks share.
struct Reading {
  XML_Parser parser = nullptr;
  std::function<std::string(XmlElement const&)> const& begins;
  std::function<std::string(XmlElement const&)> const& ends;
  std::vector<XmlElement> open{};
  std::string problem{};

  void Stop(std::string why) {
    if (problem.empty()) problem = std::move(why);
    XML_StopParser(parser, XML_FALSE);
  }
};

void OnBegin(void* data, XML_Char const* name, XML_Char const** attributes) {
  auto& reading = *static_cast<Reading*>(data);
  if (reading.open.size() == kDeepest) return reading.Stop("it is nested too deeply");
  XmlElement element;
  auto const own = WithoutNamespace(name);
  element.path = reading.open.empty() ? own : reading.open.back().path + "/" + own;
  for (auto const** at = attributes; *at != nullptr; at += 2) {
    element.attributes[WithoutNamespace(at[0])] = at[1];
  }
  reading.open.push_back(std::move(element));
  if (auto why = reading.begins(reading.open.back()); !why.empty()) reading.Stop(std::move(why));
}

void OnEnd(void* data, XML_Char const*) {
  auto& reading = *static_cast<Reading*>(data);
  if (reading.open.empty() || !reading.problem.empty()) return;
  if (auto why = reading.ends(reading.open.back()); !why.empty()) reading.Stop(std::move(why));
  reading.open.pop_back();
}

void OnText(void* data, XML_Char const* text, int length) {
  auto& reading = *static_cast<Reading*>(data);
  if (reading.open.empty()) return;
  auto& all = reading.open.back().text;
  all.append(text, static_cast<std::size_t>(length));
  if (all.size() > kLongestText) reading.Stop("a text is too long");
}

void OnEntity(void* data, XML_Char const*, int, XML_Char const*, int, XML_Char const*,
              XML_Char const*, XML_Char const*, XML_Char const*) {
  static_cast<Reading*>(data)->Stop("it declares entities, which no media hash list has");
}

// The length of the UTF-8 character at the beginning; 0: there is none.
std::size_t LengthOfCharacter(std::string_view text) {
  auto const first = static_cast<unsigned char>(text[0]);
  std::size_t const length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  bool const follows = std::ranges::all_of(text.substr(1, length - 1),
                                           [](unsigned char c) { return (c & 0xc0) == 0x80; });
  return follows ? length : 0;
}

}  // namespace

Result<void> ReadXml(std::string_view text,
                     std::function<std::string(XmlElement const&)> const& begins,
                     std::function<std::string(XmlElement const&)> const& ends) {
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, decltype(&XML_ParserFree)> const parser(
      XML_ParserCreateNS("UTF-8", '\x1f'), XML_ParserFree);
  if (!parser) return Fail(ENOMEM, "there is no memory for an XML parser");
  Reading reading{.parser = parser.get(), .begins = begins, .ends = ends};
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), OnBegin, OnEnd);
  XML_SetCharacterDataHandler(parser.get(), OnText);
  XML_SetEntityDeclHandler(parser.get(), OnEntity);
  bool goes_on = true;
  for (std::size_t at = 0; goes_on; at += kPiece) {
    auto const piece = text.substr(std::min(at, text.size()), kPiece);
    bool const is_last = at + kPiece >= text.size();
    bool const is_fine = XML_Parse(parser.get(), piece.data(), static_cast<int>(piece.size()),
                                   is_last ? 1 : 0) == XML_STATUS_OK;
    if (!is_fine) {
      auto const why = reading.problem.empty() ? XML_ErrorString(XML_GetErrorCode(parser.get()))
                                               : reading.problem;
      return Fail(EINVAL,
                  "line " + std::to_string(XML_GetCurrentLineNumber(parser.get())) + ": " + why);
    }
    goes_on = !is_last;
  }
  return {};
}

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    auto const length = LengthOfCharacter(text);
    auto const first = text[0];
    bool const is_control = static_cast<unsigned char>(first) < 0x20;
    if (length == 0 || (is_control && first != '\t' && first != '\n' && first != '\r')) {
      escaped += "\xef\xbf\xbd";
    } else if (is_control) {
      escaped += "&#" + std::to_string(static_cast<int>(first)) + ";";
    } else if (first == '&') {
      escaped += "&amp;";
    } else if (first == '<') {
      escaped += "&lt;";
    } else if (first == '>') {
      escaped += "&gt;";
    } else if (first == '"') {
      escaped += "&quot;";
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return escaped;
}

bool FitsIntoXml(std::string_view text) {
  while (!text.empty()) {
    auto const length = LengthOfCharacter(text);
    auto const first = static_cast<unsigned char>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace tusfs
