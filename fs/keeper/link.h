// The line between the keeper and its daemon: a socket of one-word messages, one of which carries
// the mount, and one a line of text.
//
// A daemon may be newer than its keeper (`tusfsctl restart` after an upgrade), so words are never
// renumbered, and a word that is not known is ignored. Each end belongs to one process; Send may
// be called from any thread, Receive from one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace tusfs {

enum class Word : std::uint8_t {
  kWantMount = 1,  ///< daemon: has its state, wants the mount
  kMount = 2,      ///< keeper: here it is (with the descriptor)
  kNoMount = 3,    ///< keeper: it cannot be had; end
  kServing = 4,    ///< daemon: what was left unanswered is answered, requests are served
  kAnnounced = 5,  ///< daemon: has said what there is to say about the server
  kPing = 6,       ///< keeper: are you there?
  kPong = 7,       ///< daemon: the catalog and the threads answer
  kHandOver = 8,   ///< keeper: end orderly, a successor waits
  kStatus = 9,     ///< daemon: how the mount is, for the service manager (with the text)
  kBeneath = 10,   ///< importer, and keeper: what is not in the mount yet (base/beneath.h)
};

struct Message {
  Word word;
  UniqueFd fd;       ///< with kMount
  std::string text;  ///< with kStatus and kBeneath
};

/// Bytes.
constexpr std::size_t kLongestText = 1024;

class Link {
 public:
  /// The keeper's end and the daemon's, both closed on exec.
  [[nodiscard]] static Result<std::pair<Link, Link>> Make();
  explicit Link(UniqueFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Never waits. Errors: EPIPE where the other end has gone, EAGAIN where it does not listen.
  Result<void> Send(Word word, int fd = -1) const { return Send(word, fd, {}); }
  /// Of `text` the first kLongestText bytes.
  Result<void> Send(Word word, std::string_view text) const { return Send(word, -1, text); }

  /// Waits for a message; nothing where the other end has gone.
  [[nodiscard]] std::optional<Message> Receive() const;

 private:
  Result<void> Send(Word word, int fd, std::string_view text) const;

  UniqueFd fd_;
};

}  // namespace tusfs
