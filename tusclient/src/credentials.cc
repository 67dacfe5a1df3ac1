#include "tusclient/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "base64.h"
#include "command.h"
#include "fail.h"
#include "text.h"

namespace tus {
namespace {

constexpr std::size_t kMaxFile = std::size_t{64} << 10;
/// A program that prints what was refused is not run again at once.
constexpr std::chrono::seconds kCommandPause{5};

using Headers = std::vector<Header>;
using Clock = std::chrono::steady_clock;

tl::unexpected<Error> Trouble(std::string const& source, std::string const& what) {
  return Fail(ErrorCode::kUnauthorized, source + " " + what);
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    auto const byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

/// The first line, without the blanks around it. Errors never show it.
Result<std::string> FirstLine(std::string_view text, std::string const& source) {
  auto const line = Trim(text.substr(0, text.find('\n')));
  if (line.empty()) return Trouble(source, "has an empty first line, where a secret should be");
  if (HasControl(line)) return Trouble(source, "has control characters in its first line");
  return std::string(line);
}

// ---- what a text means

using Parser = std::function<Result<Headers>(std::string_view text, std::string const& source)>;

Result<Headers> ParseBearer(std::string_view text, std::string const& source) {
  return FirstLine(text, source).map([](std::string const& token) {
    return Headers{{"Authorization", "Bearer " + token}};
  });
}

Result<Headers> ParseBasic(std::string_view text, std::string const& source) {
  auto const line = FirstLine(text, source);
  if (!line) return tl::unexpected(line.error());
  if (line->find(':') == std::string::npos) {
    return Trouble(source, "has no user:password in its first line");
  }
  return Headers{{"Authorization", "Basic " + EncodeBase64(*line)}};
}

Result<Headers> ParseHeaders(std::string_view text, std::string const& source) {
  Headers headers;
  for (int number = 1; !text.empty(); ++number) {
    auto const end = text.find('\n');
    auto const line = Trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    auto const colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos || HasControl(line)) {
      return Trouble(source, "has no \"Name: value\" in line " + std::to_string(number));
    }
    headers.push_back(
        {std::string(Trim(line.substr(0, colon))), std::string(Trim(line.substr(colon + 1)))});
  }
  return headers;
}

// ---- files

/// What changes when a file does.
using Stamp = std::tuple<dev_t, ino_t, off_t, time_t, long, time_t, long>;

Stamp StampOf(struct stat const& status) {
  return {status.st_dev,         status.st_ino,          status.st_size,
          status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
          status.st_ctim.tv_nsec};
}

class FileCredentials : public Credentials {
 public:
  FileCredentials(std::filesystem::path file, Parser parse)
      : file_(std::move(file)), parse_(std::move(parse)) {}

  Result<std::vector<Header>> Headers(std::stop_token) override {
    std::lock_guard const lock(mutex_);
    struct stat status {};
    if (::stat(file_.c_str(), &status) != 0) return Unreadable(errno);
    if (known_ && StampOf(status) == stamp_) return *known_;
    stamp_ = StampOf(status);
    known_.reset();
    auto const text = Read();
    if (!text) return tl::unexpected(text.error());
    auto headers = parse_(*text, Source());
    if (headers) known_ = *headers;
    return headers;
  }

  void Refused(std::vector<Header> const& refused) override {
    std::lock_guard const lock(mutex_);
    if (known_ == refused) known_.reset();
  }

 private:
  std::filesystem::path const file_;
  Parser const parse_;
  std::mutex mutex_;
  std::optional<std::vector<Header>> known_;
  Stamp stamp_{};

  [[nodiscard]] std::string Source() const { return "the file '" + file_.string() + "'"; }
  [[nodiscard]] tl::unexpected<Error> Unreadable(int code) const {
    return Trouble(Source(), "cannot be read: " + std::system_category().message(code));
  }

  Result<std::string> Read() const {
    int const fd = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return Unreadable(errno);
    std::string text(kMaxFile + 1, '\0');
    std::size_t size = 0;
    ssize_t count = 1;
    int code = 0;
    while (count != 0 && code == 0 && size < text.size()) {
      count = ::read(fd, text.data() + size, text.size() - size);
      if (count > 0) size += static_cast<std::size_t>(count);
      if (count < 0 && errno != EINTR) code = errno;
    }
    ::close(fd);
    if (code != 0) return Unreadable(code);
    if (size > kMaxFile) return Trouble(Source(), "is larger than 64 KiB");
    text.resize(size);
    return text;
  }
};

// ---- a program

class CommandCredentials : public Credentials {
 public:
  CommandCredentials(std::vector<std::string> argv, std::chrono::seconds timeout)
      : argv_(std::move(argv)), timeout_(timeout) {}

  Result<std::vector<Header>> Headers(std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    // One thread runs the program, and the others wait for what it prints.
    if (!changed_.wait(lock, stop, [this] { return !running_; })) {
      return Fail(ErrorCode::kCancelled, "the request was cancelled");
    }
    if (known_ && !(was_refused_ && Clock::now() >= ran_ + kCommandPause)) return *known_;
    running_ = true;
    lock.unlock();
    auto headers = Run(std::move(stop));
    lock.lock();
    running_ = false;
    ran_ = Clock::now();
    if (headers) {
      known_ = *headers;
      was_refused_ = *headers == refused_;
    }
    changed_.notify_all();
    return headers;
  }

  void Refused(std::vector<Header> const& refused) override {
    std::lock_guard const lock(mutex_);
    if (known_ != refused) return;
    // The first refusal runs it at once, further ones of the same token after a pause.
    if (refused_ == refused) {
      was_refused_ = true;
    } else {
      known_.reset();
    }
    refused_ = refused;
  }

 private:
  std::vector<std::string> const argv_;
  std::chrono::seconds const timeout_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool running_ = false;
  bool was_refused_ = false;  ///< what is known
  std::optional<std::vector<Header>> known_;
  std::vector<Header> refused_;
  Clock::time_point ran_{};

  Result<std::vector<Header>> Run(std::stop_token stop) const {
    auto const text = RunCommand(argv_, timeout_, std::move(stop));
    if (!text) return tl::unexpected(text.error());
    return ParseBearer(*text, "the output of '" + FirstWords(argv_.front(), 200) + "'");
  }
};

// ---- netrc

class NetrcCredentials : public Credentials {
 public:
  explicit NetrcCredentials(std::filesystem::path file) : file_(std::move(file)) {}

  Result<std::vector<Header>> Headers(std::stop_token) override { return std::vector<Header>(); }
  void Refused(std::vector<Header> const&) override {}  // it is read for each request
  [[nodiscard]] std::filesystem::path NetrcFile() const override { return file_; }

 private:
  std::filesystem::path const file_;
};

}  // namespace

std::unique_ptr<Credentials> BearerFromFile(std::filesystem::path file) {
  return std::make_unique<FileCredentials>(std::move(file), ParseBearer);
}

std::unique_ptr<Credentials> BasicFromFile(std::filesystem::path file) {
  return std::make_unique<FileCredentials>(std::move(file), ParseBasic);
}

std::unique_ptr<Credentials> HeadersFromFile(std::filesystem::path file) {
  return std::make_unique<FileCredentials>(std::move(file), ParseHeaders);
}

std::unique_ptr<Credentials> BearerFromCommand(std::vector<std::string> argv,
                                               std::chrono::seconds timeout) {
  return std::make_unique<CommandCredentials>(std::move(argv), timeout);
}

std::unique_ptr<Credentials> FromNetrc(std::filesystem::path file) {
  return std::make_unique<NetrcCredentials>(std::move(file));
}

std::filesystem::path CredentialFile(std::string const& name) {
  auto const* const directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || name.empty() || name.find('/') != std::string::npos) return name;
  auto path = std::filesystem::path(directory) / name;
  std::error_code failed;
  return std::filesystem::exists(path, failed) ? path : std::filesystem::path(name);
}

}  // namespace tus
