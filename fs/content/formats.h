// One judge for each format: why a file of its extension, which is not empty, cannot be whole.
//
// What does not begin as the format does passes; zeros at its head are why_not_whole.cc's, but for
// the formats that may begin with them (Zip, Tar).
#pragma once

#include "content/reader.h"

namespace tusfs::content {

/// MP4 and QuickTime: boxes within the file, a moov, its chunks within the file.
[[nodiscard]] Verdict JudgeIsoMedia(Reader& file);
/// The footer partition where the header says it is, or a random index pack at the end.
[[nodiscard]] Verdict JudgeMxf(Reader& file);
/// WAVE, also as BWF and RF64: the sizes of the file and of its data.
[[nodiscard]] Verdict JudgeRiff(Reader& file);
/// Matroska and WebM: the size of the Segment; where that is unknown, elements within the file.
[[nodiscard]] Verdict JudgeMatroska(Reader& file);

/// The end of the image, whatever is appended to it.
[[nodiscard]] Verdict JudgeJpeg(Reader& file);
/// Chunks up to IEND.
[[nodiscard]] Verdict JudgePng(Reader& file);
/// Also BigTIFF and DNG: directories, strips and tiles within the file.
[[nodiscard]] Verdict JudgeTiff(Reader& file);
/// The mark of its end, the cross-reference table within the file, the length of a linearized one.
[[nodiscard]] Verdict JudgePdf(Reader& file);

/// And what is made of it: the central directory and the members that it names.
[[nodiscard]] Verdict JudgeZip(Reader& file);
/// Members within the file.
[[nodiscard]] Verdict JudgeTar(Reader& file);
[[nodiscard]] Verdict JudgeGzip(Reader& file);
/// The magic of its footer.
[[nodiscard]] Verdict JudgeXz(Reader& file);
/// Of bzip2 and Zstandard the end tells nothing.
[[nodiscard]] Verdict JudgeHeadAlone(Reader& file);

}  // namespace tusfs::content
