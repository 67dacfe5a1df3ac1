// What a run of tus-upload leaves for the next one, and what keeps two runs apart.
#pragma once

#include <tusclient/error.h>

#include <filesystem>
#include <string>

namespace tus_upload {

/// $XDG_STATE_HOME/tus-upload, or ~/.local/state/tus-upload; empty where there is no home.
[[nodiscard]] std::filesystem::path DefaultStateDirectory();

/// The right to send one upload. Two programs that send the same one would cut each other's
/// requests again and again. It ends with the object, and with the process however that ends.
class Claim {
 public:
  /// `directory` exists. Errors: kInvalidArgument with a sentence, where another process has the
  /// claim or the directory cannot be written to.
  [[nodiscard]] static tus::Result<Claim> Take(std::filesystem::path const& directory,
                                               std::string const& key);
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&&) = delete;
  ~Claim();

 private:
  explicit Claim(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace tus_upload
