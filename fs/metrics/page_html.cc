#include "metrics/page_html.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <numeric>

#include "base/file_digest.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/check.h"
#include "metrics/page_files.h"

namespace tusfs {
namespace {

using nlohmann::json;

// Of the picture, in its own units.
constexpr int kHeight = 100;
constexpr int kColumn = 10;

std::string Element(std::string const& name, std::string const& kind, std::string const& inner) {
  return "<" + name + " class=\"" + kind + "\">" + inner + "</" + name + ">\n";
}

std::string Bar(std::uint64_t value, std::uint64_t most, std::string const& what) {
  return "<progress max=\"" + std::to_string(most) + "\" value=\"" + std::to_string(value) +
         "\" aria-label=\"" + what + "\"></progress>\n";
}

// A name may be written from right to left, or say that it is.
std::string Name(std::string const& path) {
  return Element("p", "path", "<bdi>" + EscapeHtml(path) + "</bdi>");
}

// ---- the parts

std::string State(PageNews const& news) {
  auto const going = NumberOf(news.told, "going");
  auto const* const kind = news.is_safe ? "sentence safe"
                           : going > 0  ? "sentence going"
                                        : "sentence stuck";
  auto text = Element("p", kind, EscapeHtml(news.sentence));
  if (going > 0) {
    text += Bar(static_cast<std::uint64_t>(news.percent), 100, "sent") +
            Element("p", "percent", std::to_string(news.percent) + "%");
  }
  return text;
}

std::string Button(char const* command, char const* label, std::string const& path) {
  return "<form method=\"post\" action=\"/act\"><input type=\"hidden\" name=\"path\" value=\"" +
         Hex(path) + "\"><button name=\"command\" value=\"" + std::string(command) + "\">" + label +
         "</button></form>";
}

// What a person can decide with one touch. To give a file up is not among it: that wants its name.
std::string Buttons(json const& file) {
  auto const path = TextOf(file, "path");
  auto const state = TextOf(file, "state");
  // Of a name that is not UTF-8 the daemon has told another one.
  if (path.find("\xef\xbf\xbd") != std::string::npos) return {};
  if (state == "failed") return Button("retry", "Try again", path);
  if (state == "unconfirmed") {
    return Button("accept", "It is on the server", path) +
           Button("retry", "It is not: send it again", path);
  }
  return Button("publish", "Send it as it is", path);
}

std::string Needs(PageFacts const& facts, json const& told) {
  auto const stuck = NumberOf(told, "stuck") - BeneathIn(told).left;  // of which the sentence tells
  if (stuck == 0) return {};
  std::string items;
  auto const& files = told.at("stuck_files");
  for (auto const& file : files) {
    auto const path = TextOf(file, "path");
    auto const error = TextOf(file, "error");
    auto item = Name(path) +
                Element("p", "why",
                        EscapeHtml(TextOf(file, "state") + (error.empty() ? "" : ": " + error)));
    for (auto const& way : WaysOut(file, facts.mount + "/" + path)) {
      item += Element("p", "advice", EscapeHtml(way));
    }
    if (facts.has_actions) item += Element("div", "actions", Buttons(file));
    items += "<li>" + item + "</li>\n";
  }
  auto text = "<h2>Needs you</h2>\n" + Element("ul", "files", items);
  if (stuck > files.size()) {
    text += Element("p", "more",
                    "and " + std::to_string(stuck - files.size()) +
                        " more: see <code>tusfsctl list --stuck</code>");
  }
  return text;
}

std::string Sending(json const& told) {
  std::string items;
  for (auto const& file : told.at("sending")) {
    auto const size = NumberOf(file, "size");
    auto const gone = std::min(NumberOf(file, "offset") + NumberOf(file, "sending"), size);
    items += "<li>" + Name(TextOf(file, "path")) +
             Bar(gone, std::max<std::uint64_t>(size, 1), "sent of this file") +
             Element("p", "bytes", ShowBytes(gone) + " of " + ShowBytes(size)) + "</li>\n";
  }
  return items.empty() ? items : "<h2>On the way</h2>\n" + Element("ul", "files", items);
}

std::string Rate(std::vector<std::uint64_t> const& minutes) {
  auto const most = minutes.empty() ? 0 : *std::max_element(minutes.begin(), minutes.end());
  auto const all = std::accumulate(minutes.begin(), minutes.end(), std::uint64_t{0});
  if (all == 0) return "<h2>The last hour</h2>\n" + Element("p", "quiet", "Nothing was sent.");
  auto const said = "at most " + ShowBytes(most) + " in a minute, " + ShowBytes(all) + " in all";
  std::string columns;
  for (std::size_t i = 0; i < minutes.size(); ++i) {
    if (minutes[i] == 0) continue;
    auto const share = static_cast<double>(minutes[i]) / static_cast<double>(most);
    // What was sent is seen, however little it was.
    auto const height = std::max(1, static_cast<int>(share * kHeight));
    columns += "<rect x=\"" + std::to_string(static_cast<int>(i) * kColumn) + "\" y=\"" +
               std::to_string(kHeight - height) + "\" width=\"" + std::to_string(kColumn - 2) +
               "\" height=\"" + std::to_string(height) + "\"/>";
  }
  return "<h2>The last hour</h2>\n<svg viewBox=\"0 0 " +
         std::to_string(static_cast<int>(minutes.size()) * kColumn) + " " +
         std::to_string(kHeight) + "\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" +
         said + "\">" + columns + "</svg>\n" +
         Element("p", "scale", "<span>an hour ago</span><span>now</span>") +
         Element("p", "quiet", said);
}

std::string Row(char const* term, std::string const& inner) {
  return "<dt>" + std::string(term) + "</dt><dd>" + inner + "</dd>\n";
}

std::string Server(PageFacts const& facts, json const& told) {
  auto const& server = told.at("server");
  bool const is_reachable = told.value("reachable", false);
  auto const error = TextOf(server, "error");
  auto const since = EscapeHtml(TextOf(server, "since"));
  auto const link = facts.interface.empty() ? std::string("as the system routes it")
                                            : "over " + EscapeHtml(facts.interface);
  bool const is_paused = told.value("paused", false);
  auto text =
      Row("Server", EscapeHtml(facts.url)) +
      Row("Its state", std::string(is_reachable ? "answers" : "does not answer") + " since " +
                           since + (error.empty() ? "" : ": " + EscapeHtml(error))) +
      Row("Link", link) + Row("Sent", ShowBytes(NumberOf(told, "sent")) + " in all");
  if (is_paused) text += Row("Sending", "is paused: see <code>tusfsctl resume</code>");
  text = "<h2>Server</h2>\n<dl>" + text + "</dl>\n";
  if (!facts.has_actions) return text;
  auto const* const command = is_paused ? "resume" : "pause";
  return text +
         Element("div", "actions", Button(command, is_paused ? "Send again" : "Pause sending", ""));
}

// ---- templates

// Each {{name}} is there once, or more often.
std::string Filled(std::string_view page, PageParts const& parts) {
  std::string text;
  while (true) {
    auto const begin = page.find("{{");
    auto const end = page.find("}}", std::min(begin, page.size()));
    if (end == std::string_view::npos) return text + std::string(page);
    auto const name = page.substr(begin + 2, end - begin - 2);
    text += page.substr(0, begin);
    for (auto const& [id, html] : parts) {
      if (id == name) text += html;
    }
    page.remove_prefix(end + 2);
  }
}

int DigitOf(char c) {
  auto const* const digits = "0123456789abcdef";
  auto const* const found = std::find(digits, digits + 16, c);
  return found == digits + 16 ? -1 : static_cast<int>(found - digits);
}

}  // namespace

std::string FromHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::string(text);
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    auto const high = DigitOf(text[i]);
    auto const low = DigitOf(text[i + 1]);
    if (high < 0 || low < 0) return std::string(text);
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

PageParts PartsOfPage(PageFacts const& facts, PageNews const& news,
                      std::vector<std::uint64_t> const& minutes) {
  return {{"state", State(news)},
          {"needs", Needs(facts, news.told)},
          {"sending", Sending(news.told)},
          {"rate", Rate(minutes)},
          {"server", Server(facts, news.told)}};
}

std::string WholePage(PageFacts const& facts, PageParts const& parts) {
  auto all = parts;
  all.emplace_back("mount", EscapeHtml(facts.mount));
  all.emplace_back("version", EscapeHtml(facts.version));
  return Filled(kPageHtml, all);
}

std::string MessagePage(std::string const& message, bool has_form) {
  return Filled(kMessageHtml, {{"message", EscapeHtml(message)},
                               {"form", has_form ? std::string(kTokenForm) : std::string()}});
}

}  // namespace tusfs
