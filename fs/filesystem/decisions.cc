#include "filesystem/decisions.h"

#include <functional>
#include <utility>

#include "catalog/adoptable.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/parts.h"
#include "catalog/proofs.h"
#include "catalog/tables.h"
#include "filesystem/report.h"

namespace tusfs {
namespace {

// A file as a decision finds it.
struct Case {
  Inode inode;
  std::string path;  ///< of its first name
  std::optional<Upload> upload;
  bool has_writers = false;

  [[nodiscard]] bool IsStuckAs(UploadPhase phase) const {
    return life::IsFinished(inode) && upload && upload->phase == phase;
  }
};

constexpr char const* kOpen = "somebody has it open for writing: close it first";
constexpr char const* kUnfinished = "it is not finished: 'tusfsctl publish' publishes it as it is";
constexpr char const* kUploaded = "it is uploaded already";
constexpr char const* kUnconfirmed =
    "it may have been published: look on the server, then say 'tusfsctl accept' or 'tusfsctl "
    "retry'";

std::string LostHere(Case const& file) {
  return "the local disk has failed it, copy it here again: " + file.inode.reason;
}

// What is missing is never left out in silence.
std::string WhyNotWhole(Inode const& inode) {
  auto const copy = DescribeCut(inode) + ": copy it here again, or say 'tusfsctl publish --rest ";
  if (inode.held == 0) return copy + "drop' to publish what there is";
  return copy + "take' to publish all that is here, 'tusfsctl publish --rest drop' to publish " +
         "what is known to be whole";
}

std::string WhyNotPublish(Case const& file, PublishRules const& rules, Decisions::Rest rest) {
  if (auto const pattern = rules.IgnoredBy(file.path)) {
    return "its name matches the ignored pattern " + *pattern + ": rename it";
  }
  switch (file.inode.content) {
    case Content::kUploaded:
      return kUploaded;
    case Content::kFailed:
      return LostHere(file);
    case Content::kWriting:
      return kOpen;
    case Content::kFinished:
      if (file.IsStuckAs(UploadPhase::kUnconfirmed)) return kUnconfirmed;
      if (!file.IsStuckAs(UploadPhase::kRefused)) return {};  // it is on its way
      return "the server refuses it, 'tusfsctl retry' tries it again: " + file.upload->error;
    case Content::kSettling:
    case Content::kInterrupted:
      break;
  }
  if (file.has_writers) return kOpen;
  bool const asks = rest == Decisions::Rest::kAsk && file.inode.IsCut();
  return asks ? WhyNotWhole(file.inode) : std::string();
}

std::string WhyNotRetry(Case const& file) {
  switch (file.inode.content) {
    case Content::kUploaded:
      return kUploaded;
    case Content::kFailed:
      return LostHere(file);
    case Content::kWriting:
      return kOpen;
    case Content::kSettling:
    case Content::kInterrupted:
      return kUnfinished;
    case Content::kFinished:
      break;
  }
  return {};
}

std::string WhyNotAccept(Case const& file) {
  if (file.IsStuckAs(UploadPhase::kUnconfirmed)) return {};
  if (life::IsUploaded(file.inode)) return kUploaded;
  return "only what is unconfirmed can be accepted: 'tusfsctl list' shows what keeps it back";
}

std::string WhyNotFirst(Inode const& inode, std::string const& path, PublishRules const& rules) {
  if (inode.id == kRootInode) {
    return "all of the mount cannot go before itself: name a file or a directory in it";
  }
  if (inode.type == FileType::kDirectory) return {};
  if (inode.type != FileType::kRegular) return "only files are uploaded";
  if (life::IsUploaded(inode)) return kUploaded;
  if (auto const pattern = rules.IgnoredBy(path)) {
    return "its name matches the ignored pattern " + *pattern + ": rename it";
  }
  return {};
}

bool IsBeneath(std::string_view path, std::string_view top) {
  return top.empty() || (path.starts_with(top) && path.substr(top.size()).starts_with('/'));
}

}  // namespace

struct Decisions::Decision {
  std::function<std::string(Case const&)> refuse;  ///< empty: it can be done
  /// Whether a file that is found beneath a directory is meant at all.
  std::function<bool(Case const&)> is_meant;
  std::function<Result<void>(Transaction&, Case&)> change;
  std::function<void(InodeId)> afterwards;
};

Result<Decisions::Outcomes> Decisions::Publish(std::string const& path, Rest rest) {
  std::optional<Uuid> ownerless;
  return Apply(
      path,
      {.refuse = [&](Case const& file) { return WhyNotPublish(file, finishing_.rules(), rest); },
       .is_meant = [](Case const& file) { return life::IsClosed(file.inode); },
       .change = [&](Transaction& transaction, Case& file) -> Result<void> {
         auto& inode = file.inode;
         if (life::IsFinished(inode)) return {};
         if (inode.IsCut()) {
           auto ended = shrinker_.EndCut(transaction, inode, rest == Rest::kTake);
           if (!ended) return Failure(ended.error());
           ownerless = *ended;
         }
         life::Approve(inode);
         PutInode(transaction, inode);
         return {};
       },
       .afterwards =
           [&](InodeId inode) {
             if (auto const gone = std::exchange(ownerless, {})) uploader_.Abandoned(inode, gone);
             finishing_.SettleNow(inode);
           }});
}

Result<Decisions::Outcomes> Decisions::Retry(std::string const& path) {
  return Apply(path, {.refuse = WhyNotRetry,
                      .is_meant = [](Case const& file) { return life::IsFinished(file.inode); },
                      .change = [](Transaction& transaction, Case& file) -> Result<void> {
                        bool const is_stuck = file.IsStuckAs(UploadPhase::kUnconfirmed) ||
                                              file.IsStuckAs(UploadPhase::kRefused);
                        if (!is_stuck) return {};
                        // As if it had been refused: that starts over. Without the words of a
                        // refusal it waits for that.
                        life::Refuse(*file.upload);
                        file.upload->error.clear();
                        PutUpload(transaction, *file.upload);
                        return {};
                      },
                      .afterwards = [&](InodeId inode) { uploader_.Retry(inode); }});
}

Result<Decisions::Outcomes> Decisions::Accept(std::string const& path) {
  bool is_part = false;
  return Apply(
      path, {.refuse = WhyNotAccept,
             .is_meant = [](Case const& file) { return file.IsStuckAs(UploadPhase::kUnconfirmed); },
             .change = [&](Transaction& transaction, Case& file) -> Result<void> {
               auto& upload = *file.upload;
               if (upload.HasParts()) {
                 auto const joined = JoinParts(transaction, upload, false);
                 if (!joined) return Failure(joined.error());
               }
               life::Complete(upload);
               upload.offset = file.inode.size;
               upload.length = file.inode.size;
               upload.error.clear();
               if (auto marked = WasPublished(transaction, upload); !marked) return marked;
               PutUpload(transaction, upload);
               auto const proved = MarkUploadedWithProof(transaction, file.inode, upload,
                                                         ProvedBy::kPerson, clock_.Wall());
               if (!proved) return proved;
               PutInode(transaction, file.inode);
               is_part = file.inode.trimmed > 0;
               return {};
             },
             .afterwards =
                 [&](InodeId inode) {
                   uploader_.Forget(inode);
                   // What is left of its bytes is of no use; where it is open, it goes later.
                   if (is_part) static_cast<void>(shrinker_.Evict(inode));
                 }});
}

// By itself, not by Apply: what goes is the shrinker's.
Result<Decisions::Outcomes> Decisions::Discard(std::string const& path) {
  auto const file = store_.Read([&](View const& view) { return ResolvePath(view, path); });
  if (!file) return Failure(file.error());
  if (file->type != FileType::kRegular) {
    return Outcomes{{path, "only files that are not uploaded can be discarded, one by one", false}};
  }
  auto const discarded = shrinker_.Discard(file->id);
  if (!discarded) return Failure(discarded.error());
  return Outcomes{
      {path, *discarded ? std::string() : "it is uploaded already: remove it with rm", false}};
}

// By itself, too: a directory is meant as it is.
Result<Decisions::Outcomes> Decisions::Prioritize(std::string const& path, bool first) {
  auto const top = store_.Read([&](View const& view) { return ResolvePath(view, path); });
  if (!top) return Failure(top.error());
  auto refusal = first ? WhyNotFirst(*top, path, finishing_.rules()) : std::string();
  if (refusal.empty()) {
    if (auto done = uploader_.Prioritize(top->id, first); !done) return Failure(done.error());
  }
  return Outcomes{{path, std::move(refusal), false}};
}

Result<Decisions::Outcomes> Decisions::Apply(std::string const& path, Decision const& decision) {
  auto const top = store_.Read([&](View const& view) { return ResolvePath(view, path); });
  if (!top) return Failure(top.error());
  if (top->type != FileType::kDirectory) {
    auto outcome = ApplyToFile(top->id, path, decision);
    if (!outcome) return Failure(outcome.error());
    return Outcomes{*std::move(outcome)};
  }
  auto const files = FilesBeneath(path);
  if (!files) return Failure(files.error());
  auto beneath = decision;
  beneath.refuse = [&](Case const& file) {
    return decision.is_meant(file) ? decision.refuse(file) : std::string("it is not meant");
  };
  Outcomes outcomes;
  for (auto const& [inode, name] : *files) {
    auto outcome = ApplyToFile(inode, name, beneath);
    if (!outcome && outcome.error().code == ENOENT) continue;  // removed meanwhile
    if (!outcome) return Failure(outcome.error());
    if (outcome->refusal.empty() || outcome->is_cut) outcomes.push_back(*std::move(outcome));
  }
  return outcomes;
}

Result<Decisions::Outcome> Decisions::ApplyToFile(InodeId id, std::string const& path,
                                                  Decision const& decision) {
  bool is_cut = false;
  auto refusal = store_.Update([&](Transaction& transaction) -> Result<std::string> {
    auto inode = GetInode(transaction, id);
    if (!inode) return Failure(inode.error());
    if (inode->type != FileType::kRegular) return std::string("only files are uploaded");
    auto first = PathOf(transaction, *inode);
    if (!first) return Failure(first.error());
    auto upload = FindUpload(transaction, inode->upload);
    if (!upload) return Failure(upload.error());
    // Writers come and go inside transactions.
    Case file{*std::move(inode), *std::move(first), *std::move(upload),
              open_.Count(id).writing > 0};
    auto why_not = decision.refuse(file);
    is_cut = !why_not.empty() && decision.is_meant(file) && file.inode.IsCut();
    if (!why_not.empty()) return why_not;
    if (auto changed = decision.change(transaction, file); !changed) {
      return Failure(changed.error());
    }
    return std::string();
  });
  if (!refusal) return Failure(refusal.error());
  if (refusal->empty()) decision.afterwards(id);
  return Outcome{path, *std::move(refusal), is_cut};
}

Result<std::vector<std::pair<InodeId, std::string>>> Decisions::FilesBeneath(
    std::string const& path) const {
  std::vector<std::pair<InodeId, std::string>> files;
  InodeId after = 0;
  while (true) {
    // Pages, so that nobody else waits for long.
    auto const more = store_.Read([&](View const& view) -> Result<bool> {
      auto const page = ListWork(view, after, kPage);
      if (!page) return Failure(page.error());
      for (auto const id : *page) {
        after = id;
        auto const inode = GetInode(view, id);
        if (!inode || inode->links == 0) continue;
        auto first = PathOf(view, *inode);
        if (!first) return Failure(first.error());
        if (IsBeneath(*first, path)) files.emplace_back(id, *std::move(first));
      }
      return !page->empty();
    });
    if (!more) return Failure(more.error());
    if (!*more) return files;
  }
}

}  // namespace tusfs
