// What is known of a file's upload, as the judge of the protocol (tusclient/judge.h) wants to know
// it: part of it is on record, part a job remembers for as long as the process lives.
#pragma once

#include <tusclient/judge.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "catalog/records.h"
#include "uploader/ledger.h"
#include "uploader/queue.h"

namespace tusfs {

/// `now`: by the wall clock.
[[nodiscard]] tus::UploadFacts FactsOf(Work const& work, JobMemory const& memory, FileTime now);

/// The same for every try at one creation: another length or name is another one, and so is `more`.
[[nodiscard]] std::string IdempotencyKeyOf(Upload const& upload, std::string_view more = {});

/// The headers and the body of a final answer, as much of them as is kept.
[[nodiscard]] std::string ReceiptOf(std::vector<tus::Header> const& headers,
                                    std::string const& body);

/// What the judge has counted.
void Remember(tus::UploadFacts const& facts, JobMemory& memory);

/// What the judge says of the request that completes the upload.
void KeepEnd(tus::UploadFacts const& facts, Upload& upload);

}  // namespace tusfs
