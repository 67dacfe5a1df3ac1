// Sets options of a libcurl handle and remembers the first one that was refused.
#pragma once

#include <curl/curl.h>

namespace tus {

class EasyOptions {
 public:
  explicit EasyOptions(CURL* easy) : easy_(easy) {}

  /// `value` has exactly the type that libcurl reads: long, curl_off_t or a pointer.
  template <typename T>
  void Set(CURLoption option, T value) {
    if (result_ == CURLE_OK) result_ = curl_easy_setopt(easy_, option, value);
  }

  [[nodiscard]] CURLcode result() const { return result_; }

 private:
  CURL* easy_;
  CURLcode result_ = CURLE_OK;
};

}  // namespace tus
