#include <algorithm>
#include <array>
#include <vector>

#include "content/formats.h"

namespace tusfs::content {
namespace {

using namespace std::string_view_literals;

constexpr std::array kTopLevel{"ftyp"sv, "moov"sv, "mdat"sv, "moof"sv, "mfra"sv, "meta"sv, "styp"sv,
                               "sidx"sv, "ssix"sv, "prft"sv, "emsg"sv, "pdin"sv, "uuid"sv, "udta"sv,
                               "free"sv, "skip"sv, "wide"sv, "pnot"sv, "PICT"sv, "junk"sv};
/// Players do without them, and not everybody takes the trouble to write their length well.
constexpr std::array kFilling{"free"sv, "skip"sv, "wide"sv, "junk"sv, "uuid"sv, "udta"sv};

/// Of which no picture begins with zeros.
constexpr std::array kCompressed{"avc1"sv, "avc3"sv, "hvc1"sv, "hev1"sv, "dvh1"sv, "dvhe"sv,
                                 "ap4h"sv, "ap4x"sv, "apch"sv, "apcn"sv, "apcs"sv, "apco"sv,
                                 "vp09"sv, "av01"sv, "mp4v"sv, "jpeg"sv, "mjpa"sv, "AVdn"sv};
constexpr std::size_t kBeginOfPicture = 64;
constexpr std::uint64_t kMoreThanAnEnd = 64;  // some end their lists of boxes with a few zeros
constexpr int kDeepest = 8;

template <std::size_t kSize>
bool IsOneOf(std::array<std::string_view, kSize> const& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

struct Box {
  std::string type;
  std::uint64_t at = 0;    ///< of its header
  std::uint64_t body = 0;  ///< behind its header
  std::uint64_t end = 0;   ///< as it says
};

/// The box at `at` in something that ends at `limit`. Nothing: not even its header is there, or it
/// is shorter than that.
std::optional<Box> BoxAt(Reader& file, std::uint64_t at, std::uint64_t limit) {
  if (at > limit || limit - at < 8) return std::nullopt;
  auto const header = file.At(at, 8);
  if (header.empty()) return std::nullopt;
  Box box{header.substr(4), at, at + 8, limit};
  auto size = BigEndian(header, 0, 4);
  if (size == 0) return box;
  if (size == 1) {
    auto const large = file.At(at + 8, 8);
    box.body += 8;
    size = large.empty() ? box.body - at : BigEndian(large, 0, 8);
  }
  box.end = Plus(at, size);
  return size < box.body - at ? std::nullopt : std::optional(box);
}

/// What a moov says about one track.
struct Track {
  bool is_compressed = false;
  bool is_elsewhere = false;  ///< its samples are in another file
  std::uint64_t last_chunk = 0;
};

class Movie {
 public:
  Movie(Reader& file, Box const& moov) : file_(file), moov_(moov) {}

  Verdict Judge() {
    Visit(moov_, 0);
    for (auto const& track : tracks_) {
      if (why_) break;
      if (!track.is_elsewhere && track.last_chunk != 0) JudgeChunk(track);
    }
    return why_;
  }

 private:
  void Visit(Box const& parent, int depth) {
    constexpr std::array kParents{"trak"sv, "mdia"sv, "minf"sv, "dinf"sv, "stbl"sv};
    for (auto at = parent.body; !why_ && at < parent.end;) {
      auto const box = BoxAt(file_, at, parent.end);
      if (!box || box->end > parent.end) break;
      if (IsZero(box->type)) {
        if (parent.end - at > kMoreThanAnEnd) why_ = "has zeros in its moov, at " + AtByte(at);
        break;
      }
      if (box->type == "trak") tracks_.emplace_back();
      if (IsOneOf(kParents, box->type)) {
        if (depth < kDeepest) Visit(*box, depth + 1);
      } else if (!tracks_.empty()) {
        Note(*box, tracks_.back());
      }
      at = box->end;
    }
  }

  void Note(Box const& box, Track& track) {
    if (box.type == "stsd") {
      track.is_compressed = IsOneOf(kCompressed, file_.At(box.body + 12, 4));
    } else if (box.type == "dref") {
      auto const entry = file_.At(box.body + 8, 12);
      track.is_elsewhere = entry.empty() || (entry[11] & 1) == 0;
    } else if (box.type == "stco" || box.type == "co64") {
      std::uint64_t const width = box.type == "co64" ? 8 : 4;
      auto const head = file_.At(box.body, 8);
      auto const count = head.empty() ? 0 : BigEndian(head, 4, 4);
      if (count == 0 || count * width > box.end - box.body) return;
      auto const last = file_.At(box.body + 8 + (count - 1) * width, width);
      track.last_chunk = last.empty() ? 0 : BigEndian(last, 0, width);
    }
  }

  void JudgeChunk(Track const& track) {
    if (track.last_chunk > file_.size()) {
      why_ = SaysMore("its index", track.last_chunk, file_.size());
    } else if (track.is_compressed && IsZero(file_.At(track.last_chunk, kBeginOfPicture))) {
      why_ = "has zeros where its last pictures should be, at " + AtByte(track.last_chunk);
    }
  }

  Reader& file_;
  Box const& moov_;
  std::vector<Track> tracks_;
  Verdict why_;
};

std::string WhyNoMoov(Reader& file, std::uint64_t end) {
  if (IsZero(file.UpTo(end, 16))) {
    return "has zeros from " + AtByte(end) + " on, where its moov should be";
  }
  return "has no moov: it was not finished";
}

}  // namespace

Verdict JudgeIsoMedia(Reader& file) {
  if (!IsOneOf(kTopLevel, file.At(4, 4))) return std::nullopt;
  std::optional<Box> moov;
  bool needs_none = false;  // a part of a stream, or a picture
  std::uint64_t at = 0;
  while (true) {
    auto const box = BoxAt(file, at, file.size());
    if (!box || !IsOneOf(kTopLevel, box->type)) break;  // the end, or what was appended
    if (box->end > file.size()) {
      if (!IsOneOf(kFilling, box->type)) return SaysMore("its " + box->type, box->end, file.size());
      break;
    }
    if (box->type == "moov") moov = box;
    needs_none = needs_none || box->type == "moof" || box->type == "sidx" || box->type == "meta";
    at = box->end;
  }
  if (moov) return Movie(file, *moov).Judge();
  return needs_none ? std::nullopt : Verdict(WhyNoMoov(file, at));
}

}  // namespace tusfs::content
