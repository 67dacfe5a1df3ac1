#include "testing/stored_upload.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace tusfs_testing {

std::string UploadView::Metadata(std::string const& key) const {
  auto const found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

StoredUpload::StoredUpload(std::string id, Storage storage, std::filesystem::path const& directory)
    : storage_(storage) {
  view.id = std::move(id);
  if (storage_ != Storage::kDirectory) return;
  file_ = directory / view.id;
  fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), file_.string());
}

StoredUpload::~StoredUpload() {
  if (fd_ >= 0) ::close(fd_);
}

void StoredUpload::Write(std::uint64_t offset, std::span<char const> bytes) {
  if (storage_ == Storage::kNowhere) return;
  if (storage_ == Storage::kMemory) {
    if (memory_.size() < offset + bytes.size()) memory_.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), memory_.begin() + static_cast<std::ptrdiff_t>(offset));
    return;
  }
  while (!bytes.empty()) {
    ssize_t const written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw std::system_error(errno, std::generic_category(), file_.string());
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

std::size_t StoredUpload::Read(std::uint64_t offset, std::span<char> into) const {
  if (offset >= view.offset) return 0;
  std::size_t const wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), view.offset - offset));
  if (storage_ == Storage::kNowhere) {
    std::memset(into.data(), 0, wanted);
    return wanted;
  }
  if (storage_ == Storage::kMemory) {
    std::memcpy(into.data(), memory_.data() + offset, wanted);
    return wanted;
  }
  std::size_t done = 0;
  while (done < wanted) {
    ssize_t const got =
        ::pread(fd_, into.data() + done, wanted - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw std::system_error(errno, std::generic_category(), file_.string());
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string decoded(text.size() / 4 * 3, '\0');
  int const length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                     reinterpret_cast<unsigned char const*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  // EVP_DecodeBlock counts the padding as zero bytes.
  std::size_t const padding =
      text.ends_with("==") ? 2 : static_cast<std::size_t>(text.ends_with("="));
  decoded.resize(static_cast<std::size_t>(length) - padding);
  return decoded;
}

std::optional<std::map<std::string, std::string>> ParseMetadata(std::string_view header) {
  std::map<std::string, std::string> metadata;
  if (header.empty()) return std::nullopt;
  while (true) {
    std::size_t const comma = header.find(',');
    std::string_view const pair = header.substr(0, comma);
    std::size_t const space = pair.find(' ');
    std::string const key(pair.substr(0, space));
    bool const printable = std::ranges::all_of(key, [](char c) { return c > ' ' && c < 127; });
    if (key.empty() || !printable) return std::nullopt;
    std::string value;
    if (space != std::string_view::npos) {
      auto const decoded = DecodeBase64(pair.substr(space + 1));
      if (!decoded) return std::nullopt;
      value = *decoded;
    }
    if (!metadata.emplace(key, value).second) return std::nullopt;
    if (comma == std::string_view::npos) return metadata;
    header.remove_prefix(comma + 1);
  }
}

}  // namespace tusfs_testing
