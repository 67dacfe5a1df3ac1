// A damaged catalog, again and again: the spool gives every file back with its name, to a mount and
// to `tusfsctl rescue`, and nothing that was published is published again.
#include <sys/xattr.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "mount/mount_test.h"
#include "storm/storm.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPage = 4096;

class DamageStorm : public MountTest {
 protected:
  // Somewhere in a few directories; bytes of names are any but / and 0.
  fs::path NewName(Storm& storm) {
    static constexpr char const* kParts[] = {"card", "day 1", "clip\n", "\xff\xfe", "ä", "%41"};
    fs::path path;
    for (auto depth = storm.Between(0, 2); depth > 0; --depth) {
      path /= kParts[storm.Between(0, 5)];
    }
    return path / ("f" + std::to_string(storm.random()()) + kParts[storm.Between(0, 5)]);
  }

  void AddFiles(Storm& storm, MountedTusfs const& mount, int count) {
    for (int i = 0; i < count; ++i) {
      auto const name = NewName(storm);
      auto const bytes = RandomBytes(static_cast<std::size_t>(storm.Between(0, 300'000)),
                                     static_cast<std::uint64_t>(storm.random()()));
      fs::create_directories((mount.mountpoint() / name).parent_path());
      WriteFile(mount.mountpoint() / name, bytes);
      files_[name] = Sha256(bytes);
    }
  }

  void RenameADirectory(MountedTusfs const& mount) {
    auto const from =
        std::ranges::find_if(files_, [](auto const& file) { return file.first.has_parent_path(); });
    if (from == files_.end()) return;
    auto const old_top = *from->first.begin();
    fs::path const new_top = "renamed";
    fs::rename(mount.mountpoint() / old_top, mount.mountpoint() / new_top);
    std::map<fs::path, std::string> renamed;
    for (auto const& [path, digest] : files_) {
      bool const moves = path.has_parent_path() && *path.begin() == old_top;
      renamed[moves ? new_top / path.lexically_relative(old_top) : path] = digest;
    }
    files_ = renamed;
  }

  // Whether the spool's files say of themselves what the catalog says of them: that they are
  // finished, or uploaded.
  [[nodiscard]] bool AllDescribed(fs::path const& spool) const {
    std::vector<std::string> descriptions;
    for (auto const& entry : fs::recursive_directory_iterator(spool)) {
      std::string text(8192, '\0');
      auto const got =
          ::getxattr(entry.path().c_str(), "user.tusfs.file", text.data(), text.size());
      if (got > 0) descriptions.push_back(text.substr(0, static_cast<std::size_t>(got)));
    }
    return std::ranges::all_of(files_, [&](auto const& file) {
      return std::ranges::any_of(descriptions, [&](auto const& description) {
        return description.ends_with("\n" + file.first.string()) &&
               !description.starts_with("tusfs 1\nw");
      });
    });
  }

  static void Overwrite(fs::path const& path, std::uint64_t at, std::string const& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  // Returns what was done.
  static std::string Damage(Storm& storm, fs::path const& catalog) {
    auto const data = catalog / "data.mdb";
    auto const size = fs::file_size(data);
    auto const somewhere = [&](std::uint64_t least) {
      return static_cast<std::uint64_t>(
          storm.Between(static_cast<std::int64_t>(least), static_cast<std::int64_t>(size) - 1));
    };
    auto const noise = [&](std::uint64_t length) {
      return RandomBytes(length, static_cast<std::uint64_t>(storm.random()()));
    };
    switch (storm.Between(0, 6)) {
      case 0:
        for (auto left = storm.Between(1, 20); left > 0; --left) {
          Overwrite(data, somewhere(0), noise(static_cast<std::uint64_t>(storm.Between(1, 500))));
        }
        return "random bytes in random places";
      case 1:
        for (auto left = storm.Between(1, 10); left > 0; --left) {
          Overwrite(data, somewhere(2 * kPage) / kPage * kPage, noise(kPage));
        }
        return "whole pages of noise";
      case 2:
        for (auto left = storm.Between(1, 10); left > 0; --left) {
          Overwrite(data, somewhere(2 * kPage) / kPage * kPage, std::string(kPage, '\0'));
        }
        return "whole pages of zeros";
      case 3:
        fs::resize_file(data, somewhere(0));
        return "cut short";
      case 4:
        fs::remove(data);
        return "missing";
      case 5:
        fs::remove_all(catalog);
        return "missing with its directory";
      default:
        Overwrite(data, 0, noise(2 * kPage));
        Overwrite(catalog / "journal", 0, noise(1 << 20));
        return "noise for a head and a journal";
    }
  }

  void ExpectAllIn(fs::path const& top) const {
    for (auto const& [path, digest] : files_) {
      EXPECT_TRUE(fs::exists(top / path)) << path;
      if (!fs::exists(top / path)) continue;
      EXPECT_EQ(Sha256OfFile(top / path), digest) << path;
    }
  }

  std::map<fs::path, std::string> files_;  ///< SHA-256 by path in the mount
};

TEST_F(DamageStorm, EveryFileComesBackWithItsNameAndNoneIsPublishedTwice) {
  Storm storm("damage", "catalogs", 6);
  int rebuilt = 0;
  for (int i = 0; i < storm.count(); ++i) {
    files_.clear();
    TempDir const uploads;
    server_ = TestServer::Start(ServerKind::kFixture, uploads.path());
    MountedTusfs mount(server_->Url());
    ASSERT_EQ(mount.Mount(), "");
    AddFiles(storm, mount, 6);
    ASSERT_EQ(mount.WaitUploaded(), 0);
    auto const uploaded = server_->Uploads().size();
    server_->Kill();
    AddFiles(storm, mount, 6);
    RenameADirectory(mount);
    ASSERT_TRUE(WaitFor([&] {
      return AllDescribed(mount.state_dir() / "spool") &&
             mount.Status()["files"].value("queued", 0) == 6;
    })) << mount.Status().dump();
    if (storm.Between(0, 1) == 0) {
      mount.Kill9();
    } else {
      ASSERT_EQ(mount.Unmount(), 0);
    }

    TempDir const out;
    auto const damage = Damage(storm, mount.state_dir() / "catalog");
    SCOPED_TRACE(damage + ", round " + std::to_string(i));
    auto const rescued = TusfsCtl({"rescue", mount.state_dir(), out / "all"});
    EXPECT_EQ(rescued.code, 0) << rescued.err;
    ExpectAllIn(out / "all");

    server_->Restart();
    ASSERT_EQ(mount.Mount(), "");
    ExpectAllIn(mount.mountpoint());
    EXPECT_EQ(mount.WaitUploaded(), 0);
    int complete = 0;
    for (auto const& upload : server_->Uploads()) complete += upload.complete ? 1 : 0;
    EXPECT_EQ(complete, static_cast<int>(uploaded) + 6) << "published twice, or not";
    if (mount.Log().find("found again in the spool") != std::string::npos) ++rebuilt;
    EXPECT_EQ(mount.Unmount(), 0);
    storm.Done();
  }
  storm.SetDetails("made anew " + std::to_string(rebuilt) + ", the others were not harmed");
}

}  // namespace
}  // namespace tusfs_testing
