#include "options/link_value.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "base/text.h"

namespace tusfs {
namespace {

using Per = LinkOptions::Budget::Per;

constexpr std::size_t kMostLinks = 16;
constexpr std::size_t kLongestName = 32;
constexpr int kHighestCost = 1000;

/// Behind -o a comma separates options, so a colon does here.
std::vector<std::string> SplitParts(std::string const& text) {
  std::vector<std::string> parts(1);
  for (char const c : text) {
    if (c == ',' || c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// It stands in logs, in a table and as a label of numbers.
Result<void> CheckName(std::string const& name) {
  constexpr std::string_view kMarks = "-_.";
  bool const is_plain = std::ranges::all_of(name, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
  if (!name.empty() && name.size() <= kLongestName && is_plain) return {};
  return Fail(EINVAL, "'" + Printable(name) + "' is no name of a link: it takes up to " +
                          std::to_string(kLongestName) + " letters, digits, '-', '_' and '.'");
}

bool IsAddress(std::string const& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

Result<void> CheckInterface(std::string const& name) {
  if (IsAddress(name)) {
    return Fail(EINVAL, "'" + name +
                            "' is an address: name the interface that has it, as "
                            "'ip -brief address' shows it");
  }
  bool const is_plain = std::ranges::none_of(name, [](char c) {
    return c == '/' || c == ':' || c == '@' || static_cast<unsigned char>(c) <= ' ';
  });
  if (!name.empty() && name.size() < IFNAMSIZ && is_plain) return {};
  return Fail(EINVAL, "'" + Printable(name) +
                          "' is no name of an interface: it takes one that "
                          "'ip -brief link' shows (what it shows before an @), of up to " +
                          std::to_string(IFNAMSIZ - 1) + " characters");
}

Result<void> SetBudget(LinkOptions& link, std::string const& text) {
  auto const slash = text.rfind('/');
  auto const per = slash == std::string::npos ? "" : text.substr(slash + 1);
  auto const bytes = ParseSize(text.substr(0, slash));
  if (!bytes || *bytes == 0 || (per != "day" && per != "month")) {
    return Fail(EINVAL, "'" + Printable(text) + "' is no budget: it takes a size for a day or a " +
                            "month, such as 10GiB/month");
  }
  link.budget = {.bytes = *bytes, .per = per == "day" ? Per::kDay : Per::kMonth};
  return {};
}

Result<void> SetKey(LinkOptions& link, std::string const& key, std::string const& text) {
  if (key == "budget") return SetBudget(link, text);
  auto set =
      key == "cost" ? value::Number(1, kHighestCost).Set(link.cost, text)
      : key == "limit"
          ? value::Size("1MiB", 1).Set(link.limit, text)
          : Fail(EINVAL, "there is no '" + Printable(key) + "': it takes budget, cost and limit");
  bool const is_known = key == "cost" || key == "limit";
  if (!set && is_known) return Fail(EINVAL, key + ": " + set.error().context);
  return set;
}

}  // namespace

Result<LinkOptions> ParseLink(std::string const& text) {
  auto const parts = SplitParts(text);
  auto const equals = parts.front().find('=');
  if (equals == std::string::npos) return Fail(EINVAL, "it takes " + value::Links::Takes());
  LinkOptions link{.name = parts.front().substr(0, equals),
                   .interface = parts.front().substr(equals + 1)};
  if (auto checked = CheckName(link.name); !checked) return Failure(checked.error());
  if (auto checked = CheckInterface(link.interface); !checked) return Failure(checked.error());
  std::vector<std::string> said;
  for (auto part = parts.begin() + 1; part != parts.end(); ++part) {
    auto const sign = part->find('=');
    auto const key = part->substr(0, sign);
    if (std::ranges::find(said, key) != said.end()) {
      return Fail(EINVAL, "it says " + Printable(key) + " twice");
    }
    said.push_back(key);
    auto set = SetKey(link, key, sign == std::string::npos ? "" : part->substr(sign + 1));
    if (!set) return Failure(set.error());
  }
  return link;
}

std::string FormatLink(LinkOptions const& link) {
  auto text = link.name + "=" + link.interface;
  if (link.budget) {
    text += ",budget=" + FormatSize(link.budget->bytes) +
            (link.budget->per == Per::kDay ? "/day" : "/month");
  }
  if (link.cost != LinkOptions().cost) text += ",cost=" + std::to_string(link.cost);
  if (link.limit != 0) text += ",limit=" + FormatSize(link.limit);
  return text;
}

namespace value {

std::string Links::Takes() {
  return "NAME=INTERFACE, with any of ,budget=SIZE/day or /month ,cost=N ,limit=RATE behind it, "
         "such as lte=wwan0,budget=10GiB/month,cost=5";
}

Result<void> Links::Set(std::vector<LinkOptions>& member, std::string const& text) {
  auto link = ParseLink(text);
  if (!link) return Failure(link.error());
  if (member.size() >= kMostLinks) {
    return Fail(EINVAL, "there are more than " + std::to_string(kMostLinks) + " links");
  }
  for (auto const& other : member) {
    if (other.name == link->name) {
      return Fail(EINVAL, "two links have the name '" + link->name + "': give one another name");
    }
    if (other.interface == link->interface) {
      return Fail(EINVAL, "'" + other.name + "' and '" + link->name + "' are one interface, " +
                              link->interface + ": give it one link");
    }
  }
  member.push_back(*std::move(link));
  return {};
}

Texts Links::Get(std::vector<LinkOptions> const& member) {
  Texts texts;
  for (auto const& link : member) texts.push_back(FormatLink(link));
  return texts;
}

}  // namespace value
}  // namespace tusfs
