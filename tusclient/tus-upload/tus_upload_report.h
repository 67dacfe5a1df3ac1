// What is told of a command's files, whoever it is told to: a person (tus_upload_progress.h) or a
// program (tus_upload_json.h).
#pragma once

#include <tusclient/error.h>
#include <tusclient/upload.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace tus_upload {

/// What a command has come to.
struct Summary {
  std::uint64_t files = 0;     ///< that were to be uploaded, and folders that could not be read
  std::uint64_t uploaded = 0;  ///< now, or before the command was interrupted
  std::uint64_t failed = 0;
  std::uint64_t bytes = 0;  ///< in the uploaded ones
  std::uint64_t sent = 0;   ///< bytes of these that went over the network now
  int status = 0;           ///< that the program ends with
};

/// Of one file. For the thread that uploads it; its Report outlives it.
class FileReport {
 public:
  virtual ~FileReport() = default;

  /// It is going to be uploaded; `size` in bytes, where that is known.
  virtual void Begin(std::optional<std::uint64_t> size) = 0;
  virtual void Sent(std::uint64_t offset) = 0;       ///< see tus::UploadOptions::on_sent
  virtual void Confirmed(std::uint64_t offset) = 0;  ///< likewise on_confirmed
  virtual void Retry(tus::Error const& error, std::chrono::milliseconds delay) = 0;
  virtual void Restart(std::string const& why) = 0;
  virtual void Note(std::string const& sentence) = 0;
  /// For people who want to know everything.
  virtual void Detail(std::string const& sentence) = 0;

  // One of these is the last.
  virtual void Done(tus::Receipt const& receipt) = 0;
  /// The command that was interrupted had uploaded it, as an upload of `size` bytes at `url`.
  virtual void WasDone(std::uint64_t size, std::string const& url) = 0;
  /// `there`: an unfinished upload was known.
  virtual void Abandoned(bool there) = 0;
  /// `sentence` is whole, and says what to do; `cause` where there is one.
  virtual void Failed(std::string const& sentence, tus::Error const* cause) = 0;

  /// Bytes that the server has.
  [[nodiscard]] virtual std::uint64_t confirmed() const = 0;
};

/// Of all files. Thread-safe.
class Report {
 public:
  virtual ~Report() = default;

  /// Before the first file is opened: how many there are, and how many bytes are in them.
  virtual void Planned(std::size_t files, std::uint64_t bytes) = 0;
  /// `planned`: the size in bytes that Planned has counted for it.
  [[nodiscard]] virtual std::unique_ptr<FileReport> Open(std::string name,
                                                         std::uint64_t planned) = 0;
  /// `name` is not uploaded, and nothing is wrong with that.
  virtual void Skipped(std::string const& name, std::string const& why) = 0;
  /// `name` is none of the planned files; `sentence` is whole.
  virtual void Failed(std::string const& name, std::string const& sentence) = 0;
  /// Of no file.
  virtual void Complain(std::string const& sentence) = 0;
  /// The last call.
  virtual void End(Summary const& summary) = 0;
};

}  // namespace tus_upload
