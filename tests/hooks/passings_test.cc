// Passings: each file that comes to an end, once, with what a person has to know.
#include "hooks/passings.h"

#include "base/message_ids.h"
#include "hooks/passings_rig.h"

namespace tusfs {
namespace {

using life::Standing;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PassingsTest : public PassingsRig {};

TEST_F(PassingsTest, AFileThatIsWrittenAndSentPassesOnce) {
  auto const file = Make("clip");
  Finish(file);
  EXPECT_THAT(Take(), IsEmpty()) << "it is on its way";
  Happens(file, [](Inode& inode) { life::Publish(inode); });
  auto const passed = Take();
  ASSERT_EQ(passed.size(), 1U);
  EXPECT_EQ(passed[0].into, Standing::kUploaded);
  EXPECT_EQ(passed[0].path, "clip");
  EXPECT_EQ(passed[0].size, 5U);
  EXPECT_FALSE(passed[0].upload.IsNil());
  EXPECT_THAT(passed[0].url, AllOf(HasSubstr("host/files/1"), Not(HasSubstr("secret"))));
  Happens(file, [](Inode& inode) { inode.accessed = 1; });
  EXPECT_THAT(Take(), IsEmpty()) << "it is uploaded still";
}

TEST_F(PassingsTest, WhatIsStuckPassesWithItsReason) {
  auto const cut = Make("cut");
  Happens(cut, [](Inode& inode) {
    life::EndBadly(inode, "cp was killed");
    life::Close(inode);
  });
  EXPECT_THAT(Take(), ElementsAre(AllOf(Field(&Passing::into, Standing::kInterrupted),
                                        Field(&Passing::reason, "cp was killed"))));
  auto const refused = Make("refused");
  Finish(refused);
  HappensToUpload(refused, "409", [](Upload& upload) { life::Refuse(upload); });
  EXPECT_THAT(Take(), ElementsAre(AllOf(Field(&Passing::into, Standing::kFailed),
                                        Field(&Passing::is_refused, true),
                                        Field(&Passing::reason, "409"))));
  HappensToUpload(refused, "409 again", [](Upload&) {});
  EXPECT_THAT(Take(), IsEmpty()) << "it is refused still";
  auto const unknown = Make("unknown");
  Finish(unknown);
  HappensToUpload(unknown, "no answer", [](Upload& upload) { life::Unconfirm(upload); });
  EXPECT_THAT(Take(), ElementsAre(Field(&Passing::into, Standing::kUnconfirmed)));
  auto const lost = Make("lost");
  Happens(lost, [](Inode& inode) { life::Fail(inode, "EIO"); });
  EXPECT_THAT(Take(), ElementsAre(AllOf(Field(&Passing::into, Standing::kFailed),
                                        Field(&Passing::is_refused, false))));
}

TEST_F(PassingsTest, WhatWasRefusedWhileItWasWrittenPassesWhenItIsFinished) {
  auto const file = Make("early");
  Change([&](Transaction& transaction) {
    auto inode = GetInode(transaction, file).value();
    Upload upload;
    upload.id = Uuid::Random();
    upload.owner = file;
    upload.error = "too large";
    life::Refuse(upload);
    inode.upload = upload.id;
    PutUpload(transaction, upload);
    PutInode(transaction, inode);
  });
  EXPECT_THAT(Take(), IsEmpty());
  Happens(file, [](Inode& inode) {
    life::Close(inode);
    life::Finish(inode);
  });
  EXPECT_THAT(Take(), ElementsAre(Field(&Passing::into, Standing::kFailed)));
}

TEST_F(PassingsTest, NamesThatAreNeverUploadedAreNotStuck) {
  auto const junk = Make(".DS_Store");
  Happens(junk, [](Inode& inode) {
    life::EndBadly(inode, "killed");
    life::Close(inode);
  });
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(PassingsTest, WhatIsFoundAgainAsUploadedIsNoNews) {
  Inode inode;
  inode.id = ++last_;
  inode.links = 1;
  Change([&](Transaction& transaction) {
    auto root = GetInode(transaction, kRootInode).value();
    AddEntry(transaction, root, "old", inode);
    life::FindUploaded(inode);
    PutInode(transaction, inode);
    PutInode(transaction, root);
  });
  EXPECT_THAT(Take(), IsEmpty());
}

struct Line {
  LogLevel level;
  std::string text;
  std::string file;
  std::string upload;
  std::string message_id;
};

Line Logged(Passing const& passing) {
  Line line{};
  Log log(Log::FieldSink{[&](LogLevel level, std::string_view text, LogSubject const& subject) {
    line = {level, std::string(text), std::string(subject.file), subject.upload,
            std::string(subject.message_id)};
  }});
  LogPassing(log, passing);
  return line;
}

TEST(PassingLine, NamesTheFileTheReasonAndTheWayOut) {
  Passing passing;
  passing.into = Standing::kInterrupted;
  passing.path = "a\nb";
  passing.reason = "killed";
  passing.upload = Uuid::Random();
  auto const line = Logged(passing);
  EXPECT_EQ(line.level, LogLevel::kWarn);
  EXPECT_THAT(line.text, AllOf(HasSubstr("path=\"a\\x0ab\""), HasSubstr("reason=\"killed\""),
                               HasSubstr("tusfsctl publish"), Not(HasSubstr("\n"))));
  EXPECT_EQ(line.file, "a\nb") << "the field is the name itself";
  EXPECT_EQ(line.upload, passing.upload.ToString());
  EXPECT_EQ(line.message_id, message_id::kInterrupted);
}

TEST(PassingLine, SaysWhoHasFailedAFile) {
  Passing passing;
  passing.into = Standing::kFailed;
  EXPECT_THAT(Logged(passing).text, HasSubstr("copy it here again"));
  passing.is_refused = true;
  EXPECT_THAT(Logged(passing).text, HasSubstr("tusfsctl retry"));
  EXPECT_EQ(Logged(passing).level, LogLevel::kError);
  EXPECT_EQ(Logged(passing).upload, "") << "it had none yet";
}

}  // namespace
}  // namespace tusfs
