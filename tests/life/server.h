// A tus server in memory that can do what servers do (tusclient/README.md, "What real servers do"):
// refuse, lose answers before and after their effect, cut bodies, take fewer bytes than it was
// sent, expire, forget, move what is finished away, take minutes, and be something else for a
// while.
//
// It is asked through a tus::HttpTransport, on the calling thread, and remembers everything that
// ever was complete on it.
#pragma once

#include <tusclient/transport.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace tusfs_life {

/// What happens to one request.
enum class Mishap {
  kNone,
  kUnreachable,   ///< nothing is sent
  kLostBefore,    ///< the connection breaks before the server has it
  kLostAfter,     ///< the server has done it, and its answer is lost
  kCutBody,       ///< a part of the body arrives, and the connection breaks
  kShort,         ///< a part of the body is taken, which the answer says
  kBusy,          ///< 423, 500, 503 …
  kConflict,      ///< 409
  kForeign,       ///< an answer of something that is no tus server
  kNotFound,      ///< 404 of a proxy that is being redeployed
  kRefuse,        ///< 422
  kUnauthorized,  ///< 401, 403
  kSlow,          ///< done, after minutes
  kCount,
};
[[nodiscard]] char const* NameOf(Mishap mishap);

class Server {
 public:
  struct Options {
    bool defers_length = true;
    bool terminates = true;
    bool joins = false;              ///< parts (tus: concatenation)
    bool moves_finished = false;     ///< what is complete is 404 afterwards
    std::int64_t expires_after = 0;  ///< nanoseconds from the last PATCH; 0: never
  };
  struct Upload {
    std::string id;
    std::string path;  ///< metadata relativePath
    std::string bytes;
    std::optional<std::uint64_t> length;
    std::int64_t touched = 0;
    bool gone = false;  ///< deleted, expired or forgotten
    bool complete = false;
    bool is_part = false;
    bool refused = false;         ///< the server said no to its completion
    bool was_asked_away = false;  ///< the server itself forgot it
  };
  struct Publication {
    std::string path;
    std::shared_ptr<Upload> upload;
  };

  Server(Options const& options, std::function<std::int64_t()> now,
         std::function<void(std::int64_t)> advance);

  [[nodiscard]] static constexpr char const* Url() { return "http://tus:1080/files/"; }
  [[nodiscard]] std::unique_ptr<tus::HttpTransport> MakeTransport();

  /// The next `count` requests with a body or not, as they come, have this mishap.
  void Next(Mishap mishap, int count);
  /// Down for everybody until it is up.
  void SetDown(bool down) { down_ = down; }
  [[nodiscard]] bool down() const { return down_; }
  void Heal();
  /// Forgets the unfinished uploads; with `finished`, those too.
  void Wipe(bool finished);

  /// For `meanwhile`: the body that is on its way is cut, as if the asker had been cancelled.
  void CutThisBody() { cuts_body_ = true; }

  /// Nobody is there who could ask: a request has no effect and no answer.
  std::function<bool()> is_asker_dead = [] { return false; };
  /// Others do something while a request is on its way.
  std::function<void()> meanwhile = [] {};

  [[nodiscard]] std::vector<Publication> const& publications() const { return publications_; }
  [[nodiscard]] std::map<std::string, std::shared_ptr<Upload>> const& uploads() const {
    return uploads_;
  }
  /// Sentences about requests that should never have been made.
  [[nodiscard]] std::vector<std::string> const& complaints() const { return complaints_; }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::vector<std::string> const& log() const { return log_; }

 private:
  class Transport;
  using Answer = tus::Result<tus::HttpResponse>;
  Answer Perform(tus::HttpRequest const& request);
  Answer Do(tus::HttpRequest const& request, Mishap mishap);
  Answer Create(tus::HttpRequest const& request);
  Answer Join(tus::HttpRequest const& request, std::string const& urls);
  Answer Head(Upload& upload);
  Answer Patch(tus::HttpRequest const& request, Upload& upload, Mishap mishap);
  Answer Delete(Upload& upload);
  std::shared_ptr<Upload> Find(std::string const& url);
  void CompleteIfWhole(std::shared_ptr<Upload> const& upload);
  Mishap Take();
  std::vector<tus::Header> Expiry(Upload const& upload) const;

  Options const options_;
  std::function<std::int64_t()> const now_;
  std::function<void(std::int64_t)> const advance_;
  std::map<std::string, std::shared_ptr<Upload>> uploads_;
  std::vector<Publication> publications_;
  std::vector<std::string> complaints_;
  std::vector<std::string> log_;
  std::vector<std::pair<Mishap, int>> mishaps_;
  std::uint64_t made_ = 0;
  std::uint64_t requests_ = 0;
  bool down_ = false;
  bool cuts_body_ = false;
};

}  // namespace tusfs_life
