#include "uploader/create_command.h"

#include <tusclient/client.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/run_program.h"
#include "base/text.h"

namespace tusfs {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostOutput = std::size_t{64} * 1024;
constexpr std::size_t kMostHeaders = std::size_t{8} * 1024;  // bytes in all, as servers take them

/// What the protocol and the transport say themselves.
constexpr std::array<std::string_view, 8> kOwnHeaders{
    "content-length", "content-type", "transfer-encoding", "host", "connection", "expect", "te",
    "upgrade"};

Failure Bad(std::string const& what) { return Fail(EINVAL, "the create command " + what); }

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool IsToken(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](unsigned char c) {
    return std::isalnum(c) != 0 || kOthers.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

/// A member that is an object of texts, or absent.
Result<Json> ObjectAt(Json const& answer, char const* name) {
  auto const found = answer.find(name);
  if (found == answer.end() || found->is_null()) return Json::object();
  if (!found->is_object()) return Bad(std::string("printed '") + name + "', which is no object");
  return *found;
}

Result<std::vector<tus::Header>> ReadHeaders(Json const& answer) {
  auto const object = ObjectAt(answer, "headers");
  if (!object) return Failure(object.error());
  std::vector<tus::Header> headers;
  std::size_t size = 0;
  for (auto const& [name, value] : object->items()) {
    auto const lower = Lower(name);
    bool const is_own =
        std::find(kOwnHeaders.begin(), kOwnHeaders.end(), lower) != kOwnHeaders.end() ||
        lower.starts_with("tus-") || lower.starts_with("upload-");
    if (!IsToken(name) || is_own) {
      return Bad("printed a header that cannot be set: " + Printable(name));
    }
    if (!value.is_string() || HasControl(value.get_ref<std::string const&>())) {
      return Bad("printed a header whose value is no line of text: " + Printable(name));
    }
    headers.push_back({name, value.get<std::string>()});
    size += name.size() + headers.back().value.size();
  }
  if (size > kMostHeaders) return Bad("printed headers of more than 8 KiB");
  return headers;
}

Result<tus::Metadata> ReadMetadata(Json const& answer, tus::Metadata metadata) {
  auto const object = ObjectAt(answer, "metadata");
  if (!object) return Failure(object.error());
  for (auto const& [key, value] : object->items()) {
    std::erase_if(metadata, [&key = key](auto const& pair) { return pair.first == key; });
    if (value.is_null()) continue;
    if (!value.is_string()) return Bad("printed metadata that is no text: " + Printable(key));
    metadata.emplace_back(key, value.get<std::string>());
  }
  if (auto const encoded = tus::EncodeMetadata(metadata); !encoded) {
    return Bad("printed metadata that cannot be sent: " + encoded.error().message);
  }
  return metadata;
}

std::string TextOf(CreateQuestion const& question) {
  auto const& facts = question.facts;
  auto const slash = facts.path.rfind('/');
  Json json{{"path", facts.path},
            {"name", slash == std::string::npos ? facts.path : facts.path.substr(slash + 1)},
            {"type", facts.type},
            {"mtime", facts.modified.value_or(0)},
            {"size", facts.size ? Json(*facts.size) : Json()},
            {"id", facts.id},
            {"metadata", Json::object()}};
  for (auto const& [key, value] : question.metadata) json["metadata"][key] = value;
  if (!question.upload_url.empty()) json["upload_url"] = question.upload_url;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<CreateAnswer> ReadCreateAnswer(std::string const& text, CreateQuestion const& question) {
  auto const json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Bad("did not print a JSON object");
  CreateAnswer answer;
  auto const url = json.find("upload_url");
  if (url != json.end() && !url->is_null()) {
    if (!url->is_string()) return Bad("printed an upload_url that is no text");
    auto normalized = tus::NormalizeEndpoint(url->get<std::string>());
    if (!normalized) return Bad("printed an upload_url of which " + normalized.error().message);
    answer.upload_url = *std::move(normalized);
  }
  auto headers = ReadHeaders(json);
  if (!headers) return Failure(headers.error());
  answer.headers = *std::move(headers);
  auto metadata = ReadMetadata(json, question.metadata);
  if (!metadata) return Failure(metadata.error());
  answer.metadata = *std::move(metadata);
  return answer;
}

Result<CreateAnswer> AskCreateCommand(CreateCommandOptions const& options,
                                      CreateQuestion const& question, std::stop_token stop) {
  auto const printed = RunProgram({.argv = options.argv,
                                   .timeout = options.timeout,
                                   .input = TextOf(question),
                                   .most_output = kMostOutput},
                                  std::move(stop));
  if (printed) return ReadCreateAnswer(*printed, question);
  auto error = printed.error();
  error.context = "the create command " + error.context;
  return Failure(std::move(error));
}

std::string TextOf(std::vector<tus::Header> const& headers) {
  std::string text;
  for (auto const& [name, value] : headers) text += name + ": " + value + "\n";
  return text;
}

std::vector<tus::Header> HeadersOf(Upload const& upload) {
  std::vector<tus::Header> headers;
  for (std::size_t at = 0; at < upload.headers.size();) {
    auto const end = upload.headers.find('\n', at);
    auto const line = upload.headers.substr(at, end - at);
    auto const colon = line.find(": ");
    if (colon != std::string::npos)
      headers.push_back({line.substr(0, colon), line.substr(colon + 2)});
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return headers;
}

}  // namespace tusfs
