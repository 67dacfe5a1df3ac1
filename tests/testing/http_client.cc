#include "testing/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <stdexcept>

namespace tusfs_testing {
namespace {

std::size_t AppendBody(char* data, std::size_t size, std::size_t count, void* user) {
  static_cast<HttpAnswer*>(user)->body.append(data, size * count);
  return size * count;
}

std::size_t AddHeader(char* data, std::size_t size, std::size_t count, void* user) {
  std::string_view line(data, size * count);
  auto& headers = static_cast<HttpAnswer*>(user)->headers;
  if (line.starts_with("HTTP/")) headers.clear();  // those of a 100 before
  std::size_t const colon = line.find(':');
  if (colon != std::string_view::npos) {
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.remove_suffix(1);
    headers[name] = std::string(value);
  }
  return size * count;
}

template <typename Value>
void Set(CURL* curl, CURLoption option, Value value) {
  if (curl_easy_setopt(curl, option, value) != CURLE_OK) {
    throw std::logic_error("curl refused option " + std::to_string(option));
  }
}

}  // namespace

HttpAnswer HttpCall(std::string const& method, std::string const& url, Headers const& headers,
                    std::string const& body) {
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> const curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  curl_slist* list = nullptr;
  for (auto const& [name, value] : headers) {
    list = curl_slist_append(list, (name + (value.empty() ? ";" : ": " + value)).c_str());
  }
  bool const with_body = !body.empty() || method == "POST" || method == "PATCH";
  bool const typed = std::ranges::any_of(
      headers, [](auto const& header) { return header.first == "Content-Type"; });
  // libcurl's own default would look like a form.
  if (with_body && !typed) list = curl_slist_append(list, "Content-Type:");
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> const guard(list,
                                                                          &curl_slist_free_all);
  HttpAnswer answer;
  Set(curl.get(), CURLOPT_URL, url.c_str());
  Set(curl.get(), CURLOPT_NOPROXY, "*");
  Set(curl.get(), CURLOPT_TIMEOUT, 60L);
  Set(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  if (method == "HEAD") Set(curl.get(), CURLOPT_NOBODY, 1L);
  if (with_body) {
    Set(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    Set(curl.get(), CURLOPT_POSTFIELDS, body.data());
  }
  Set(curl.get(), CURLOPT_HTTPHEADER, list);
  Set(curl.get(), CURLOPT_WRITEFUNCTION, &AppendBody);
  Set(curl.get(), CURLOPT_WRITEDATA, &answer);
  Set(curl.get(), CURLOPT_HEADERFUNCTION, &AddHeader);
  Set(curl.get(), CURLOPT_HEADERDATA, &answer);
  if (curl_easy_perform(curl.get()) != CURLE_OK) return {};
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

}  // namespace tusfs_testing
